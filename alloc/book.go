package alloc

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// How long addresses are looked for: in so many places of a zone, and from each of them
// over so many addresses.
const (
	maxPlaces = 64
	maxSteps  = 1 << 16
)

// A claim is the addresses of a lease.
type claim struct {
	id    uint64
	addrs []netip.Addr
	end   time.Time // zero is never
}

// A book knows the leases that one allocator has granted. It is handed the time and has
// no lock.
type book struct {
	rng     *rand.Rand
	aliases bool // addresses may share an Ethernet address
	claims  map[uint64]*claim
	taken   map[netip.Addr]struct{}
	macs    map[[6]byte]int // how many addresses of the book have it
	last    uint64
	next    time.Time // the first end, or before; zero is none
}

func newBook(rng *rand.Rand, aliases bool) *book {
	return &book{rng: rng, aliases: aliases, claims: make(map[uint64]*claim), taken: make(map[netip.Addr]struct{}), macs: make(map[[6]byte]int)}
}

// An offer is what an allocator draws from for one request.
type offer struct {
	zones   []group.Zone // of at most maxZone addresses each
	allowed []group.Code
	inUse   set
	scope   group.Zone // whose top is for services, if valid
}

// grant draws addresses and notes them. The error wraps ErrNoFree.
func (b *book) grant(now time.Time, t *terms, o *offer) (*claim, error) {
	b.advance(now)
	addrs := b.draw(t, o)
	if len(addrs) < t.MinCount {
		err := fmt.Errorf("%w: %d of at least %d found among %s: ask for fewer, or give the allocator more", ErrNoFree, len(addrs), t.MinCount, zonesText(o.zones))
		if !b.next.IsZero() {
			return nil, &LaterError{b.next, err}
		}
		return nil, err
	}
	b.last++
	c := &claim{b.last, addrs, t.end}
	b.claims[c.id] = c
	for _, a := range addrs {
		b.taken[a] = struct{}{}
		b.macs[group.MAC(a)]++
	}
	b.note(c.end)
	return c, nil
}

// note takes an end into account.
func (b *book) note(end time.Time) {
	if !end.IsZero() && (b.next.IsZero() || end.Before(b.next)) {
		b.next = end
	}
}

// advance forgets what has ended.
func (b *book) advance(now time.Time) {
	if b.next.IsZero() || now.Before(b.next) {
		return
	}
	b.next = time.Time{}
	for id, c := range b.claims {
		if !c.end.IsZero() && !now.Before(c.end) {
			b.drop(id)
		} else {
			b.note(c.end)
		}
	}
}

// drop forgets a lease.
func (b *book) drop(id uint64) {
	c := b.claims[id]
	if c == nil {
		return
	}
	delete(b.claims, id)
	for _, a := range c.addrs {
		delete(b.taken, a)
		m := group.MAC(a)
		if b.macs[m]--; b.macs[m] == 0 {
			delete(b.macs, m)
		}
	}
}

// extend gives a lease another end, and reports whether there is such a lease.
func (b *book) extend(now time.Time, id uint64, end time.Time) bool {
	b.advance(now)
	c := b.claims[id]
	if c == nil {
		return false
	}
	c.end = end
	b.note(end)
	return true
}

// draw finds up to t.Count addresses: in a row if there is room, else in pieces, in
// order.
func (b *book) draw(t *terms, o *offer) []netip.Addr {
	pieces := newSet(nil)
	var found []netip.Addr
	for _, i := range b.rng.Perm(len(o.zones)) {
		z := o.zones[i]
		n, _ := sizeOf(z)
		steps := min(n, max(uint64(4*t.Count), maxSteps/maxPlaces))
		places := maxPlaces
		if n <= maxSteps {
			steps, places = n, 1
		}
		for range places {
			start, row := b.rng.Uint64N(n), 0
			for step := range steps {
				off := start + step
				if off >= n {
					off -= n
				}
				if off == 0 {
					row = 0
				}
				a := nth(z, off)
				if b.unfit(a, o) {
					row = 0
					continue
				}
				if row++; row == t.Count {
					return rowOf(z, off+1-uint64(row), row)
				}
				if len(found) < t.Count && !pieces.has(a, !b.aliases) {
					pieces.add(a)
					found = append(found, a)
				}
			}
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return found
}

// rowOf returns count addresses of a zone.
func rowOf(z group.Zone, off uint64, count int) []netip.Addr {
	all := make([]netip.Addr, count)
	for i := range all {
		all[i] = nth(z, off+uint64(i))
	}
	return all
}

// unfit reports whether an address cannot be given out.
func (b *book) unfit(a netip.Addr, o *offer) bool {
	if _, ok := b.taken[a]; ok {
		return true
	}
	if !b.aliases && b.macs[group.MAC(a)] > 0 || o.inUse.has(a, !b.aliases) {
		return true
	}
	if _, top := o.scope.Offset(a); top {
		return true
	}
	return fault(a, o.allowed...) != ""
}

// zonesText writes zones for an error.
func zonesText(zs []group.Zone) string {
	if len(zs) == 0 {
		return "no addresses"
	}
	text := fmt.Sprintf("%v to %v", zs[0].First, zs[0].Last)
	if n := len(zs) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more ranges", n)
	}
	return text
}
