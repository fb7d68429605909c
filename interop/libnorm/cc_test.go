//go:build linux

package libnorm_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/norm"
)

// TestCongestionControlToLibnorm has libnorm's receivers control our rate: by their
// reports it goes up from the few kbit/s of the beginning, and the transfer completes.
func TestCongestionControlToLibnorm(t *testing.T) {
	for _, f := range []struct {
		name    string
		cc      norm.CongestionControl
		loss    float64
		unicast bool
		size    int
	}{
		{name: "no loss", cc: norm.CCTFMCC, size: 3_000_000},
		{name: "loss", cc: norm.CCTFMCC, loss: 1, size: 1_000_000},
		{name: "loss, unicast feedback", cc: norm.CCTFMCC, loss: 1, unicast: true, size: 1_000_000},
		// It does not report what max needs; the rate then stays where it begins.
		{name: "max", cc: norm.CCMax, size: 3_000_000},
	} {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: f.loss, Back: f.loss})
			flags := ""
			if f.unicast {
				flags = " --unicast-nack"
			}
			var peers []*libnorm.Peer
			for i, h := range lab.Receivers {
				p := peer(t, h, "recv --id=%d --count=1 --linger=3 --seconds=90 --dir=%s --cc%s", 11+i, t.TempDir(), flags)
				p.Expect(t, "READY", 10*time.Second)
				peers = append(peers, p)
			}
			time.Sleep(300 * time.Millisecond) // until the switch knows

			s, err := norm.NewSender(at(t, lab.Sender), norm.SenderConfig{NodeID: 1, CC: f.cc, GRTT: 100 * time.Millisecond, GroupSize: 10})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 80*time.Second)
			defer cancel()
			start := s.Stats().Rate.Rate
			tr, err := s.SendBytes(ctx, object(f.size), norm.WaitFor(11, 12), norm.Info([]byte("data")))
			if err != nil {
				t.Fatal(err)
			}
			highest := start
			var why norm.RateStatus
			for done := false; !done; {
				select {
				case <-tr.Done():
					done = true
				case <-time.After(20 * time.Millisecond):
				}
				if st := s.Stats().Rate; st.Rate > highest {
					highest, why = st.Rate, st
				}
			}
			if err := tr.Wait(ctx); err != nil {
				t.Fatalf("%v; %+v; libnorm said %q", err, s.Stats(), peers[0].Said())
			}
			t.Logf("from %d to %d bit/s, then %+v; at the end %+v", start, highest, why, s.Stats().Rate)
			if f.cc == norm.CCTFMCC && highest < 4*start {
				t.Errorf("the rate went from %d to %d bit/s only", start, highest)
			}
			if st := s.Stats().Rate; f.cc == norm.CCTFMCC && st.Limiting != 11 && st.Limiting != 12 {
				t.Errorf("limited by %v: %+v", st.Limiting, st)
			}
		})
	}
}

// TestCongestionControlFromLibnorm has our receivers control libnorm's rate. It begins
// at the rate of a segment in a second or a round trip; without reports it can use, it
// would stay there, and the file take a quarter of an hour.
func TestCongestionControlFromLibnorm(t *testing.T) {
	for _, f := range []struct {
		name    string
		loss    float64
		unicast bool
		size    int
	}{
		{name: "no loss", size: 1_500_000},
		{name: "loss", loss: 1, size: 700_000},
		{name: "loss, unicast feedback", loss: 1, unicast: true, size: 700_000},
	} {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: f.loss, Back: f.loss})
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			content := object(f.size)
			src := filepath.Join(t.TempDir(), "sent.bin")
			if err := os.WriteFile(src, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var rs []*norm.Receiver
			for i, h := range lab.Receivers {
				r, err := norm.NewReceiver(at(t, h), norm.ReceiverConfig{NodeID: norm.NodeID(11 + i), Unicast: f.unicast})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				rs = append(rs, r)
			}
			time.Sleep(300 * time.Millisecond)
			begin := time.Now()
			send := peer(t, lab.Sender, "send --id=1 --cc --rate=64e3 --grtt=0.1 --ack=11 --ack=12 --linger=0.5 --seconds=100 data:%s", src)
			for i, r := range rs {
				for o, err := range r.Objects(ctx) {
					if err != nil {
						t.Fatalf("receiver %d: %v; libnorm said %q; %+v", i, err, send.Said(), r.Stats())
					}
					if len(o.Bytes()) != f.size {
						t.Errorf("receiver %d: %d bytes", i, len(o.Bytes()))
					}
					break
				}
			}
			t.Logf("%d bytes in %v", f.size, time.Since(begin))
			send.Expect(t, "ACKED", 30*time.Second)
			send.Expect(t, "ACKED", 30*time.Second)
		})
	}
}
