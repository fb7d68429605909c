package norm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// commands takes n commands from r, which must come within a minute.
func commands(t *testing.T, r *Receiver, n int) (texts []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for c, err := range r.Commands(ctx) {
		if err != nil {
			t.Errorf("after %d commands: %v", len(texts), err)
			break
		}
		if texts = append(texts, string(c.Data)); len(texts) == n {
			break
		}
	}
	return texts
}

// drained fails the test if r has commands left.
func drained(t *testing.T, r *Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for c, err := range r.Commands(ctx) {
		if err == nil {
			t.Errorf("one command more: %q", c.Data)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
}

func TestCommands(t *testing.T) {
	session(t, 3, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{Loss: 0.2, Duplicate: 0.1}, func(t *testing.T, s *Sender, rs []*Receiver) {
		tr, err := s.SendBytes(t.Context(), noise(1_000_000), WaitForCount(3))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		var wg sync.WaitGroup
		for i := range 20 { // more than may be under way
			text := fmt.Sprint("say ", i/2)
			want = append(want, text)
			wg.Go(func() {
				if err := s.Command(t.Context(), []byte(text)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		slices.Sort(want)
		for _, r := range rs {
			got := commands(t, r, len(want))
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("told %q", got)
			}
			drained(t, r)
		}
		if err := tr.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if st := s.Stats(); st.Commands != 400 {
			t.Errorf("%d messages", st.Commands)
		}
	})
}

func TestCommandEnds(t *testing.T) {
	session(t, 1, SenderConfig{SegmentSize: 100}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		if err := s.Command(t.Context(), make([]byte, 101)); !errors.Is(err, ErrCommand) {
			t.Errorf("too long: %v", err)
		}
		before := time.Now()
		if err := s.Command(t.Context(), []byte("once"), Once()); err != nil || time.Since(before) > 10*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(before))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if err := s.Command(ctx, []byte("short")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("when its time is up: %v", err)
		}
		sent := s.Stats().Commands
		time.Sleep(time.Second)
		if n := s.Stats().Commands; n != sent || n < 3 {
			t.Errorf("%d messages, and %d later", sent, n)
		}
		if got := commands(t, rs[0], 2); !slices.Equal(got, []string{"once", "short"}) {
			t.Errorf("told %q", got)
		}
		// A goodbye waits for what is under way, a closed sender does not.
		done := make(chan error)
		go func() { done <- s.Command(t.Context(), []byte("last")) }()
		synctest.Wait()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Command(t.Context(), nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("on a closed sender: %v", err)
		}
		if _, err := s.Ask(t.Context(), Question{Type: 16, Nodes: []NodeID{1}}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("asked on a closed sender: %v", err)
		}
		rs[0].Close()
		got := 0
		for c, err := range rs[0].Commands(t.Context()) {
			if got++; got == 1 && string(c.Data) != "last" || got == 2 && !errors.Is(err, net.ErrClosed) || got > 2 {
				t.Errorf("%q, %v", c.Data, err)
			}
		}
	})
}

// Close and a shutdown in a hurry end what is under way.
func TestCommandsOfAClosedSender(t *testing.T) {
	for _, close := range []func(s *Sender){
		func(s *Sender) { s.Close() },
		func(s *Sender) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			s.Shutdown(ctx)
		},
	} {
		session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			errs := make(chan error)
			for i := range 12 {
				go func() {
					if i%2 == 0 {
						errs <- s.Command(t.Context(), []byte("go"))
						return
					}
					_, err := s.Ask(t.Context(), Question{Type: 16, Nodes: []NodeID{rs[0].NodeID()}})
					errs <- err
				}()
			}
			synctest.Wait()
			close(s)
			for range 12 {
				if err := <-errs; !errors.Is(err, net.ErrClosed) && !errors.Is(err, ErrCanceled) {
					t.Error(err)
				}
			}
		})
	}
}

