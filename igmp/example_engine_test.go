package igmp_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// Engines are handed the time and packets, so that a whole link fits into a loop. Here
// a host joins, and a router learns of it.
func ExampleRouter() {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	router, err := igmp.NewRouter(now, igmp.RouterConfig{Addr: netip.MustParseAddr("192.0.2.1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	host, err := igmp.NewHost(now, igmp.HostConfig{Addr: netip.MustParseAddr("192.0.2.7"), Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		fmt.Println(err)
		return
	}

	const socket = 1
	source, g := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("232.1.2.3")
	if err := host.SetFilter(now, socket, g, group.Filter{Sources: []netip.Addr{source}}); err != nil {
		fmt.Println(err)
		return
	}
	var p datagram.Packet
	for host.Transmit(now, &p) {
		fmt.Println(len(p.Data), "bytes from", p.Src.Addr(), "to", p.Dst.Addr())
		router.Handle(now, &p)
	}
	for e, ok := router.Event(); ok; e, ok = router.Event() {
		fmt.Println(e.Kind, e.Group, e.Filter)
	}
	fmt.Println("forward:", router.Forward(source, g))
	// Output:
	// 44 bytes from 192.0.2.7 to 224.0.0.22
	// querier elected invalid IP INCLUDE {}
	// membership added 232.1.2.3 INCLUDE {192.0.2.10}
	// forward: true
}
