package sap

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

// announced takes an announcement that was not seen before, byte for byte.
func (e *directory) announced(a *advert) {
	a.text = a.d.String()
	key := e.key(a)
	ends := a.d.Ends()
	if !ends.IsZero() && !a.wall.Before(ends) {
		e.stats.Over++
		return
	}
	var own, same *entry
	for _, x := range e.sessions[key] {
		if own == nil && x.owns(a.party) >= 0 {
			own = x
		}
		if same == nil && x.text == a.text && x.owners[0].signer == a.party.signer {
			same = x
		}
	}
	switch {
	case own == nil, own == same:
	case own.late(a):
		e.stats.Old++
		return
	case same == nil && own.leads(a.party):
		e.promote(own, own.owns(a.party))
		e.modify(own, a)
		return
	default:
		// It now announces what another does, or it changed what it announced
		// with another, who alone may change that.
		e.part(own, own.owns(a.party))
	}
	if same == nil {
		e.add(key, a)
		return
	}
	if i := same.owns(a.party); i >= 0 {
		same.owners[i].left, same.owners[i].behind = time.Time{}, false
	} else if len(same.owners) < maxSources {
		same.owners = append(same.owners, owner{party: a.party})
	}
	e.note(same, a)
	e.refresh(same, a.now, a.wall, a.at, a.wire.src)
}

// lateness is how long after a change of a session the old version may still arrive by
// another path.
const lateness = 2 * time.Second

// late reports whether what an owner of x announces is an older version that is to be
// passed over: it was under way for longer than the new one. From who has announced
// nothing for some time it is taken: it may have begun again with a lower version. A
// signed one never is, since anybody can repeat it.
func (x *entry) late(a *advert) bool {
	switch o := &x.owners[x.owns(a.party)]; {
	case !x.olderVersion(a.origin):
		return false
	case o.signer != "":
		return true
	case o.behind:
		return a.now.Sub(x.since) < lateness
	}
	last := x.lastFrom(a.party.addr)
	return a.now.Sub(last) < max(3*x.periodFrom(a.party.addr), time.Minute)
}

// refresh notes that x was heard again.
func (e *directory) refresh(x *entry, now, wall time.Time, at Place, src netip.Addr) {
	for i := range x.owners {
		if o := &x.owners[i]; o.addr == src {
			o.left, o.behind = time.Time{}, false
		}
	}
	if e.hear(x, now, wall, at, src) {
		e.confirm(x)
	}
	e.schedule(x, now, wall)
	e.happen(happening{kind: Refreshed, x: x})
}

// weigh finds out what channels a packet announces and returns what an entry takes for
// it in memory, about: a line of a few bytes may stand for many channels.
func (a *advert) weigh() int {
	a.channels = a.d.Channels()
	if len(a.channels) > maxGroups {
		a.channels = slices.Clone(a.channels[:maxGroups])
	}
	size := 768 + 2*a.d.Size() + 48*a.d.Len() + len(a.party.signer)
	for _, c := range a.channels {
		size += 192 + 24*len(c.Except)
	}
	return size
}

// add begins a session, if the limits allow it.
func (e *directory) add(key string, a *advert) {
	size := a.weigh()
	h := e.hosts.get(a.party.addr)
	if h == nil || !e.share(h, a.party.addr) || !e.room(size, 1) {
		e.stats.Full++
		return
	}
	h.sessions++
	x := &entry{key: key, degen: a.degen, owners: []owner{{party: a.party}}, since: a.now, firstWall: a.wall}
	others := e.sessions[key]
	if len(others) > 0 {
		e.number++
		x.number = e.number
	}
	e.sessions[key] = append(others, x)
	e.set(x, a, size)
	e.hear(x, a.now, a.wall, a.at, a.wire.src)
	if !e.returned(a.wire) {
		e.probation(x)
	}
	x.deadline = a.now
	heap.Push(&e.order, x)
	e.schedule(x, a.now, a.wall)
	e.happen(happening{kind: Added, x: x})
	if len(others) > 0 {
		e.happen(happening{kind: Conflict, reason: SameOrigin, x: x, other: others[0]})
	}
	e.clash(x)
}

// modify gives x a new description, by its first owner. What the others announced is
// not what it is any more.
func (e *directory) modify(x *entry, a *advert) {
	size := a.weigh()
	if size > x.size {
		e.confirm(x) // so that it does not make room for itself
		if !e.room(size-x.size, 0) {
			e.stats.Full++
			e.remove(x, UpdateLimits)
			return
		}
	}
	old := x.d
	e.unset(x)
	e.set(x, a, size)
	x.owners[0].left, x.owners[0].behind = time.Time{}, false
	for i := range x.owners[1:] {
		x.owners[1+i].behind = true
	}
	x.places = slices.DeleteFunc(x.places, func(p place) bool { return p.src != a.wire.src })
	for i := range x.places {
		x.places[i].fresh = false
	}
	x.since, x.floor = a.now, time.Time{}
	e.hear(x, a.now, a.wall, a.at, a.wire.src)
	e.schedule(x, a.now, a.wall)
	e.happen(happening{kind: Updated, x: x, old: old})
	e.clash(x)
}

// remove takes x away.
func (e *directory) remove(x *entry, why Reason) {
	e.unset(x)
	e.confirm(x)
	heap.Remove(&e.order, x.index)
	e.hosts.release(x.owners[0].addr)
	e.bytes -= x.size
	all := e.sessions[x.key]
	if i := slices.Index(all, x); i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	if len(all) == 0 {
		delete(e.sessions, x.key)
	} else {
		e.sessions[x.key] = all
	}
	e.happen(happening{kind: Removed, reason: why, x: x})
}
