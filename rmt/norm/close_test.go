package norm

import (
	"context"
	"errors"
	stdnet "net"
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

// So may Shutdown, also with a goodbye that is said but once.
func TestShutdownAtOnce(t *testing.T) {
	for range 20 {
		session(t, 0, SenderConfig{RobustFactor: 1}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { s.Shutdown(t.Context()) })
			}
			wg.Wait()
		})
	}
}

// What is written to a stream whose sender is closed does not look as if it were sent.
func TestWriteAfterSenderClose(t *testing.T) {
	session(t, 0, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		w, err := s.OpenStream(t.Context(), StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if n, err := w.Write([]byte("lost")); n > 0 || !errors.Is(err, stdnet.ErrClosed) {
			t.Errorf("%d, %v", n, err)
		}
		if err := w.WriteMessage(t.Context(), []byte("lost")); !errors.Is(err, stdnet.ErrClosed) {
			t.Error(err)
		}
		if err := w.Flush(); !errors.Is(err, stdnet.ErrClosed) {
			t.Error(err)
		}
	})
}

// A stream that is closed while a message waits for room ends, with that message cut off.
func TestStreamCloseInMidMessage(t *testing.T) {
	session(t, 1, SenderConfig{Rate: 1_000_000}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		w, err := s.OpenStream(t.Context(), StreamConfig{Buffer: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- w.WriteMessage(context.Background(), make([]byte, 4<<20)) }()
		time.Sleep(2 * time.Second)
		w.Close()
		if err := <-done; !errors.Is(err, stdnet.ErrClosed) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := w.Wait(ctx); err != nil {
			t.Error(err)
		}
	})
}
