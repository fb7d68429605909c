//go:build linux

package libnorm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm"
)

// A streamForm is one way to send a stream; both directions are run in each.
type streamForm struct {
	name                         string
	loss                         float64
	unicast                      bool
	segment, block, parity, auto int
	encoding                     fec.EncodingID
	size                         int

	flush string // libnorm as the sender: none, passive, active
	chunk int    // bytes in a write
	mark  int    // so many bytes are acknowledged at a time
	full  bool   // ours: FullSegments
	ack   bool   // the receivers confirm
}

var streamForms = []streamForm{
	{name: "no loss", segment: 1400, block: 64, parity: 16, size: 6_000_000, flush: "none", chunk: 8192, ack: true, full: true},
	{name: "loss", loss: 5, segment: 1400, block: 64, parity: 16, size: 4_000_000, flush: "none", chunk: 8192, ack: true},
	{name: "loss, nobody waited for", loss: 5, segment: 1400, block: 64, parity: 16, size: 2_000_000, flush: "none", chunk: 8192, full: true},
	{name: "loss, passive flush", loss: 5, segment: 1400, block: 64, parity: 16, size: 2_000_000, flush: "passive", chunk: 5000, ack: true},
	{name: "loss, active flush", loss: 5, segment: 1400, block: 64, parity: 16, size: 2_000_000, flush: "active", chunk: 5000, ack: true},
	{name: "loss, marks", loss: 5, segment: 1400, block: 64, parity: 16, size: 2_000_000, flush: "passive", chunk: 3000, mark: 500_000, ack: true},
	{name: "loss, proactive parity", loss: 5, segment: 1400, block: 64, parity: 16, auto: 6, size: 2_000_000, flush: "none", chunk: 8192, ack: true},
	{name: "loss, encoding 2", loss: 5, segment: 1000, block: 40, parity: 10, encoding: fec.ReedSolomonGF2m, size: 2_000_000, flush: "passive", chunk: 4000, ack: true},
	{name: "loss, encoding 129", loss: 5, segment: 512, block: 32, parity: 8, encoding: fec.SmallBlockSystematic, size: 2_000_000, flush: "passive", chunk: 4000, ack: true},
	{name: "loss, odd segments, unicast", loss: 5, unicast: true, segment: 1233, block: 20, parity: 3, auto: 1, size: 2_000_000, flush: "passive", chunk: 10_000, ack: true},
	{name: "loss, no parity", loss: 5, segment: 1400, block: 64, parity: 0, size: 2_000_000, flush: "none", chunk: 8192, ack: true},
	{name: "one byte", loss: 5, segment: 1400, block: 64, parity: 16, size: 1, flush: "none", chunk: 1, ack: true},
}

// stored writes content to a file that lasts as long as the test.
func stored(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sent.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// flagged returns flags to be used when on.
func flagged(on bool, flags string) string {
	if on {
		return " " + flags
	}
	return ""
}

// got reads what the peer says it has next, which must be DONE or ABORTED.
func got(t *testing.T, recv *libnorm.Peer, word string) (kind string, content []byte) {
	t.Helper()
	f := strings.Fields(recv.Expect(t, word, 60*time.Second))
	if len(f) != 3 {
		t.Fatalf("%s %q", word, f)
	}
	content, err := os.ReadFile(f[2])
	if err != nil {
		t.Fatal(err)
	}
	return f[0], content
}

// differ tells where two contents differ.
func differ(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("at %d of %d and %d bytes", i, len(a), len(b))
		}
	}
	return fmt.Sprintf("%d and %d bytes", len(a), len(b))
}

// TestStreamToLibnorm writes a stream to a libnorm receiver and ends it. Of a stream that
// it joins, libnorm has nothing before the first packet that comes, be it for the loss of
// the very first, unless told to begin at the beginning.
func TestStreamToLibnorm(t *testing.T) {
	for _, f := range streamForms {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Loss: f.loss, Back: f.loss})
			recv := peer(t, lab.Receivers[0], "recv --id=11 --count=1 --linger=3 --seconds=90 --sync=stream --dir=%s%s", t.TempDir(), flagged(f.unicast, "--unicast-nack"))
			recv.Expect(t, "READY", 10*time.Second)
			time.Sleep(300 * time.Millisecond) // until the switch knows

			parity := f.parity
			if parity == 0 {
				parity = -1
			}
			s, err := norm.NewSender(at(t, lab.Sender), norm.SenderConfig{
				NodeID: 1, Rate: 50_000_000, SegmentSize: f.segment, BlockSize: f.block, Parity: parity, AutoParity: f.auto,
				Encoding: f.encoding, GroupSize: 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			cfg := norm.StreamConfig{FullSegments: f.full, Info: []byte("about it")}
			if f.ack {
				cfg.WaitFor = []norm.NodeID{11}
			}
			w, err := s.OpenStream(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			content := object(f.size)
			for at, marked := 0, 0; at < len(content); {
				n, err := w.WriteContext(ctx, content[at:min(at+f.chunk, len(content))])
				if err != nil {
					t.Fatalf("after %d bytes: %v; libnorm said %q; %+v", at, err, recv.Said(), s.Stats())
				}
				if at += n; f.mark > 0 && at-marked >= f.mark {
					marked = at
					if err := w.Commit(ctx); err != nil {
						t.Fatalf("commit at %d: %v; libnorm said %q; %+v", at, err, recv.Said(), s.Stats())
					}
				}
			}
			w.Close()
			if err := w.Wait(ctx); err != nil {
				t.Fatalf("%v; libnorm said %q; %+v", err, recv.Said(), s.Stats())
			}
			if err := s.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			kind, b := got(t, recv, "DONE")
			if kind != "stream" || !bytes.Equal(b, content) {
				t.Errorf("libnorm has a %s that differs: %s", kind, differ(b, content))
			}
			said := strings.Join(recv.Said(), "\n")
			if f.size > 1 && !strings.Contains(said, "INFO about it") || strings.Contains(said, "BREAK") { // see below
				t.Errorf("libnorm said %s", said)
			}
			st := s.Stats()
			if (st.Nacks > 0) != (f.loss > 0) && f.size > 1 && f.auto == 0 {
				t.Errorf("%d NACKs at %v %% loss", st.Nacks, f.loss)
			}
			t.Logf("%d repairs, %d of them explicit, for %d NACKs; GRTT %v", st.Repairs, st.ExplicitRepairs, st.Nacks, st.GRTT)
		})
	}
}

