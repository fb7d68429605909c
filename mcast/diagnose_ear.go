package mcast

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// An ear is a socket that joined the channel, as an ordinary program would, and
// counts what reaches it.
type ear struct {
	conn   *Conn
	cancel context.CancelFunc
	done   chan struct{}
	count  atomic.Int64
	from   netip.AddrPort // of the first packet; read after stop
}

// openEar joins the channel at a port. A join that fails is a finding, and no ear.
func (d *diagnosis) openEar(ctx context.Context, ifi *net.Interface, port uint16) *ear {
	opts := []Option{Interface(ifi.Name)}
	if !d.ch.AnySource() {
		opts = append(opts, Source(d.ch.Source.String()))
	} else {
		opts = append(opts, AllowAnySourceInSSM()) // a finding says so already
	}
	c, err := Listen(ctx, netip.AddrPortFrom(d.ch.Group, port).String(), opts...)
	switch {
	case errors.Is(err, ErrNotMulticastInterface), ctx.Err() != nil:
		return nil // told already, or no time left
	case err != nil:
		d.addError("join-failed", Problem, ifi.Name, err)
		return nil
	}
	e := &ear{conn: c, done: make(chan struct{})}
	// It is stopped by stop alone, so that what is queued when ctx ends counts.
	read, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	go e.run(read)
	return e
}

func (e *ear) run(ctx context.Context) {
	defer close(e.done)
	for p, err := range e.conn.Packets(ctx) {
		if err != nil {
			return
		}
		if e.count.Add(1) == 1 {
			e.from = p.Src
		}
	}
}

// earGrace is for packets queued but not yet read when the time is up.
const earGrace = 20 * time.Millisecond

// stop leaves the channel. Further calls do nothing.
func (e *ear) stop() {
	if e == nil {
		return
	}
	if e.count.Load() == 0 {
		time.Sleep(earGrace)
	}
	e.cancel()
	<-e.done
	e.conn.Close()
}

// remedyNoTraffic is for when nothing arrives and nobody can tell why.
const remedyNoTraffic = "check that the sender runs and sends to this group and port, with a TTL that passes the routers between (mcast.TTL), and that switches and routers forward the group, for which they need a querier"

// heard is how many packets there were.
func (e *ear) heard() int64 {
	if e == nil {
		return 0
	}
	return e.count.Load()
}
