package core

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
)

// The end of an object ends what of it is not whole, after a grace; the session goes on.
func TestObjectEnds(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{TSI: 7, FEC: FEC{NoCode: true}, Concurrent: 2}, netem.Link{})
	loss := w.receiver(ReceiverConfig{}, netem.Link{Loss: 0.2})
	late := w.receiver(ReceiverConfig{}, netem.Link{Reorder: 0.3, ReorderBy: time.Second})
	tx.send("once", 500_000, ObjectSpec{})
	tx.send("again", 500_000, ObjectSpec{Passes: -1})
	w.sim.RunUntil(20*time.Second, func() bool { return false })
	if len(loss.aborted) != 1 || loss.aborted[0] != ErrClosed || loss.got["again"] == 0 || loss.Stats().SessionsOpen != 1 {
		t.Errorf("%v, %v, %+v", loss.aborted, loss.got, loss.Stats())
	}
	if len(late.got) != 2 || len(late.aborted) > 0 {
		t.Errorf("%v, %v", late.got, late.aborted)
	}
	w.check()
}

// What ends when a sender falls silent, and why.
func TestSilence(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   ReceiverConfig
		table bool // the FDT arrives
		want  error
		from  time.Duration // and when
		to    time.Duration
	}{
		{"expired", ReceiverConfig{}, true, ErrExpired, 5 * time.Second, 14 * time.Second},
		{"silent", ReceiverConfig{IgnoreExpiry: true, SessionTimeout: time.Minute}, true, ErrSilent, 61 * time.Second, 67 * time.Second},
		{"undescribed", ReceiverConfig{}, false, ErrUndescribed, 60 * time.Second, 62 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 2)
			w.sim.Filter = func(_, _ *netem.Node, data []byte) bool { return c.table || data[4+4+2+1] != 0 }
			tx := w.sender(SenderConfig{TSI: 7, FDTLifetime: 10 * time.Second}, netem.Link{})
			rx := w.receiver(c.cfg, netem.Link{})
			tx.send("a", 50_000_000, ObjectSpec{})
			w.sim.At(4*time.Second, func() { tx.node.SetDown(c.table) })
			ended := w.sim.RunUntil(5*time.Minute, func() bool { return len(rx.aborted) > 0 })
			if at := w.sim.Now().Sub(netem.Start); !ended || rx.aborted[0] != c.want || at < c.from || at > c.to {
				t.Errorf("%v at %v, want %v", rx.aborted, at, c.want)
			}
			w.check()
		})
	}
}

// At its limit of objects a receiver prefers those that are described, and that are heard.
func TestObjectLimit(t *testing.T) {
	w := newWorld(t, 3)
	tx := w.sender(SenderConfig{TSI: 7, Concurrent: 10, FEC: FEC{NoCode: true}}, netem.Link{})
	rx := w.receiver(ReceiverConfig{MaxObjects: 3}, netem.Link{})
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		tx.send(name, 200_000, ObjectSpec{Passes: -1})
	}
	w.runUntil(6, time.Minute)
	if st := rx.Stats(); st.Refused == 0 {
		t.Errorf("%+v", st)
	}
}

// The application's own choice: files, and sessions.
func TestWanted(t *testing.T) {
	w := newWorld(t, 4)
	tx := w.sender(SenderConfig{TSI: 7}, netem.Link{})
	other := w.sender(SenderConfig{TSI: 8}, netem.Link{})
	rx := w.receiver(ReceiverConfig{
		Accept: func(k SessionKey) bool { return k.TSI == 7 },
		Want:   func(_ SessionKey, f *fdt.File) bool { return f.ContentLocation != "b" },
	}, netem.Link{})
	tx.send("a", 10_000, ObjectSpec{Passes: -1})
	tx.send("b", 10_000, ObjectSpec{Passes: -1})
	other.send("c", 10_000, ObjectSpec{Passes: -1})
	w.sim.RunUntil(5*time.Second, func() bool { return false })
	if len(rx.got) != 1 || rx.got["a"] == 0 || rx.Stats().Unwanted == 0 || slices.ContainsFunc(rx.aborted, func(err error) bool { return !errors.Is(err, ErrCanceled) }) {
		t.Errorf("%v, %v, %+v", rx.got, rx.aborted, rx.Stats())
	}
	w.check()
}
