package group_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestIsSSM(t *testing.T) {
	tests := []struct {
		section string
		addr    string
		want    bool
	}{
		{"RFC 4607 1", "232.0.0.0", true},
		{"RFC 4607 1", "232.255.255.255", true},
		{"RFC 4607 1", "231.255.255.255", false},
		{"RFC 4607 1", "233.0.0.0", false},
		{"RFC 4607 1", "ff3e::1234", true},
		{"RFC 4607 1", "ff32::8000:1", true},
		{"RFC 4607 1: all of the /32", "ff3e:0:ffff::1", true},
		{"RFC 3306: a unicast prefix follows", "ff3e:40:2001:db8::1", false},
		{"RFC 4291 2.7", "ff0e::1234", false},
		{"RFC 4291 2.7", "ff7e::1234", false},
		{"not multicast", "fe3e::1", false},
		{"mapped", "::ffff:232.1.2.3", true},
		{"zone", "ff32::1%lo", true},
	}
	for _, tt := range tests {
		if got := group.IsSSM(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%s: IsSSM(%s) = %v, want %v", tt.section, tt.addr, got, tt.want)
		}
	}
	if group.IsSSM(netip.Addr{}) {
		t.Error("IsSSM of the zero Addr is true")
	}
}

func TestMAC(t *testing.T) {
	tests := []struct {
		section string
		addr    string
		want    [6]byte
	}{
		{"RFC 1112 6.4", "224.0.0.1", [6]byte{0x01, 0x00, 0x5e, 0, 0, 1}},
		{"RFC 1112 6.4: 23 bits", "239.255.255.255", [6]byte{0x01, 0x00, 0x5e, 0x7f, 0xff, 0xff}},
		{"RFC 1112 6.4: 32 share one", "224.128.0.1", [6]byte{0x01, 0x00, 0x5e, 0, 0, 1}},
		{"RFC 2464 7", "ff02::1:ff28:9c5a", [6]byte{0x33, 0x33, 0xff, 0x28, 0x9c, 0x5a}},
		{"RFC 2464 7", "ff0e:1:2:3::8000:1", [6]byte{0x33, 0x33, 0x80, 0, 0, 1}},
		{"mapped", "::ffff:224.0.0.251", [6]byte{0x01, 0x00, 0x5e, 0, 0, 0xfb}},
		{"not multicast", "192.0.2.1", [6]byte{}},
		{"not multicast", "2001:db8::1", [6]byte{}},
	}
	for _, tt := range tests {
		if got := group.MAC(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%s: MAC(%s) = %x, want %x", tt.section, tt.addr, got, tt.want)
		}
	}
	if group.MAC(netip.Addr{}) != [6]byte{} {
		t.Error("MAC of the zero Addr is not zero")
	}
}

func TestScope(t *testing.T) {
	tests := []struct {
		section string
		addr    string
		want    group.Scope
		text    string
	}{
		{"RFC 7346 2", "ff00::1", group.ScopeReserved, "reserved"},
		{"RFC 7346 2", "ff01::1", group.InterfaceLocal, "interface-local"},
		{"RFC 7346 2", "ff02::1%lo", group.LinkLocal, "link-local"},
		{"RFC 7346 2", "ff03::1", group.RealmLocal, "realm-local"},
		{"RFC 7346 2", "ff04::1", group.AdminLocal, "admin-local"},
		{"RFC 7346 2", "ff05::1", group.SiteLocal, "site-local"},
		{"RFC 7346 2", "ff06::1", 6, "unassigned-6"},
		{"RFC 7346 2", "ff38::1", group.OrganizationLocal, "organization-local"},
		{"RFC 7346 2", "ff0d::1", 13, "unassigned-d"},
		{"RFC 7346 2", "ff3e::1", group.Global, "global"},
		{"RFC 7346 2", "ff0f::1", group.ScopeReservedF, "reserved"},
		{"RFC 2365 8", "224.0.0.255", group.LinkLocal, "link-local"},
		{"RFC 2365 8", "224.0.1.0", group.Global, "global"},
		{"RFC 2365 8", "238.255.255.255", group.Global, "global"},
		{"RFC 2365 6.2.1", "239.0.0.0", group.AdminScoped, "administratively-scoped"},
		{"RFC 2365 6.2", "239.192.0.0", group.OrganizationLocal, "organization-local"},
		{"RFC 2365 6.2", "239.195.255.255", group.OrganizationLocal, "organization-local"},
		{"RFC 2365 6.2.1", "239.196.0.0", group.AdminScoped, "administratively-scoped"},
		{"RFC 2365 6.1.1", "239.254.0.0", group.AdminScoped, "administratively-scoped"},
		{"RFC 2365 6.1", "239.255.7.7", group.RealmLocal, "realm-local"},
		{"not multicast", "192.0.2.1", group.ScopeReserved, "reserved"},
		{"mapped", "::ffff:224.0.0.1", group.LinkLocal, "link-local"},
	}
	for _, tt := range tests {
		got := group.ScopeOf(netip.MustParseAddr(tt.addr))
		if got != tt.want || got.String() != tt.text {
			t.Errorf("%s: ScopeOf(%s) = %d %q, want %d %q", tt.section, tt.addr, got, got, tt.want, tt.text)
		}
	}
	if group.ScopeOf(netip.Addr{}) != group.ScopeReserved {
		t.Error("ScopeOf of the zero Addr is not reserved")
	}
	if s := group.Scope(200).String(); s != "Scope(200)" {
		t.Errorf("Scope(200) = %q", s)
	}
	if !group.LinkLocal.NeedsZone() || !group.InterfaceLocal.NeedsZone() || group.SiteLocal.NeedsZone() {
		t.Error("NeedsZone (RFC 4007 6): want interface-local and link-local only")
	}
}

