package glop_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/glop"
	"github.com/gomulticast/multicast/mcast/group"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
)

func TestGLOP(t *testing.T) {
	for _, tt := range []struct {
		section string
		as      uint32
		want    string
	}{
		{"RFC 3180 3", 1, "233.0.1.0/24"},
		{"RFC 3180 3.1", 5662, "233.22.30.0/24"},
		{"RFC 3180 3", 2497, "233.9.193.0/24"},
		{"RFC 3180 3: the last", 64511, "233.251.255.0/24"},
	} {
		p, err := glop.Prefix(tt.as)
		if err != nil || p != prefix(tt.want) {
			t.Errorf("%s: Prefix(%d) = %v, %v; want %s", tt.section, tt.as, p, err, tt.want)
		}
		if as, ok := glop.AS(p.Addr()); !ok || uint32(as) != tt.as {
			t.Errorf("%s: AS(%v) = %d, %v", tt.section, p.Addr(), as, ok)
		}
	}
	for _, tt := range []struct {
		section string
		as      uint32
		want    string // in the error: the remedy
	}{
		{"RFC 7607", 0, "the AS's own"},
		{"RFC 6793 9", 23456, "the AS's own"},
		{"RFC 5771 9.2", 64512, "AD-HOC Block III"},
		{"RFC 5771 9.2", 65535, "RFC 6034"},
		{"RFC 3180 5", 65536, "RFC 6034"},
		{"RFC 3180 5", 1<<32 - 1, "RFC 3306"},
	} {
		p, err := glop.Prefix(tt.as)
		if !errors.Is(err, glop.ErrAS) || !strings.Contains(err.Error(), tt.want) || p.IsValid() {
			t.Errorf("%s: Prefix(%d) = %v, %v; want %q", tt.section, tt.as, p, err, tt.want)
		}
	}
	for _, s := range []string{"233.252.0.1", "233.255.255.255", "232.9.193.0", "233.0.0.1", "233.91.160.1", "192.0.2.1", "ff3e::1", "::"} {
		if as, ok := glop.AS(addr(s)); ok {
			t.Errorf("AS(%s) = %d", s, as)
		}
	}
	if as, ok := glop.AS(addr("::ffff:233.9.193.7")); as != 2497 || !ok {
		t.Errorf("mapped: %d, %v", as, ok)
	}
}

// Every AS that has a block is found by it, and no two have the same.
func TestGLOPAll(t *testing.T) {
	seen := make(map[netip.Prefix]bool)
	for as := range uint32(70000) {
		p, err := glop.Prefix(as)
		if err != nil {
			continue
		}
		got, ok := glop.AS(p.Addr())
		if !ok || uint32(got) != as || seen[p] {
			t.Fatalf("AS %d: %v, back %d %v", as, p, got, ok)
		}
		seen[p] = true
	}
	if len(seen) != 64510 {
		t.Errorf("%d blocks", len(seen))
	}
}

func TestUnicast4(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"192.0.2.0/24", "234.192.0.2/32"},    // RFC 6034 section 4
		{"198.51.0.0/16", "234.198.51.0/24"},  // section 4
		{"198.51.99.0/16", "234.198.51.0/24"}, // bits behind the prefix
		{"8.0.0.0/8", "234.8.0.0/16"},
		{"198.51.100.128/17", "234.198.51.0/25"},
	} {
		p, err := glop.FromUnicast4(prefix(tt.in))
		if err != nil || p != prefix(tt.want) {
			t.Errorf("FromUnicast4(%s) = %v, %v; want %s", tt.in, p, err, tt.want)
		}
		in := prefix(tt.in).Masked()
		if back, ok := glop.UnicastOf(p.Addr()); !ok || !in.Contains(back.Addr()) || back.Bits() != 24 {
			t.Errorf("UnicastOf(%v) = %v, %v", p.Addr(), back, ok)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{"192.0.2.0/25", "longer than /24"}, {"10.0.0.0/8", "239.0.0.0/8"}, {"127.0.0.0/8", "global"}, {"169.254.0.0/16", "global"},
		{"172.16.0.0/12", "global"}, {"172.20.5.0/24", "global"}, {"192.168.1.0/24", "global"}, {"8.0.0.0/5", "global"}, {"0.0.0.0/0", "global"},
		{"224.0.0.0/4", "global"}, {"240.0.0.0/8", "global"}, {"100.64.0.0/16", "global"}, {"2001:db8::/32", "IPv4 prefix"},
		{"::ffff:192.0.2.0/120", "IPv4 prefix"},
	} {
		if p, err := glop.FromUnicast4(prefix(tt.in)); !errors.Is(err, glop.ErrPrefix) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("FromUnicast4(%s) = %v, %v; want %q", tt.in, p, err, tt.want)
		}
	}
	// RFC 6034 section 4: 234.x.y.10 is shifted left to x.y.10.0.
	if p, ok := glop.UnicastOf(addr("234.198.51.10")); !ok || p != prefix("198.51.10.0/24") {
		t.Errorf("%v, %v", p, ok)
	}
	for _, s := range []string{"234.10.1.2", "234.127.0.0", "234.192.168.1", "235.1.2.3", "1.2.3.4"} {
		if p, ok := glop.UnicastOf(addr(s)); ok {
			t.Errorf("UnicastOf(%s) = %v", s, p)
		}
	}
}

