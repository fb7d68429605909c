//go:build linux

package libnorm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/norm"
	"github.com/gomulticast/multicast/rmt/norm/core"
)

// writes opens a stream and writes content to it, with a pause behind every so many
// bytes.
func writes(ctx context.Context, t *testing.T, s *norm.Sender, cfg norm.StreamConfig, content []byte, chunk int, pause time.Duration) *norm.StreamWriter {
	t.Helper()
	w, err := s.OpenStream(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(content); at += chunk {
		if _, err := w.WriteContext(ctx, content[at:min(at+chunk, len(content))]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pause)
	}
	return w
}

func sender(t *testing.T, h *netlab.Host, cfg norm.SenderConfig) *norm.Sender {
	t.Helper()
	cfg.Rate, cfg.GroupSize = 50_000_000, 10
	s, err := norm.NewSender(at(t, h), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// within returns a context for a test.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestSeveralSenders has a sender of each kind in one session, and two receivers of each
// take both streams and both files.
func TestSeveralSenders(t *testing.T) {
	libnorm.Build(t)
	lab := netlab.New(t, netlab.Config{Receivers: 4, Loss: 5, Back: 5})
	ctx := within(t)
	mine, theirs := object(3_000_000), object(2_999_999)
	rs := ours(t, lab.Receivers[:1], norm.ReceiverConfig{Dir: t.TempDir()})
	recv := peer(t, lab.Receivers[1], "recv --id=12 --sync=stream --count=4 --linger=5 --seconds=90 --dir=%s", t.TempDir())
	recv.Expect(t, "READY", 10*time.Second)
	time.Sleep(300 * time.Millisecond)
	src := stored(t, theirs)
	send := peer(t, lab.Receivers[2], "send --id=2 --rate=20e6 --grtt=0.01 --ack=11 --ack=12 --stream-buffer=8000000 --linger=2 --seconds=90 file:%s stream:%s", src, src)
	s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1})
	wait := norm.WaitFor(11, 12)
	tr, err := s.SendFile(ctx, stored(t, mine), wait, norm.Name("mine"))
	if err != nil {
		t.Fatal(err)
	}
	w := writes(ctx, t, s, norm.StreamConfig{WaitFor: []norm.NodeID{11, 12}}, mine, 10_000, time.Millisecond)
	w.Close()

	done := make(chan map[norm.NodeID][]byte)
	go func() {
		files := map[norm.NodeID][]byte{}
		for o, err := range rs[0].Objects(ctx) {
			if err != nil {
				t.Error(err)
				break
			}
			if files[o.Sender()], err = os.ReadFile(o.Path()); err != nil || len(files) == 2 {
				break
			}
		}
		done <- files
	}()
	for _, got := range readStreams(ctx, []*norm.Receiver{rs[0], rs[0]}) {
		if got.err != nil || !bytes.Equal(got.content, mine) && !bytes.Equal(got.content, theirs) {
			t.Errorf("a stream of %d bytes, %v; libnorm said %q", len(got.content), got.err, send.Said())
		}
	}
	if files := <-done; !bytes.Equal(files[1], mine) || !bytes.Equal(files[2], theirs) {
		t.Errorf("%d files", len(files))
	}
	has := map[string]int{}
	for range 4 {
		kind, b := got(t, recv, "DONE")
		has[fmt.Sprintf("%s %v %v", kind, bytes.Equal(b, mine), bytes.Equal(b, theirs))]++
	}
	if len(has) != 4 || has["file true false"]+has["file false true"]+has["stream true false"]+has["stream false true"] != 4 {
		t.Errorf("libnorm has %v", has)
	}
	for range 2 {
		send.Expect(t, "ACKED", 60*time.Second)
	}
	if err := errors.Join(tr.Wait(ctx), w.Wait(ctx)); err != nil {
		t.Errorf("%v; %+v", err, s.Stats())
	}
	t.Logf("ours %+v", rs[0].Stats())
}

// silentSize is a stream or an object of full blocks, which alone have parity.
const (
	silentBlock = 32
	silentSize  = 40 * silentBlock * 1400
)

// TestSilentLibnorm sends to a libnorm receiver that says nothing and loses packets.
func TestSilentLibnorm(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{Loss: 3})
	recv := peer(t, lab.Receivers[0], "recv --id=11 --sync=stream --count=2 --linger=1 --seconds=90 --silent=-1 --dir=%s", t.TempDir())
	recv.Expect(t, "READY", 10*time.Second)
	time.Sleep(300 * time.Millisecond)
	content := object(silentSize)
	s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1, BlockSize: silentBlock, Parity: silentBlock, AutoParity: silentBlock / 2})
	tr, err := s.SendBytes(ctx, content)
	if err != nil {
		t.Fatal(err)
	}
	w := writes(ctx, t, s, norm.StreamConfig{}, content, 20_000, time.Millisecond)
	for w.Sent() < silentSize {
		time.Sleep(10 * time.Millisecond)
	}
	// The end of a stream has no parity.
	if err := lab.Receivers[0].Lose(0); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := errors.Join(tr.Wait(ctx), w.Wait(ctx)); err != nil {
		t.Error(err)
	}
	for range 2 {
		if kind, b := got(t, recv, "DONE"); !bytes.Equal(b, content) {
			t.Errorf("%s differs: %s", kind, differ(b, content))
		}
	}
	if st := s.Stats(); st.Nacks+st.Acks > 0 {
		t.Errorf("a silent receiver sent something: %+v", st)
	}
}

