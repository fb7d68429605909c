package main

import (
	"math/rand/v2"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A lossyConn loses part of what arrives, datagram by datagram. It sits at the seam
// between the network and the protocol, so it needs no privilege.
type lossyConn struct {
	datagram.Conn
	fraction float64
}

// withLoss wraps c to lose a percentage.
func withLoss(c datagram.Conn, percent float64) datagram.Conn {
	if percent <= 0 {
		return c
	}
	return &lossyConn{c, percent / 100}
}

func (c *lossyConn) ReadBatch(ps []datagram.Packet) (int, error) {
	for {
		n, err := c.Conn.ReadBatch(ps)
		kept := 0
		for i := range ps[:n] {
			if c.thin(&ps[i]); len(ps[i].Data) > 0 {
				// Swapped, not copied: every packet keeps a buffer.
				ps[kept], ps[i] = ps[i], ps[kept]
				kept++
			}
		}
		if kept > 0 || err != nil {
			return kept, err
		}
	}
}

// thin drops single datagrams out of a run, in place.
func (c *lossyConn) thin(p *datagram.Packet) {
	size := len(p.Data)
	if p.Segments() > 1 {
		size = p.SegSize
	}
	out := p.Data[:0]
	for rest := p.Data; len(rest) > 0; {
		n := min(size, len(rest))
		if rand.Float64() >= c.fraction {
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	p.Data = out
}
