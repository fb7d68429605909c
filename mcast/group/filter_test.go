package group_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

func TestFilter(t *testing.T) {
	a, b, mapped, zoned := "192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "fe80::1%eth0"
	for _, tt := range []struct {
		f         group.Filter
		text      string
		accepts   []string
		refuses   []string
		empty     bool
		canonical []netip.Addr
	}{
		{group.Filter{}, "INCLUDE {}", nil, []string{a, "::1"}, true, nil},
		{group.Filter{Mode: group.Exclude}, "EXCLUDE {}", []string{a, "fe80::1"}, nil, false, nil},
		{group.Filter{Sources: addrs(b, a, b)}, "INCLUDE {192.0.2.2, 192.0.2.1, 192.0.2.2}", []string{a, b, mapped}, []string{"192.0.2.3"}, false, addrs(a, b)},
		{group.Filter{Mode: group.Exclude, Sources: addrs(mapped, a)}, "EXCLUDE {::ffff:192.0.2.1, 192.0.2.1}", []string{b}, []string{a, mapped}, false, addrs(a)},
		{group.Filter{Sources: addrs(zoned)}, "INCLUDE {fe80::1%eth0}", []string{"fe80::1", "fe80::1%eth1"}, []string{"fe80::2"}, false, addrs("fe80::1")},
		{group.Filter{Sources: []netip.Addr{}}, "INCLUDE {}", nil, []string{a}, true, nil},
	} {
		if tt.f.String() != tt.text || tt.f.IsEmpty() != tt.empty {
			t.Errorf("%q, empty %v; want %q, %v", tt.f, tt.f.IsEmpty(), tt.text, tt.empty)
		}
		for _, s := range tt.accepts {
			if !tt.f.Accepts(addr(s)) {
				t.Errorf("%v refuses %s", tt.f, s)
			}
		}
		for _, s := range tt.refuses {
			if tt.f.Accepts(addr(s)) {
				t.Errorf("%v accepts %s", tt.f, s)
			}
		}
		if tt.f.Accepts(netip.Addr{}) {
			t.Errorf("%v accepts the zero Addr", tt.f)
		}
		before := slices.Clone(tt.f.Sources)
		c := tt.f.Canonical()
		if c.Mode != tt.f.Mode || !slices.Equal(c.Sources, tt.canonical) || (c.Sources == nil) != (tt.canonical == nil) || !slices.Equal(before, tt.f.Sources) {
			t.Errorf("%v: canonical %v", tt.f, c)
		}
		if !c.Equal(tt.f) || !tt.f.Equal(c) {
			t.Errorf("%v and %v are not equal", c, tt.f)
		}
	}
	f := group.Filter{Sources: addrs(a, b)}
	for _, other := range []group.Filter{{}, {Sources: addrs(a)}, {Sources: addrs(a, b, "192.0.2.3")}, {Mode: group.Exclude, Sources: addrs(a, b)}} {
		if f.Equal(other) || other.Equal(f) {
			t.Errorf("%v equals %v", f, other)
		}
	}
	if s := group.FilterMode(7).String(); s != "FilterMode(7)" {
		t.Error(s)
	}
}

func TestFilterValidate(t *testing.T) {
	for _, tt := range []struct {
		f     group.Filter
		group string
		err   error
	}{
		{group.Filter{}, "239.1.2.3", nil},
		{group.Filter{Mode: group.Exclude}, "239.1.2.3", nil},
		{group.Filter{Mode: group.Exclude}, "232.1.2.3", nil},
		{group.Filter{Sources: addrs("192.0.2.1", "::ffff:192.0.2.2")}, "232.1.2.3", nil},
		{group.Filter{Sources: addrs("fe80::1%eth0")}, "ff32::8000:1", nil},
		{group.Filter{}, "192.0.2.1", group.ErrNotMulticast},
		{group.Filter{Mode: 2}, "239.1.2.3", group.ErrBadMode},
		{group.Filter{Sources: addrs("192.0.2.1", "239.1.1.1")}, "239.1.2.3", group.ErrBadSource},
		{group.Filter{Sources: addrs("2001:db8::1")}, "239.1.2.3", group.ErrBadSource},
		{group.Filter{Sources: []netip.Addr{{}}}, "239.1.2.3", group.ErrBadSource},
	} {
		if err := tt.f.Validate(addr(tt.group)); !errors.Is(err, tt.err) {
			t.Errorf("%v in %s: %v, want %v", tt.f, tt.group, err, tt.err)
		}
	}
	if err := (group.Filter{}).Validate(netip.Addr{}); !errors.Is(err, group.ErrNotMulticast) {
		t.Error(err)
	}
}
