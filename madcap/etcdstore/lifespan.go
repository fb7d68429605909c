package etcdstore

import (
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// leastSpan is how long a lease is stored at least, also one that should have ended.
const leastSpan = time.Minute

// spanStep is the difference of times at which etcd removes what is left: leases that
// end within a step share an etcd lease.
const spanStep = time.Minute

// lifespans are the etcd leases in use, by the step in which they end.
type lifespans struct {
	mu  sync.Mutex
	all map[int64]*lifespan
}

type lifespan struct {
	mu sync.Mutex
	id clientv3.LeaseID // 0 until etcd granted it
}

// at returns the one of a step, and forgets those that are over.
func (ls *lifespans) at(step, now int64) *lifespan {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[step]
	if l != nil {
		return l
	}
	for old := range ls.all {
		if old < now {
			delete(ls.all, old)
		}
	}
	if ls.all == nil {
		ls.all = make(map[int64]*lifespan)
	}
	l = new(lifespan)
	ls.all[step] = l
	return l
}

// forget drops an etcd lease that etcd does not know.
func (ls *lifespans) forget(id clientv3.LeaseID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for step, l := range ls.all {
		l.mu.Lock()
		if l.id == id {
			delete(ls.all, step)
		}
		l.mu.Unlock()
	}
}

// lifespan returns the etcd lease for what belongs to a lease with an end.
func (s *Store) lifespan(end time.Time) (clientv3.LeaseID, error) {
	now := time.Now()
	until := end.Add(s.cfg.Extra + s.cfg.Slack)
	if least := now.Add(s.least); until.Before(least) {
		until = least
	}
	step := until.Add(s.step-1).UnixNano() / int64(s.step)
	l := s.spans.at(step, now.UnixNano()/int64(s.step))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id != 0 {
		return l.id, nil
	}
	ttl := time.Duration(step*int64(s.step) - now.UnixNano())
	ctx, cancel := s.timed()
	defer cancel()
	r, err := s.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return 0, err
	}
	l.id = r.ID
	return l.id, nil
}
