package flute_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/flute"
	"github.com/gomulticast/multicast/sdp"
)

// A carousel, and a receiver that loses a quarter of the packets and comes late. With
// mcast.Open in place of network.Open the same runs over a real network.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	network := mcasttest.New(1)

	c, err := network.Open("239.255.7.7:6003")
	if err != nil {
		log.Fatal(err)
	}
	s, err := flute.NewSender(c, flute.SenderConfig{Rate: 50_000_000})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if _, err := s.SendBytes(ctx, "news/today.txt", make([]byte, 300_000), flute.Carousel()); err != nil {
		log.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)

	c, err = network.Open("239.255.7.7:6003", mcasttest.In(mcasttest.Link{Loss: 0.25}))
	if err != nil {
		log.Fatal(err)
	}
	r, err := flute.NewReceiver(c, flute.ReceiverConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for o, err := range r.Objects(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(o.Name(), o.Size(), "bytes, verified:", o.Verified())
		break
	}
	// Output: news/today.txt 300000 bytes, verified: true
}

// A sender describes its session, and a receiver learns from the description what to
// join.
func ExampleSender_Describe() {
	c, err := mcasttest.New(1).Open("232.1.2.3:6003", mcasttest.Addr(netip.MustParseAddr("192.0.2.10")))
	if err != nil {
		log.Fatal(err)
	}
	s, err := flute.NewSender(c, flute.SenderConfig{TSI: 17})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	d, err := s.Describe(sdp.FileSession{
		Session: sdp.Session{Name: "Files"},
		Dest: sdp.Dest{
			Channel: group.Channel{Group: netip.MustParseAddr("232.1.2.3"), Source: netip.MustParseAddr("192.0.2.10")},
			Port:    6003,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := flute.ParseSDP(d)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range sessions {
		fmt.Println("TSI", v.TSI, "with", v.FEC, "on", v.Channels[0])
	}
	// Output: TSI 17 with [raptorq (6) no-code (0)] on udp://192.0.2.10@232.1.2.3:6003
}
