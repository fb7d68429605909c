package sap

import (
	"container/heap"
	"hash/maphash"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/sdp"
)

// directory is the engine of a Directory. It sends nothing.
type directory struct {
	cfg   DirectoryConfig
	clock steady
	seed  maphash.Seed // of keys that are only compared

	sessions map[string][]*entry // by key; several when hosts disagree
	wires    map[wire]*entry
	heads    map[head]*entry
	groups   map[netip.Addr][]*entry
	order    deadlines
	once     struct{ oldest, newest *entry }
	ghosts   []uint64 // by their remainder; see maxGhosts
	hosts    hostTable
	bytes    int
	number   uint64

	inflate Inflater
	signed  []byte
	happens []happening
	lost    int
	changes uint64 // what a Store does not know yet
	stats   DirectoryStats
}

var _ engine.Engine = (*directory)(nil)

// A happening is an event that nobody has looked at yet.
type happening struct {
	kind     Kind
	reason   Reason
	x, other *entry
	old      *sdp.Description
}

// maxHappenings is how many events wait for the shell, which takes them after each
// packet.
const maxHappenings = 1 << 14

// maxSameGroup is how many sessions on one group are watched for clashes.
const maxSameGroup = 16

func newDirectory(cfg DirectoryConfig) (*directory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.filled()
	return &directory{
		cfg: cfg, seed: maphash.MakeSeed(), inflate: Inflater{Limit: cfg.MaxInflated},
		sessions: make(map[string][]*entry),
		wires:    make(map[wire]*entry),
		heads:    make(map[head]*entry),
		groups:   make(map[netip.Addr][]*entry),
		hosts:    hostTable{rate: float64(cfg.Rate), burst: float64(cfg.Burst), max: max(maxHosts, 2*cfg.MaxSessions)},
	}, nil
}

// Transmit implements engine.Engine.
func (e *directory) Transmit(time.Time, *datagram.Packet) bool { return false }

// Next implements engine.Engine.
func (e *directory) Next() time.Time {
	var t time.Time
	if len(e.order) > 0 {
		t = e.order[0].deadline
	}
	return e.clock.next(t)
}

// Advance implements engine.Engine: it removes what is not heard any more.
func (e *directory) Advance(wall time.Time) {
	now := e.clock.at(wall)
	for len(e.order) > 0 && !e.order[0].deadline.After(now) {
		x := e.order[0]
		expiry := e.expiry(x)
		doomed := x.doomed(now, expiry)
		switch {
		case !doomed.IsZero() && !doomed.After(now):
			e.remove(x, Deleted)
		case !x.ends.IsZero() && !wall.Before(x.ends):
			e.remove(x, Ended)
		case !x.last.Add(expiry).After(now):
			e.remove(x, Expired)
		default: // some of its owners left, or the clock on the wall went back
			e.schedule(x, now, wall)
		}
	}
}

func (e *directory) expiry(x *entry) time.Duration {
	// RFC 2974 section 3.1, from what is announced here.
	guess := max(RFC2974.interval(), time.Duration(len(e.order))*pace.Duration(len(x.text), DefaultBandwidth))
	return x.expiry(e.cfg.Expiry, guess)
}

// schedule sets when x is removed if it is not heard again.
func (e *directory) schedule(x *entry, now, wall time.Time) {
	expiry := e.expiry(x)
	x.deadline = x.last.Add(expiry)
	if len(x.owners) > 1 || !x.owners[0].left.IsZero() {
		e.purge(x, now)
		if at := x.doomed(now, expiry); !at.IsZero() && at.Before(x.deadline) {
			x.deadline = at
		}
		for _, o := range x.owners { // who is to be purged
			if at := o.left.Add(deleteGrace); !o.left.IsZero() && at.After(now) && at.Before(x.deadline) {
				x.deadline = at
			}
		}
	}
	if !x.ends.IsZero() {
		if left := now.Add(max(x.ends.Sub(wall), 0)); left.Before(x.deadline) {
			x.deadline = left
		}
	}
	if !x.deadline.After(now) {
		x.deadline = now.Add(time.Nanosecond)
	}
	heap.Fix(&e.order, x.index)
}

