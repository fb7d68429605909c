// Package drive runs one engine over one connection in real time: one goroutine
// reads batches, one owns the engine. It is the only place that does so, for
// every protocol, and the only owner of packet buffers.
package drive

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

const (
	readPackets = 64 // packets in a read batch
	readBatches = 3  // one being filled, one being handled, one on its way
	writeRuns   = 16 // runs of datagrams in a write batch
	runSegments = 44 // datagrams in a run: 44 of 1,472 bytes fit 64 KiB
)

// Config holds the optional parts of a loop.
type Config struct {
	// Drain is called by the owner after every batch of input, to collect
	// the engine's events.
	Drain func(now time.Time)

	// WriteError is called by the owner when the connection refused to send.
	// The packets of that batch that were not sent are gone, as on a network.
	WriteError func(error)

	// ReadError is called once by the owner when reading ended for another
	// reason than Close.
	ReadError func(error)
}

// A Loop drives an engine until Close.
type Loop struct {
	conn   datagram.Conn
	engine engine.Engine
	cfg    Config

	full  chan *batch // filled by the reader
	free  chan *batch // for the reader
	calls chan func(time.Time)
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when the owner has ended
	read  chan struct{} // closed when the reader has ended
	once  sync.Once

	readErr error // set before read is closed
	out     writer
}

type batch struct {
	packets [readPackets]datagram.Packet
	buffers [readPackets][]byte
	n       int
}

// Start begins driving e over conn, which the loop now owns.
func Start(conn datagram.Conn, e engine.Engine, cfg Config) *Loop {
	l := &Loop{
		conn: conn, engine: e, cfg: cfg,
		full:  make(chan *batch, readBatches),
		free:  make(chan *batch, readBatches),
		calls: make(chan func(time.Time), 16),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
		read:  make(chan struct{}),
	}
	for range readBatches {
		b := new(batch)
		for i := range b.buffers {
			b.buffers[i] = make([]byte, 64<<10)
		}
		l.free <- b
	}
	l.out.init()
	go l.reader()
	go l.owner()
	return l
}

// Do runs fn on the owner's goroutine, between two packets, and waits for it. It
// returns net.ErrClosed when the loop has ended and fn will not run.
func (l *Loop) Do(fn func(now time.Time)) error {
	ran := make(chan struct{})
	if err := l.Post(func(now time.Time) { fn(now); close(ran) }); err != nil {
		return err
	}
	select {
	case <-ran:
		return nil
	case <-l.done:
		select {
		case <-ran:
			return nil
		default:
			return net.ErrClosed
		}
	}
}

// Post queues fn for the owner's goroutine and does not wait for it to run. It
// must not be called by the owner itself.
func (l *Loop) Post(fn func(now time.Time)) error {
	select {
	case l.calls <- fn:
		return nil
	case <-l.quit:
		return net.ErrClosed
	}
}

// Done is closed when the loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Close ends the loop, closes the connection and waits for both goroutines. It
// must not be called by the owner.
func (l *Loop) Close() error {
	l.once.Do(func() {
		close(l.quit)
		l.conn.Close()
	})
	<-l.done
	<-l.read
	return nil
}

func (l *Loop) reader() {
	defer close(l.read)
	for {
		var b *batch
		select {
		case b = <-l.free:
		case <-l.quit:
			return
		}
		for i := range b.packets {
			b.packets[i] = datagram.Packet{Data: b.buffers[i]}
		}
		n, err := l.conn.ReadBatch(b.packets[:])
		b.n = n
		if n > 0 {
			select {
			case l.full <- b:
			case <-l.quit:
				return
			}
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.readErr = err
			}
			return
		}
	}
}

func (l *Loop) owner() {
	defer close(l.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	ended := l.read
	for {
		now := time.Now()
		l.engine.Advance(now)
		busy := l.pump(now)
		l.drain(now)

		if !busy {
			wait := time.Hour
			if next := l.engine.Next(); !next.IsZero() {
				wait = max(time.Until(next), 0)
			}
			timer.Reset(wait)
			select {
			case b := <-l.full:
				l.handle(b)
			case fn := <-l.calls:
				fn(time.Now())
			case <-timer.C:
			case <-ended:
				ended = nil
				l.readEnded()
			case <-l.quit:
				return
			}
		}
		// Take what else is there without waiting, but give the engine its
		// turn after a bounded amount of it.
		for range readBatches {
			select {
			case b := <-l.full:
				l.handle(b)
				continue
			case fn := <-l.calls:
				fn(time.Now())
				continue
			case <-l.quit:
				return
			default:
			}
			break
		}
	}
}

func (l *Loop) readEnded() {
	if l.readErr != nil && l.cfg.ReadError != nil {
		l.cfg.ReadError(l.readErr)
	}
}

func (l *Loop) drain(now time.Time) {
	if l.cfg.Drain != nil {
		l.cfg.Drain(now)
	}
}

// handle gives every datagram of b to the engine, runs taken apart.
func (l *Loop) handle(b *batch) {
	now := time.Now()
	for i := range b.packets[:b.n] {
		p := &b.packets[i]
		data, seg := p.Data, p.SegSize
		p.SegSize = 0
		for seg > 0 && len(data) > seg {
			p.Data = data[:seg:seg]
			l.engine.Handle(now, p)
			data = data[seg:]
		}
		p.Data = data
		l.engine.Handle(now, p)
	}
	l.drain(now)
	l.free <- b
}

// pump sends what the engine has, at most one batch, and reports whether the
// engine may have more.
func (l *Loop) pump(now time.Time) (more bool) {
	more = l.out.fill(now, l.engine)
	ps := l.out.packets()
	for len(ps) > 0 {
		n, err := l.conn.WriteBatch(ps)
		if err == nil {
			break
		}
		if errors.Is(err, net.ErrClosed) {
			return false
		}
		if l.cfg.WriteError != nil {
			l.cfg.WriteError(err)
		}
		ps = ps[min(n+1, len(ps)):]
	}
	return more
}
