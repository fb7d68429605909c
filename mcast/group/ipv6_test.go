package group_test

import (
	"net/netip"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestFieldsOf(t *testing.T) {
	f, ok := group.FieldsOf(addr("fffe:f140:2001:db8:beef:feed:8000:1234"))
	want := group.Fields{
		Flags: group.FlagX | group.FlagR | group.FlagP | group.FlagT, Scope: group.Global, Flags2: 0xf, RIID: 1, PrefixLen: 64,
		Network: [8]byte{0x20, 0x01, 0x0d, 0xb8, 0xbe, 0xef, 0xfe, 0xed}, ID: 0x80001234,
	}
	if !ok || f != want {
		t.Errorf("%+v, %v", f, ok)
	}
	for _, s := range []string{"ff02::1", "ff32:ff:a12:34ff:fe56:7890::1", "fffe:f140:2001:db8:beef:feed:8000:1234"} {
		if f, _ := group.FieldsOf(addr(s)); f.Addr() != addr(s) {
			t.Errorf("%s became %v", s, f.Addr())
		}
	}
	for _, a := range []netip.Addr{{}, addr("239.1.2.3"), addr("::ffff:239.1.2.3"), addr("2001:db8::1")} {
		if f, ok := group.FieldsOf(a); ok || f != (group.Fields{}) {
			t.Errorf("FieldsOf(%v) = %+v", a, f)
		}
	}
}

// RFC 7371 section 3: flags are separate bits, and their letters.
func TestFlags(t *testing.T) {
	for f, want := range map[group.Flags]string{
		0: "none", group.FlagT: "T", group.FlagP | group.FlagT: "PT", group.FlagR | group.FlagP | group.FlagT: "RPT", group.FlagX: "X", 15: "XRPT", 255: "XRPT",
	} {
		if f.String() != want {
			t.Errorf("Flags(%d) = %q, want %q", f, f, want)
		}
	}
}

func TestSolicitedNode(t *testing.T) {
	for in, want := range map[string]string{
		"fe80::2aa:ff:fe28:9c5a":      "ff02::1:ff28:9c5a",
		"4037::1:800:200e:8c6c":       "ff02::1:ff0e:8c6c", // RFC 4291 section 2.7.1
		"fe80::2aa:ff:fe28:9c5a%eth0": "ff02::1:ff28:9c5a%eth0",
	} {
		if got := group.SolicitedNode(addr(in)); got != addr(want) {
			t.Errorf("SolicitedNode(%s) = %v, want %s", in, got, want)
		}
	}
	if mac := group.MAC(addr("ff02::1:ff28:9c5a")); mac != [6]byte{0x33, 0x33, 0xff, 0x28, 0x9c, 0x5a} {
		t.Errorf("%x", mac)
	}
	for _, a := range []netip.Addr{{}, addr("::"), addr("192.0.2.1"), addr("::ffff:192.0.2.1"), addr("ff02::1")} {
		if got := group.SolicitedNode(a); got.IsValid() {
			t.Errorf("SolicitedNode(%v) = %v", a, got)
		}
	}
}

// RFC 3307 section 4.
func TestIDClass(t *testing.T) {
	for id, want := range map[uint32]string{
		0: "zero", 1: "permanent-address", 0x3fffffff: "permanent-address", 0x40000000: "permanent-id", 0x40404040: "permanent-id",
		0x7fffffff: "permanent-id", 0x80000000: "dynamic", 0xffffffff: "dynamic",
	} {
		if got := group.IDClassOf(id).String(); got != want {
			t.Errorf("IDClassOf(%x) = %s, want %s", id, got, want)
		}
	}
}

func TestPrefixScope(t *testing.T) {
	for in, want := range map[string]group.Scope{
		"2001:db8::/32": group.Global, "fd00:1::/48": group.OrganizationLocal, "fe80::/64": group.LinkLocal, "fec0::/48": group.SiteLocal,
		"ff00::/8": group.ScopeReserved, "::/64": group.ScopeReserved, "::/0": group.ScopeReserved, "f000::/4": group.ScopeReserved,
		"198.51.0.0/16": group.Global, "10.1.0.0/16": group.ScopeReserved, "8.0.0.0/6": group.ScopeReserved, "fe00::/8": group.LinkLocal,
	} {
		if got := group.PrefixScope(netip.MustParsePrefix(in)); got != want {
			t.Errorf("PrefixScope(%s) = %v, want %v", in, got, want)
		}
	}
	if group.PrefixScope(netip.Prefix{}) != group.ScopeReserved {
		t.Error("the zero Prefix has a scope")
	}
}

// The vectors of MAC that the notes have beside those of TestMAC.
func TestMACVectors(t *testing.T) {
	for in, want := range map[string][6]byte{
		"239.255.255.250": {0x01, 0, 0x5e, 0x7f, 0xff, 0xfa}, "233.9.193.7": {0x01, 0, 0x5e, 0x09, 0xc1, 0x07}, "224.2.127.254": {0x01, 0, 0x5e, 0x02, 0x7f, 0xfe},
		"ff02::1": {0x33, 0x33, 0, 0, 0, 1}, "ff0e::2:7ffe": {0x33, 0x33, 0, 0x02, 0x7f, 0xfe}, "ff3e::8000:1": {0x33, 0x33, 0x80, 0, 0, 1},
		"ff02::9": {0x33, 0x33, 0, 0, 0, 9}, "ff32::8000:9": {0x33, 0x33, 0x80, 0, 0, 9}, // RFC 3307 section 4.3
	} {
		if got := group.MAC(addr(in)); got != want {
			t.Errorf("MAC(%s) = %x, want %x", in, got, want)
		}
	}
}