func TestAsk(t *testing.T) {
	var mu sync.Mutex
	calls := map[AckType]int{}
	answer := func(q AckRequest) ([]byte, bool) {
		mu.Lock()
		calls[q.Type]++
		mu.Unlock()
		time.Sleep(50 * time.Millisecond)
		return fmt.Append(nil, "yes ", q.Type), q.Type != 40
	}
	session(t, 3, SenderConfig{}, ReceiverConfig{Answer: answer}, mcasttest.Link{Loss: 0.2}, func(t *testing.T, s *Sender, rs []*Receiver) {
		ids := []NodeID{rs[0].NodeID(), rs[1].NodeID(), rs[2].NodeID()}
		for _, want := range []AckType{16, 17} {
			as, err := s.Ask(t.Context(), Question{Type: want, Nodes: ids})
			if err != nil || len(as) != 3 {
				t.Errorf("%v, %v", as, err)
			}
			for _, a := range as {
				if !slices.Contains(ids, a.Node) || string(a.Data) != fmt.Sprint("yes ", want) {
					t.Errorf("%v: %q", a.Node, a.Data)
				}
			}
		}
		if as, err := s.Ask(t.Context(), Question{Type: 30, Nodes: append(ids, 1)}); !errors.Is(err, ErrNotAcked) || len(as) != 3 || !strings.Contains(err.Error(), fmt.Sprint([]NodeID{1})) {
			t.Errorf("%v, %v", as, err)
		}
		if as, err := s.Ask(t.Context(), Question{Type: 40, Nodes: ids}); !errors.Is(err, ErrNotAcked) || len(as) != 0 {
			t.Errorf("who does not answer: %v, %v", as, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if as, err := s.Ask(ctx, Question{Type: 50, Nodes: append(ids, 1), Timeout: time.Minute}); !errors.Is(err, context.DeadlineExceeded) || len(as) != 3 {
			t.Errorf("%v, %v", as, err)
		}
		if _, err := s.Ask(t.Context(), Question{Type: 2, Nodes: ids}); !errors.Is(err, ErrCommand) {
			t.Errorf("a type that is not the application's: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		for q, n := range calls {
			if n != 3 {
				t.Errorf("the three were asked %d times for %d", n, q)
			}
		}
	})
}

// Without Answer nobody answers.
func TestAskWithoutAnswer(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		if as, err := s.Ask(t.Context(), Question{Type: 16, Nodes: []NodeID{rs[0].NodeID()}}); !errors.Is(err, ErrNotAcked) || len(as) > 0 {
			t.Errorf("%v, %v", as, err)
		}
	})
}

// A flood drives out only itself.
func TestFairQueue(t *testing.T) {
	good, bad := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.66")
	var q fairQueue[string]
	gone := 0
	for i := range 10 {
		gone += int(q.push(good, 10, fmt.Sprint("good ", i)))
		for j := range 10_000 {
			gone += int(q.push(bad, j%60_000, fmt.Sprint("bad ", i, j)))
		}
	}
	if gone+len(q.items) != 10*10_001 {
		t.Errorf("%d gave way, %d are here", gone, len(q.items))
	}
	if q.weight > fairLimit || len(q.items) > fairLimit/fairItem || cap(q.items) > 4*fairLimit/fairItem {
		t.Errorf("%d bytes, %d items, room for %d", q.weight, len(q.items), cap(q.items))
	}
	var got []string
	last := ""
	for v, ok := q.pop(); ok; v, ok = q.pop() {
		if last = v; strings.HasPrefix(v, "good") {
			got = append(got, v)
		}
	}
	if len(got) != 10 || got[9] != "good 9" || last != fmt.Sprint("bad ", 9, 9999) {
		t.Errorf("left are %q, the last is %q", got, last)
	}
	if q.weight != 0 || len(q.hosts) != 0 {
		t.Errorf("%d bytes in an empty queue, %v", q.weight, q.hosts)
	}
}

// A host that floods the session with commands, which nobody takes, does not keep the
// others' from being told.
func TestFloodOfCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		r, err := NewReceiver(open(t, n), ReceiverConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		good, _ := NewSender(open(t, n), SenderConfig{})
		defer good.Close()
		bad, _ := NewSender(open(t, n), SenderConfig{Rate: 1_000_000_000})
		defer bad.Close()
		if err := good.Command(t.Context(), []byte("good"), Once()); err != nil {
			t.Fatal(err)
		}
		for i := range 3000 {
			if err := bad.Command(t.Context(), append(make([]byte, 1000), fmt.Sprint(i)...), Once()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * time.Millisecond)
		}
		r.mu.Lock()
		held, items := r.commands.weight, uint64(len(r.commands.items))
		r.mu.Unlock()
		if st := r.Stats(); st.Untaken.Commands == 0 || st.Untaken.Commands+items != st.Commands {
			t.Errorf("%d of %d commands gave way and %d wait", st.Untaken.Commands, st.Commands, items)
		}
		if held > fairLimit || held < fairLimit/2 {
			t.Errorf("%d bytes wait", held)
		}
		if got := commands(t, r, 1); got[0] != "good" {
			t.Errorf("told %.20q", got)
		}
	})
}
