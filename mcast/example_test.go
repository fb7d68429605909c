//go:build linux

package mcast_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// Join a group, send to it and receive what was sent.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	// "lo" stays within this host; name a real interface, such as "eth0".
	c, err := mcast.Open(ctx, "239.255.42.1:5004", mcast.Interface("lo"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	if _, err := c.WriteBatch([]datagram.Packet{{Data: []byte("hello, group")}}); err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range c.Packets(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s from %s to %s\n", p.Data, p.Src, p.Dst)
		break
	}
	// Output: hello, group from 127.0.0.1:5004 to 239.255.42.1:5004
}

// Receive from one sender only.
func ExampleListen() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	r, err := mcast.Listen(ctx, "232.255.42.2:5004", mcast.Source("127.0.0.1"), mcast.Interface("lo"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	s, err := mcast.Dial(ctx, "232.255.42.2:5004", mcast.Interface("lo"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	s.WriteBatch([]datagram.Packet{{Data: []byte("one")}, {Data: []byte("two")}})

	n := 0
	for p, err := range r.Packets(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s from %s\n", p.Data, p.Src.Addr())
		if n++; n == 2 {
			break
		}
	}
	// Output:
	// one from 127.0.0.1
	// two from 127.0.0.1
}

// Errors name a remedy.
func ExampleOpError() {
	_, err := mcast.Open(context.Background(), "232.1.2.3:5004", mcast.Interface("lo"))
	fmt.Println(errors.Is(err, mcast.ErrNeedSource))

	var oe *mcast.OpError
	if errors.As(err, &oe) {
		fmt.Println(oe.Err)
		fmt.Println(oe.Remedy)
	}
	// Output:
	// true
	// a group in the source-specific range needs a source
	// name the sender with mcast.Source, use a group outside 232.0.0.0/8 and ff3x::/32, or pass mcast.AllowAnySourceInSSM()
}
