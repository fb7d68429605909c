package group_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

var addr = netip.MustParseAddr

func TestKindOf(t *testing.T) {
	for _, tt := range []struct{ section, addr, want, block string }{
		{"RFC 5771 4", "224.0.0.0", "local-control", "Local Network Control Block"},
		{"RFC 5771 4", "224.0.0.255", "local-control", "Local Network Control Block"},
		{"RFC 5771 5", "224.0.1.0", "internetwork-control", "Internetwork Control Block"},
		{"RFC 5771 5", "224.0.1.255", "internetwork-control", "Internetwork Control Block"},
		{"RFC 5771 6", "224.0.2.0", "ad-hoc", "AD-HOC Block I"},
		{"RFC 5771 6", "224.0.10.8", "ad-hoc", "AD-HOC Block I"},
		{"RFC 5771 6", "224.0.255.255", "ad-hoc", "AD-HOC Block I"},
		{"RFC 5771 3", "224.1.0.0", "reserved", "Reserved"},
		{"RFC 5771 7", "224.2.127.254", "sdp-sap", "SDP/SAP Block"},
		{"RFC 5771 6", "224.3.0.0", "ad-hoc", "AD-HOC Block II"},
		{"RFC 5771 6", "224.4.255.255", "ad-hoc", "AD-HOC Block II"},
		{"RFC 5771 3", "224.5.0.0", "reserved", "Reserved"},
		{"RFC 5771 3", "224.255.255.255", "reserved", "Reserved"},
		{"RFC 5771 3", "225.0.0.0", "reserved", "Reserved"},
		{"RFC 5771 3", "231.255.255.255", "reserved", "Reserved"},
		{"RFC 5771 8", "232.0.0.0", "ssm", "Source-Specific Multicast Block"},
		{"RFC 5771 9", "233.251.255.255", "glop", "GLOP Block"},
		{"RFC 5771 9.2", "233.252.0.0", "ad-hoc", "AD-HOC Block III"},
		{"RFC 6034 3", "234.192.0.2", "unicast-prefix", "Unicast-Prefix-Based Block"},
		{"RFC 5771 3", "235.0.0.0", "reserved", "Reserved"},
		{"RFC 5771 3", "238.255.255.255", "reserved", "Reserved"},
		{"RFC 5771 10", "239.0.0.0", "admin-scoped", "Administratively Scoped Block"},
		{"mapped", "::ffff:232.1.2.3", "ssm", "Source-Specific Multicast Block"},
		{"not multicast", "192.0.2.1", "not-multicast", ""},
		{"not multicast", "240.0.0.1", "not-multicast", ""},
		{"not multicast", "2001:db8::1", "not-multicast", ""},
		{"RFC 4291 2.7.1", "ff02::1%eth0", "permanent", ""},
		{"RFC 4291 2.7.1", "ff02::1:ff28:9c5a", "solicited-node", ""},
		{"RFC 4291 2.7", "ff15::8000:1", "transient", ""},
		{"RFC 7371 4: X", "ff9e::8000:1", "transient", ""},
		{"RFC 3306 4", "ff3e:30:2001:db8:1:0:8000:1", "unicast-prefix", ""},
		{"RFC 3306 6", "ff3e::8000:1", "ssm", ""},
		{"RFC 7371 4.1.2", "ffbe::8000:1", "ssm", ""},
		{"RFC 7371 4.1.1: ff2 ignored", "ff3e:f000::8000:1", "ssm", ""},
		{"RFC 3956 3: RIID ignored without R", "ff3e:100::8000:1", "ssm", ""},
		{"RFC 3306 4: P without T", "ff2e::1", "reserved", ""},
		{"RFC 3306 4: 64 bits", "ff3e:41::1", "reserved", ""},
		{"RFC 4489 3", "ff32:ff:a12:34ff:fe56:7890::", "link-scoped", ""},
		{"RFC 3956 3", "ff7e:140:2001:db8::1", "embedded-rp", ""},
		{"RFC 7371 4.2", "fffe:140:2001:db8::1", "embedded-rp", ""},
		{"RFC 3956 3: R without P", "ff5e::1", "reserved", ""},
	} {
		if got := group.KindOf(addr(tt.addr)).String(); got != tt.want {
			t.Errorf("%s: KindOf(%s) = %s, want %s", tt.section, tt.addr, got, tt.want)
		}
		if got := group.Block(addr(tt.addr)); got != tt.block {
			t.Errorf("%s: Block(%s) = %q, want %q", tt.section, tt.addr, got, tt.block)
		}
	}
	if group.KindOf(netip.Addr{}) != group.NotMulticast || group.Kind(200).String() != "Kind(200)" {
		t.Error("zero Addr or Kind(200)")
	}
}