// TestSilentOurs receives from a libnorm sender without a word. The shell has no such
// receiver; the engine has.
func TestSilentOurs(t *testing.T) {
	libnorm.Build(t)
	lab := netlab.New(t, netlab.Config{Loss: 3})
	content := object(silentSize)
	src := stored(t, content)
	e, err := core.NewReceiver(core.ReceiverConfig{NodeID: 11, Silent: true, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	data, stream := make([]byte, silentSize), []byte(nil)
	progress := make(chan int, 1024)
	before, err := lab.Receivers[0].Counters()
	if err != nil {
		t.Fatal(err)
	}
	loop := drive.Start(at(t, lab.Receivers[0]), e, drive.Config{Drain: func(now time.Time) {
		for v, ok := e.Event(); ok; v, ok = e.Event() {
			switch v.Type {
			case core.BlockReceived:
				copy(data[v.Offset:], v.Data)
				e.Release(v.Data)
			case core.ObjectReceived:
				e.Stored(now, v.Key, nil)
				progress <- -1
			case core.StreamReadable:
				for g, ok := e.ReadStream(v.Key); ok; g, ok = e.ReadStream(v.Key) {
					if stream = append(stream, g.Data...); g.Lost || g.End {
						progress <- -2
					}
				}
				select {
				case progress <- len(stream):
				default:
				}
			}
		}
	}})
	defer loop.Close()
	time.Sleep(300 * time.Millisecond)
	send := peer(t, lab.Sender, "send --id=1 --rate=30e6 --grtt=0.01 --block=%d --parity=%d --auto=%d --chunk=%d --pause=2 --linger=2 --seconds=90 data:%s stream:%s",
		silentBlock, silentBlock, silentBlock/2, silentSize/2, src, src)
	timeout := time.After(60 * time.Second)
	quiet := false
	for seen, done, ended := 0, false, false; !ended || !done; {
		select {
		case seen = <-progress:
		case <-timeout:
			t.Fatalf("libnorm said %q", send.Said())
		}
		done, ended = done || seen == -1, ended || seen == -2
		if !quiet && seen >= silentSize/4 {
			quiet = true
			lab.Receivers[0].Lose(0) // what is written before a pause, and the end, has no parity
		}
	}
	loop.Close()
	if !bytes.Equal(data, content) || !bytes.Equal(stream, content) {
		t.Errorf("data %s; stream %s; %+v", differ(data, content), differ(stream, content), e.Stats())
	}
	after, err := lab.Receivers[0].Counters()
	if st := e.Stats(); err != nil || st.Recovered == 0 || st.Nacks+st.Acks > 0 || after.Sub(before).TxPackets > 20 {
		t.Errorf("%+v, and %d packets sent; %v", st, after.Sub(before).TxPackets, err) // IGMP among them
	}
}

// TestRestartLibnorm has a libnorm sender end in the middle of a stream and begin again:
// from the same port, which says that it is the same; and from another, as it does unless
// told, so that the first may still be alive somewhere.
func TestRestartLibnorm(t *testing.T) {
	for _, port := range []int{5555, 0} {
		t.Run(fmt.Sprintf("port %d", port), func(t *testing.T) {
			libnorm.Build(t)
			ctx := within(t)
			lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
			r := ours(t, lab.Receivers, norm.ReceiverConfig{})[0]
			content := object(2_000_000)
			args := fmt.Sprintf("send --id=1 --rate=30e6 --grtt=0.01 --stream-buffer=8000000 --linger=2 --seconds=60 --txport=%d stream:%s", port, stored(t, content))
			send := peer(t, lab.Sender, "%s --instance=7 --pause=0.01", args)
			s, err := r.AcceptStream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			first := make([]byte, 200_000)
			if _, err := io.ReadFull(s, first); err != nil || !bytes.Equal(first, content[:len(first)]) {
				t.Fatal(err)
			}
			send.Stop()
			send = peer(t, lab.Sender, "%s --instance=8", args)
			if got := readStreams(ctx, []*norm.Receiver{r})[0]; got.err != nil || !bytes.Equal(got.content, content) {
				t.Errorf("the second stream: %v, %s; libnorm said %q", got.err, differ(got.content, content), send.Said())
			}
			if port == 0 {
				return
			}
			rest, err := toTheEnd(s, content[len(first):])
			var oe *norm.ObjectError
			if !errors.As(err, &oe) || !errors.Is(err, norm.ErrSenderRestarted) || !bytes.HasPrefix(content[len(first):], rest) {
				t.Errorf("the first stream ended after %d bytes with %v", len(first)+len(rest), err)
			}
		})
	}
}

// toTheEnd reads a stream of a sender that was cut off: of what was on its way some may be
// lost.
func toTheEnd(s *norm.StreamReader, content []byte) (b []byte, err error) {
	for {
		var more []byte
		var lost *norm.LostError
		more, err = io.ReadAll(s)
		if b = append(b, more...); !errors.As(err, &lost) {
			return b, err
		}
		b = append(b, content[len(b):len(b)+int(lost.To-lost.From)]...)
	}
}

// TestRestartOurs has our sender end in the middle of a stream and begin again, under
// libnorm's eyes.
func TestRestartOurs(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
	recv := peer(t, lab.Receivers[0], "recv --id=11 --sync=stream --count=1 --linger=2 --seconds=90 --dir=%s", t.TempDir())
	recv.Expect(t, "READY", 10*time.Second)
	time.Sleep(300 * time.Millisecond)
	content := object(2_000_000)
	s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1})
	writes(ctx, t, s, norm.StreamConfig{}, content[:1_000_000], 10_000, time.Millisecond)
	recv.Expect(t, "NEW", 10*time.Second)
	s.Close()

	s = sender(t, lab.Sender, norm.SenderConfig{NodeID: 1})
	w := writes(ctx, t, s, norm.StreamConfig{WaitFor: []norm.NodeID{11}}, content, 10_000, time.Millisecond)
	w.Close()
	if err := w.Wait(ctx); err != nil {
		t.Errorf("%v; libnorm said %q", err, recv.Said())
	}
	if _, b := got(t, recv, "DONE"); !bytes.Equal(b, content) {
		t.Errorf("the second stream: %s", differ(b, content))
	}
	t.Logf("libnorm said %q", recv.Said())
}

