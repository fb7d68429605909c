package datagram_test

import (
	"fmt"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A counter is a connection that counts the datagrams another one sends. Anything
// that implements Conn can stand between a protocol and the network.
type counter struct {
	datagram.Conn
	datagrams int
}

func (c *counter) WriteBatch(ps []datagram.Packet) (int, error) {
	for i := range ps {
		c.datagrams += ps[i].Segments()
	}
	return len(ps), nil
}

func Example() {
	c := &counter{}
	c.WriteBatch([]datagram.Packet{
		{Data: make([]byte, 500)},
		{Data: make([]byte, 3000), SegSize: 1400}, // a run of three
	})
	fmt.Println(c.datagrams, "datagrams")
	// Output: 4 datagrams
}
