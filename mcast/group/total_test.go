package group_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

// askAll asks every question about an address, and checks what must agree.
func askAll(t *testing.T, a netip.Addr) {
	multicast := a.Unmap().IsMulticast()
	kind, scope := group.KindOf(a), group.ScopeOf(a)
	if (kind != group.NotMulticast) != multicast || (group.MAC(a) != [6]byte{}) != multicast || int(kind) > int(group.Reserved) {
		t.Fatalf("%v is a %v", a, kind)
	}
	if ssm := group.IsSSM(a); ssm != (kind == group.SSM) || ssm != (group.SSMPartOf(a) != group.NotSSM) {
		t.Fatalf("%v: SSM %v, %v, %v", a, ssm, kind, group.SSMPartOf(a))
	}
	_, _, _ = kind.String(), scope.String(), group.Block(a)
	if name, ok := group.WellKnown(a); ok != (name != "") || ok && !multicast {
		t.Fatalf("%v is %q, %v", a, name, ok)
	}
	n := 0
	for alias := range group.Aliases(a) {
		if n++; !group.SharesMAC(alias, a) {
			t.Fatalf("%v is no alias of %v", alias, a)
		}
	}
	if want := 31; n != want && multicast && a.Unmap().Is4() || n != 0 && !multicast {
		t.Fatalf("%v has %d aliases", a, n)
	}
	if c, ok := group.ControlAlias(a); ok && (!group.SharesMAC(a, c) || group.KindOf(c) != group.LocalControl) {
		t.Fatalf("%v: control alias %v", a, c)
	}
	f, ok := group.FieldsOf(a)
	if ok && (f.Addr() != a.WithZone("") || f.Scope != scope) {
		t.Fatalf("%v became %v", a, f.Addr())
	}
	rp, err := f.RP()
	if err == nil && (kind != group.EmbeddedRP || rp.IsMulticast() || rp.IsLinkLocalUnicast()) {
		t.Fatalf("%v: rendezvous point %v", a, rp)
	}
	if p, ok := group.EmbeddedPrefix(a); ok && (!p.IsValid() || kind != group.UnicastPrefix && kind != group.EmbeddedRP) {
		t.Fatalf("%v: %v", a, p)
	}
	if ll, ok := f.LinkLocal(); ok && !ll.IsLinkLocalUnicast() {
		t.Fatalf("%v: %v", a, ll)
	}
	if s := group.SolicitedNode(a); s.IsValid() && group.KindOf(s) != group.SolicitedNodes {
		t.Fatalf("%v: %v", a, s)
	}
	if z, ok := group.ZoneOf(a); ok {
		if o, top := z.Offset(a); top {
			if back, ok := z.Relative(o); !ok || back != a.Unmap() {
				t.Fatalf("%v: offset %d is %v", a, o, back)
			}
		}
	}
	for use := range uses {
		for _, finding := range group.Lint(a, use) {
			if finding.Code == "" || finding.Message == "" || !multicast && finding.Code != group.CodeNotMulticast {
				t.Fatalf("%v, %v: %+v", a, use, finding)
			}
		}
	}
	group.Filter{Sources: []netip.Addr{a}}.Accepts(a)
	group.Filter{Sources: []netip.Addr{a}}.Validate(a)
	group.Filter{Sources: []netip.Addr{a, {}, a}}.Canonical()
}

// uses yields every purpose with odd sources and TTLs.
func uses(yield func(group.Use) bool) {
	for p := range group.Purpose(5) {
		for _, s := range []netip.Addr{{}, addr("192.0.2.1"), addr("fe80::1%eth0"), addr("::ffff:10.0.0.1")} {
			if !yield(group.Use{Purpose: p, Source: s, TTL: int(p)*64 - 1}) {
				return
			}
		}
	}
}