// purge lets those go who left and did not come back, as long as others stay.
func (e *directory) purge(x *entry, now time.Time) {
	for i := 0; i < len(x.owners) && len(x.owners) > 1; {
		o := x.owners[i]
		if o.left.IsZero() || o.left.Add(deleteGrace).After(now) {
			i++
			continue
		}
		e.disown(x, i)
	}
}

// disown takes an owner away that is not the only one.
func (e *directory) disown(x *entry, i int) {
	if i == 0 {
		e.hosts.release(x.owners[0].addr)
		if h := e.hosts.get(x.owners[1].addr); h != nil {
			h.sessions++
		}
	}
	x.owners = slices.Delete(x.owners, i, i+1)
}

// leads reports whether the first owner that has not left is p: that one may change x.
func (x *entry) leads(p party) bool {
	i := x.owns(p)
	return i >= 0 && !slices.ContainsFunc(x.owners[:i], func(o owner) bool { return o.left.IsZero() })
}

func (e *directory) happen(h happening) {
	if h.kind != Refreshed {
		e.changes++
	}
	if len(e.happens) >= maxHappenings {
		e.lost++
		return
	}
	e.happens = append(e.happens, h)
}

// Handle implements engine.Engine.
func (e *directory) Handle(wall time.Time, in *datagram.Packet) {
	now := e.clock.at(wall)
	e.stats.Packets++
	if len(in.Data) > e.cfg.MaxPacket {
		e.stats.Bad++
		return
	}
	src := in.Src.Addr().Unmap()
	at := Place{in.Dst.Addr().Unmap().WithZone(""), in.IfIndex}
	w := wire{maphash.Bytes(e.seed, in.Data), src}
	if x := e.wires[w]; x != nil { // nothing new
		e.refresh(x, now, wall, at, src)
		return
	}
	if !e.hosts.take(src, now) {
		e.stats.Limited++
		return
	}
	p, err := ParsePacket(in.Data)
	if err != nil {
		e.stats.Bad++
		return
	}
	if p.Encrypted {
		e.stats.Encrypted++
		return
	}
	a := advert{now: now, wall: wall, at: at, wire: w, head: head{src, p.Origin, p.Hash}, party: party{addr: src}}
	if len(p.Auth) > 0 && e.cfg.Verify != nil && !e.verify(&a, &p, in.Data) {
		e.stats.Unverified++
		return
	}
	if err := e.inflate.Inflate(&p); err != nil {
		e.stats.Bad++
		return
	}
	if !p.IsSDP() {
		e.stats.Foreign++
		return
	}
	a.quirks = p.Quirks()
	if src != p.Origin {
		a.quirks |= QuirkRelayed
	}
	if len(in.Data) > RecommendedSize {
		a.quirks |= QuirkBigPacket
	}
	if a.quirks&^QuirkNoType != 0 {
		e.stats.Quirks++
	}
	a.d, err = sdp.Parse(p.Payload)
	if p.Delete {
		e.deleted(&a) // whether or not it can be read
		return
	}
	if err != nil {
		e.stats.Bad++
		return
	}
	e.announced(&a)
}

// An advert is a packet being handled.
type advert struct {
	now, wall time.Time
	at        Place
	wire      wire
	head      head
	party     party
	quirks    Quirk
	d         *sdp.Description
	text      string
	origin    sdp.Origin
	degen     bool
}

func (e *directory) verify(a *advert, p *Packet, data []byte) bool {
	auth, err := ParseAuth(p.Auth)
	if err != nil {
		return false
	}
	if e.signed, err = AppendSigned(e.signed[:0], data); err != nil {
		return false
	}
	a.party.signer, err = e.cfg.Verify(auth, e.signed)
	return err == nil
}