// TestSyncLibnorm has libnorm receivers come after the first of two objects.
func TestSyncLibnorm(t *testing.T) {
	for policy, want := range map[string]int{"current": 1, "all": 2} {
		t.Run(policy, func(t *testing.T) {
			libnorm.Build(t)
			ctx := within(t)
			lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
			s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1, RobustFactor: 3})
			contents := [][]byte{object(500_000), object(700_000)}
			tr, err := s.SendBytes(ctx, contents[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			recv := peer(t, lab.Receivers[0], "recv --id=11 --count=%d --linger=2 --seconds=90 --sync=%s --dir=%s", want, policy, t.TempDir())
			recv.Expect(t, "READY", 10*time.Second)
			time.Sleep(300 * time.Millisecond)
			if tr, err = s.SendBytes(ctx, contents[1], norm.WaitFor(11)); err != nil {
				t.Fatal(err)
			}
			if err := tr.Wait(ctx); err != nil {
				t.Errorf("%v; libnorm said %q", err, recv.Said())
			}
			sizes := map[int]bool{}
			for range want {
				_, b := got(t, recv, "DONE")
				sizes[len(b)] = true
			}
			if !sizes[700_000] || sizes[500_000] != (want == 2) {
				t.Errorf("libnorm has objects of %v bytes", sizes)
			}
		})
	}
}

