package boltstore_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/madcap/boltstore"
	"github.com/gomulticast/multicast/madcap/storetest"
)

func TestStore(t *testing.T) {
	dir := t.TempDir()
	storetest.Run(t, func(t *testing.T, name string) madcap.Store {
		s, err := boltstore.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s, err := boltstore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(path); !errors.Is(err, boltstore.ErrInUse) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]madcap.Change{{}}); err == nil {
		t.Error("a closed store commits")
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if _, err := boltstore.Open(filepath.Join(path, "below a file")); err == nil {
		t.Error("a file that cannot be")
	}
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("this is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(garbage); err == nil {
		t.Error("garbage was opened")
	}
}

// BenchmarkCommit is what a grant costs, alone and in a group.
func BenchmarkCommit(b *testing.B) {
	for _, group := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(group), func(b *testing.B) {
			s, err := boltstore.Open(filepath.Join(b.TempDir(), "leases.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			n := 0
			for b.Loop() {
				changes := make([]madcap.Change, group)
				for i := range changes {
					n++
					a := netip.AddrFrom4([4]byte{239, byte(n >> 16), byte(n >> 8), byte(n)})
					changes[i].Lease = madcap.Lease{ID: madcap.ID(fmt.Sprint("lease number ", n)), Scope: a, Ranges: []madcap.Range{madcap.RangeOf(a)},
						Start: time.Now(), End: time.Now().Add(time.Hour), Client: a, Server: a, Revision: 1}
				}
				if err := s.Commit(changes); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "leases/s")
		})
	}
}
