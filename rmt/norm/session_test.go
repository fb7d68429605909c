package norm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm/core"
)

// session runs fn in virtual time with a sender and n receivers, and closes them.
func session(t *testing.T, n int, sc SenderConfig, rc ReceiverConfig, link mcasttest.Link, fn func(t *testing.T, s *Sender, rs []*Receiver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := mcasttest.New(1)
		s, err := NewSender(open(t, net, mcasttest.Out(mcasttest.Link{Delay: time.Millisecond})), sc)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var rs []*Receiver
		for range n {
			r, err := NewReceiver(open(t, net, mcasttest.In(link)), rc)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			rs = append(rs, r)
		}
		fn(t, s, rs)
	})
}

// next returns the receiver's next object or error.
func next(t *testing.T, r *Receiver) (*Object, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for o, err := range r.Objects(ctx) {
		return o, err
	}
	return nil, nil
}

func TestMoreObjectsThanTheCacheHolds(t *testing.T) {
	const objects = 300
	session(t, 2, SenderConfig{CacheObjects: 8, Rate: 1_000_000_000}, ReceiverConfig{}, mcasttest.Link{Loss: 0.1}, func(t *testing.T, s *Sender, rs []*Receiver) {
		var wg sync.WaitGroup
		for i := range objects {
			tr, err := s.SendBytes(t.Context(), noise(1+i*97), Info(fmt.Append(nil, i)), WaitForCount(2))
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if err := tr.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, r := range rs {
			seen := map[string]bool{}
			for len(seen) < objects {
				o, err := next(t, r)
				if err != nil {
					t.Fatal(err)
				}
				var i int
				fmt.Sscan(string(o.Info()), &i)
				if !bytes.Equal(o.Bytes(), noise(1+i*97)) || seen[string(o.Info())] {
					t.Fatalf("object %d: %d bytes", i, o.Size())
				}
				seen[string(o.Info())] = true
			}
		}
	})
}

func TestUnicastFeedback(t *testing.T) {
	session(t, 3, SenderConfig{}, ReceiverConfig{Unicast: true}, mcasttest.Link{Loss: 0.1}, func(t *testing.T, s *Sender, rs []*Receiver) {
		data := noise(2_000_000)
		tr, err := s.SendBytes(t.Context(), data, WaitFor(rs[0].NodeID(), rs[1].NodeID(), rs[2].NodeID()))
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			if o, err := next(t, r); err != nil || !bytes.Equal(o.Bytes(), data) {
				t.Error(err)
			}
		}
	})
}

