package glop_test

import (
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/glop"
	"github.com/gomulticast/multicast/mcast/group"
)

func ExamplePrefix() {
	fmt.Println(glop.Prefix(5662))
	fmt.Println(glop.AS(netip.MustParseAddr("233.9.193.7")))

	_, err := glop.Prefix(64512)
	fmt.Println(err)
	// Output:
	// 233.22.30.0/24 <nil>
	// 2497 true
	// glop: AS 64512: this AS has no GLOP addresses: it is private or reserved, and 233.252.0.0/14 (eGLOP once) is AD-HOC Block III by RFC 5771; use 239.0.0.0/8 inside a network, or groups from your unicast prefix (RFC 6034, RFC 3306)
}

func ExampleFromUnicast6() {
	p, err := glop.FromUnicast6(netip.MustParsePrefix("2001:db8:1::/48"), group.Global)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p)
	fmt.Println(glop.Group(p, 0x80000001))
	// Output:
	// ff3e:30:2001:db8:1::/96
	// ff3e:30:2001:db8:1:0:8000:1 <nil>
}

func ExampleRPOf() {
	fmt.Println(glop.RPOf(netip.MustParseAddr("ff7e:140:2001:db8:beef:feed::1234")))
	fmt.Println(glop.FromRP(netip.MustParsePrefix("2001:db8::3/32"), group.OrganizationLocal))
	// Output:
	// 2001:db8:beef:feed::1 <nil>
	// ff78:320:2001:db8::/96 <nil>
}
