package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A numberedConn delivers 4-byte datagrams with their numbers in them, in runs of
// five and alone, until there were total.
type numberedConn struct{ next, total uint32 }

func (c *numberedConn) ReadBatch(ps []datagram.Packet) (int, error) {
	for i := range ps {
		if c.next >= c.total {
			return i, io.EOF
		}
		b := ps[i].Data[:0]
		ps[i].SegSize = 0
		n := 1
		if i%2 == 0 {
			n, ps[i].SegSize = 5, 4
		}
		for range n {
			b = binary.BigEndian.AppendUint32(b, c.next)
			c.next++
		}
		ps[i].Data = b
	}
	return len(ps), nil
}

func (c *numberedConn) WriteBatch(ps []datagram.Packet) (int, error) { return len(ps), nil }
func (c *numberedConn) Close() error                                 { return nil }

func TestWithLoss(t *testing.T) {
	const total = 200_000
	inner := &numberedConn{total: total}
	c := withLoss(inner, 20)
	ps := make([]datagram.Packet, 8)
	for i := range ps {
		ps[i].Data = make([]byte, 0, 64)
	}
	got, last := 0, int64(-1)
	for {
		n, err := c.ReadBatch(ps)
		for _, p := range ps[:n] {
			if len(p.Data) == 0 || len(p.Data)%4 != 0 {
				t.Fatalf("%d bytes", len(p.Data))
			}
			if p.Segments() != len(p.Data)/4 {
				t.Fatalf("%d segments in %d bytes", p.Segments(), len(p.Data))
			}
			for b := range bytesOf(p.Data) {
				if v := int64(binary.BigEndian.Uint32(b)); v <= last {
					t.Fatalf("%d after %d", v, last)
				} else {
					last = v
				}
				got++
			}
		}
		// Every packet still has a buffer, and each its own.
		for i := range ps {
			if cap(ps[i].Data) != 64 {
				t.Fatalf("packet %d has space for %d bytes", i, cap(ps[i].Data))
			}
			for j := range i {
				if &ps[i].Data[:1][0] == &ps[j].Data[:1][0] {
					t.Fatalf("packets %d and %d share a buffer", i, j)
				}
			}
		}
		if err != nil {
			break
		}
	}
	sent := float64(inner.next)
	if lost := sent - float64(got); math.Abs(lost-sent*0.2) > 6*math.Sqrt(sent*0.2*0.8) {
		t.Errorf("lost %v of %v, want about 20 %%", lost, sent)
	}
	if c := withLoss(inner, 0); c != datagram.Conn(inner) {
		t.Error("wrapped for nothing")
	}
}

func bytesOf(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for ; len(b) > 0; b = b[4:] {
			if !yield(b[:4]) {
				return
			}
		}
	}
}

// What is lost must not show in what is kept.
func TestThinKeepsOrder(t *testing.T) {
	c := &lossyConn{fraction: 0}
	p := datagram.Packet{Data: []byte("aabbc"), SegSize: 2}
	if c.thin(&p); !bytes.Equal(p.Data, []byte("aabbc")) || p.Segments() != 3 {
		t.Errorf("%q, %d segments", p.Data, p.Segments())
	}
	c.fraction = 1
	if c.thin(&p); len(p.Data) != 0 {
		t.Errorf("%q is left", p.Data)
	}
}