func TestEmptyFileAndName(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(src, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir}, mcasttest.Link{Loss: 0.3}, func(t *testing.T, s *Sender, rs []*Receiver) {
		tr, err := s.SendFile(t.Context(), src, Name("sub/other name"), WaitForCount(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		o, err := next(t, rs[0])
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(filepath.Join(dir, "sub", "other name")); err != nil || st.Size() != 0 || o.Name() != "sub/other name" || !o.Verified() {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// What one object suffers must not touch the next.
func TestErrorsAreOfOneObject(t *testing.T) {
	dir := t.TempDir()
	good := noise(100_000)
	wrong := fileInfo{name: "wrong", size: -1, sha256: make([]byte, 32)}
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, MaxMemory: 1_000_000}, mcasttest.Link{Loss: 0.05}, func(t *testing.T, s *Sender, rs []*Receiver) {
		ctx := t.Context()
		for _, c := range []struct {
			title string
			want  error
			opts  []SendOption
			data  []byte
		}{
			{"a name outside", ErrName, []SendOption{Name("../escape")}, good},
			{"a wrong digest", ErrDigest, []SendOption{Name("wrong"), Info(wrong.append(nil))}, good},
			{"data beyond the memory", ErrTooBig, nil, noise(1_000_001)},
			{"a directory in its place", nil, []SendOption{Name("taken")}, good},
		} {
			os.Mkdir(filepath.Join(dir, "taken"), 0o755)
			if _, err := s.Send(ctx, bytes.NewReader(c.data), int64(len(c.data)), c.opts...); err != nil {
				t.Fatal(err)
			}
			o, err := next(t, rs[0])
			var bad *ObjectError
			if o != nil || !errors.As(err, &bad) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %+v, %v", c.title, o, err)
			}
			if _, err := s.Send(ctx, bytes.NewReader(good), int64(len(good)), Name("good")); err != nil {
				t.Fatal(err)
			}
			if o, err := next(t, rs[0]); err != nil || o.Name() != "good" {
				t.Errorf("after %s: %v", c.title, err)
			}
		}
	})
	if e, _ := os.ReadDir(dir); len(e) != 2 {
		t.Errorf("left behind: %v", e)
	}
}

// What the engine said of an object before it knew that storing it had failed must
// not open it again: nothing would ever end it.
func TestFailedObjectStaysEnded(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{MaxMemory: 1000}, mcasttest.Link{}, func(t *testing.T, _ *Sender, rs []*Receiver) {
		st, key := rs[0].store, core.ObjectKey{Object: 7}
		st.mu.Lock()
		st.jobs = append(st.jobs,
			job{event: core.ReceiverEvent{Type: core.ObjectNew, Key: key, Size: 1001}},
			job{event: core.ReceiverEvent{Type: core.InfoReceived, Key: key, Data: []byte("late")}})
		st.mu.Unlock()
		st.wake.Signal()
		if _, err := next(t, rs[0]); !errors.Is(err, ErrTooBig) {
			t.Error(err)
		}
		synctest.Wait()
		if p := rs[0].Pending(); len(p) > 0 {
			t.Errorf("still pending: %+v", p)
		}
		// The same number may be used again later.
		st.put(job{event: core.ReceiverEvent{Type: core.ObjectNew, Key: key, Size: 10}})
		synctest.Wait()
		if p := rs[0].Pending(); len(p) != 1 {
			t.Errorf("pending: %+v, want the new object", p)
		}
	})
}

func TestGoodbyeInMidTransfer(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		tr, err := s.SendBytes(t.Context(), noise(10_000_000))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		if err := tr.Wait(t.Context()); !errors.Is(err, ErrCanceled) {
			t.Errorf("transfer: %v", err)
		}
		if _, err := next(t, rs[0]); !errors.Is(err, ErrSenderGone) {
			t.Errorf("receiver: %v", err)
		}
		if st := s.Stats(); st.Packets == 0 {
			t.Error("no counters after Shutdown")
		}
	})
}

func TestCancelOneOfTwo(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{Loss: 0.05}, func(t *testing.T, s *Sender, rs []*Receiver) {
		first, err := s.SendBytes(t.Context(), noise(5_000_000))
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.SendBytes(t.Context(), noise(1000), WaitForCount(1))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if sent := first.Progress(); sent == 0 || sent >= 5_000_000 {
			t.Errorf("progress %d", sent)
		}
		first.Cancel()
		if err := first.Wait(t.Context()); !errors.Is(err, ErrCanceled) {
			t.Error(err)
		}
		if err := second.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		whole, purged := 0, 0
		for range 2 { // in either order
			o, err := next(t, rs[0])
			switch {
			case err == nil && o.Size() == 1000:
				whole++
			case errors.Is(err, ErrPurged):
				purged++
			default:
				t.Error(err)
			}
		}
		if whole != 1 || purged != 1 {
			t.Errorf("%d received and %d purged, want one each", whole, purged)
		}
	})
}

func TestConfigErrorsNameTheRemedy(t *testing.T) {
	for _, c := range []SenderConfig{
		{SegmentSize: 10}, {BlockSize: 200, Parity: 100}, {Backoff: 16}, {AutoParity: 33}, {NodeID: 0xffffffff}, {Encoding: 77},
	} {
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []SenderConfig{{}, WAN(), Satellite()} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	c := open(t, mcasttest.New(1))
	if _, err := NewReceiver(c, ReceiverConfig{Dir: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := NewReceiver(c, ReceiverConfig{MaxObjects: -1}); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}
