package group

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Channel is what a receiver joins: a group, and the source wanted from it
// (RFC 4607 section 2 calls that pair (S,G) a channel). A zero Source wants
// every sender. Channels can be compared and used as map keys once they are
// Canonical.
type Channel struct {
	// Group is the multicast address. Its zone, if any, names the interface.
	Group netip.Addr

	// Source is the sender's unicast address, or the zero Addr for any.
	Source netip.Addr
}

// ParseChannel reads the form String writes: "239.1.2.3" or "ff3e::1234" for any
// source, "192.0.2.10@232.1.2.3" or "2001:db8::1@ff3e::1234" for one, which is
// the order in which FFmpeg, VLC and smcroute write it too. Either address may
// carry a zone. IPv4-mapped addresses become IPv4. The channel returned is
// valid; a group in the SSM range without a source is accepted, since routers
// and monitors handle such too (see IsSSM).
func ParseChannel(s string) (Channel, error) {
	src, grp, both := strings.Cut(s, "@")
	if !both {
		src, grp = "", s
	}
	var c Channel
	var err error
	if c.Group, err = netip.ParseAddr(grp); err != nil {
		return Channel{}, fmt.Errorf("group: parse channel %q: %w", s, ErrSyntax)
	}
	if both {
		if c.Source, err = netip.ParseAddr(src); err != nil {
			return Channel{}, fmt.Errorf("group: parse channel %q: %w", s, ErrSyntax)
		}
	}
	// Unmap keeps the zone of an IPv6 address; a mapped address has none to keep.
	c.Group, c.Source = c.Group.Unmap(), c.Source.Unmap()
	if err := c.Validate(); err != nil {
		return Channel{}, err
	}
	return c, nil
}

// Validate reports what makes c impossible to join, as an error wrapping
// ErrNotMulticast, ErrBadSource or ErrSyntax, or nil.
func (c Channel) Validate() error {
	if !c.Group.Unmap().IsMulticast() {
		return fmt.Errorf("group: %s: %w", c.Group, ErrNotMulticast)
	}
	if strings.Contains(c.Group.Zone(), "@") || strings.Contains(c.Source.Zone(), "@") {
		return fmt.Errorf("group: zone contains @: %w", ErrSyntax)
	}
	if c.Source == (netip.Addr{}) {
		return nil
	}
	if !unicastFor(c.Source.Unmap(), c.Group.Unmap()) {
		return fmt.Errorf("group: %s in %s: %w", c.Source, c, ErrBadSource)
	}
	return nil
}

// unicastFor reports whether s can send to a group: a unicast address of its IP
// version. Both are unmapped.
func unicastFor(s, group netip.Addr) bool {
	return s.Is4() == group.Is4() && !s.IsMulticast() && !s.IsUnspecified() && s != bcast
}

// AnySource reports whether c has no source, so that every sender is wanted.
func (c Channel) AnySource() bool { return !c.Source.IsValid() }

// Zone returns the zone of the group, or of the source when only that has one:
// the name or number of the interface the channel is on, "" when not told.
func (c Channel) Zone() string {
	if z := c.Group.Zone(); z != "" {
		return z
	}
	return c.Source.Zone()
}

// Canonical returns c with IPv4-mapped addresses as IPv4 and without zones, the
// form in which two equal channels on one interface compare equal.
func (c Channel) Canonical() Channel {
	return Channel{Group: c.Group.Unmap().WithZone(""), Source: c.Source.Unmap().WithZone("")}
}

// String returns "group", or "source@group" when c has a source.
func (c Channel) String() string {
	if c.AnySource() {
		return c.Group.String()
	}
	return c.Source.String() + "@" + c.Group.String()
}

// AppendText appends String to b, so that channels can be configuration and map
// keys in JSON. It returns no error.
func (c Channel) AppendText(b []byte) ([]byte, error) {
	if !c.AnySource() {
		b = append(c.Source.AppendTo(b), '@')
	}
	return c.Group.AppendTo(b), nil
}

// MarshalText is AppendText into a new slice.
func (c Channel) MarshalText() ([]byte, error) { return c.AppendText(nil) }

// UnmarshalText is ParseChannel. Empty text gives the zero Channel, which is not
// valid but is what its MarshalText wrote.
func (c *Channel) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*c = Channel{}
		return nil
	}
	v, err := ParseChannel(string(b))
	if err == nil {
		*c = v
	}
	return err
}
