package norm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
)

// Messages of a stream reach a receiver that loses a tenth of the packets, whole and in
// order, and Commit waits until it has read them.
func ExampleSender_OpenStream() {
	ctx := context.Background()
	network := mcasttest.New(1)
	c1, _ := network.Open("239.255.7.7:6003", mcasttest.In(mcasttest.Link{Loss: 0.1}))
	c2, _ := network.Open("239.255.7.7:6003")
	r, _ := norm.NewReceiver(c1, norm.ReceiverConfig{RepairBySymbol: true})
	defer r.Close()
	s, _ := norm.NewSender(c2, norm.LowLatency())
	defer s.Close()

	w, err := s.OpenStream(ctx, norm.StreamConfig{WaitForCount: 1})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for i := range 3 {
			w.WriteMessage(ctx, fmt.Appendf(nil, "quote %d", i))
		}
		fmt.Println("read by all:", w.Commit(ctx) == nil)
		w.Close()
	}()

	in, err := r.AcceptStream(ctx)
	if err != nil {
		log.Fatal(err)
	}
	n := 0
	for {
		_, err := in.ReadMessage(ctx, nil)
		var lost *norm.LostError
		if errors.As(err, &lost) {
			continue // the sender did not wait for us; read on behind the gap
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println(n, "messages")
	// Output:
	// read by all: true
	// 3 messages
}