func TestParseChannel(t *testing.T) {
	tests := []struct {
		in, out string
		err     error
	}{
		{"239.1.2.3", "239.1.2.3", nil},
		{"192.0.2.10@232.1.2.3", "192.0.2.10@232.1.2.3", nil},
		{"2001:db8::1@ff3e::1234", "2001:db8::1@ff3e::1234", nil},
		{"ff02::1%eth0", "ff02::1%eth0", nil},
		{"fe80::1%eth0@ff32::1%eth0", "fe80::1%eth0@ff32::1%eth0", nil},
		{"::ffff:192.0.2.10@::ffff:232.1.2.3", "192.0.2.10@232.1.2.3", nil},
		{"232.1.2.3", "232.1.2.3", nil},
		{"", "", group.ErrSyntax},
		{"@", "", group.ErrSyntax},
		{"@239.1.2.3", "", group.ErrSyntax},
		{"192.0.2.10@", "", group.ErrSyntax},
		{"239.1.2.3:5004", "", group.ErrSyntax},
		{"ff02::1%a@b", "", group.ErrSyntax},
		{"192.0.2.10", "", group.ErrNotMulticast},
		{"192.0.2.10@192.0.2.11", "", group.ErrNotMulticast},
		{"232.1.2.3@192.0.2.10", "", group.ErrNotMulticast},
		{"239.9.9.9@232.1.2.3", "", group.ErrBadSource},
		{"0.0.0.0@232.1.2.3", "", group.ErrBadSource},
		{"255.255.255.255@232.1.2.3", "", group.ErrBadSource},
		{"2001:db8::1@232.1.2.3", "", group.ErrBadSource},
		{"192.0.2.10@ff3e::1", "", group.ErrBadSource},
	}
	for _, tt := range tests {
		c, err := group.ParseChannel(tt.in)
		if !errors.Is(err, tt.err) {
			t.Errorf("ParseChannel(%q) error %v, want %v", tt.in, err, tt.err)
			continue
		}
		if err == nil && c.String() != tt.out {
			t.Errorf("ParseChannel(%q) = %q, want %q", tt.in, c, tt.out)
		}
	}
}

func TestChannelText(t *testing.T) {
	type config struct {
		Ch  group.Channel
		Set map[group.Channel]int
	}
	in := config{
		Ch:  group.Channel{Group: netip.MustParseAddr("239.1.2.3")},
		Set: map[group.Channel]int{{Group: netip.MustParseAddr("232.1.2.3"), Source: netip.MustParseAddr("192.0.2.10")}: 1},
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Ch":"239.1.2.3","Set":{"192.0.2.10@232.1.2.3":1}}`; string(b) != want {
		t.Errorf("JSON %s, want %s", b, want)
	}
	var out config
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if out.Ch != in.Ch || out.Set[group.Channel{Group: netip.MustParseAddr("232.1.2.3"), Source: netip.MustParseAddr("192.0.2.10")}] != 1 {
		t.Errorf("read back %v", out)
	}
	var zero group.Channel
	if b, err := zero.MarshalText(); err != nil || len(b) != 0 {
		t.Errorf("zero Channel text %q, %v", b, err)
	}
	if err := in.Ch.UnmarshalText(nil); err != nil || in.Ch != zero {
		t.Errorf("empty text gives %v, %v", in.Ch, err)
	}
	if err := out.Ch.UnmarshalText([]byte("192.0.2.1")); !errors.Is(err, group.ErrNotMulticast) || !out.Ch.Group.IsValid() {
		t.Errorf("bad text: %v, channel now %v", err, out.Ch)
	}
}

func TestChannelZone(t *testing.T) {
	c := group.Channel{Group: netip.MustParseAddr("ff32::1"), Source: netip.MustParseAddr("fe80::1%eth1")}
	if c.Zone() != "eth1" {
		t.Errorf("zone %q, want the source's", c.Zone())
	}
	c.Group = c.Group.WithZone("eth0")
	if c.Zone() != "eth0" {
		t.Errorf("zone %q, want the group's", c.Zone())
	}
	want := group.Channel{Group: netip.MustParseAddr("ff32::1"), Source: netip.MustParseAddr("fe80::1")}
	if got := c.Canonical(); got != want {
		t.Errorf("Canonical %v, want %v", got, want)
	}
	if (group.Channel{}).Canonical() != (group.Channel{}) {
		t.Error("Canonical of the zero Channel is not zero")
	}
}

func TestAllocations(t *testing.T) {
	a := netip.MustParseAddr("ff32::1%eth0")
	if n := testing.AllocsPerRun(100, func() {
		group.IsSSM(a)
		group.MAC(a)
		_ = group.ScopeOf(a).String()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzParseChannel(f *testing.F) {
	for _, s := range []string{"239.1.2.3", "192.0.2.10@232.1.2.3", "fe80::1%eth0@ff32::1%eth0", "::ffff:1.2.3.4@::ffff:232.0.0.1", "@", "ff02::1%a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := group.ParseChannel(s)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("%q parsed to an invalid channel: %v", s, err)
		}
		again, err := group.ParseChannel(c.String())
		if err != nil || again != c {
			t.Fatalf("%q became %q became %v, %v", s, c, again, err)
		}
		if group.MAC(c.Group) == [6]byte{} {
			t.Fatalf("%q has no Ethernet address", s)
		}
		group.IsSSM(c.Group)
		_ = group.ScopeOf(c.Group).String()
	})
}
