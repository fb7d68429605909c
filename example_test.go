package multicast_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
)

// A message goes reliably to two receivers. The network is in memory here; with
// mcast.Open in place of network.Open it is a real one.
func Example() {
	ctx := context.Background()
	network := mcasttest.New(1)
	var receivers []*norm.Receiver
	for range 2 {
		c, err := network.Open("239.255.7.7:6003", mcasttest.In(mcasttest.Link{Loss: 0.2}))
		if err != nil {
			log.Fatal(err)
		}
		r, err := norm.NewReceiver(c, norm.ReceiverConfig{})
		if err != nil {
			log.Fatal(err)
		}
		defer r.Close()
		receivers = append(receivers, r)
	}
	c, err := network.Open("239.255.7.7:6003")
	if err != nil {
		log.Fatal(err)
	}
	s, err := norm.NewSender(c, norm.SenderConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	t, err := s.SendBytes(ctx, []byte("hello, everyone"), norm.WaitForCount(2))
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	for _, r := range receivers {
		for o, err := range r.Objects(ctx) {
			fmt.Println(string(o.Bytes()), err)
			break
		}
	}
	// Output:
	// hello, everyone <nil>
	// hello, everyone <nil>
}