func TestSSMPartOf(t *testing.T) {
	for _, tt := range []struct{ section, addr, want string }{
		{"RFC 4607 4.3", "232.0.0.0", "null"},
		{"RFC 4607 4.3", "232.0.0.1", "iana"},
		{"RFC 4607 4.3", "232.0.0.255", "iana"},
		{"RFC 4607 4.3", "232.0.1.0", "local"},
		{"RFC 4607 4.3", "232.255.255.255", "local"},
		{"RFC 4607 4.3", "231.1.2.3", "none"},
		{"RFC 4607 1", "ff3e::", "invalid"},
		{"RFC 4607 1", "ff3e::3fff:ffff", "invalid"},
		{"RFC 4607 4.3", "ff3e::4000:0", "null"},
		{"RFC 4607 4.3", "ff3e::4000:1", "iana"},
		{"ssmping's group", "ff3e::4321:1234", "iana"},
		{"RFC 4607 4.3", "ff3e::7fff:ffff", "iana"},
		{"RFC 4607 1", "ff3e::8000:0", "local"},
		{"RFC 4607 1", "ff32::ffff:ffff", "local"},
		{"RFC 4607 1: outside of the /96", "ff3e:0:1::8000:0", "invalid"},
		{"RFC 7371 4.1.2", "ffbe::8000:0", "local"},
		{"RFC 3306 4", "ff3e:20:2001:db8::8000:0", "none"},
	} {
		if got := group.SSMPartOf(addr(tt.addr)).String(); got != tt.want {
			t.Errorf("%s: SSMPartOf(%s) = %s, want %s", tt.section, tt.addr, got, tt.want)
		}
	}
	if p := group.SSMPrefix(group.SiteLocal); p != netip.MustParsePrefix("ff35::/96") || group.SSMPrefix(group.AdminScoped).IsValid() {
		t.Errorf("SSMPrefix: %v", p)
	}
}

func TestAliases(t *testing.T) {
	mac := [6]byte{0x01, 0, 0x5e, 0x01, 0x5e, 0}
	all := slices.Collect(group.GroupsOf(mac))
	if len(all) != 32 || all[0] != addr("224.1.94.0") || all[1] != addr("224.129.94.0") || all[2] != addr("225.1.94.0") ||
		all[30] != addr("239.1.94.0") || all[31] != addr("239.129.94.0") || !slices.IsSortedFunc(all, netip.Addr.Compare) {
		t.Errorf("%v", all)
	}
	for _, bad := range [][6]byte{{}, {0x01, 0, 0x5e, 0x80}, {0x33, 0x33, 0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		for g := range group.GroupsOf(bad) {
			t.Errorf("%x: %v", bad, g)
		}
	}
	for _, s := range []string{"192.0.2.1", "ff02::1", "2001:db8::1"} {
		for g := range group.Aliases(addr(s)) {
			t.Errorf("%s: %v", s, g)
		}
	}
	for range group.Aliases(netip.Addr{}) {
		t.Error("the zero Addr has aliases")
	}
	for range group.Aliases(addr("::ffff:239.1.2.3")) {
		break // early, and mapped
	}
}

// Of each of the 2^23 Ethernet addresses, in steps: 32 groups, all with it, none
// twice, and the groups of all of them are all of 224.0.0.0/4.
func TestGroupsOfAll(t *testing.T) {
	for low := 0; low < 1<<23; low += 4093 {
		mac := [6]byte{0x01, 0, 0x5e, byte(low >> 16), byte(low >> 8), byte(low)}
		seen := make(map[netip.Addr]bool, 32)
		for g := range group.GroupsOf(mac) {
			if seen[g] || !g.IsMulticast() || group.MAC(g) != mac {
				t.Fatalf("%x: %v, %x", mac, g, group.MAC(g))
			}
			seen[g] = true
			n := 0
			if low%11 == 0 {
				for a := range group.Aliases(g) {
					if !group.SharesMAC(a, g) || group.SharesMAC(a, a) {
						t.Fatalf("%v and %v", a, g)
					}
					n++
				}
				if n != 31 {
					t.Fatalf("%v has %d aliases", g, n)
				}
			}
		}
		if len(seen) != 32 {
			t.Fatalf("%x has %d groups", mac, len(seen))
		}
	}
}

func TestControlAlias(t *testing.T) {
	for in, want := range map[string]string{
		"224.128.0.1": "224.0.0.1", "225.0.0.251": "224.0.0.251", "232.0.0.5": "224.0.0.5", "232.128.0.7": "224.0.0.7", "239.128.0.5": "224.0.0.5",
		"224.0.0.251": "", "224.0.1.1": "", "239.64.0.1": "", "239.128.1.0": "", "ff02::1": "", "225.0.0.1": "224.0.0.1", "10.0.0.1": "",
	} {
		got, ok := group.ControlAlias(addr(in))
		if ok != (want != "") || ok && got != addr(want) {
			t.Errorf("ControlAlias(%s) = %v, %v; want %s", in, got, ok, want)
		}
	}
	// 31 further /24s beside 224.0.0.0/24.
	n := 0
	for hi := range 1 << 12 {
		if _, ok := group.ControlAlias(netip.AddrFrom4([4]byte{byte(224 + hi>>8), byte(hi), 0, 9})); ok {
			n++
		}
	}
	if n != 31 {
		t.Errorf("%d /24s, want 31", n)
	}
}

func TestTTLScope(t *testing.T) {
	for ttl, want := range map[int]string{
		-1: "", 0: "host", 1: "subnet", 2: "site", 15: "site", 16: "domain", 31: "domain", 32: "region", 63: "region", 64: "world", 127: "world",
		128: "any", 255: "any", 256: "",
	} {
		if got := group.TTLScope(ttl); got != want {
			t.Errorf("TTLScope(%d) = %q, want %q", ttl, got, want)
		}
	}
	for name, want := range map[string]int{"host": 0, "subnet": 1, "site": 15, "domain": 31, "region": 63, "world": 127, "any": 255} {
		if ttl, ok := group.TTLFor(name); ttl != want || !ok {
			t.Errorf("TTLFor(%q) = %d, %v", name, ttl, ok)
		}
	}
	if _, ok := group.TTLFor("galaxy"); ok {
		t.Error("galaxy")
	}
}
