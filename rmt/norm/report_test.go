package norm

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

func TestReport(t *testing.T) {
	session(t, 2, SenderConfig{}, ReceiverConfig{Dir: t.TempDir()}, mcasttest.Link{Loss: 0.05}, func(t *testing.T, s *Sender, rs []*Receiver) {
		src := writeFile(t, filepath.Join(t.TempDir(), "file"), noise(3_000_000))
		tr, err := s.SendFile(t.Context(), src, WaitForCount(2))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(150 * time.Millisecond)
		half := s.Report()
		if x := half.Transfers; len(x) != 1 || x[0].Name != "file" || x[0].Sent < 1_000_000 || x[0].Sent > 2_000_000 || x[0].Done || half.Rate != 100_000_000 {
			t.Errorf("%+v", half)
		}
		if s.Report() != half {
			t.Error("a new report at once")
		}
		if o := rs[0].Report().Objects; len(o) != 1 || o[0].Name != "file" || o[0].Received == 0 {
			t.Errorf("%+v", o)
		}
		if err := tr.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		p := s.Report()
		if x := p.Transfers; x[0].Confirmed != 2 || !x[0].Done || x[0].Sent != 3_000_000 || len(p.Receivers) != 2 {
			t.Errorf("%+v", p)
		}
		for _, r := range p.Receivers {
			if r.Acked != 1 || r.RTT == 0 || p.Time.Sub(r.Heard) > 5*time.Second {
				t.Errorf("%+v", r)
			}
		}
		q := rs[1].Report()
		if x := q.Senders; len(x) != 1 || x[0].Key.Node != s.NodeID() || x[0].Rate == 0 || x[0].Stored != 1 || x[0].GRTT == 0 {
			t.Errorf("%+v", x)
		}
		if q.Storage.Received != 1 || q.Storage.Bytes != 3_000_000 || q.Stats.Packets == 0 {
			t.Errorf("%+v", q)
		}
		// Whoever asks, and when: also many at a time, and at the end.
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { s.Report(); rs[0].Report() })
		}
		s.Close()
		rs[0].Close()
		wg.Wait()
		if s.Report().Stats.Packets == 0 || rs[0].Report().Stats.Packets == 0 {
			t.Error("no report after Close")
		}
	})
}

// Nothing is logged unless a Logger is given, and then what becomes of objects is.
func TestLogging(t *testing.T) {
	var silent, asked bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&silent, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, logger := range []*slog.Logger{nil, slog.New(slog.NewTextHandler(&asked, &slog.HandlerOptions{Level: slog.LevelDebug}))} {
		session(t, 1, SenderConfig{Logger: logger}, ReceiverConfig{Logger: logger, MaxMemory: 1000}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			for _, n := range []int{10, 2000} {
				if _, err := s.SendBytes(t.Context(), noise(n)); err != nil {
					t.Fatal(err)
				}
				next(t, rs[0])
			}
			s.Shutdown(context.Background())
		})
	}
	if silent.Len() > 0 {
		t.Errorf("not asked for: %s", &silent)
	}
	for _, want := range []string{"object received", "object lost", "object done"} {
		if !bytes.Contains(asked.Bytes(), []byte(want)) {
			t.Errorf("no %q in %s", want, &asked)
		}
	}
}

// With segments that hardly hold a name and a digest, the rest is left out.
func TestSmallSegments(t *testing.T) {
	session(t, 1, SenderConfig{SegmentSize: 110}, ReceiverConfig{Dir: t.TempDir()}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		src := writeFile(t, filepath.Join(t.TempDir(), "file"), noise(1000))
		if _, err := s.SendFile(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		if o, err := next(t, rs[0]); err != nil || !o.Verified() {
			t.Error(o, err)
		}
	})
}
