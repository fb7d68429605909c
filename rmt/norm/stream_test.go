package norm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	stdnet "net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// accept returns a receiver's next stream.
func accept(t *testing.T, r *Receiver) *StreamReader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := r.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStreamOfBytes(t *testing.T) {
	session(t, 3, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{Loss: 0.05}, func(t *testing.T, s *Sender, rs []*Receiver) {
		data := noise(3_000_000)
		w, err := s.OpenStream(t.Context(), StreamConfig{Info: []byte("noise")})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, r := range rs {
			wg.Go(func() {
				in := accept(t, r)
				got, err := io.ReadAll(in)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
				}
				if string(in.Info()) != "noise" || in.Sender() != s.NodeID() || in.ID() != w.ID() {
					t.Errorf("%q from %v, %d", in.Info(), in.Sender(), in.ID())
				}
			})
		}
		if n, err := w.Write(data); n != len(data) || err != nil {
			t.Fatal(n, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Write(data); n > 0 || err == nil {
			t.Errorf("write after the end: %d, %v", n, err)
		}
		wg.Wait()
	})
}

// Messages of any size, by several writers, arrive whole and each once, in the two ways to
// say where they end.
func TestStreamOfMessages(t *testing.T) {
	for _, marked := range []bool{false, true} {
		session(t, 2, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{Loss: 0.05}, func(t *testing.T, s *Sender, rs []*Receiver) {
			const writers, each = 4, 200
			w, err := s.OpenStream(t.Context(), StreamConfig{MarkedMessages: marked})
			if err != nil {
				t.Fatal(err)
			}
			var wg, out sync.WaitGroup
			for _, r := range rs {
				wg.Go(func() {
					in := accept(t, r)
					read := in.ReadMessage
					if marked {
						read = in.ReadMarked
					}
					var next [writers]uint32
					var buf []byte
					for {
						buf, err := read(t.Context(), buf)
						if errors.Is(err, io.EOF) {
							break
						}
						if err != nil {
							t.Error(err)
							return
						}
						id, n, rest := buf[0], binary.BigEndian.Uint32(buf[1:]), buf[5:]
						if n != next[id] || !bytes.Equal(rest, noise(len(rest))) {
							t.Errorf("writer %d: message %d after %d, %d bytes", id, n, next[id], len(rest))
						}
						next[id]++
					}
					for id, n := range next {
						if n != each {
							t.Errorf("%d messages of writer %d", n, id)
						}
					}
				})
			}
			for id := range writers {
				out.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(id), 1))
					for i := range each {
						size := rng.IntN(3000)
						if rng.IntN(50) == 0 {
							size = rng.IntN(400_000)
						}
						m := append(binary.BigEndian.AppendUint32([]byte{byte(id)}, uint32(i)), noise(size)...)
						if err := w.WriteMessage(t.Context(), m); err != nil {
							t.Error(err)
						}
					}
				})
			}
			out.Wait()
			w.Close()
			wg.Wait()
		})
	}
}

// Who joins in the middle begins with a whole message, and a gap is told of and costs whole
// messages only.
func TestStreamJoinAndGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := mcasttest.New(1)
		s, err := NewSender(open(t, net), SenderConfig{Rate: 20_000_000})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w, err := s.OpenStream(t.Context(), StreamConfig{Buffer: 500_000, DropAfter: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range uint32(20_000) {
				m := append(binary.BigEndian.AppendUint32(nil, i), noise(int(i%700))...)
				if w.WriteMessage(t.Context(), m) != nil {
					return
				}
			}
			w.Close()
		}()
		time.Sleep(300 * time.Millisecond)
		r, err := NewReceiver(open(t, net), ReceiverConfig{BufferBytes: 2_000_000})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		in := accept(t, r)
		var next, lost, messages uint32
		var gap *LostError
		for {
			m, err := in.ReadMessage(t.Context(), nil)
			if errors.As(err, &gap) {
				lost++
				next = 0
				if gap.To <= gap.From || in.Offset() != gap.To {
					t.Errorf("%v at %d", gap, in.Offset())
				}
				continue
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			i := binary.BigEndian.Uint32(m)
			if next > 0 && i != next || !bytes.Equal(m[4:], noise(int(i%700))) {
				t.Fatalf("message %d after %d, %d bytes", i, next, len(m))
			}
			if messages == 0 && i == 0 {
				t.Error("began at the beginning")
			}
			next = i + 1
			if messages++; messages == 2000 {
				time.Sleep(2 * time.Second) // longer than anybody keeps it
			}
		}
		if lost == 0 || next != 20_000 {
			t.Errorf("%d gaps, ended at %d", lost, next)
		}
	})
}

