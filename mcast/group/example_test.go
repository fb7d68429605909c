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
