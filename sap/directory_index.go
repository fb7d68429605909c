package sap

import (
	"net/netip"
	"slices"

	"github.com/gomulticast/multicast/sdp"
)

// set gives x what a packet says that was weighed.
func (e *directory) set(x *entry, a *advert, size int) {
	e.bytes += size - x.size
	x.size, x.d, x.text, x.origin, x.from, x.hash, x.quirks = size, a.d, a.text, a.origin, a.head.origin, a.head.hash, a.quirks
	x.ends = a.d.Ends()
	x.channels = a.channels
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

// used reports whether a session uses a group.
func (e *directory) used(g netip.Addr) bool { return len(e.groups[g]) > 0 }
