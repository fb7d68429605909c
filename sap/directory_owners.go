package sap

import (
	"net/netip"
	"slices"
	"time"
)

// A party is who announces: the signer, or the host when there is none.
type party struct {
	addr   netip.Addr
	signer string
}

// An owner is a party of an entry.
type owner struct {
	party

	// left is when it sent a deletion. It leaves for good after deleteGrace,
	// unless it announces again.
	left time.Time

	// behind tells that it announced what the entry was before, and not yet what
	// it is now. It may be about to, or about to delete the old version: an update
	// reaches one path before the other. Until then it keeps nothing up.
	behind bool
}

// deleteGrace is how long after its deletion a session is removed. The old version of
// a session that changes is deleted right before the new one is announced (RFC 2974
// section 6), and the session is then not removed but updated.
const deleteGrace = 2 * time.Second

// active reports whether the owner announces what the entry is now.
func (o *owner) active() bool { return o.left.IsZero() && !o.behind }

// owns returns the place of a party among the announcers, -1 for none.
func (x *entry) owns(p party) int {
	return slices.IndexFunc(x.owners, func(o owner) bool {
		return o.signer == p.signer && (p.signer != "" || o.addr == p.addr)
	})
}

// leads reports whether p may change x: it is the first owner, or those before it have
// left.
func (x *entry) leads(p party) bool {
	i := x.owns(p)
	if i < 0 {
		return false
	}
	before := x.owners[:i]
	if x.owners[i].behind {
		before = x.owners
	}
	return !slices.ContainsFunc(before, func(o owner) bool { return o.active() })
}

// deleted takes a deletion. It need not be readable: some hold an o= line, some a
// whole description, some neither.
func (e *directory) deleted(a *advert) {
	if a.d != nil {
		a.text = a.d.String()
	}
	var x *entry
	key := e.key(a)
	for _, y := range e.sessions[key] {
		if y.deletable(a) {
			x = y
			break
		}
	}
	if x == nil && a.degen && a.head.hash != 0 {
		if y := e.heads[a.head]; y != nil && y.owns(a.party) >= 0 {
			x = y
		}
	}
	if x == nil || e.cfg.Deletes == DeleteNever || e.cfg.Deletes == DeleteVerified && a.party.signer == "" {
		e.stats.Ignored++
		return
	}
	e.stats.Deletes++
	x.owners[x.owns(a.party)].left = a.now
	e.schedule(x, a.now, a.wall)
}

// deletable reports whether a deletion is by an owner of x, and of what that one
// announced last. An owner that is behind deletes the version before.
func (x *entry) deletable(a *advert) bool {
	i := x.owns(a.party)
	return i >= 0 && (a.degen || x.owners[i].behind || !x.olderVersion(a.origin))
}

// doomed returns when the entry is to be removed because all who announce it have
// left, or the zero Time. Those who fell silent do not count, but for the first.
func (e *directory) doomed(x *entry, now time.Time) (at time.Time) {
	for i, o := range x.owners {
		switch {
		case !o.left.IsZero():
			if end := o.left.Add(deleteGrace); end.After(at) {
				at = end
			}
		case o.behind:
		case i == 0 || e.until(x, o.addr).After(now):
			return time.Time{}
		}
	}
	return at
}

// purge lets those go who left and did not come back, as long as others stay.
func (e *directory) purge(x *entry, now time.Time) {
	for i := 0; i < len(x.owners) && len(x.owners) > 1; {
		if o := x.owners[i]; o.left.IsZero() || o.left.Add(deleteGrace).After(now) {
			i++
			continue
		}
		e.disown(x, i)
	}
}

// disown takes an owner away that is not the only one, and where it was heard.
func (e *directory) disown(x *entry, i int) {
	if i == 0 {
		// The next is who announces what x is now, if there is one.
		next := 1 + max(0, slices.IndexFunc(x.owners[1:], func(o owner) bool { return o.active() }))
		e.promote(x, next)
		i = 1
	}
	gone := x.owners[i].addr
	x.owners = slices.Delete(x.owners, i, i+1)
	if !slices.ContainsFunc(x.owners, func(o owner) bool { return o.addr == gone }) {
		x.places = slices.DeleteFunc(x.places, func(p place) bool { return p.src == gone })
	}
}

// promote makes an owner the first.
func (e *directory) promote(x *entry, i int) {
	if i == 0 {
		return
	}
	o := x.owners[i]
	e.hosts.release(x.owners[0].addr)
	e.hosts.charge(o.addr)
	x.owners = slices.Insert(slices.Delete(x.owners, i, i+1), 0, o)
}

// part takes away an owner that announces something else now, and x with it when nobody
// else announces it.
func (e *directory) part(x *entry, i int) {
	o := &x.owners[i]
	o.behind = true
	if !slices.ContainsFunc(x.owners, func(o owner) bool { return o.active() }) {
		e.remove(x, Merged)
		return
	}
	e.disown(x, i)
}
