// Package boltstore keeps the leases of a MADCAP server in one file, a bbolt database.
// A commit is one transaction, however many leases it has, and returns when the disk
// has it.
package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/gomulticast/multicast/madcap"
)

// The buckets: leases by their IDs, and the last address of each range, with the ID behind
// it, by the first. What they hold is one format.
var (
	bucketLeases = []byte("madcap leases 1")
	bucketRanges = []byte("madcap ranges 1")
)

// ErrInUse means that another process has the file open.
var ErrInUse = errors.New("boltstore: the file is in use by another process")

// openTimeout is how long to wait for another process to let go of the file.
const openTimeout = time.Second

// A Store is a madcap.Store in a file. It is for one server at a time.
type Store struct{ db *bbolt.DB }

var _ madcap.Store = (*Store)(nil)

// Open opens or makes the file. The error is ErrInUse when another process has it.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: openTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, path)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLeases, bucketRanges} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("boltstore: %s: %w", path, err)
	}
	return &Store{db}, nil
}

// syncDir makes the name of a new file as durable as its contents. Where directories
// cannot be synced that is the system's business.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Load implements madcap.Store. A lease that cannot be read is an error: to leave it out
// could grant its addresses again.
func (s *Store) Load(yield func(madcap.Lease) bool) error {
	stop := errors.New("stop")
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLeases).ForEach(func(k, v []byte) error {
			var l madcap.Lease
			if err := l.UnmarshalBinary(v); err != nil {
				return fmt.Errorf("lease %x: %w", k, err)
			}
			if !yield(l) {
				return stop
			}
			return nil
		})
	})
	if err != nil && err != stop {
		return fmt.Errorf("boltstore: %w", err)
	}
	return nil
}

// Commit implements madcap.Store: one transaction and one wait for the disk.
func (s *Store) Commit(changes []madcap.Change) error {
	errs := make([]error, len(changes))
	err := s.db.Update(func(tx *bbolt.Tx) error {
		t := transaction{tx.Bucket(bucketLeases), tx.Bucket(bucketRanges)}
		for i := range changes {
			var err error
			if errs[i], err = t.apply(&changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	for i := range changes {
		changes[i].Err = errs[i]
	}
	return nil
}

// Close implements madcap.Store.
func (s *Store) Close() error { return s.db.Close() }

type transaction struct{ leases, ranges *bbolt.Bucket }

// apply makes one change. refused is the answer to it, err the end of the transaction.
func (t transaction) apply(c *madcap.Change) (refused, err error) {
	key := []byte(c.Lease.ID)
	var old *madcap.Lease
	if v := t.leases.Get(key); v != nil {
		old = new(madcap.Lease)
		if err := old.UnmarshalBinary(v); err != nil {
			return nil, err
		}
	}
	switch ok, done := c.Fits(old); {
	case !ok:
		return fmt.Errorf("%w: lease %v", madcap.ErrConflict, c.Lease.ID), nil
	case done:
		return nil, nil
	}
	if !c.Delete {
		for _, r := range c.Lease.Ranges {
			if t.taken(r, key) {
				return fmt.Errorf("%w: %v is leased", madcap.ErrConflict, r), nil
			}
		}
	}
	if old != nil {
		for _, r := range old.Ranges {
			if err := t.ranges.Delete(addrKey(r.First)); err != nil {
				return nil, err
			}
		}
	}
	if c.Delete {
		return nil, t.leases.Delete(key)
	}
	for _, r := range c.Lease.Ranges {
		last, _ := r.Last()
		if err := t.ranges.Put(addrKey(r.First), append(addrKey(last), key...)); err != nil {
			return nil, err
		}
	}
	v, err := c.Lease.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return nil, t.leases.Put(key, v)
}

// taken reports whether another lease than id has an address of r. Stored ranges do not
// overlap each other, but id's own may lie between.
func (t transaction) taken(r madcap.Range, id []byte) bool {
	last, ok := r.Last()
	if !ok {
		return true
	}
	first, end := addrKey(r.First), addrKey(last)
	c := t.ranges.Cursor()
	k, v := c.Seek(end)
	if k == nil {
		k, v = c.Last()
	} else if bytes.Compare(k, end) > 0 {
		k, v = c.Prev()
	}
	for ; k != nil && bytes.Compare(v[:len(end)], first) >= 0; k, v = c.Prev() {
		if !bytes.Equal(v[len(end):], id) {
			return true
		}
	}
	return false
}

// addrKey is an address in the order of addresses, IPv4 before IPv6 groups.
func addrKey(a netip.Addr) []byte {
	k := make([]byte, 17)
	if a = a.Unmap(); !a.Is4() {
		k[0] = 6
	} else {
		k[0] = 4
	}
	v := a.As16()
	if a.Is4() {
		b := a.As4()
		v = [16]byte{}
		binary.BigEndian.PutUint32(v[12:], binary.BigEndian.Uint32(b[:]))
	}
	copy(k[1:], v[:])
	return k
}
