package mcast

import (
	"net/netip"
	"slices"

	"github.com/gomulticast/multicast/mcast/group"
)

// This file is the arithmetic of filters. All are canonical: their sources sorted
// and each there once.

var anySource = group.Filter{Mode: group.Exclude}

// filterOf is the filter that joining ch alone gives.
func filterOf(ch group.Channel) group.Filter {
	if ch.AnySource() {
		return anySource
	}
	return group.Filter{Mode: group.Include, Sources: []netip.Addr{ch.Source}}
}

// same is Filter.Equal for canonical filters, which takes no more time than looking
// through the longer list.
func same(a, b group.Filter) bool { return a.Mode == b.Mode && slices.Equal(a.Sources, b.Sources) }

// fewSources is how long a list may be for looking through it to be faster than
// searching.
const fewSources = 8

func hasSource(list []netip.Addr, s netip.Addr) bool {
	if len(list) > fewSources {
		_, ok := slices.BinarySearchFunc(list, s, netip.Addr.Compare)
		return ok
	}
	return slices.Contains(list, s)
}

// withSource returns f with s in its list.
func withSource(f group.Filter, s netip.Addr) group.Filter {
	i, ok := slices.BinarySearchFunc(f.Sources, s, netip.Addr.Compare)
	if ok {
		return f
	}
	list := make([]netip.Addr, 0, len(f.Sources)+1)
	list = append(append(append(list, f.Sources[:i]...), s), f.Sources[i:]...)
	return group.Filter{Mode: f.Mode, Sources: list}
}

// withoutSource returns f without s in its list.
func withoutSource(f group.Filter, s netip.Addr) group.Filter {
	i, ok := slices.BinarySearchFunc(f.Sources, s, netip.Addr.Compare)
	if !ok {
		return f
	}
	if len(f.Sources) == 1 {
		return group.Filter{Mode: f.Mode}
	}
	return group.Filter{Mode: f.Mode, Sources: slices.Delete(slices.Clone(f.Sources), i, i+1)}
}

// missing lists the sources of a that are not in b.
func missing(a, b []netip.Addr) []netip.Addr {
	var d []netip.Addr
	for _, s := range a {
		if !hasSource(b, s) {
			d = append(d, s)
		}
	}
	return d
}

// widens reports whether to may accept a sender that from does not.
func widens(from, to group.Filter) bool {
	switch {
	case from.Mode == to.Mode && to.Mode == group.Include:
		return len(missing(to.Sources, from.Sources)) > 0
	case from.Mode == to.Mode:
		return len(missing(from.Sources, to.Sources)) > 0
	case to.Mode == group.Include:
		return slices.ContainsFunc(to.Sources, func(s netip.Addr) bool { return hasSource(from.Sources, s) })
	}
	return true
}
