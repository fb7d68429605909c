package fcast

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/flute"
	"github.com/gomulticast/multicast/rmt/norm"
)

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// transports make senders and receivers over ALC and NORM.
var transports = map[string]struct {
	sender   func(datagram.Conn, SenderConfig) (*Sender, error)
	receiver func(datagram.Conn, ReceiverConfig) (*Receiver, error)
}{
	"alc": {
		func(c datagram.Conn, cfg SenderConfig) (*Sender, error) {
			return NewALCSender(c, flute.SenderConfig{TSI: 7}, cfg)
		},
		func(c datagram.Conn, cfg ReceiverConfig) (*Receiver, error) {
			return NewALCReceiver(c, flute.ReceiverConfig{}, cfg)
		},
	},
	"norm": {
		func(c datagram.Conn, cfg SenderConfig) (*Sender, error) {
			return NewNORMSender(c, norm.SenderConfig{NodeID: 7, Rate: 10_000_000}, cfg)
		},
		func(c datagram.Conn, cfg ReceiverConfig) (*Receiver, error) {
			return NewNORMReceiver(c, norm.ReceiverConfig{}, cfg)
		},
	},
}

// A stage is a network in virtual time.
type stage struct {
	*testing.T
	name string
	net  *mcasttest.Network
}

func overBoth(t *testing.T, fn func(t *stage)) {
	for name := range transports {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fn(&stage{t, name, mcasttest.New(1)}) })
		})
	}
}

