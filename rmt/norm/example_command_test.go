package norm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
)

// A command reaches a receiver that loses a third of the packets, and is told once.
func ExampleSender_Command() {
	ctx := context.Background()
	network := mcasttest.New(1)
	c1, _ := network.Open("239.255.7.7:6003", mcasttest.In(mcasttest.Link{Loss: 0.3}))
	c2, _ := network.Open("239.255.7.7:6003")
	r, _ := norm.NewReceiver(c1, norm.ReceiverConfig{})
	defer r.Close()
	s, _ := norm.NewSender(c2, norm.SenderConfig{})
	defer s.Close()

	for _, text := range []string{"pause", "resume"} {
		if err := s.Command(ctx, []byte(text)); err != nil {
			log.Fatal(err)
		}
	}
	n := 0
	for c, err := range r.Commands(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", c.Data)
		if n++; n == 2 {
			break
		}
	}
	// Output:
	// pause
	// resume
}

// A sender asks two receivers how much room they have.
func ExampleSender_Ask() {
	const room norm.AckType = 16 // of the application's own choice

	ctx := context.Background()
	network := mcasttest.New(1)
	for i, mib := range []int{100, 200} {
		c, _ := network.Open("239.255.7.7:6003", mcasttest.In(mcasttest.Link{Loss: 0.1}))
		r, err := norm.NewReceiver(c, norm.ReceiverConfig{
			NodeID: norm.NodeID(11 + i),
			Answer: func(q norm.AckRequest) ([]byte, bool) {
				return fmt.Appendf(nil, "%d MiB", mib), q.Type == room
			},
		})
		if err != nil {
			log.Fatal(err)
		}
		defer r.Close()
	}
	c, _ := network.Open("239.255.7.7:6003")
	s, _ := norm.NewSender(c, norm.SenderConfig{})
	defer s.Close()

	answers, err := s.Ask(ctx, norm.Question{Type: room, Nodes: []norm.NodeID{11, 12}})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		fmt.Printf("node %d: %s\n", uint32(a.Node), a.Data)
	}
	// Unordered output:
	// node 11: 100 MiB
	// node 12: 200 MiB
}