// No address makes any function panic.
func TestTotal(t *testing.T) {
	askAll(t, netip.Addr{})
	for _, s := range []string{"0.0.0.0", "255.255.255.255", "::", "::1", "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:232.0.0.0", "ff02::1%eth0", "ff00::%1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%x", "fe80::1%eth0", "223.255.255.255", "240.0.0.0"} {
		askAll(t, addr(s))
	}
	for hi := range 1 << 12 { // all second bytes of IPv4 groups, with ends of the others
		for _, low := range [][2]byte{{0, 0}, {0, 255}, {127, 254}, {255, 255}} {
			askAll(t, netip.AddrFrom4([4]byte{byte(224 + hi>>8), byte(hi), low[0], low[1]}))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for flags := 0; flags < 1<<16; flags += 5 { // flags, scopes, second flags and RIIDs
		b := [16]byte{0: 0xff, 1: byte(flags), 2: byte(flags >> 8), 3: []byte{0, 1, 32, 64, 65, 254, 255}[r.IntN(7)]}
		if r.IntN(2) == 0 {
			copy(b[4:], []byte{0xfe, 0x80})
		} else {
			b[4] = byte(r.Uint32())
		}
		b[12], b[15] = []byte{0, 0x40, 0x80}[r.IntN(3)], byte(r.IntN(2))
		askAll(t, netip.AddrFrom16(b))
	}
}

func FuzzAddr(f *testing.F) {
	for _, s := range []string{"::", "ff02::1", "ff7e:140:2001:db8:beef:feed::1234", "ff3e::4321:1234", "::ffff:239.255.255.250", "::ffff:224.2.127.254", "ff32:ff:a12:34ff:fe56:7890::1"} {
		b := addr(s).As16()
		f.Add(b[:], "")
		f.Add(b[12:], "eth0")
	}
	f.Fuzz(func(t *testing.T, b []byte, zone string) {
		if a, ok := netip.AddrFromSlice(b); ok {
			askAll(t, a.WithZone(zone))
		}
	})
}

// What is not text costs no allocation, nor does asking Lint about what is in order.
func TestAllocationsOfAll(t *testing.T) {
	a4, a6, ssm := addr("239.255.7.7"), addr("ff7e:140:2001:67c:2d50::8000:1"), addr("ff3e::8000:1")
	zoned, src, ll := addr("ff12::8000:1%eth0"), addr("198.18.0.1"), addr("fe80::2aa:ff:fe28:9c5a%eth0")
	filter := group.Filter{Sources: addrs("192.0.2.1", "198.18.0.1")}
	p6, mac := group.SSMPrefix(group.SiteLocal), group.MAC(a4)
	if n := testing.AllocsPerRun(100, func() {
		for _, a := range [...]netip.Addr{a4, a6, ssm, zoned, src} {
			_ = group.KindOf(a).String()
			_ = group.ScopeOf(a).String()
			_ = group.SSMPartOf(a).String()
			group.WellKnown(a)
			group.Block(a)
			group.ControlAlias(a)
			group.EmbeddedPrefix(a)
			group.ZoneOf(a)
			group.SharesMAC(a, a4)
			f, _ := group.FieldsOf(a)
			f.RP()
			f.Prefix()
			f.LinkLocal()
			f.Addr()
			_ = f.Flags.String()
			_ = group.IDClassOf(f.ID).String()
		}
		for g := range group.Aliases(a4) {
			group.MAC(g)
		}
		for g := range group.GroupsOf(mac) {
			group.MAC(g)
		}
		group.SolicitedNode(ll)
		group.PrefixScope(p6)
		group.SSMPrefix(group.Global)
		group.ZoneOfPrefix(p6)
		group.LocalZone.Relative(group.OffsetSSDP)
		group.LocalZone.Offset(a4)
		group.TTLScope(31)
		group.TTLFor("site")
		group.Lint(a4, group.Use{Purpose: group.Allocate, TTL: 16})
		group.Lint(ssm, group.Use{Purpose: group.Allocate})
		group.Lint(a6, group.Use{Purpose: group.Send, TTL: 64})
		filter.Accepts(src)
		filter.Equal(filter)
		filter.IsEmpty()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if n := testing.AllocsPerRun(10, func() {
		for range group.Named("mdns") {
		}
	}); n != 0 {
		t.Errorf("Named: %v allocations, want 0", n)
	}
}
