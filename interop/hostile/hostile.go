// Package hostile is an attacker on the network of a NORM session, for tests and
// benchmarks: it listens for what a sender and its receivers say of themselves, and sends
// forged messages that make as much trouble as can be made with that.
package hostile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A victim is what was heard of a session.
type victim struct {
	addr      netip.AddrPort // of the sender
	sender    wire.Sender
	object    wire.TransportID
	oti       fec.OTI
	cc        wire.CC // the last probe
	probed    time.Time
	receivers []wire.NodeID
}

// An Attacker listens on one connection and sends over it. Its methods are for one
// goroutine.
type Attacker struct {
	conn  datagram.Conn
	rand  *rand.Rand
	codec wire.Codec
	heard chan struct{} // closed when there is a victim
	once  sync.Once

	mu sync.Mutex
	v  victim
}

// New returns an attacker that listens on conn until that is closed.
func New(conn datagram.Conn, seed uint64) *Attacker {
	a := &Attacker{conn: conn, rand: rand.New(rand.NewPCG(seed, 66)), heard: make(chan struct{})}
	go a.listen()
	return a
}

func (a *Attacker) listen() {
	ps := make([]datagram.Packet, 32)
	buffers := make([][]byte, len(ps))
	for i := range buffers {
		buffers[i] = make([]byte, 64<<10)
	}
	for {
		for i := range ps {
			ps[i] = datagram.Packet{Data: buffers[i]}
		}
		n, err := a.conn.ReadBatch(ps)
		if err != nil {
			return
		}
		a.mu.Lock()
		for i := range ps[:n] {
			p := &ps[i]
			for data := p.Data; len(data) > 0; {
				size := len(data)
				if p.SegSize > 0 {
					size = min(size, p.SegSize)
				}
				a.learn(data[:size], p.Src)
				data = data[size:]
			}
		}
		a.mu.Unlock()
	}
}

// learn takes what a message tells of the session.
func (a *Attacker) learn(b []byte, from netip.AddrPort) {
	h, err := wire.ParseHeader(b)
	if err != nil {
		return
	}
	known := a.v.addr.IsValid()
	if known && h.Type <= wire.TypeCmd && from != a.v.addr {
		return // perhaps our own
	}
	switch h.Type {
	case wire.TypeData:
		var m wire.Data
		if a.codec.ParseData(b, &m) == nil && m.HasFTI {
			a.v.addr, a.v.sender, a.v.object, a.v.oti = from, m.Sender, m.Object, m.FTI
			a.once.Do(func() { close(a.heard) })
		}
	case wire.TypeCmd:
		var m wire.CC
		if a.codec.ParseCC(b, &m) == nil {
			a.v.cc, a.v.probed = m, time.Now()
		}
	case wire.TypeNack, wire.TypeAck:
		if len(a.v.receivers) < 2 && !slices.Contains(a.v.receivers, h.Source) {
			a.v.receivers = append(a.v.receivers, h.Source)
		}
	}
}

// Wait waits until a sender was heard, and returns its address.
func (a *Attacker) Wait(ctx context.Context) (netip.AddrPort, error) {
	select {
	case <-a.heard:
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.v.addr, nil
	case <-ctx.Done():
		return netip.AddrPort{}, errors.New("hostile: no sender was heard")
	}
}

// Attack sends messages of a kind, so many a second, until ctx ends, and returns how
// many. They go over the connection out, which may be another than the one listened on.
func (a *Attacker) Attack(ctx context.Context, out datagram.Conn, kind string, perSecond int) (sent int, err error) {
	forge := forgers[kind]
	if forge == nil {
		return 0, fmt.Errorf("hostile: no attack %q; there are %v", kind, Kinds())
	}
	if _, err := a.Wait(ctx); err != nil {
		return 0, err
	}
	const most = 64
	ps := make([]datagram.Packet, most)
	buffers := make([][]byte, most)
	for begin := time.Now(); ctx.Err() == nil; time.Sleep(time.Millisecond) {
		owed := int(time.Since(begin).Seconds()*float64(perSecond)) - sent
		for owed > 0 && ctx.Err() == nil {
			n := min(owed, most)
			a.mu.Lock()
			v := a.v
			a.mu.Unlock()
			for i := range ps[:n] {
				buffers[i], _ = forge(a, &v, buffers[i][:0])
				if len(buffers[i]) == 0 { // it did not fit its format
					buffers[i] = append(buffers[i], 0)
				}
				ps[i] = datagram.Packet{Data: buffers[i]}
			}
			m, err := out.WriteBatch(ps[:n])
			sent += m
			owed -= n
			if err != nil && ctx.Err() == nil {
				return sent, err
			}
		}
	}
	return sent, nil
}
