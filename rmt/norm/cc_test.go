package norm

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// A negative rate finds the path's own, TFMCC its share, and both say why it is so.
func TestCongestionControl(t *testing.T) {
	link := mcasttest.Link{Delay: 2 * time.Millisecond, Rate: 50_000_000, Queue: 500_000, Loss: 0.001}
	for _, cfg := range []SenderConfig{{Rate: -1}, {CC: CCTFMCC, GRTT: 20 * time.Millisecond}} {
		session(t, 2, cfg, ReceiverConfig{}, link, func(t *testing.T, s *Sender, rs []*Receiver) {
			begin := time.Now()
			tr, err := s.SendBytes(t.Context(), noise(6_000_000), WaitForCount(2))
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, r := range rs {
				if o, err := next(t, r); err != nil || len(o.Bytes()) != 6_000_000 {
					t.Fatal(err)
				}
			}
			st := s.Stats().Rate
			t.Logf("%v: %+v", time.Since(begin), st)
			want := CCTFMCC
			if cfg.Rate < 0 {
				want = CCMax
			}
			if st.Control != want || st.Limiting == 0 || st.Phase == "" {
				t.Errorf("%+v", st)
			}
			if cfg.Rate < 0 && time.Since(begin) > 3*time.Second {
				t.Errorf("%v for what takes the link a second: %+v", time.Since(begin), st)
			}
		})
	}
}