func TestUnicast6(t *testing.T) {
	for _, tt := range []struct {
		section, in string
		scope       group.Scope
		want        string
		id          uint32
		group       string
	}{
		{"RFC 3306 7", "3ffe:ffff:1::/48", group.SiteLocal, "ff35:30:3ffe:ffff:1::/96", 0x80000001, "ff35:30:3ffe:ffff:1:0:8000:1"},
		{"RFC 3306 4", "2001:db8:1::/48", group.Global, "ff3e:30:2001:db8:1::/96", 0x80000001, "ff3e:30:2001:db8:1:0:8000:1"},
		{"RFC 3306 4", "2001:db8:beef:feed::/64", group.SiteLocal, "ff35:40:2001:db8:beef:feed::/96", 0x80001234, "ff35:40:2001:db8:beef:feed:8000:1234"},
		{"RFC 3307 4.2", "2001:db8::/32", group.Global, "ff3e:20:2001:db8::/96", 0x40404040, "ff3e:20:2001:db8::4040:4040"},
		{"RFC 3306 4: the scope of the prefix", "fd00:1::/48", group.OrganizationLocal, "ff38:30:fd00:1::/96", 1 << 31, "ff38:30:fd00:1::8000:0"},
		{"RFC 3306 4: the scope of the prefix", "fe80::/64", group.LinkLocal, "ff32:40:fe80::/96", 1 << 31, "ff32:40:fe80::8000:0"},
		{"bits behind the prefix", "2001:db8:1:2:3::/48", group.Global, "ff3e:30:2001:db8:1::/96", 1 << 31, "ff3e:30:2001:db8:1:0:8000:0"},
	} {
		p, err := glop.FromUnicast6(prefix(tt.in), tt.scope)
		if err != nil || p != prefix(tt.want) {
			t.Errorf("%s: FromUnicast6(%s) = %v, %v; want %s", tt.section, tt.in, p, err, tt.want)
			continue
		}
		g, err := glop.Group(p, tt.id)
		if err != nil || g != addr(tt.group) {
			t.Errorf("%s: Group(%v, %x) = %v, %v; want %s", tt.section, p, tt.id, g, err, tt.group)
		}
		if back, ok := glop.UnicastOf(g); !ok || back != prefix(tt.in).Masked() {
			t.Errorf("%s: UnicastOf(%v) = %v, %v", tt.section, g, back, ok)
		}
		if f := group.Lint(g, group.Use{Purpose: group.Allocate}); len(f) > 1 || len(f) == 1 && f[0].Code != group.CodeDocumentation {
			t.Errorf("%s: %v: %v", tt.section, g, f)
		}
	}
	for _, tt := range []struct {
		in    string
		scope group.Scope
		err   error
		want  string
	}{
		{"2001:db8::/65", group.Global, glop.ErrPrefix, "the /64"},
		{"::/0", group.Global, glop.ErrPrefix, "ff3x::/96"},
		{"::/64", group.Global, glop.ErrPrefix, "not a unicast"},
		{"ff0e::/16", group.Global, glop.ErrPrefix, "not a unicast"},
		{"192.0.2.0/24", group.Global, glop.ErrPrefix, "IPv6 prefix"},
		{"2001:db8::/48", 0, glop.ErrScope, "1 to 14"},
		{"2001:db8::/48", 15, glop.ErrScope, "1 to 14"},
		{"2001:db8::/48", group.AdminScoped, glop.ErrScope, "1 to 14"},
		{"fd00::/48", group.Global, glop.ErrScope, "organization-local or less"},
		{"fe80::/64", group.SiteLocal, glop.ErrScope, "link-local or less"},
		{"fec0::/48", group.OrganizationLocal, glop.ErrScope, "site-local or less"},
	} {
		if p, err := glop.FromUnicast6(prefix(tt.in), tt.scope); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("FromUnicast6(%s, %v) = %v, %v; want %q", tt.in, tt.scope, p, err, tt.want)
		}
	}
	for _, s := range []string{"ff3e::8000:1", "ff3e:41:2001:db8::1", "ff3e:ff:2001:db8::1", "ff2e:30:2001:db8::1", "ff1e:30:2001:db8::1", "2001:db8::1"} {
		if p, ok := glop.UnicastOf(addr(s)); ok {
			t.Errorf("UnicastOf(%s) = %v", s, p)
		}
	}
}

