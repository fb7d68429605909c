package group_test

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

func ExampleParseChannel() {
	c, err := group.ParseChannel("192.0.2.10@232.1.2.3")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Group, "from", c.Source, "in the SSM range:", group.IsSSM(c.Group))

	_, err = group.ParseChannel("192.0.2.10")
	fmt.Println(err)
	// Output:
	// 232.1.2.3 from 192.0.2.10 in the SSM range: true
	// group: 192.0.2.10: not a multicast address
}

func ExampleMAC() {
	for _, s := range []string{"224.0.0.251", "239.128.0.251", "ff02::fb"} {
		mac := group.MAC(netip.MustParseAddr(s))
		fmt.Println(net.HardwareAddr(mac[:]), s)
	}
	// Output:
	// 01:00:5e:00:00:fb 224.0.0.251
	// 01:00:5e:00:00:fb 239.128.0.251
	// 33:33:00:00:00:fb ff02::fb
}

func ExampleScopeOf() {
	for _, s := range []string{"224.0.0.251", "239.255.7.7", "239.192.0.1", "ff05::2", "232.1.2.3"} {
		fmt.Println(group.ScopeOf(netip.MustParseAddr(s)), s)
	}
	// Output:
	// link-local 224.0.0.251
	// realm-local 239.255.7.7
	// organization-local 239.192.0.1
	// site-local ff05::2
	// global 232.1.2.3
}

func ExampleAliases() {
	for g := range group.Aliases(netip.MustParseAddr("239.128.0.251")) {
		name, ok := group.WellKnown(g)
		if ok {
			fmt.Println(g, name)
		}
	}
	// Output:
	// 224.0.0.251 mDNS
}

func ExampleLint() {
	addr := netip.MustParseAddr("ff15::1")
	for _, f := range group.Lint(addr, group.Use{Purpose: group.Allocate}) {
		fmt.Println(f.Code)
		fmt.Println(f.Message)
	}
	fmt.Println(group.Lint(netip.MustParseAddr("ff15::8000:1"), group.Use{Purpose: group.Allocate}))
	// Output:
	// group-id
	// group ID below 8000:0, where permanent groups are: choose from 8000:0 to ffff:ffff (RFC 3307 section 4.3); it shares Ethernet address 33:33:00:00:00:01 with ff02::1 (all nodes)
	// []
}

func ExampleParseTarget() {
	for _, s := range []string{
		"udp://@239.1.1.1:1234",
		"rtp://192.0.2.10@232.1.2.3:5004",
		"http://www.example.com:659/movie?group=232.1.2.3&source=192.0.2.10",
	} {
		t, err := group.ParseTarget(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(t.Channel, t.Port)
	}
	// Output:
	// 239.1.1.1 1234
	// 192.0.2.10@232.1.2.3 5004
	// 192.0.2.10@232.1.2.3 0
}

func ExampleZone_Relative() {
	zone := group.Zone{First: netip.MustParseAddr("239.16.32.0"), Last: netip.MustParseAddr("239.16.33.255")}
	fmt.Println(zone.Relative(group.OffsetSAP))
	fmt.Println(zone.Relative(group.OffsetMADCAP))
	fmt.Println(group.LocalZone.Relative(group.OffsetSSDP))
	// Output:
	// 239.16.33.255 true
	// 239.16.33.254 true
	// 239.255.255.250 true
}

func ExampleFilter() {
	f := group.Filter{Mode: group.Include, Sources: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	fmt.Println(f, f.Accepts(netip.MustParseAddr("192.0.2.1")), f.Accepts(netip.MustParseAddr("192.0.2.2")))
	fmt.Println(group.Filter{}, "wants nothing:", group.Filter{}.IsEmpty())
	fmt.Println(group.Filter{Mode: group.Exclude}, "wants everyone")
	// Output:
	// INCLUDE {192.0.2.1} true false
	// INCLUDE {} wants nothing: true
	// EXCLUDE {} wants everyone
}
