package drive_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// An echo sends back what it hears, to whom it heard it from, one at a time, and
// says "tick" every second.
type echo struct {
	queue []datagram.Packet
	tick  time.Time
	heard []string
}

func (e *echo) Handle(now time.Time, p *datagram.Packet) {
	e.heard = append(e.heard, string(p.Data))
	e.queue = append(e.queue, datagram.Packet{Data: append([]byte(nil), p.Data...), Dst: p.Src})
}

func (e *echo) Advance(now time.Time) {
	if !now.Before(e.tick) {
		e.tick = now.Add(time.Second)
		e.queue = append(e.queue, datagram.Packet{Data: []byte("tick")})
	}
}

func (e *echo) Next() time.Time { return e.tick }

func (e *echo) Transmit(now time.Time, p *datagram.Packet) bool {
	if len(e.queue) == 0 {
		return false
	}
	q := e.queue[0]
	e.queue = e.queue[1:]
	p.Data, p.Dst = append(p.Data[:0], q.Data...), q.Dst
	return true
}

func Example() {
	n := mcasttest.New(1)
	c, _ := n.Open("239.1.1.1:1000")
	peer, _ := n.Open("239.1.1.1:1000")

	loop := drive.Start(c, &echo{tick: time.Now().Add(time.Hour)}, drive.Config{})
	defer loop.Close()

	peer.WriteBatch([]datagram.Packet{{Data: []byte("hello")}})
	ps := []datagram.Packet{{Data: make([]byte, 100)}}
	peer.ReadBatch(ps)
	fmt.Printf("%s came back to %v\n", ps[0].Data, ps[0].Dst)
	// Output: hello came back to 10.0.0.2:1000
}

func TestTimersRunsAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		c, _ := n.Open("239.1.1.1:1000")
		peer, _ := n.Open("239.1.1.1:1000")
		e := &echo{}
		drained := 0
		loop := drive.Start(c, e, drive.Config{Drain: func(time.Time) { drained++ }})
		peer.WriteBatch([]datagram.Packet{{Data: []byte("aaabbbccc1"), SegSize: 3}})
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if err := loop.Do(func(time.Time) {
			if fmt.Sprint(e.heard) != "[aaa bbb ccc 1]" {
				t.Errorf("heard %q", e.heard)
			}
			if drained == 0 {
				t.Error("events were never drained")
			}
		}); err != nil {
			t.Error(err)
		}
		got := map[string]int{}
		for len(got) < 5 {
			ps := make([]datagram.Packet, 8)
			for i := range ps {
				ps[i].Data = make([]byte, 100)
			}
			m, err := peer.ReadBatch(ps)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range ps[:m] {
				got[string(p.Data)]++
			}
		}
		if got["tick"] != 3 || got["aaa"] != 1 || got["1"] != 1 {
			t.Errorf("sent %v", got)
		}
		loop.Close()
		loop.Close()
		if err := loop.Do(func(time.Time) { t.Error("ran after Close") }); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Do after Close: %v", err)
		}
	})
}

// A broken connection reports once; the engine goes on.
type broken struct{}

var errBroken = errors.New("broken")

func (b *broken) ReadBatch([]datagram.Packet) (int, error)    { return 0, errBroken }
func (b *broken) WriteBatch(p []datagram.Packet) (int, error) { return 0, errBroken }
func (b *broken) Close() error                                { return nil }

func TestBrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads, writes int
		loop := drive.Start(&broken{}, &echo{}, drive.Config{
			ReadError: func(err error) {
				reads++
				if !errors.Is(err, errBroken) {
					t.Error(err)
				}
			},
			WriteError: func(error) { writes++ },
		})
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		loop.Close()
		if reads != 1 || writes != 4 {
			t.Errorf("%d read errors and %d write errors, want 1 and 4", reads, writes)
		}
	})
}

// A flood is an engine that always has something to send, of sizes that form runs.
type flood struct {
	sizes []int
	n     int
}

func (f *flood) Handle(time.Time, *datagram.Packet) {}
func (f *flood) Advance(time.Time)                  {}
func (f *flood) Next() time.Time                    { return time.Time{} }
func (f *flood) Transmit(now time.Time, p *datagram.Packet) bool {
	if f.n == len(f.sizes) {
		return false
	}
	p.Data = p.Data[:0]
	for range f.sizes[f.n] {
		p.Data = append(p.Data, byte(f.n))
	}
	f.n++
	return true
}

// keep records what was written.
type keep struct {
	got  chan datagram.Packet
	stop chan struct{}
}

func (k *keep) ReadBatch([]datagram.Packet) (int, error) { <-k.stop; return 0, net.ErrClosed }
func (k *keep) Close() error                             { close(k.stop); return nil }
func (k *keep) WriteBatch(ps []datagram.Packet) (int, error) {
	for _, p := range ps {
		p.Data = append([]byte(nil), p.Data...)
		k.got <- p
	}
	return len(ps), nil
}

func TestRunsHaveOneSizeAndLoseNothing(t *testing.T) {
	var sizes []int
	for i := range 1000 {
		sizes = append(sizes, []int{1400, 1400, 1400, 20, 1400, 9000, 65000, 1, 1400}[i*i%9])
	}
	f := &flood{sizes: sizes}
	k := &keep{got: make(chan datagram.Packet, 2000), stop: make(chan struct{})}
	loop := drive.Start(k, f, drive.Config{})
	var n int
	for n < len(sizes) {
		p := <-k.got
		if len(p.Data) > datagram.MaxSize {
			t.Fatalf("run of %d bytes", len(p.Data))
		}
		for rest := p.Data; len(rest) > 0; n++ {
			m := min(p.SegSize, len(rest))
			if m != sizes[n] || rest[0] != byte(n) || rest[m-1] != byte(n) {
				t.Fatalf("datagram %d: %d bytes of %d, contents %d", n, m, sizes[n], rest[0])
			}
			rest = rest[m:]
		}
	}
	loop.Close()
}