func TestRP(t *testing.T) {
	for _, tt := range []struct{ section, group, rp string }{
		{"RFC 3956 5.1", "ff7e:140:2001:db8:beef:feed::1234", "2001:db8:beef:feed::1"},
		{"RFC 3956 5.1: y", "ff7e:f40:2001:db8:beef:feed:8000:1", "2001:db8:beef:feed::f"},
		{"RFC 3956 5.2, 5.3: 32 bits cut dead", "ff7e:320:2001:db8:dead::1234", "2001:db8::3"},
		{"RFC 3956 4", "ff78:f30:2001:db8:beef:0:8000:1", "2001:db8:beef::f"},
		{"a radio station", "ff7e:240:2001:67c:2d50:0:545f:5800", "2001:67c:2d50::2"},
		{"RFC 7371 4.2.2: X", "fffe:140:2001:db8:beef:feed::1234", "2001:db8:beef:feed::1"},
		{"RFC 7371 4.2: ff2 ignored", "ff7e:f140:2001:db8:beef:feed::1234", "2001:db8:beef:feed::1"},
	} {
		if rp, err := glop.RPOf(addr(tt.group)); err != nil || rp != addr(tt.rp) {
			t.Errorf("%s: RPOf(%s) = %v, %v; want %s", tt.section, tt.group, rp, err, tt.rp)
		}
	}
	for _, tt := range []struct {
		section, group string
		err            error
	}{
		{"RFC 3956 6.3", "ff7e:40:2001:db8:beef:feed::1234", group.ErrRIID},
		{"RFC 3956 4", "ff7e:100:2001:db8::1234", group.ErrRPPrefixLen},
		{"RFC 3956 4", "ff7e:141:2001:db8:beef:feed::1234", group.ErrRPPrefixLen},
		{"RFC 3956 4", "ff7e:1ff:2001:db8:beef:feed::1234", group.ErrRPPrefixLen},
		{"RFC 3956 4", "ff7e:140:fe80::1234", group.ErrRPAddress},
		{"RFC 3956 4", "ff7e:140:febf::1234", group.ErrRPAddress},
		{"RFC 3956 4", "ff7e:140:0:1::1234", group.ErrRPAddress},
		{"RFC 3956 4", "ff7e:140:ff0e::1234", group.ErrRPAddress},
		{"RFC 7371 4.2.3: P", "ff5e:140:2001:db8::1", group.ErrNoRP},
		{"RFC 7371 4.2.3: T", "ff6e:140:2001:db8::1", group.ErrNoRP},
		{"RFC 3956 3: R", "ff3e:140:2001:db8::1", group.ErrNoRP},
		{"not multicast", "2001:db8::1", group.ErrNoRP},
		{"IPv4", "239.1.2.3", group.ErrNoRP},
	} {
		if rp, err := glop.RPOf(addr(tt.group)); err != tt.err || rp.IsValid() {
			t.Errorf("%s: RPOf(%s) = %v, %v; want %v", tt.section, tt.group, rp, err, tt.err)
		}
	}
	for _, tt := range []struct {
		rp    string
		scope group.Scope
		want  string
	}{
		{"2001:db8:beef:feed::1/64", group.Global, "ff7e:140:2001:db8:beef:feed::/96"},
		{"2001:db8::3/32", group.Global, "ff7e:320:2001:db8::/96"},
		{"2001:db8:beef::f/48", group.OrganizationLocal, "ff78:f30:2001:db8:beef::/96"},
	} {
		p, err := glop.FromRP(prefix(tt.rp), tt.scope)
		if err != nil || p != prefix(tt.want) {
			t.Errorf("FromRP(%s) = %v, %v; want %s", tt.rp, p, err, tt.want)
		}
		if back, err := glop.RPOf(p.Addr()); err != nil || back != prefix(tt.rp).Addr() {
			t.Errorf("RPOf(%v) = %v, %v", p, back, err)
		}
	}
	for _, tt := range []struct {
		rp    string
		scope group.Scope
		err   error
		want  string
	}{
		{"2001:db8::10/64", group.Global, glop.ErrRP, "1 to 15"}, // the last digit is 0
		{"2001:db8::11/64", group.Global, glop.ErrRP, "2001:db8::1 too"},
		{"2001:db8:1::1/32", group.Global, glop.ErrRP, "2001:db8::1 too"},
		{"2001:db8::/64", group.Global, glop.ErrRP, "1 to 15"},
		{"2001:db8::1/65", group.Global, glop.ErrPrefix, "the /64"},
		{"2001:db8::1/64", 15, glop.ErrScope, "1 to 14"},
		{"fd00::1/64", group.Global, glop.ErrScope, "organization-local"},
		{"fe80::1/64", group.LinkLocal, glop.ErrRP, "fe80::/10"},
	} {
		if p, err := glop.FromRP(prefix(tt.rp), tt.scope); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("FromRP(%s) = %v, %v; want %q", tt.rp, p, err, tt.want)
		}
	}
}