// key returns what tells the session from others: its origin (RFC 2974 section 5)
// unless that is one that many share. Then it is the sender and the hash.
func (e *directory) key(a *advert) string {
	if a.d != nil {
		var ok bool
		if a.origin, ok = a.d.Origin(); ok && a.origin.Identifies() {
			return a.origin.Key()
		}
	}
	a.degen = true
	if a.head.hash != 0 {
		return a.head.src.String() + " #" + strconv.FormatUint(uint64(a.head.hash), 16)
	}
	return a.head.src.String() + " ?" + strconv.FormatUint(maphash.String(e.seed, a.text), 16)
}

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
	case own != nil && own == same:
	case own != nil && own.olderVersion(a.origin) && a.now.Sub(own.last) < max(3*own.period(), time.Minute):
		e.stats.Old++ // late, or from one who has not heard yet
		return
	case own != nil && own.leads(a.party):
		for own.owns(a.party) > 0 {
			e.disown(own, 0)
		}
		e.modify(own, same, a)
		return
	case own != nil:
		// It announced the same as another, who alone may change that.
		e.disown(own, own.owns(a.party))
	}
	if same == nil {
		e.add(key, a)
		return
	}
	if same.owns(a.party) < 0 && len(same.owners) < maxSources {
		same.owners = append(same.owners, owner{party: a.party})
	}
	e.note(same, a)
	e.refresh(same, a.now, a.wall, a.at, a.wire.src)
}

// note remembers a packet that says what x is.
func (e *directory) note(x *entry, a *advert) {
	if len(x.wires) >= maxPlaces {
		delete(e.wires, x.wires[0])
		x.wires = slices.Delete(x.wires, 0, 1)
	}
	x.wires = append(x.wires, a.wire)
	e.wires[a.wire] = x
	if e.heads[a.head] == x {
		return
	}
	if len(x.heads) >= maxPlaces {
		e.unhead(x, x.heads[0])
		x.heads = slices.Delete(x.heads, 0, 1)
	}
	x.heads = append(x.heads, a.head)
	e.heads[a.head] = x
}

func (e *directory) unhead(x *entry, h head) {
	if e.heads[h] == x {
		delete(e.heads, h)
	}
}

// unnote forgets the packets.
func (e *directory) unnote(x *entry) {
	for _, w := range x.wires {
		delete(e.wires, w)
	}
	for _, h := range x.heads {
		e.unhead(x, h)
	}
	x.wires, x.heads = x.wires[:0], x.heads[:0]
}

// refresh notes that x was heard again.
func (e *directory) refresh(x *entry, now, wall time.Time, at Place, src netip.Addr) {
	for i := range x.owners {
		if x.owners[i].addr == src {
			x.owners[i].left = time.Time{}
		}
	}
	gaps := x.nGaps
	x.heard(now, wall, at, src)
	if x.nGaps > gaps {
		e.confirm(x)
	}
	e.schedule(x, now, wall)
	e.happen(happening{kind: Refreshed, x: x})
}

// sizeOf is what a description weighs.
func sizeOf(d *sdp.Description) int { return 512 + 2*d.Size() + 48*d.Len() }

