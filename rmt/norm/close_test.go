package norm

import (
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// Close may be called by several at once, as Shutdown beside a deferred Close is.
func TestCloseAtOnce(t *testing.T) {
	session(t, 1, SenderConfig{CacheObjects: 300}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		for range 100 {
			w, err := s.OpenStream(t.Context(), StreamConfig{Buffer: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			w.Close()
		}
		time.Sleep(2 * time.Second)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { rs[0].Close() })
			wg.Go(func() { s.Close() })
		}
		wg.Wait()
	})
}
