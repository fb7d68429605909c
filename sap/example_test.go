package sap_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// One announces a session, the other finds it and learns what to join. With package
// mcast the connections are mcast.Open(ctx, "239.255.255.255:9875").
func Example() {
	network := mcasttest.New(1)
	here, _ := network.Open("239.255.255.255:9875")
	there, _ := network.Open("239.255.255.255:9875")

	d, _ := sap.NewDirectory(sap.DirectoryConfig{}, sap.Path{Conn: there})
	defer d.Close()
	a, _ := sap.NewAnnouncer(sap.AnnouncerConfig{}, sap.Path{Conn: here})
	defer a.Shutdown(context.Background())

	desc, _ := sdp.NewMPEGTS(sdp.MPEGTS{
		Session: sdp.Session{Name: "Channel 1", Origin: netip.MustParseAddr("192.0.2.10")},
		Dest:    sdp.Dest{Channel: group.Channel{Group: netip.MustParseAddr("239.255.1.1")}, Port: 5004},
	})
	a.Announce(desc)

	for ev, err := range d.Events(context.Background()) {
		if err != nil {
			break
		}
		fmt.Println(ev.Kind, ev.Listing.Description.Name(), ev.Listing.Channels())
		break
	}
	// Output: added Channel 1 [rtp://239.255.1.1:5004]
}

func ExampleGroupFor() {
	zone := group.Zone{First: netip.MustParseAddr("239.16.32.0"), Last: netip.MustParseAddr("239.16.33.255")}
	for _, g := range []string{"224.2.200.1", "239.255.1.1", "239.16.32.9", "ff15::1"} {
		to, _ := sap.GroupFor(netip.MustParseAddr(g), zone)
		fmt.Println(g, "is announced on", to)
	}
	// Output:
	// 224.2.200.1 is announced on 224.2.127.254
	// 239.255.1.1 is announced on 239.255.255.255
	// 239.16.32.9 is announced on 239.16.33.255
	// ff15::1 is announced on ff05::2:7ffe
}

func ExampleParsePacket() {
	b := append([]byte{0x20, 0, 0x12, 0x34, 192, 0, 2, 1}, "application/sdp\x00v=0\r\n"...)
	p, err := sap.ParsePacket(b)
	fmt.Printf("%v %#x %s %q %v\n", p.Origin, p.Hash, p.PayloadType, p.Payload, err)
	// Output: 192.0.2.1 0x1234 application/sdp "v=0\r\n" <nil>
}
