// Package storetest holds a madcap.Store to what the interface promises, for those who
// write one.
package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/madcap"
)

// Run tests a store. Open returns it; called again after Close, with what was stored
// before. Each call of a test of its own begins with name, for a store to be empty.
func Run(t *testing.T, open func(t *testing.T, name string) madcap.Store) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"Rules", rules}, {"Overlap", overlap}, {"Batch", batch}, {"Reopen", reopen}, {"Families", families},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &suite{t: t, open: func() madcap.Store { return open(t, tt.name) }}
			s.store = s.open()
			tt.run(t, s)
			if err := s.store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

type suite struct {
	t     *testing.T
	open  func() madcap.Store
	store madcap.Store
}

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// lease returns revision rev of a lease, with ranges as "239.1.1.1+3".
func lease(id string, rev uint64, ranges ...string) madcap.Lease {
	l := madcap.Lease{ID: madcap.ID(id), Scope: netip.MustParseAddr("239.255.0.0"), Start: noon, End: noon.Add(time.Duration(rev) * time.Hour),
		Client: netip.MustParseAddr("10.0.0.9"), Server: netip.MustParseAddr("10.0.0.1"), Revision: rev}
	for _, s := range ranges {
		r := madcap.Range{Count: 1}
		var first string
		if n, _ := fmt.Sscanf(s, "%s %d", &first, &r.Count); n < 1 {
			panic(s)
		}
		r.First = netip.MustParseAddr(first)
		l.Ranges = append(l.Ranges, r)
	}
	return l
}

func put(l madcap.Lease) madcap.Change { return madcap.Change{Lease: l} }

func del(l madcap.Lease) madcap.Change { return madcap.Change{Delete: true, Lease: l} }

// commit makes changes together and says for each whether it was made: "+" or "-".
func (s *suite) commit(want string, changes ...madcap.Change) {
	s.t.Helper()
	if err := s.store.Commit(changes); err != nil {
		s.t.Fatal(err)
	}
	got := ""
	for _, c := range changes {
		switch {
		case c.Err == nil:
			got += "+"
		case errors.Is(c.Err, madcap.ErrConflict):
			got += "-"
		default:
			got += "?"
		}
	}
	if got != want {
		s.t.Errorf("%s, want %s: %+v", got, want, changes)
	}
}

// has compares what is stored.
func (s *suite) has(want ...madcap.Lease) {
	s.t.Helper()
	var got []madcap.Lease
	if err := s.store.Load(func(l madcap.Lease) bool { got = append(got, l); return true }); err != nil {
		s.t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b madcap.Lease) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	if !slices.EqualFunc(got, want, func(a, b madcap.Lease) bool { return a.Equal(&b) }) {
		s.t.Errorf("stored\n%+v, want\n%+v", got, want)
	}
}

// Each change alone, by the rules of Commit.
func rules(t *testing.T, s *suite) {
	a1, a2, a3 := lease("a", 1, "239.1.1.1"), lease("a", 2, "239.1.1.1"), lease("a", 3, "239.1.1.1")
	other := lease("a", 1, "239.1.1.9")
	s.has()
	s.commit("+", del(a1)) // it is not there
	s.commit("-", put(a2)) // there is no revision 1
	s.commit("+", put(a1))
	s.commit("+", put(a1))    // again
	s.commit("-", put(other)) // another first revision
	s.commit("-", put(a3))
	s.commit("+", put(a2))
	s.commit("-", put(a1)) // older
	s.has(a2)
	s.commit("-", del(a1))
	s.commit("-", del(a3))
	s.has(a2)
	s.commit("+", del(a2))
	s.commit("+", del(a2)) // again
	s.has()
	s.commit("+", put(other))
	s.has(other)
}

// An address is in one lease.
func overlap(t *testing.T, s *suite) {
	s.commit("+", put(lease("a", 1, "239.1.1.10 10")))
	for _, tt := range []struct{ r, want string }{
		{"239.1.1.5 5", "+"}, {"239.1.1.5 6", "-"}, {"239.1.1.10 1", "-"}, {"239.1.1.12 3", "-"}, {"239.1.1.19 1", "-"},
		{"239.1.1.19 9", "-"}, {"239.1.1.20 9", "+"}, {"239.1.1.0 100", "-"}, {"239.1.1.10 10", "-"},
	} {
		l := lease("b", 1, tt.r)
		s.commit(tt.want, put(l))
		s.commit("+", del(l))
	}
	// A lease may keep, shrink or move its own.
	s.commit("+", put(lease("a", 2, "239.1.1.12 3")))
	s.commit("+", put(lease("b", 1, "239.1.1.10 2", "239.1.1.15 5")))
	s.commit("-", put(lease("a", 3, "239.1.1.11 3")))
	s.commit("-", put(lease("c", 1, "239.1.1.1", "239.1.1.14")))
	s.commit("+", put(lease("c", 1, "239.1.1.1")))
	s.has(lease("a", 2, "239.1.1.12 3"), lease("b", 1, "239.1.1.10 2", "239.1.1.15 5"), lease("c", 1, "239.1.1.1"))
}

// Changes made together see each other, in order.
func batch(t *testing.T, s *suite) {
	a, b := lease("a", 1, "239.1.1.1"), lease("b", 1, "239.1.1.1")
	s.commit("+-+++-", put(a), put(b), del(a), put(b), put(lease("b", 2, "239.1.1.2")), put(lease("c", 1, "239.1.1.2")))
	s.has(lease("b", 2, "239.1.1.2"))
	var many []madcap.Change
	want := ""
	for i := range 1000 {
		many = append(many, put(lease(fmt.Sprintf("m%04d", i), 1, fmt.Sprintf("239.2.%d.%d", i/250, i%250))))
		want += "+"
	}
	s.commit(want, many...)
	s.commit("")
	n := 0
	if err := s.store.Load(func(madcap.Lease) bool { n++; return n < 7 }); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
}

// What was committed is there when the store is opened again, and its addresses are
// taken.
func reopen(t *testing.T, s *suite) {
	a, b := lease("a", 1, "239.1.1.1 3"), lease("\x00\xff binary", 1, "239.1.2.1", "239.1.2.7 2")
	b.Shared, b.Client = true, netip.MustParseAddr("2001:db8::1")
	s.commit("++", put(a), put(b))
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.store = s.open()
	s.has(b, a)
	s.commit("-++", put(lease("c", 1, "239.1.1.3")), put(a), put(lease("c", 1, "239.1.1.4")))
}

// Addresses of IPv4 and IPv6 do not meet.
func families(t *testing.T, s *suite) {
	s.commit("++++", put(lease("a", 1, "ff05::8000:1 10")), put(lease("b", 1, "239.1.1.1 5")), put(lease("c", 1, "ff05::8000:0")), put(lease("d", 1, "ff05::8000:b")))
	s.commit("--", put(lease("e", 1, "ff05::8000:a")), put(lease("e", 1, "239.1.1.5")))
	s.commit("+", put(lease("e", 1, "239.1.1.6", "ff05::1:8000:1")))
}
