package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A crowd is one sender and very many receivers. They are the real engines, every one with
// its own state; only the memory for content is one for all, and nothing is encoded or
// decoded: what arrives is not looked at here but counted. TestSeeds looks at it.
type crowd struct {
	t       testing.TB
	sim     *netem.Sim
	tx      *Sender
	node    *netem.Node
	rx      []*member
	left    int // receivers that lack the object
	sentAt  time.Duration
	doneAt  time.Duration // the sender's ObjectDone
	dropped int           // ReceiverDropped
	err     error
	memory  []byte
}

// A member is one of a crowd.
type member struct {
	*Receiver
	node *netem.Node
	done time.Duration // when it had the last object; 0 is not yet
	err  error
}

// blankCode is a code over content that nobody looks at.
type blankCode struct{}

func (blankCode) Encode([]byte, [][]byte, int) {}

func (blankCode) Decode([][]byte, []int, [][]byte, []int) error { return nil }

var blankScheme = fec.Scheme{ID: fec.ReedSolomonGF8, Name: "blank", NewCode: func(*fec.OTI, int) (fec.Code, error) { return blankCode{}, nil }}

func newCrowd(t testing.TB, seed uint64, cfg SenderConfig, out, in netem.Link) *crowd {
	t.Helper()
	c := &crowd{t: t, sim: netem.NewSim(seed)}
	cfg.NodeID, cfg.Rand, cfg.Scheme = 1, c.sim.Rand("sender"), &blankScheme
	var err error
	if c.tx, err = NewSender(cfg); err != nil {
		t.Fatal(err)
	}
	c.memory = make([]byte, c.tx.cfg.BlockSize*c.tx.cfg.SegmentSize)
	c.node = c.sim.Add("tx", c.tx, out, in)
	c.node.Drain = c.drain
	return c
}

func (c *crowd) drain(time.Time) {
	for e, ok := c.tx.Event(); ok; e, ok = c.tx.Event() {
		switch e.Type {
		case ObjectSent:
			c.sentAt = c.now()
		case ObjectDone:
			c.doneAt, c.err = c.now(), e.Err
		case ReceiverDropped:
			c.dropped++
		}
	}
}

// receiver adds a receiver that can have blocks of memory in use.
func (c *crowd) receiver(cfg ReceiverConfig, blocks int, out, in netem.Link) *member {
	c.t.Helper()
	name := fmt.Sprint("rx", len(c.rx))
	cfg.NodeID, cfg.Rand = wire.NodeID(1001+len(c.rx)), c.sim.Rand(name)
	cfg.Scheme = func(fec.EncodingID) (fec.Scheme, error) { return blankScheme, nil }
	cost := bufferCost(len(c.memory)) * int64(blocks)
	cfg.BufferBytes = max(cost, 4*bufferCost(len(c.memory)))
	r, err := NewReceiver(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	free := make([][]byte, blocks)
	for i := range free {
		free[i] = c.memory
	}
	r.buffers.bySize, r.buffers.idle = map[int][][]byte{len(c.memory): free}, cost
	r.decoder.scratch = c.memory
	m := &member{Receiver: r, node: c.sim.Add(name, r, out, in)}
	m.node.Drain = func(now time.Time) {
		for e, ok := r.Event(); ok; e, ok = r.Event() {
			switch e.Type {
			case BlockReceived:
				r.Release(e.Data)
			case ObjectReceived:
				r.Stored(now, e.Key, nil)
				m.done = c.now()
				c.left--
			case ObjectAborted:
				m.err = e.Err
			}
		}
	}
	c.rx = append(c.rx, m)
	return m
}

// receivers adds n receivers that have a delay of 5 to 20 ms each way.
func (c *crowd) receivers(n, blocks int, cfg ReceiverConfig, loss float64) {
	c.t.Helper()
	rng := c.sim.Rand("delays")
	for range n {
		d := 5*time.Millisecond + time.Duration(rng.Int64N(int64(15*time.Millisecond)))
		c.receiver(cfg, blocks, netem.Link{Delay: d}, netem.Link{Delay: d, Loss: loss})
	}
}

// send enqueues an object of so many whole blocks.
func (c *crowd) send(blocks int, spec ObjectSpec) int64 {
	c.t.Helper()
	c.left = len(c.rx)
	for _, m := range c.rx {
		m.done = 0
	}
	spec.Source, spec.Size = zeros{}, int64(blocks)*int64(len(c.memory))
	c.node.Run(func(now time.Time) {
		if _, err := c.tx.Enqueue(now, spec); err != nil {
			c.t.Fatal(err)
		}
	})
	return spec.Size
}

func (c *crowd) now() time.Duration { return c.sim.Now().Sub(netem.Start) }

// until runs until done says so, which must be within limit.
func (c *crowd) until(limit time.Duration, done func() bool) {
	c.t.Helper()
	if !c.sim.RunUntil(c.now()+limit, done) {
		c.t.Fatalf("not done after %v: %d receivers of %d lack it; %+v", limit, c.left, len(c.rx), c.tx.Stats())
	}
}

// all reports whether every receiver has the object.
func (c *crowd) all() bool { return c.left == 0 }

// symbols is how many symbols a sender has sent.
func (s *SenderStats) symbols() uint64 {
	return s.DataPackets + s.AutoParity + s.Repairs + s.Repeated
}