func (t *stage) open(opts ...mcasttest.Option) datagram.Conn {
	t.Helper()
	c, err := t.net.Open("239.255.7.7:6003", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (t *stage) sender(cfg SenderConfig) *Sender {
	t.Helper()
	s, err := transports[t.name].sender(t.open(mcasttest.Out(mcasttest.Link{Delay: time.Millisecond})), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (t *stage) receiver(cfg ReceiverConfig, loss float64) *Receiver {
	t.Helper()
	r, err := transports[t.name].receiver(t.open(mcasttest.In(mcasttest.Link{Loss: loss})), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func (t *stage) add(s *Sender, name string, data []byte) *Item {
	t.Helper()
	sum := sha256.Sum256(data)
	it, err := s.Add(t.Context(), bytes.NewReader(data), int64(len(data)), Metadata{ContentLocation: name, SHA256: sum, HasSHA256: true})
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// all takes what a receiver gets until its carousels are complete.
func (t *stage) all(r *Receiver) map[string]*Object {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	got := map[string]*Object{}
	for o, err := range r.Objects(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if name := o.Metadata.ContentLocation; got[name] != nil {
			t.Errorf("%s twice", name)
		}
		got[o.Metadata.ContentLocation] = o
	}
	return got
}

// Receivers that are there from the beginning and one that comes late get everything
// that is on the carousel, once, over losses, and know when they have it.
func TestCarouselDelivers(t *testing.T) {
	overBoth(t, func(t *stage) {
		s := t.sender(SenderConfig{Compress: true})
		dir := t.TempDir()
		early := []*Receiver{t.receiver(ReceiverConfig{}, 0.1), t.receiver(ReceiverConfig{Dir: dir}, 0.2)}
		want := map[string][]byte{"docs/a.txt": noise(300_000), "b": noise(10), "http://example.com/c": {}}
		for name, data := range want {
			t.add(s, name, data)
		}
		s.Complete()
		time.Sleep(20 * time.Second)
		late := t.receiver(ReceiverConfig{}, 0.1)
		for i, r := range append(early, late) {
			got := t.all(r)
			for name, data := range want {
				o := got[name]
				if o == nil {
					t.Fatalf("receiver %d has no %s", i, name)
				}
				if o.Path != "" {
					var err error
					if o.Data, err = os.ReadFile(o.Path); err != nil {
						t.Fatal(err)
					}
				}
				if !bytes.Equal(o.Data, data) || !o.Verified || o.Size != int64(len(data)) {
					t.Errorf("receiver %d: %s: %d bytes", i, name, len(o.Data))
				}
			}
			if len(got) != len(want) {
				t.Errorf("receiver %d has %d objects", i, len(got))
			}
		}
		if err := early[1].Close(); err != nil {
			t.Error(err)
		}
		list, _ := filepath.Glob(filepath.Join(dir, "*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
		if len(list) != 3 || len(hidden) != 0 {
			t.Errorf("left in the directory: %v %v", list, hidden)
		}
	})
}

// A descriptor tells what was added and removed.
func TestInstances(t *testing.T) {
	overBoth(t, func(t *stage) {
		s := t.sender(SenderConfig{})
		r := t.receiver(ReceiverConfig{}, 0)
		a, b := t.add(s, "a", noise(1000)), t.add(s, "b", noise(2000))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		from := ""
		for o, err := range r.Objects(ctx) {
			if err != nil {
				break
			}
			from = o.From
		}
		d, ok := r.Listed(from)
		if !ok || d.Complete || !d.Contains(a.TOI()) || !d.Contains(b.TOI()) {
			t.Errorf("%v %+v", ok, d)
		}
		a.Remove()
		a.Remove()
		s.Complete()
		for range t.all(r) {
			t.Error("an object again")
		}
		now, _ := r.Listed(from)
		if now.Instance <= d.Instance || !now.Complete || now.Contains(a.TOI()) || !now.Contains(b.TOI()) {
			t.Errorf("%+v", now)
		}
	})
}

// An object that the transport no longer keeps gets another TOI, and descriptors say
// which it had: nobody takes it for another.
func TestEquivalence(t *testing.T) {
	synctest.Test(t, func(tt *testing.T) {
		t := &stage{tt, "norm", mcasttest.New(1)}
		s, err := NewNORMSender(t.open(), norm.SenderConfig{NodeID: 7, Rate: 10_000_000, CacheObjects: 4}, SenderConfig{Cycle: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r := t.receiver(ReceiverConfig{}, 0)
		var items []*Item
		for i := range 10 {
			items = append(items, t.add(s, fmt.Sprint(i), noise(1000+i)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		first := items[0].TOI()
		got := map[string]int{}
		from := ""
		for o, err := range r.Objects(ctx) {
			if err != nil {
				break
			}
			got[o.Metadata.ContentLocation]++
			from = o.From
		}
		if d, _ := r.Listed(from); len(d.Equivalences) == 0 || items[0].TOI() == first {
			t.Errorf("no equivalences: %+v", d)
		}
		s.Complete()
		late := t.receiver(ReceiverConfig{}, 0)
		for name := range t.all(late) {
			got[name] += 10
		}
		for i := range 10 {
			if got[fmt.Sprint(i)] != 11 {
				t.Errorf("object %d: %d", i, got[fmt.Sprint(i)])
			}
		}
	})
}

// What is wrong with an object is said, and ends nothing.
func TestErrorsAreOfOneObject(t *testing.T) {
	overBoth(t, func(t *stage) {
		s := t.sender(SenderConfig{})
		r := t.receiver(ReceiverConfig{Dir: t.TempDir(), MaxSize: 100_000, Want: func(_ string, m *Metadata) bool { return m.ContentLocation != "unwanted" }}, 0)
		sum := sha1.Sum([]byte("hello"))
		zipped := GZIP(nil, bytes.Repeat([]byte("x"), 50_000))
		for _, c := range []struct {
			data string
			m    Metadata
		}{
			{"hello", Metadata{ContentLocation: "good", SHA1: sum, HasSHA1: true}},
			{"hellO", Metadata{ContentLocation: "digest", SHA1: sum, HasSHA1: true}},
			{"x", Metadata{ContentLocation: "../name"}},
			{strings.Repeat("x", 100_001), Metadata{ContentLocation: "size"}},
			{"x", Metadata{ContentLocation: "encoding", ContentEncoding: "br"}},
			{string(zipped), Metadata{ContentLocation: "zipped", ContentEncoding: "gzip", ContentLength: 50_000, HasContentLength: true}},
			{string(zipped), Metadata{ContentLocation: "longer", ContentEncoding: "gzip", ContentLength: 49_999, HasContentLength: true}},
			{"x", Metadata{ContentLocation: "unwanted"}},
			{"x", Metadata{ContentLocation: "slice", Slice: Slice{Count: 2, Index: 1, Offset: 1}}},
		} {
			if _, err := s.Add(t.Context(), strings.NewReader(c.data), int64(len(c.data)), c.m); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got := map[string]error{}
		for o, err := range r.Objects(ctx) {
			var bad *ObjectError
			switch {
			case errors.As(err, &bad):
				got[bad.Name] = bad.Err
			case err != nil:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			default:
				got[o.Metadata.ContentLocation] = nil
				if name := filepath.Base(o.Path); o.Metadata.Slice.Count > 0 && name != "slice.2-of-2" {
					t.Error(name)
				}
			}
		}
		for name, want := range map[string]error{"good": nil, "digest": ErrDigest, "../name": ErrName, "size": ErrTooBig, "encoding": ErrContentEncoding, "zipped": nil, "longer": ErrTooBig, "slice": nil} {
			if err, ok := got[name]; !ok || !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%s: %v %v, want %v", name, ok, err, want)
			}
		}
		if len(got) != 8 {
			t.Errorf("%v", got)
		}
	})
}

// A sender goes at once however little its transport takes.
func TestClose(t *testing.T) {
	overBoth(t, func(t *stage) {
		s := t.sender(SenderConfig{})
		t.add(s, "a", noise(10_000_000))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, err := s.Add(t.Context(), strings.NewReader(""), 0, Metadata{}); err == nil {
			t.Error("added to a sender that is closed")
		}
		if _, err := NewALCSender(t.open(), flute.SenderConfig{NoFTI: true}, SenderConfig{}); !errors.Is(err, flute.ErrConfig) {
			t.Error(err)
		}
		if _, err := NewNORMSender(t.open(), norm.SenderConfig{}, SenderConfig{Cycle: -1}); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
	})
}
