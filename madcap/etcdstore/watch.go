package etcdstore

import (
	"fmt"
	"math"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/gomulticast/multicast/madcap"
)

// watchRetry is how long to wait before a watch that broke is tried again.
const watchRetry = time.Second

// Watch implements madcap.Watcher: tell is called with all changes after those that a
// Load that follows may see, by whichever server they are or by etcd, until Close. When
// etcd was not reached for so long that it has forgotten what happened meanwhile, all
// leases that there are then are told; what was released in that time is not, and goes on
// to its end at servers that knew it. The error wraps ErrUnavailable.
func (s *Store) Watch(tell func([]madcap.Change)) error {
	ctx, cancel := s.timed()
	defer cancel()
	from, _ := s.keys.leases()
	r, err := s.client.Get(ctx, from, clientv3.WithCountOnly())
	if err != nil {
		return s.unavailable(err)
	}
	s.wg.Go(func() { s.watch(r.Header.Revision+1, tell) })
	return nil
}

// watch tells of changes from a revision of etcd on.
func (s *Store) watch(revision int64, tell func([]madcap.Change)) {
	from, end := s.keys.leases()
	for s.ctx.Err() == nil {
		for r := range s.client.Watch(clientv3.WithRequireLeader(s.ctx), from, clientv3.WithRange(end), clientv3.WithPrevKV(), clientv3.WithRev(revision)) {
			if r.CompactRevision > revision {
				if read, err := s.resync(tell); err == nil {
					revision = read + 1
				}
				break
			}
			if r.Err() != nil {
				break
			}
			if changes := s.changes(r.Events); len(changes) > 0 {
				tell(changes)
			}
			revision = max(revision, r.Header.Revision+1)
		}
		select {
		case <-time.After(watchRetry):
		case <-s.ctx.Done():
		}
	}
}

// resync tells all leases, and returns as of which revision.
func (s *Store) resync(tell func([]madcap.Change)) (int64, error) {
	var all []madcap.Change
	revision, err := s.load(func(l madcap.Lease) bool {
		all = append(all, madcap.Change{Lease: l})
		return true
	})
	if err == nil && len(all) > 0 {
		tell(all)
	}
	return revision, err
}

// changes makes events of etcd changes. What cannot be read is left out: it is not of a
// server, and a transaction about it will say so.
func (s *Store) changes(events []*clientv3.Event) (all []madcap.Change) {
	for _, e := range events {
		if e.Type == clientv3.EventTypePut {
			if l, err := lease(e.Kv); err == nil {
				all = append(all, madcap.Change{Lease: l})
			}
			continue
		}
		if e.PrevKv != nil {
			if l, err := lease(e.PrevKv); err == nil {
				all = append(all, madcap.Change{Delete: true, Lease: l})
				continue
			}
		}
		// etcd has forgotten what it was.
		if id, err := s.id(string(e.Kv.Key)); err == nil {
			all = append(all, madcap.Change{Delete: true, Lease: madcap.Lease{ID: id, Revision: math.MaxUint64}})
		}
	}
	return all
}

// id returns the lease's ID in a key.
func (s *Store) id(key string) (madcap.ID, error) {
	from, _ := s.keys.leases()
	text, ok := strings.CutPrefix(key, from)
	if !ok {
		return "", fmt.Errorf("etcdstore: %s is no lease", key)
	}
	return madcap.ParseID(text)
}