// TestStreamFromLibnorm reads a libnorm sender's stream at two receivers that lose
// different packets, up to io.EOF.
func TestStreamFromLibnorm(t *testing.T) {
	for _, f := range streamForms {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: f.loss, Back: f.loss})
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			content := object(f.size)
			src := stored(t, content)
			rs := ours(t, lab.Receivers, norm.ReceiverConfig{Unicast: f.unicast})
			send := peer(t, lab.Sender, "send --id=1 --rate=50e6 --grtt=0.01 --segment=%d --block=%d --parity=%d --auto=%d --fec=%d --flush=%s --chunk=%d --mark=%d --linger=3 --seconds=90 --stream-buffer=8000000%s --info=it stream:%s",
				f.segment, f.block, f.parity, f.auto, f.encoding, f.flush, f.chunk, f.mark, flagged(f.ack, "--ack=11 --ack=12"), src)
			for i, got := range readStreams(ctx, rs) {
				// A stream can be read to its end before the INFO is repaired.
				noInfo := string(got.info) != "it" && (f.size > 1 || got.info != nil)
				if got.err != nil || !bytes.Equal(got.content, content) || noInfo {
					t.Errorf("receiver %d: %v, info %q, %s; libnorm said %q; %+v", i, got.err, got.info, differ(got.content, content), send.Said(), rs[i].Stats())
				}
			}
			if f.ack {
				acked := []string{send.Expect(t, "ACKED", 60*time.Second), send.Expect(t, "ACKED", 30*time.Second)}
				if a := strings.Join(acked, " "); a != "11 12" && a != "12 11" {
					t.Errorf("libnorm has acknowledgements of %s, want 11 and 12", a)
				}
			}
			send.Expect(t, "END", 60*time.Second)
			if n := strings.Count(strings.Join(send.Said(), "\n"), "MARKED"); f.mark > 0 && n != f.size/f.mark-1 && n != f.size/f.mark {
				t.Errorf("%d of the marks were acknowledged", n)
			}
			for i, r := range rs {
				st := r.Stats()
				if st.Malformed+st.Undecodable > 0 {
					t.Errorf("receiver %d: %+v", i, st)
				}
				t.Logf("receiver %d: %d NACKs, %d suppressed, %d symbols recovered", i, st.Nacks, st.Suppressed, st.Recovered)
			}
		})
	}
}

// ours starts receivers of ours with node IDs from 11 on.
func ours(t *testing.T, hosts []*netlab.Host, cfg norm.ReceiverConfig) (rs []*norm.Receiver) {
	t.Helper()
	for i, h := range hosts {
		c := cfg
		if c.NodeID == 0 {
			c.NodeID = norm.NodeID(11 + i)
		}
		r, err := norm.NewReceiver(at(t, h), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		rs = append(rs, r)
	}
	time.Sleep(300 * time.Millisecond) // until the switch knows
	return rs
}

// A streamRead is what was read of a stream: all of it, where err is nil.
type streamRead struct {
	content, info []byte
	err           error
}

// readStreams reads the next stream of each receiver to its end.
func readStreams(ctx context.Context, rs []*norm.Receiver) []streamRead {
	got := make([]streamRead, len(rs))
	var wg sync.WaitGroup
	for i, r := range rs {
		wg.Go(func() { got[i].read(ctx, r) })
	}
	wg.Wait()
	return got
}

func (g *streamRead) read(ctx context.Context, r *norm.Receiver) {
	var s *norm.StreamReader
	if s, g.err = r.AcceptStream(ctx); g.err != nil {
		return
	}
	for buf := make([]byte, 64<<10); g.err == nil; {
		var n int
		n, g.err = s.ReadContext(ctx, buf)
		g.content = append(g.content, buf[:n]...)
	}
	if g.info = s.Info(); errors.Is(g.err, io.EOF) {
		g.err = nil
	}
}