func TestLinkLocal(t *testing.T) {
	p, err := glop.FromLinkLocal(addr("fe80::a12:34ff:fe56:7890%eth0"), group.LinkLocal)
	if err != nil || p != prefix("ff32:ff:a12:34ff:fe56:7890::/96") { // RFC 4489 section 4
		t.Errorf("%v, %v", p, err)
	}
	g, err := glop.Group(p, 0x80000001)
	if back, ok := glop.LinkLocalOf(g); err != nil || !ok || back != addr("fe80::a12:34ff:fe56:7890") {
		t.Errorf("%v, %v: %v, %v", g, err, back, ok)
	}
	for _, s := range []string{"ff35:ff:a12:34ff:fe56:7890::1", "ff32:40:a12::1", "ff12:ff:a12::1", "239.1.2.3"} { // RFC 4489 section 3: scope <= 2
		if a, ok := glop.LinkLocalOf(addr(s)); ok {
			t.Errorf("LinkLocalOf(%s) = %v", s, a)
		}
	}
	for _, s := range []string{"2001:db8::1", "fe80:1::1", "192.0.2.1", "ff02::1"} {
		if p, err := glop.FromLinkLocal(addr(s), group.LinkLocal); !errors.Is(err, glop.ErrLinkLocal) {
			t.Errorf("FromLinkLocal(%s) = %v, %v", s, p, err)
		}
	}
	if p, err := glop.FromLinkLocal(addr("fe80::1"), group.SiteLocal); !errors.Is(err, glop.ErrScope) {
		t.Errorf("site-local: %v, %v", p, err)
	}
}

