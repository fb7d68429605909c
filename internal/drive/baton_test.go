package drive_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// An alone is an engine that finds out when two have it at once, when it is called too late,
// and when time goes back.
type alone struct {
	t       *testing.T
	inUse   atomic.Bool
	at, due time.Time
	heard   int
	pending int // datagrams to send
	sent    int
}

func (a *alone) enter(now time.Time) func() {
	if a.inUse.Swap(true) {
		a.t.Error("two have the engine")
	}
	if now.Before(a.at) {
		a.t.Error("time goes back")
	}
	a.at = now
	runtime.Gosched() // for whoever should not
	return func() { a.inUse.Store(false) }
}

func (a *alone) Handle(now time.Time, p *datagram.Packet) {
	defer a.enter(now)()
	a.heard++
}

func (a *alone) Advance(now time.Time) {
	defer a.enter(now)()
	if !a.due.IsZero() && !now.Before(a.due) {
		if now != a.due {
			a.t.Errorf("called %v too late", now.Sub(a.due))
		}
		a.due = time.Time{}
	}
}

func (a *alone) Next() time.Time {
	defer a.enter(a.at)()
	return a.due
}

func (a *alone) Transmit(now time.Time, p *datagram.Packet) bool {
	defer a.enter(now)()
	if a.pending == 0 {
		return false
	}
	a.pending--
	a.sent++
	p.Data = append(p.Data[:0], make([]byte, 1000)...)
	return true
}

// Whoever has the engine, nobody else has it, calls run once, deadlines are kept to the
// nanosecond, and all that there is to send is sent.
func TestBaton(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			n := mcasttest.New(seed)
			c, _ := n.Open("239.1.1.1:1000")
			peer, _ := n.Open("239.1.1.1:1000")
			defer peer.Close()
			a := &alone{t: t}
			ran, sending := 0, 0
			loop := drive.Start(c, a, drive.Config{Drain: func(now time.Time) { a.enter(now)() }})
			const callers, calls, packets = 4, 300, 300
			var wg sync.WaitGroup
			for id := range callers {
				rng := rand.New(rand.NewPCG(seed, uint64(id)))
				wg.Go(func() {
					for range calls {
						time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
						in, send := time.Duration(1+rng.IntN(2_000_000)), rng.IntN(100)/98*rng.IntN(3000)
						call := []func(func(time.Time)) error{loop.Run, loop.Post, loop.Do}[rng.IntN(3)]
						if err := call(func(now time.Time) {
							defer a.enter(now)()
							ran++
							sending += send
							a.pending += send
							if due := now.Add(in); a.due.IsZero() || due.Before(a.due) {
								a.due = due
							}
						}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, 99))
				for range packets {
					time.Sleep(time.Duration(rng.IntN(2)) * time.Millisecond)
					peer.WriteBatch([]datagram.Packet{{Data: make([]byte, 10)}})
				}
			})
			wg.Wait()
			time.Sleep(time.Second)
			loop.Run(func(time.Time) { a.pending, sending = a.pending+5000, sending+5000 })
			time.Sleep(time.Second)
			if err := loop.Do(func(time.Time) {
				if ran != callers*calls || a.heard+c.Dropped() != packets || a.sent != sending {
					t.Errorf("%d calls ran, %d packets heard, %d of %d sent", ran, a.heard, a.sent, sending)
				}
			}); err != nil {
				t.Error(err)
			}
			// Nothing runs any more when Close has returned.
			for range callers {
				wg.Go(func() {
					for range 50 {
						if err := loop.Do(func(time.Time) { ran++ }); err != nil && !errors.Is(err, net.ErrClosed) {
							t.Error(err)
						}
					}
				})
			}
			loop.Close()
			was := ran // the race detector watches
			wg.Wait()
			if ran != was {
				t.Errorf("%d calls ran after Close", ran-was)
			}
		})
	}
}
