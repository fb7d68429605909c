// Package drive runs one engine over one connection in real time: one goroutine
// reads batches, one owns the engine, and whoever has little for it takes it; one more writes
// large batches. It is the only place that does so, for every protocol, and the only owner of
// packet buffers.
package drive

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

const (
	readPackets  = 64 // packets in a read batch
	leastPackets = 8  // while they come one by one: to prepare for more takes time
	readBatches  = 3  // one being filled, one being handled, one on its way
	writeRuns    = 16 // runs of datagrams in a write batch
	runSegments  = 44 // datagrams in a run: 44 of 1,472 bytes fit 64 KiB

	readSpace = 64 << 10 // for what came coalesced
	// Were the buffers a power of two apart, packets of 1,500 bytes would fall into the same few
	// places of a cache, and throw one another out.
	readStride = readSpace + 1536
)

// FileCoalescing is a [Config.Coalesce] for receivers of files: when one is there is not a matter
// of less.
const FileCoalescing = 500 * time.Microsecond

// Config holds the optional parts of a loop.
type Config struct {
	// Drain is called by who has the engine after every batch of input, to
	// collect its events. All of these calls come one after the other.
	Drain func(now time.Time)

	// WriteError is called by who has the engine when the connection refused to send.
	// The packets of that batch that were not sent are gone, as on a network.
	WriteError func(error)

	// ReadError is called once by the owner when reading ended for another
	// reason than Close.
	ReadError func(error)

	// Coalesce is for how long packets that come thick and fast may gather before they are
	// read, where the connection can do that. Default is not at all.
	Coalesce time.Duration
}

// A Loop drives an engine until Close.
//
// Whoever holds the baton has the engine. Mostly that is the owner, which waits for
// packets, calls and the engine's deadlines; but where nothing else waits its turn, who
// has read a few packets or calls Run takes it and spares the way to another goroutine,
// which takes longer than the work.
type Loop struct {
	conn   datagram.Conn
	engine engine.Engine
	cfg    Config

	baton   chan struct{} // has an item while somebody has the engine
	waiting atomic.Int32  // batches and calls on their way to the owner
	kick    chan struct{} // tells the owner that due is wrong, or that a batch was refused

	full  chan *batch // filled by the reader
	free  chan *batch // for the reader
	calls chan func(time.Time)
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when the owner has ended
	read  chan struct{} // closed when the reader has ended
	lead  lead
	once  sync.Once

	readErr error // set before read is closed
	want    int   // packets to be read at once; of who reads

	// Who has the baton has these too.
	out outbox
	due time.Time // when the owner will look at the engine; zero is now
}

type batch struct {
	packets [readPackets]datagram.Packet
	buffers [readPackets][]byte
	n       int
}

// Start begins driving e over conn, which the loop now owns.
func Start(conn datagram.Conn, e engine.Engine, cfg Config) *Loop {
	l := &Loop{
		conn: conn, engine: e, cfg: cfg, want: leastPackets,
		baton: make(chan struct{}, 1),
		kick:  make(chan struct{}, 1),
		full:  make(chan *batch, readBatches),
		free:  make(chan *batch, readBatches),
		calls: make(chan func(time.Time), 16),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
		read:  make(chan struct{}),
	}
	l.lead.init(conn)
	if c, ok := conn.(interface{ SetCoalescing(time.Duration) }); ok && cfg.Coalesce > 0 {
		c.SetCoalescing(cfg.Coalesce)
	}
	space := make([]byte, readBatches*readPackets*readStride)
	for range readBatches {
		b := new(batch)
		for i := range b.buffers {
			b.buffers[i], space = space[:readSpace:readSpace], space[readStride:]
		}
		l.free <- b
	}
	l.out.init(conn, l.quit, l.kick, cfg.WriteError)
	go l.reader()
	go l.owner()
	return l
}