func TestGroup(t *testing.T) {
	ssm := group.SSMPrefix(group.Global)
	if g, err := glop.Group(ssm, 0x80000001); err != nil || g != addr("ff3e::8000:1") {
		t.Errorf("%v, %v", g, err)
	}
	for _, id := range []uint32{0, 1, 0x3fffffff, 0x40000000} {
		if g, err := glop.Group(ssm, id); !errors.Is(err, glop.ErrGroupID) {
			t.Errorf("ID %x: %v, %v", id, g, err)
		}
	}
	for _, s := range []string{"ff15::/96", "ff3e::/95", "ff3e::/97", "2001:db8::/96", "239.0.0.0/8"} {
		if g, err := glop.Group(prefix(s), 1<<31); !errors.Is(err, glop.ErrPrefix) {
			t.Errorf("Group(%s): %v, %v", s, g, err)
		}
	}
}

// No input panics, and what goes one way comes back.
func TestTotal(t *testing.T) {
	check := func(a netip.Addr, bits int, scope group.Scope, id uint32) {
		p := netip.PrefixFrom(a, bits)
		if u, err := glop.FromUnicast4(p); err == nil {
			if back, ok := glop.UnicastOf(u.Addr()); !ok || back.Addr() != p.Masked().Addr() {
				t.Fatalf("%v: %v: %v, %v", p, u, back, ok)
			}
		}
		if u, err := glop.FromUnicast6(p, scope); err == nil {
			if back, ok := glop.UnicastOf(u.Addr()); !ok || back != p.Masked() || group.ScopeOf(u.Addr()) != scope {
				t.Fatalf("%v: %v: %v, %v", p, u, back, ok)
			}
			glop.Group(u, id)
		}
		if u, err := glop.FromRP(p, scope); err == nil {
			if back, err := glop.RPOf(u.Addr()); err != nil || back != p.Addr() {
				t.Fatalf("%v: %v: %v, %v", p, u, back, err)
			}
		}
		if u, err := glop.FromLinkLocal(a, scope); err == nil {
			if back, ok := glop.LinkLocalOf(u.Addr()); !ok || back != a.WithZone("") {
				t.Fatalf("%v: %v: %v, %v", a, u, back, ok)
			}
		}
		glop.AS(a)
		glop.UnicastOf(a)
		glop.RPOf(a)
		glop.LinkLocalOf(a)
		glop.Group(p, id)
		glop.Prefix(id)
	}
	r := rand.New(rand.NewPCG(1, 2))
	heads := [][]byte{{}, {0xff}, {0xff, 0x3e}, {0xff, 0x7e}, {0xfe, 0x80, 0, 0, 0, 0, 0, 0}, {0x20, 1}, {0xfd}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}
	for range 30_000 {
		var b [16]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		copy(b[:], heads[r.IntN(len(heads))])
		if r.IntN(2) == 0 { // a rendezvous point
			clear(b[8:15])
			b[15] &= 0xf
		}
		a := netip.AddrFrom16(b)
		check(a, r.IntN(131)-1, group.Scope(r.Uint32()), r.Uint32())
		check(a.WithZone("eth0"), r.IntN(131)-1, group.Scope(r.IntN(16)), r.Uint32())
		check(netip.AddrFrom4([4]byte(b[:4])), r.IntN(35)-1, group.Global, r.Uint32())
	}
	check(netip.Addr{}, 0, 0, 0)
	check(netip.Addr{}, 24, 255, 0)
}

func TestAllocations(t *testing.T) {
	a6, a4, bad := addr("ff7e:140:2001:db8:beef:feed::1234"), addr("233.9.193.7"), addr("ff7e:40:2001:db8::1")
	p4, p6, rp, ll := prefix("198.51.0.0/16"), prefix("2001:db8:1::/48"), prefix("2001:db8::1/64"), addr("fe80::1")
	if n := testing.AllocsPerRun(100, func() {
		glop.Prefix(2497)
		glop.AS(a4)
		glop.UnicastOf(a4)
		glop.UnicastOf(a6)
		glop.RPOf(a6)
		glop.RPOf(bad)
		glop.FromUnicast4(p4)
		p, _ := glop.FromUnicast6(p6, group.Global)
		glop.Group(p, 1<<31)
		glop.FromRP(rp, group.Global)
		p, _ = glop.FromLinkLocal(ll, group.LinkLocal)
		glop.LinkLocalOf(p.Addr())
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
