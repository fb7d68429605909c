package sap

import (
	"slices"
	"strconv"
	"strings"
)

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
		if !o.behind {
			l.Others = append(l.Others, o.addr)
		}
	}
	for _, p := range x.places {
		if p.fresh && !slices.Contains(l.Places, p.Place) {
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