// Do runs fn, between two packets, and waits for it. It must not be called by who has
// the engine. It returns net.ErrClosed when the loop has ended and fn will not run.
func (l *Loop) Do(fn func(now time.Time)) error {
	ran := make(chan struct{})
	if err := l.Run(func(now time.Time) { fn(now); close(ran) }); err != nil {
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
// must not be called by who has the engine.
func (l *Loop) Post(fn func(now time.Time)) error {
	l.waiting.Add(1)
	select {
	case l.calls <- fn:
		return nil
	case <-l.quit:
		return net.ErrClosed
	}
}

// Run runs fn at once, on the caller's goroutine, and sends what the engine then has to
// send, if nobody else has the engine and nothing waits for it; otherwise it is Post. It
// is for what must not take longer than it has to.
func (l *Loop) Run(fn func(now time.Time)) error {
	if !l.take() {
		return l.Post(fn)
	}
	now := time.Now()
	fn(now)
	l.give(l.turn(now))
	return nil
}

// take takes the engine if that overtakes nobody.
func (l *Loop) take() bool {
	select {
	case l.baton <- struct{}{}:
	default:
		return false
	}
	if l.waiting.Load() > 0 {
		<-l.baton
		return false
	}
	return true
}

// turn gives the engine its turn, and reports whether it may have more to send.
func (l *Loop) turn(now time.Time) (more bool) {
	l.engine.Advance(now)
	more = l.out.pump(now, l.engine)
	l.drain(now)
	return more
}

// Done is closed when the loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// closeWait is how long Close waits for a connection that does not take what is to be sent.
const closeWait = time.Second

// Close ends the loop, closes the connection and waits for all its goroutines. What the engine
// has given out before is sent, unless that takes more than a second. It must not be called
// by the owner.
func (l *Loop) Close() error {
	l.once.Do(func() {
		close(l.quit)
		patience := time.NewTimer(closeWait)
		defer patience.Stop()
		select {
		case <-l.done: // what was on its way has been written
		case <-patience.C:
		}
		l.conn.Close()
	})
	<-l.done
	<-l.read
	return nil
}

// A batch up to so many packets and bytes is handled by who has read it, and so is one with
// which the connection is empty. With more to come, the two goroutines share the work.
const (
	fewPackets = 4
	fewBytes   = 16 << 10
)

func (b *batch) small() bool {
	bytes := 0
	for i := range b.packets[:b.n] {
		bytes += len(b.packets[i].Data)
	}
	return b.n <= fewPackets && bytes <= fewBytes
}

func (l *Loop) reader() {
	defer close(l.read)
	for l.lead.follow(l.quit) {
		handled, err := l.readOnce(false)
		<-l.lead.token
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && l.lead.conn != nil: // a Kick that came late
			l.lead.conn.SetReadDeadline(time.Time{})
		case err != nil:
			if !errors.Is(err, net.ErrClosed) {
				l.readErr = err
			}
			return
		}
		if handled {
			runtime.Gosched() // for whom it was runs before the next batch is looked for
		}
	}
}

// readOnce waits for packets and handles them, or leaves them to the owner. here says that it
// is not the reader who calls it.
func (l *Loop) readOnce(here bool) (handled bool, err error) {
	var b *batch
	select {
	case b = <-l.free:
	case <-l.quit:
		return false, net.ErrClosed
	}
	ps := b.packets[:l.want]
	for i := range ps {
		ps[i] = datagram.Packet{Data: b.buffers[i]}
	}
	asked := l.want
	n, err := l.conn.ReadBatch(ps)
	b.n = n
	switch {
	case n == l.want:
		l.want = readPackets
	case n <= fewPackets:
		l.want = leastPackets
	}
	switch {
	case n > 0 && (n < asked || b.small()) && l.take():
		now := time.Now()
		l.lead.busy.Store(here)
		l.handle(now, b)
		l.free <- b
		more := l.turn(now)
		l.lead.busy.Store(false)
		l.give(more)
		handled = true
	case n > 0:
		l.waiting.Add(1)
		select {
		case l.full <- b:
		case <-l.quit:
			return false, net.ErrClosed
		}
	default:
		l.free <- b
	}
	return handled, err
}

// give gives the engine back. The owner is told if it would come too late.
func (l *Loop) give(more bool) {
	tell := false
	if next := l.engine.Next(); !l.due.IsZero() && (more || !next.IsZero() && next.Before(l.due)) {
		l.due, tell = time.Time{}, true
	}
	<-l.baton
	if tell {
		select {
		case l.kick <- struct{}{}:
		default:
		}
	}
}

func (l *Loop) owner() {
	defer close(l.done)
	defer l.out.close() // whoever returns here has the engine
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	ended := l.read
	l.baton <- struct{}{}
	for {
		// Here the owner has the engine.
		now := time.Now()
		busy := l.turn(now)
		if !busy {
			wait := time.Hour
			if next := l.engine.Next(); !next.IsZero() {
				wait = max(time.Until(next), 0)
			}
			l.due = now.Add(wait)
			timer.Reset(wait)
			<-l.baton
			var b *batch
			var fn func(time.Time)
			last := false
			select {
			case b = <-l.full:
			case fn = <-l.calls:
			case <-timer.C:
			case <-l.kick:
			case <-ended:
				ended, last = nil, true
			case <-l.quit:
				l.baton <- struct{}{}
				return // and nobody gets the engine any more
			}
			l.baton <- struct{}{}
			l.due = time.Time{}
			l.serve(b, fn)
			if last {
				l.readEnded()
			}
		}
		// Take what else is there without waiting, but give the engine its
		// turn after a bounded amount of it.
		for range readBatches {
			select {
			case b := <-l.full:
				l.serve(b, nil)
				continue
			case fn := <-l.calls:
				l.serve(nil, fn)
				continue
			case <-l.quit:
				return
			default:
			}
			break
		}
	}
}

// serve handles what has waited for the owner, a batch or a call.
func (l *Loop) serve(b *batch, fn func(time.Time)) {
	now := time.Now()
	switch {
	case b != nil:
		l.handle(now, b)
		l.free <- b
	case fn != nil:
		fn(now)
	default:
		return
	}
	l.waiting.Add(-1)
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
func (l *Loop) handle(now time.Time, b *batch) {
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
}
