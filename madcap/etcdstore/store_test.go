package etcdstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/madcap/storetest"
)

// What every store promises.
func TestStore(t *testing.T) {
	e := startEtcd(t)
	storetest.Run(t, func(t *testing.T, name string) madcap.Store {
		s, err := New(e.client(), Config{Prefix: "/" + name + "/"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestValidate(t *testing.T) {
	for _, cfg := range []Config{{Prefix: "leases"}, {Prefix: "a\x00/"}, {Timeout: -1}, {Slack: -1}} {
		if _, err := New(nil, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

var client = netip.MustParseAddr("10.0.0.9")

// leaseOf makes a lease of a range of 239.255.7.0/24.
func leaseOf(id string, rev uint64, first, count int, end time.Time) madcap.Lease {
	return madcap.Lease{ID: madcap.ID(id), Scope: netip.MustParseAddr("239.255.0.0"),
		Ranges: []madcap.Range{{First: netip.AddrFrom4([4]byte{239, 255, 7, byte(first)}), Count: uint16(count)}},
		Start:  end.Add(-time.Hour).Truncate(time.Second).UTC(), End: end.Truncate(time.Second).UTC(), Client: client, Server: client, Revision: rev}
}

// Several stores change the same addresses at the same time: each is granted once.
func TestNoAddressTwice(t *testing.T) {
	const stores, rounds = 4, 60
	e := startEtcd(t)
	var all [stores]*Store
	for i := range all {
		all[i] = e.store(Config{Prefix: prefixOf(t, 0)})
	}
	type held struct {
		lease madcap.Lease
		by    int
	}
	live := map[madcap.ID]held{}
	granted, refused, id := 0, 0, uint64(0)
	for round := range rounds {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		var batches [stores][]madcap.Change
		for i := range batches {
			for range 3 {
				id++
				first, count := rng.IntN(24), 1+rng.IntN(6)
				batches[i] = append(batches[i], madcap.Change{Lease: leaseOf(string(binary.BigEndian.AppendUint64(nil, id)), 1, first, count, time.Now().Add(time.Hour))})
			}
		}
		for _, h := range live { // at another store than the one that granted it
			if rng.IntN(3) > 0 {
				n := (h.by + 1) % stores
				batches[n] = append(batches[n], madcap.Change{Delete: true, Lease: h.lease})
			}
		}
		var wg sync.WaitGroup
		for i := range batches {
			wg.Go(func() {
				if err := all[i].Commit(batches[i]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i, b := range batches {
			for _, c := range b {
				switch {
				case c.Err != nil && (!errors.Is(c.Err, madcap.ErrConflict) || c.Delete):
					t.Fatalf("%v: %v", c.Lease.ID, c.Err)
				case c.Err != nil:
					refused++
				case c.Delete:
					delete(live, c.Lease.ID)
				default:
					granted++
					live[c.Lease.ID] = held{c.Lease, i}
				}
			}
		}
		owner := map[netip.Addr]madcap.ID{}
		n := 0
		if err := all[round%stores].Load(func(l madcap.Lease) bool {
			n++
			h, ok := live[l.ID]
			if !ok || !l.Equal(&h.lease) {
				t.Errorf("round %d: %+v is stored, not %+v", round, l, h)
			}
			for a := range l.Ranges[0].All() {
				if o, taken := owner[a]; taken {
					t.Errorf("round %d: %v is in %v and %v", round, a, o, l.ID)
				}
				owner[a] = l.ID
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if n != len(live) {
			t.Fatalf("round %d: %d leases are stored, %d were granted", round, n, len(live))
		}
	}
	if granted < rounds || refused < rounds {
		t.Errorf("%d granted, %d refused: the stores were not at odds", granted, refused)
	}
	// Without its leases nothing is left of a range.
	for _, h := range live {
		c := []madcap.Change{{Delete: true, Lease: h.lease}}
		if err := all[0].Commit(c); err != nil || c[0].Err != nil {
			t.Fatal(err, c[0].Err)
		}
	}
	r, err := e.client().Get(context.Background(), prefixOf(t, 0), prefixRange(prefixOf(t, 0)))
	if err != nil || r.Count != 0 {
		t.Errorf("%d keys are left: %v, %v", r.Count, r.Kvs, err)
	}
	t.Logf("%d granted, %d refused", granted, refused)
}

// What dead servers leave, etcd removes when its time is over, and tells the others.
func TestLifespan(t *testing.T) {
	e := startEtcd(t)
	cfg := Config{Prefix: prefixOf(t, 0), Extra: 10 * time.Minute}
	s := e.store(cfg)
	end := time.Now().Add(time.Hour)
	c := []madcap.Change{{Lease: leaseOf("long", 1, 1, 2, end)}, {Lease: leaseOf("same", 1, 3, 1, end)}}
	if err := s.Commit(c); err != nil || c[0].Err != nil || c[1].Err != nil {
		t.Fatal(err, c)
	}
	cl := e.client()
	defer cl.Close()
	var spans [2]int64
	for i, id := range []madcap.ID{"long", "same"} {
		r, err := cl.Get(context.Background(), s.keys.lease(id))
		if err != nil {
			t.Fatal(err)
		}
		spans[i] = r.Kvs[0].Lease
	}
	r, err := cl.TimeToLive(context.Background(), clientID(spans[0]))
	want := time.Until(end) + 10*time.Minute + madcap.DefaultSkew
	if left := time.Duration(r.TTL) * time.Second; err != nil || left < want-2*time.Second || left > want+time.Minute+2*time.Second || spans[0] != spans[1] {
		t.Errorf("etcd keeps it for %v, not %v, as %v: %v", left, want, spans, err)
	}

	// The same with less time, and nobody left who renews.
	s.least, s.step = 2*time.Second, time.Second
	told := make(chan madcap.Change, 10)
	other := e.store(cfg)
	if err := other.Watch(func(all []madcap.Change) {
		for _, c := range all {
			told <- c
		}
	}); err != nil {
		t.Fatal(err)
	}
	short := []madcap.Change{{Lease: leaseOf("short", 1, 100, 1, time.Now().Add(-2*time.Hour))}}
	if err := s.Commit(short); err != nil || short[0].Err != nil {
		t.Fatal(err, short[0].Err)
	}
	s.Close()
	for _, deleted := range []bool{false, true} {
		select {
		case c := <-told:
			if c.Delete != deleted || !c.Lease.Equal(&short[0].Lease) {
				t.Errorf("told %+v", c)
			}
		case <-time.After(patience):
			t.Fatal("nothing is told")
		}
	}
	again := []madcap.Change{{Lease: leaseOf("next", 1, 100, 1, end)}}
	if err := other.Commit(again); err != nil || again[0].Err != nil {
		t.Error("the address is not free: ", err, again[0].Err)
	}
}

// An etcd lease that is gone is not used again.
func TestLifespanGone(t *testing.T) {
	e := startEtcd(t)
	s := e.store(Config{Prefix: prefixOf(t, 0)})
	end := time.Now().Add(time.Hour)
	id, err := s.lifespan(end)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Revoke(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	c := []madcap.Change{{Lease: leaseOf("a", 1, 1, 1, end)}}
	if err := s.Commit(c); err != nil || c[0].Err != nil {
		t.Error(err, c[0].Err)
	}
}

// A watch that missed what etcd has forgotten begins with all there is.
func TestCompacted(t *testing.T) {
	e := startEtcd(t)
	s := e.store(Config{Prefix: prefixOf(t, 0)})
	for rev := range 3 {
		c := []madcap.Change{{Lease: leaseOf("a", uint64(rev+1), 1, 1, time.Now().Add(time.Hour))}}
		if err := s.Commit(c); err != nil || c[0].Err != nil {
			t.Fatal(err, c[0].Err)
		}
	}
	r, err := s.client.Get(context.Background(), "x")
	if err == nil {
		_, err = s.client.Compact(context.Background(), r.Header.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan []madcap.Change, 10)
	s.wg.Go(func() { s.watch(1, func(c []madcap.Change) { told <- c }) })
	select {
	case c := <-told:
		if len(c) != 1 || c[0].Lease.Revision != 3 {
			t.Errorf("%+v", c)
		}
	case <-time.After(patience):
		t.Fatal("nothing is told")
	}
	s.Commit([]madcap.Change{{Delete: true, Lease: leaseOf("a", 3, 1, 1, time.Now())}})
	select {
	case c := <-told:
		if len(c) != 1 || !c[0].Delete || c[0].Lease.ID != "a" {
			t.Errorf("%+v", c)
		}
	case <-time.After(patience):
		t.Fatal("nothing more is told")
	}
}

// Without etcd nothing is committed, and the error says what to look at; with it again
// all is there.
func TestUnavailable(t *testing.T) {
	e := startEtcd(t)
	s := e.store(Config{Prefix: prefixOf(t, 0), Timeout: time.Second})
	first := []madcap.Change{{Lease: leaseOf("first", 1, 1, 1, time.Now().Add(time.Hour))}}
	if err := s.Commit(first); err != nil || first[0].Err != nil {
		t.Fatal(err, first[0].Err)
	}
	e.kill()
	second := []madcap.Change{{Lease: leaseOf("second", 1, 2, 1, time.Now().Add(time.Hour))}}
	for what, f := range map[string]func() error{
		"Commit": func() error { return s.Commit(second) },
		"Load":   func() error { return s.Load(func(madcap.Lease) bool { return true }) },
		"Watch":  func() error { return s.Watch(func([]madcap.Change) {}) },
	} {
		if err := f(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), e.clients) {
			t.Errorf("%s: %v", what, err)
		}
	}
	e.start()
	eventually(t, func() error { return s.Commit(second) })
	if second[0].Err != nil {
		t.Error(second[0].Err)
	}
	n := 0
	if err := s.Load(func(madcap.Lease) bool { n++; return true }); err != nil || n != 2 {
		t.Errorf("%d leases, %v", n, err)
	}
}

// A lease that somebody else wrote, or a later version, is no free address.
func TestUnreadable(t *testing.T) {
	e := startEtcd(t)
	s := e.store(Config{Prefix: prefixOf(t, 0)})
	if _, err := s.client.Put(context.Background(), s.keys.lease("a"), "?"); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(func(madcap.Lease) bool { return true }); !errors.Is(err, madcap.ErrLease) || !strings.Contains(err.Error(), "/lease/61") {
		t.Error(err)
	}
	if err := s.Commit([]madcap.Change{{Lease: leaseOf("a", 1, 1, 1, time.Now())}}); !errors.Is(err, madcap.ErrLease) {
		t.Error(err)
	}
}

// All pages of a large store are read, as of one moment.
func TestPages(t *testing.T) {
	e := startEtcd(t)
	s := e.store(Config{Prefix: prefixOf(t, 0)})
	const n = 210
	s.page = 100
	var batch []madcap.Change
	for i := range n {
		l := leaseOf(fmt.Sprintf("%06d", i), 1, 0, 1, time.Now().Add(time.Hour))
		l.Ranges[0].First = netip.AddrFrom4([4]byte{239, 192, byte(i >> 8), byte(i)})
		batch = append(batch, madcap.Change{Lease: l})
	}
	if err := s.Commit(batch); err != nil {
		t.Fatal(err)
	}
	got := 0
	if err := s.Load(func(l madcap.Lease) bool {
		if string(l.ID) != fmt.Sprintf("%06d", got) {
			t.Fatalf("%v at %d", l.ID, got)
		}
		got++
		return true
	}); err != nil || got != n {
		t.Errorf("%d leases, %v", got, err)
	}
	got = 0
	if err := s.Load(func(madcap.Lease) bool { got++; return got < 7 }); err != nil || got != 7 {
		t.Errorf("%d leases, %v", got, err)
	}
}
