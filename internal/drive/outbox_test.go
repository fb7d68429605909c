package drive_test

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A numbered has datagrams with numbers, of 1,400 bytes to send, and lets the first ones go by and by.
type numbered struct {
	sent, of int
	free     int // may be sent at present
	step     int // more are free every millisecond
	at       time.Time
}

func (f *numbered) Handle(time.Time, *datagram.Packet) {}

func (f *numbered) Advance(now time.Time) {
	for !now.Before(f.at) {
		f.free += f.step
		f.at = f.at.Add(time.Millisecond)
	}
}

func (f *numbered) Next() time.Time {
	if f.sent == f.of {
		return time.Time{}
	}
	return f.at
}

func (f *numbered) Transmit(now time.Time, p *datagram.Packet) bool {
	if f.free == 0 || f.sent == f.of {
		return false
	}
	p.Data = append(p.Data[:0], make([]byte, 1400)...)
	binary.BigEndian.PutUint32(p.Data, uint32(f.sent))
	f.sent++
	f.free--
	return true
}

// A slow connection takes its time for each write, and refuses some runs.
type slow struct {
	t      *testing.T
	each   time.Duration
	refuse func(call int) bool

	mu      sync.Mutex
	writing bool
	calls   int
	got     []uint32
	refused int
	once    sync.Once
	closed  chan struct{}
}

var errRefused = errors.New("refused")

func (c *slow) ReadBatch([]datagram.Packet) (int, error) { <-c.closed; return 0, net.ErrClosed }
func (c *slow) Close() error                             { c.once.Do(func() { close(c.closed) }); return nil }

func (c *slow) WriteBatch(ps []datagram.Packet) (int, error) {
	c.mu.Lock()
	if c.writing {
		c.t.Error("two write at once")
	}
	c.writing = true
	c.calls++
	no := c.refuse != nil && c.refuse(c.calls)
	c.mu.Unlock()
	select {
	case <-time.After(c.each):
	case <-c.closed:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	if no {
		c.refused += ps[0].Segments()
		return 0, errRefused
	}
	for _, p := range ps {
		for d := p.Data; len(d) > 0; d = d[min(p.SegSize, len(d)):] {
			c.got = append(c.got, binary.BigEndian.Uint32(d))
		}
	}
	return len(ps), nil
}

// Whatever is written at once and what by the goroutine: all of it leaves, in order, one write at
// a time, and each refusal is told.
func TestOutboxKeepsOrder(t *testing.T) {
	for _, step := range []int{1, 60, 140, 700, 5000} { // datagrams a millisecond, from one run to more than a batch
		synctest.Test(t, func(t *testing.T) {
			const all = 20_000
			c := &slow{t: t, each: 2 * time.Millisecond, closed: make(chan struct{}), refuse: func(n int) bool { return n%7 == 3 }}
			refusals := 0
			e := &numbered{of: all, step: step, at: time.Now()}
			l := drive.Start(c, e, drive.Config{WriteError: func(err error) {
				if err != errRefused {
					t.Error(err)
				}
				refusals++
			}})
			time.Sleep(time.Minute)
			l.Close()
			if len(c.got)+c.refused != all {
				t.Errorf("step %d: %d written and %d refused of %d", step, len(c.got), c.refused, all)
			}
			for i := 1; i < len(c.got); i++ {
				if c.got[i] <= c.got[i-1] {
					t.Fatalf("step %d: %d after %d", step, c.got[i], c.got[i-1])
				}
			}
			if want := (c.calls + 4) / 7; refusals != want {
				t.Errorf("step %d: %d refusals told of %d", step, refusals, want)
			}
		})
	}
}

// While a batch is being written the engine makes the next: both take no longer than the writing.
func TestOutboxWritesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const batches = 20
		c := &slow{t: t, each: 2 * time.Millisecond, closed: make(chan struct{})}
		e := &working{numbered{of: batches * 700, free: batches * 700, at: time.Now().Add(time.Hour)}}
		start := time.Now()
		l := drive.Start(c, e, drive.Config{})
		for len(c.seen()) < e.of {
			time.Sleep(100 * time.Microsecond)
		}
		took := time.Since(start)
		// A datagram takes the engine 2 us, 1.4 ms a batch; one after the other it would be 68 ms.
		if took > 50*time.Millisecond {
			t.Errorf("took %v", took)
		}
		l.Close()
	})
}

// A refusal is told though nothing else is to be done.
func TestOutboxTellsTheLastRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slow{t: t, each: 2 * time.Millisecond, closed: make(chan struct{}), refuse: func(int) bool { return true }}
		e := &numbered{of: 400, free: 400, at: time.Now().Add(time.Hour)}
		told := 0
		l := drive.Start(c, e, drive.Config{WriteError: func(error) { told++ }})
		time.Sleep(time.Second)
		l.Do(func(time.Time) {
			if told == 0 || told != c.calls {
				t.Errorf("%d of %d refusals told", told, c.calls)
			}
		})
		l.Close()
	})
}

// A working engine needs time for a datagram.
type working struct{ numbered }

func (w *working) Transmit(now time.Time, p *datagram.Packet) bool {
	time.Sleep(2 * time.Microsecond)
	return w.numbered.Transmit(now, p)
}

func (c *slow) seen() []uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got
}

// Close lets what the engine has given out leave, but does not wait long for a connection that is stuck.
func TestCloseWaitsForTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, each := range []time.Duration{100 * time.Millisecond, time.Hour} {
			c := &slow{t: t, each: each, closed: make(chan struct{})}
			e := &numbered{of: 1000, free: 1000, at: time.Now().Add(time.Hour)}
			l := drive.Start(c, e, drive.Config{})
			synctest.Wait()
			start := time.Now()
			l.Close()
			took := time.Since(start)
			switch {
			case each < time.Second && len(c.got) != e.sent:
				t.Errorf("%d written of %d", len(c.got), e.sent)
			case each < time.Second && took > time.Second:
				t.Errorf("Close took %v", took)
			case each > time.Second && took != time.Second:
				t.Errorf("Close of a stuck connection took %v", took)
			}
		}
	})
}
