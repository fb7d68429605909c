package alloc_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/alloc"
	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/sap"
)

// A program with a range of its own gives an address to each of its streams.
func Example() {
	ctx := context.Background()
	a, err := alloc.NewStatic(alloc.Config{}, alloc.Prefix("239.192.200.0/30"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	lease, err := a.Allocate(ctx, alloc.Request{Count: 4, Lifetime: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lease.Addrs())

	var later *alloc.LaterError
	if _, err := a.Allocate(ctx, alloc.Request{}); errors.As(err, &later) {
		fmt.Println("the first lease ends in", time.Until(later.At).Round(time.Minute))
	}
	lease.Release(ctx)
	fmt.Println(lease.Err())
	// Output:
	// [239.192.200.0 239.192.200.1 239.192.200.2 239.192.200.3]
	// the first lease ends in 1h0m0s
	// alloc: the lease was released
}

// Source-specific channels are the host's own, and there is nobody to ask.
func ExampleNewSSM() {
	a, _ := alloc.NewSSM(alloc.Config{Seed: 1}, netip.MustParseAddr("192.0.2.10"))
	lease, _ := a.Allocate(context.Background(), alloc.Request{Count: 2})
	for _, c := range lease.Channels() {
		fmt.Println(group.IsSSM(c.Group), c.Source)
	}
	// Output:
	// true 192.0.2.10
	// true 192.0.2.10
}

func ExampleNewGLOP() {
	if _, err := alloc.NewGLOP(alloc.Config{}, 64512); err != nil {
		fmt.Println(errors.Is(err, alloc.ErrConfig))
	}
	a, _ := alloc.NewGLOP(alloc.Config{}, 5662)
	lease, _ := a.Allocate(context.Background(), alloc.Request{})
	fmt.Println(netip.MustParsePrefix("233.22.30.0/24").Contains(lease.Addrs()[0]))
	// Output:
	// true
	// true
}

func ExampleNewPrefix() {
	a, _ := alloc.NewPrefix(alloc.Config{}, netip.MustParsePrefix("fd12:3456:789a::/48"))
	lease, _ := a.Allocate(context.Background(), alloc.Request{Scope: group.OrganizationLocal})
	fmt.Println(netip.MustParsePrefix("ff38:30:fd12:3456:789a::/96").Contains(lease.Addrs()[0]))
	// Output: true
}

func ExampleNewRandom() {
	a, _ := alloc.NewRandom(alloc.Config{})
	lease, _ := a.Allocate(context.Background(), alloc.Request{Family: alloc.IPv6, Scope: group.SiteLocal})
	fmt.Println(group.ScopeOf(lease.Addrs()[0]))
	// Output: site-local
}

// What is announced is nobody else's. With package mcast the connections are
// mcast.Open(ctx, "239.255.255.255:9875"), one for each.
func ExampleNewSAP() {
	network := mcasttest.New(1)
	here, _ := network.Open("239.255.255.255:9875")
	out, _ := network.Open("239.255.255.255:9875")
	directory, _ := sap.NewDirectory(sap.DirectoryConfig{Listen: time.Millisecond}, sap.Path{Conn: here})
	announcer, _ := sap.NewAnnouncer(sap.AnnouncerConfig{}, sap.Path{Conn: out})

	a, err := alloc.NewSAP(alloc.SAPConfig{Directory: directory, Announcer: announcer, Origin: netip.MustParseAddr("192.0.2.10"), Hold: time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Shutdown(context.Background())
	lease, err := a.Allocate(context.Background(), alloc.Request{Lifetime: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(group.LocalZone.Contains(lease.Addrs()[0]))
	// Output: true
}

// A server of the network leases addresses. With package mcast the client's connection is
// mcast.Dial(ctx, "239.255.255.254:2535", mcast.Unicast()).
func ExampleNewMADCAP() {
	network := mcasttest.New(1)
	s, _ := network.Open("239.255.255.254:2535")
	c, _ := network.Open("239.255.255.254:2535")
	server, _ := madcap.RunServer(s, madcap.ServerConfig{ID: s.LocalAddr().Addr(), Scopes: []madcap.Scope{{
		Zone: madcap.Zone{Zone: group.LocalZone}, Pools: []group.Zone{alloc.Prefix("239.255.7.7/32")},
	}}}, new(madcap.MemoryStore))
	defer server.Close()
	client, _ := madcap.RunClient(c, madcap.ClientConfig{})

	a := alloc.NewMADCAP(client)
	defer a.Close()
	lease, err := a.Allocate(context.Background(), alloc.Request{Lifetime: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	keeping, stop := context.WithCancel(context.Background())
	go lease.Keep(keeping, nil)
	fmt.Println(lease.Addrs())
	stop()
	lease.Release(context.Background())
	// Output: [239.255.7.7]
}