// Commit says that the receivers have read what was written, and only then.
func TestStreamCommit(t *testing.T) {
	session(t, 2, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{Loss: 0.1}, func(t *testing.T, s *Sender, rs []*Receiver) {
		w, err := s.OpenStream(t.Context(), StreamConfig{WaitForCount: 2})
		if err != nil {
			t.Fatal(err)
		}
		var total [2]int
		var mu sync.Mutex
		for i, r := range rs {
			go func() {
				in, buf := accept(t, r), make([]byte, 1000)
				for {
					n, err := in.Read(buf)
					mu.Lock()
					total[i] += n
					mu.Unlock()
					if err != nil {
						return
					}
				}
			}()
		}
		for i := 1; i <= 5; i++ {
			if _, err := w.Write(noise(300_000)); err != nil {
				t.Fatal(err)
			}
			if err := w.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			mu.Lock()
			if total[0] != i*300_000 || total[1] != i*300_000 {
				t.Errorf("committed %d, read %v", i*300_000, total)
			}
			mu.Unlock()
		}
		// With one of them gone it fails, in time, and the stream goes on.
		rs[1].Close()
		if _, err := w.Write(noise(1000)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(t.Context()); !errors.Is(err, ErrNotAcked) {
			t.Errorf("commit without a receiver: %v", err)
		}
		if _, err := w.Write(noise(1000)); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := w.Commit(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// Write waits for receivers that do not read, as long as its context allows.
func TestStreamBackPressure(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		w, err := s.OpenStream(t.Context(), StreamConfig{Buffer: 1_000_000, WaitForCount: 1, DropAfter: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n, err := w.WriteContext(ctx, noise(10_000_000))
		if !errors.Is(err, context.DeadlineExceeded) || n < 1_000_000 || n > 3_000_000 {
			t.Errorf("%d, %v", n, err)
		}
		in := accept(t, rs[0])
		go func() {
			w.Write(noise(10_000_000)[n:])
			w.Close()
		}()
		if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, noise(10_000_000)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func TestStreamEndsEarly(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *Sender, w *StreamWriter, r *Receiver, in *StreamReader)
		want error
	}{
		{"called off", func(_ *Sender, w *StreamWriter, _ *Receiver, _ *StreamReader) { w.Cancel() }, ErrSenderSilent},
		{"receiver closed", func(_ *Sender, _ *StreamWriter, r *Receiver, _ *StreamReader) { r.Close() }, stdnet.ErrClosed},
		{"reader closed", func(_ *Sender, _ *StreamWriter, _ *Receiver, in *StreamReader) { in.Close() }, stdnet.ErrClosed},
	} {
		session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			w, err := s.OpenStream(t.Context(), StreamConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(noise(10_000)); err != nil {
				t.Fatal(err)
			}
			in := accept(t, rs[0])
			if _, err := io.ReadFull(in, make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
			tt.end(s, w, rs[0], in)
			if tt.want == ErrSenderSilent {
				s.Close()
			}
			if _, err := in.Read(make([]byte, 1)); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
}

// A stream that nobody takes is not read: it costs the engine's buffers, which are bounded,
// and can still be taken from its beginning.
func TestStreamNotTaken(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		data := noise(1_000_000)
		w, err := s.OpenStream(t.Context(), StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := rs[0]
		r.mu.Lock()
		held := len(r.fresh) != 1 || len(r.fresh[0].buf) > 0
		r.mu.Unlock()
		if held {
			t.Error("a stream was read before it was taken")
		}
		if got, err := io.ReadAll(accept(t, r)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// A reader that takes packets itself gets what others get, and hears of what no packet tells.
func TestDirectRead(t *testing.T) {
	session(t, 2, LowLatency(), ReceiverConfig{RepairBySymbol: true, DirectRead: true}, mcasttest.Link{Loss: 0.02}, func(t *testing.T, s *Sender, rs []*Receiver) {
		w, err := s.OpenStream(t.Context(), StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		const messages = 2000
		var wg sync.WaitGroup
		for _, r := range rs {
			wg.Go(func() {
				in := accept(t, r)
				for i := range messages {
					m, err := in.ReadMessage(t.Context(), nil)
					if err != nil || binary.BigEndian.Uint32(m) != uint32(i) {
						t.Fatalf("message %d: %x, %v", i, m, err)
					}
					if i%500 == 0 {
						time.Sleep(time.Second) // somebody else reads meanwhile
					}
				}
				// One that comes to nothing.
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				if _, err := in.ReadMessage(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
					t.Errorf("after %v: %v", time.Since(begin), err)
				}
				if m, err := in.ReadMessage(t.Context(), nil); err != nil || string(m) != "last" {
					t.Errorf("%q, %v", m, err)
				}
				// The sender falls silent, of which no packet tells.
				var gone *ObjectError
				if _, err := in.ReadMessage(t.Context(), nil); !errors.As(err, &gone) || !errors.Is(err, ErrSenderSilent) {
					t.Errorf("%v", err)
				}
			})
		}
		for i := range messages {
			if err := w.WriteMessage(t.Context(), binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if err := w.WriteMessage(t.Context(), []byte("last")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		s.Close()
		wg.Wait()
	})
}

// Close ends a reader that takes packets itself.
func TestDirectReadClosed(t *testing.T) {
	session(t, 1, LowLatency(), ReceiverConfig{DirectRead: true}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		w, err := s.OpenStream(t.Context(), StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		in := accept(t, rs[0])
		time.AfterFunc(time.Second, func() { rs[0].Close() })
		if _, err := io.ReadAll(in); !errors.Is(err, stdnet.ErrClosed) {
			t.Error(err)
		}
	})
}

// A message of which nothing could be written before its context ended was never begun:
// what is written next is not marked in its place.
func TestMessageNotBegun(t *testing.T) {
	session(t, 0, SenderConfig{Rate: 100_000}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		w, err := s.OpenStream(t.Context(), StreamConfig{Buffer: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		short := func() context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			t.Cleanup(cancel)
			return ctx
		}
		if _, err := w.WriteContext(short(), make([]byte, 1<<20)); err == nil {
			t.Fatal("all was written")
		}
		if err := w.WriteMessage(short(), []byte("message")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.starts) > 0 {
			t.Errorf("a message begins at %v", w.starts)
		}
	})
}