// TestSyncOurs has our receivers come after the first of two objects of a libnorm sender.
func TestSyncOurs(t *testing.T) {
	for policy, want := range map[norm.SyncPolicy]int{norm.SyncCurrent: 1, norm.SyncAll: 2} {
		t.Run(policies[policy], func(t *testing.T) {
			libnorm.Build(t)
			ctx := within(t)
			lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
			first, second := stored(t, object(500_000)), stored(t, object(700_000))
			send := peer(t, lab.Sender, "send --id=1 --rate=30e6 --grtt=0.001 --robust=2 --pause=5 --ack=11 --linger=2 --seconds=90 data:%s data:%s", first, second)
			send.Expect(t, "QUEUED", 10*time.Second)
			time.Sleep(3 * time.Second)
			r := ours(t, lab.Receivers, norm.ReceiverConfig{Sync: policy})[0]
			sizes := map[int]bool{}
			for o, err := range r.Objects(ctx) {
				if err != nil {
					t.Fatalf("%v; libnorm said %q; %+v", err, send.Said(), r.Stats())
				}
				if sizes[len(o.Bytes())] = true; len(sizes) == want {
					break
				}
			}
			if !sizes[700_000] || sizes[500_000] != (want == 2) {
				t.Errorf("objects of %v bytes", sizes)
			}
			if a := send.Expect(t, "ACKED", 30*time.Second); a != "11" {
				t.Errorf("acknowledged by %s", a)
			}
		})
	}
}

// TestCount waits for the confirmation of any libnorm receiver: they are asked by name
// once heard of.
func TestCount(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5, Back: 5})
	var recvs []*libnorm.Peer
	for i, h := range lab.Receivers {
		p := peer(t, h, "recv --id=%d --sync=stream --count=2 --linger=3 --seconds=90 --dir=%s", 11+i, t.TempDir())
		p.Expect(t, "READY", 10*time.Second)
		recvs = append(recvs, p)
	}
	time.Sleep(300 * time.Millisecond)
	content := object(2_000_000)
	s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1})
	tr, err := s.SendBytes(ctx, content, norm.WaitForCount(2))
	if err != nil {
		t.Fatal(err)
	}
	w := writes(ctx, t, s, norm.StreamConfig{WaitForCount: 2}, content, 10_000, time.Millisecond)
	if err := w.Commit(ctx); err != nil {
		t.Error(err)
	}
	w.Close()
	if err := errors.Join(tr.Wait(ctx), w.Wait(ctx)); err != nil || len(tr.Confirmed()) != 2 {
		t.Errorf("%v, confirmed by %v", err, tr.Confirmed())
	}
	for _, p := range recvs {
		for range 2 {
			if kind, b := got(t, p, "DONE"); !bytes.Equal(b, content) {
				t.Errorf("%s: %s", kind, differ(b, content))
			}
		}
	}
}

// TestAbrupt ends streams without their end.
func TestAbrupt(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	content := object(1_000_000)
	t.Run("libnorm's", func(t *testing.T) {
		lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
		r := ours(t, lab.Receivers, norm.ReceiverConfig{})[0]
		send := peer(t, lab.Sender, "send --id=1 --rate=30e6 --grtt=0.01 --abrupt --linger=3 --seconds=60 stream:%s", stored(t, content))
		g := readStreams(ctx, []*norm.Receiver{r})[0]
		var oe *norm.ObjectError
		var gap *norm.LostError // it does not wait for anybody's repairs
		if errors.As(g.err, &gap) {
			if !bytes.HasPrefix(content, g.content) || gap.From != uint64(len(g.content)) {
				t.Errorf("%v behind %d bytes", gap, len(g.content))
			}
		} else if !errors.As(g.err, &oe) || !bytes.Equal(g.content, content) {
			t.Errorf("%v, %s; libnorm said %q", g.err, differ(g.content, content), send.Said())
		}
		t.Log(g.err)
	})
	t.Run("ours", func(t *testing.T) {
		lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
		recv := peer(t, lab.Receivers[0], "recv --id=11 --sync=stream --seconds=20 --dir=%s", t.TempDir())
		recv.Expect(t, "READY", 10*time.Second)
		time.Sleep(300 * time.Millisecond)
		s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1})
		w := writes(ctx, t, s, norm.StreamConfig{WaitFor: []norm.NodeID{11}}, content, 10_000, time.Millisecond)
		if err := w.Commit(ctx); err != nil {
			t.Error(err)
		}
		w.Cancel()
		if err := w.Wait(ctx); !errors.Is(err, norm.ErrCanceled) {
			t.Error(err)
		}
		// Another object is not held up by it.
		tr, err := s.SendBytes(ctx, content, norm.WaitFor(11))
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Wait(ctx); err != nil {
			t.Error(err)
		}
		if kind, b := got(t, recv, "DONE"); kind != "data" || !bytes.Equal(b, content) {
			t.Errorf("%s: %s", kind, differ(b, content))
		}
		t.Logf("libnorm said %q", strings.Join(recv.Said(), ", "))
	})
}
