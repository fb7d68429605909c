package group

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// ErrBadMode means a Filter's mode is neither Include nor Exclude.
var ErrBadMode = errors.New("filter mode is neither Include nor Exclude")

// FilterMode says how a Filter's sources are meant (RFC 3376 section 2).
type FilterMode uint8

const (
	// Include wants the sources listed and no others.
	Include FilterMode = 0

	// Exclude wants every source but those listed.
	Exclude FilterMode = 1
)

// String returns the RFC's word, "INCLUDE" or "EXCLUDE".
func (m FilterMode) String() string {
	switch m {
	case Include:
		return "INCLUDE"
	case Exclude:
		return "EXCLUDE"
	}
	return fmt.Sprintf("FilterMode(%d)", uint8(m))
}

// A Filter says which senders to a group are wanted: the state RFC 3376 section 3
// keeps for a socket and an interface, and RFC 3810 section 4 for IPv6. The zero
// Filter is INCLUDE {}: nothing wanted, the group not joined. Filter{Mode: Exclude}
// wants everyone.
type Filter struct {
	Mode    FilterMode
	Sources []netip.Addr // in any order; Canonical sorts them
}

// Accepts reports whether packets from src are wanted. Zones and the difference
// between an IPv4 address and its IPv4-mapped form do not count. It looks through
// the whole list and allocates nothing. A src that is the zero Addr is never
// accepted.
func (f Filter) Accepts(src netip.Addr) bool {
	if !src.IsValid() {
		return false
	}
	return f.lists(plain(src)) == (f.Mode == Include)
}

func (f Filter) lists(src netip.Addr) bool {
	for _, s := range f.Sources {
		if plain(s) == src {
			return true
		}
	}
	return false
}

// IsEmpty reports whether f is INCLUDE {}: no sender wanted, which is how RFC 3376
// section 2 says that a group is left.
func (f Filter) IsEmpty() bool { return f.Mode == Include && len(f.Sources) == 0 }

// Canonical returns a copy with its sources sorted, each once, IPv4-mapped ones
// as IPv4 and none with a zone. An empty list is nil. It allocates the copy.
func (f Filter) Canonical() Filter {
	if len(f.Sources) == 0 {
		return Filter{Mode: f.Mode}
	}
	s := make([]netip.Addr, len(f.Sources))
	for i, a := range f.Sources {
		s[i] = plain(a)
	}
	slices.SortFunc(s, netip.Addr.Compare)
	return Filter{Mode: f.Mode, Sources: slices.Compact(s)}
}

// Equal reports whether f and g accept the same senders and have the same mode:
// order, repetition, zones and mapped forms do not count. It allocates nothing
// and takes the product of the two lengths in time.
func (f Filter) Equal(g Filter) bool {
	return f.Mode == g.Mode && f.within(g) && g.within(f)
}

// within reports whether every source of f is one of g's.
func (f Filter) within(g Filter) bool {
	for i, s := range f.Sources {
		// Lists are mostly in the same order: look there before looking around.
		if i < len(g.Sources) && plain(g.Sources[i]) == plain(s) {
			continue
		}
		if !g.lists(plain(s)) {
			return false
		}
	}
	return true
}

// Validate reports what makes f impossible for a group, as an error wrapping
// ErrNotMulticast, ErrBadSource, ErrBadMode or ErrSyntax, or nil. INCLUDE {} is
// valid everywhere, and EXCLUDE in the SSM range too, as an any-source Channel is:
// who must not ask for that (RFC 4604 section 2.2) asks IsSSM.
func (f Filter) Validate(group netip.Addr) error {
	if !group.Unmap().IsMulticast() {
		return fmt.Errorf("group: %s: %w", group, ErrNotMulticast)
	}
	if f.Mode > Exclude {
		return fmt.Errorf("group: %v: %w", f.Mode, ErrBadMode)
	}
	for _, s := range f.Sources {
		// A zero source means any source to a Channel, so it needs its own test.
		if !s.IsValid() {
			return fmt.Errorf("group: the zero address as a source: %w", ErrBadSource)
		}
		if err := (Channel{Group: group, Source: s}).Validate(); err != nil {
			return err
		}
	}
	return nil
}

// String returns "INCLUDE {192.0.2.1, 192.0.2.2}" or "EXCLUDE {}", with the sources
// in the order they are listed.
func (f Filter) String() string {
	b := append([]byte(f.Mode.String()), " {"...)
	for i, s := range f.Sources {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = s.AppendTo(b)
	}
	return string(append(b, '}'))
}

// plain is the form of an address in which equal ones compare equal.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