// add begins a session, if the limits allow it.
func (e *directory) add(key string, a *advert) {
	size := sizeOf(a.d)
	h := e.hosts.get(a.party.addr)
	if h == nil || h.sessions >= e.cfg.MaxPerSource || !e.room(size, 1) {
		e.stats.Full++
		return
	}
	h.sessions++
	x := &entry{key: key, degen: a.degen, owners: []owner{{party: a.party}}, firstWall: a.wall}
	others := e.sessions[key]
	if len(others) > 0 {
		e.number++
		x.number = e.number
	}
	e.sessions[key] = append(others, x)
	e.set(x, a, size)
	x.heard(a.now, a.wall, a.at, a.wire.src)
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

// set gives x what a packet says.
func (e *directory) set(x *entry, a *advert, size int) {
	e.bytes += size - x.size
	x.size, x.d, x.text, x.origin, x.from, x.hash, x.quirks = size, a.d, a.text, a.origin, a.head.origin, a.head.hash, a.quirks
	x.ends = a.d.Ends()
	x.channels = a.d.Channels()
	if len(x.channels) > maxGroups {
		x.channels = slices.Clip(slices.Clone(x.channels[:maxGroups]))
	}
	for _, c := range x.channels {
		if on := e.groups[c.Group]; len(on) < maxSameGroup && !slices.Contains(on, x) {
			e.groups[c.Group] = append(on, x)
		}
	}
	if a.wire.src.IsValid() {
		e.note(x, a)
	}
}

// unset is the opposite of set.
func (e *directory) unset(x *entry) {
	for _, c := range x.channels {
		on := e.groups[c.Group]
		if i := slices.Index(on, x); i >= 0 {
			if on = slices.Delete(on, i, i+1); len(on) == 0 {
				delete(e.groups, c.Group)
			} else {
				e.groups[c.Group] = on
			}
		}
	}
	e.unnote(x)
}

// modify gives x a new description, by the host that announced it.
func (e *directory) modify(x, same *entry, a *advert) {
	if same != nil { // that another host announced already
		for _, o := range same.owners {
			if x.owns(o.party) < 0 && len(x.owners) < maxSources {
				x.owners = append(x.owners, o)
			}
		}
		e.remove(same, Evicted)
	}
	size := sizeOf(a.d)
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
	x.owners[0].left = time.Time{}
	x.heard(a.now, a.wall, a.at, a.wire.src)
	e.schedule(x, a.now, a.wall)
	e.happen(happening{kind: Updated, x: x, old: old})
	e.clash(x)
}

// clash tells when another session uses a group of x.
func (e *directory) clash(x *entry) {
	for _, c := range x.channels {
		for _, y := range e.groups[c.Group] {
			if y == x || y.key == x.key || y.owners[0].addr == x.owners[0].addr || !x.degen && !y.degen && y.origin.Address == x.origin.Address {
				continue // one host may have several sessions on a group
			}
			if slices.ContainsFunc(y.channels, func(d sdp.Channel) bool { return overlap(c, d) }) {
				e.happen(happening{kind: Conflict, reason: SameGroup, x: x, other: y})
				return
			}
		}
	}
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
		if y.owns(a.party) >= 0 && (a.degen || !y.olderVersion(a.origin)) {
			x = y
			break
		}
	}
	if x == nil && a.degen {
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

// listing returns x as others see it.
func (e *directory) listing(x *entry) Listing {
	l := Listing{
		Key: x.key, Description: x.d, Source: x.owners[0].addr, Signer: x.owners[0].signer,
		Origin: x.from, Hash: x.hash, Quirks: x.quirks, First: x.firstWall, Last: x.lastWall,
		Heard: x.count, Period: x.period(), Stale: x.stale,
		Expires: x.deadline.Add(-e.clock.shift),
	}
	if x.number > 0 {
		l.Key += " *" + strconv.FormatUint(x.number, 10)
	}
	for _, o := range x.owners[1:] {
		l.Others = append(l.Others, o.addr)
	}
	for _, p := range x.places {
		if !slices.Contains(l.Places, p.Place) {
			l.Places = append(l.Places, p.Place)
		}
	}
	return l
}

// listings returns all sessions, in the order of their keys.
func (e *directory) listings() []Listing {
	all := make([]Listing, 0, len(e.order))
	for _, x := range e.order {
		all = append(all, e.listing(x))
	}
	slices.SortFunc(all, func(a, b Listing) int { return strings.Compare(a.Key, b.Key) })
	return all
}

func (e *directory) counters() DirectoryStats {
	st := e.stats
	st.Sessions, st.Bytes = len(e.order), e.bytes
	for _, x := range e.order {
		if x.stale {
			st.Stale++
		}
	}
	return st
}

// used reports whether a session uses a group.
func (e *directory) used(g netip.Addr) bool { return len(e.groups[g]) > 0 }
