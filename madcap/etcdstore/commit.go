package etcdstore

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/gomulticast/multicast/madcap"
)

const (
	// maxOps is how many operations etcd allows in a transaction (--max-txn-ops).
	maxOps = 128

	// maxAtOnce is how many transactions are on their way at a time.
	maxAtOnce = 64

	// maxRaces is how often a change is decided anew because another one came between
	// reading and writing. Each time somebody got ahead.
	maxRaces = 64
)

// Commit implements madcap.Store. The error wraps ErrUnavailable; nothing is known of the
// changes then. Changes of one batch that have to do with each other are made one after
// the other, and all others at the same time.
func (s *Store) Commit(changes []madcap.Change) error {
	for rest := changes; len(rest) > 0; {
		n := independent(rest)
		if err := s.commit(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// independent returns how many of the first changes have nothing to do with each other:
// neither the lease nor an address.
func independent(changes []madcap.Change) int {
	ids := make(map[madcap.ID]bool, len(changes))
	var ranges []madcap.Range
	for i := range changes {
		l := &changes[i].Lease
		if i == maxAtOnce || ids[l.ID] {
			return i
		}
		for _, r := range l.Ranges {
			for _, o := range ranges {
				if r.Contains(o.First) || o.Contains(r.First) {
					return i
				}
			}
		}
		ids[l.ID] = true
		ranges = append(ranges, l.Ranges...)
	}
	return len(changes)
}

// commit makes changes at the same time.
func (s *Store) commit(changes []madcap.Change) error {
	errs := make([]error, len(changes))
	var wg sync.WaitGroup
	for i := range changes {
		wg.Go(func() { changes[i].Err, errs[i] = s.change(&changes[i]) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// change makes one change. refused is the answer to it, err that it is not known.
func (s *Store) change(c *madcap.Change) (refused, err error) {
	for range maxRaces {
		p, err := s.read(c)
		if err != nil {
			return nil, err
		}
		if p.refused != nil || p.done {
			return p.refused, nil
		}
		if made, err := s.write(p); made || err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: lease %v: others change what it is about all the time", ErrUnavailable, c.Lease.ID)
}

// A plan is what to do about a change and what that depends on.
type plan struct {
	change  *madcap.Change
	refused error // a conflict
	done    bool  // there is nothing to do
	still   []clientv3.Cmp
	ops     []clientv3.Op // but for the etcd lease of what is put
	puts    []pair
}

type pair struct{ key, value string }

// read decides about a change by what is stored now.
func (s *Store) read(c *madcap.Change) (*plan, error) {
	key := s.keys.lease(c.Lease.ID)
	// All in one transaction, so as of one moment.
	ask := []clientv3.Op{clientv3.OpGet(key)}
	if !c.Delete {
		for _, r := range c.Lease.Ranges {
			// The last range that begins at or before the end of r.
			last, ok := r.Last()
			if !ok {
				return &plan{refused: fmt.Errorf("%w: %v is no range of groups", madcap.ErrConflict, r)}, nil
			}
			ask = append(ask, clientv3.OpGet(s.keys.family(r.First.Unmap()), clientv3.WithRange(s.keys.addr(last)+"\x00"),
				clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithLimit(1)))
		}
	}
	if len(ask) > maxOps {
		return &plan{refused: fmt.Errorf("etcdstore: lease %v has %d ranges, too many for a transaction", c.Lease.ID, len(ask)-1)}, nil
	}
	ctx, cancel := s.timed()
	defer cancel()
	r, err := s.client.Txn(ctx).Then(ask...).Commit()
	if err != nil {
		return nil, s.unavailable(err)
	}
	var old *madcap.Lease
	mod := int64(0)
	if kvs := r.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		l, err := lease(kvs[0])
		if err != nil {
			return nil, err
		}
		old, mod = &l, kvs[0].ModRevision
	}
	p := &plan{change: c, still: []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", mod)}}
	ok, done := c.Fits(old)
	if p.done = done; !ok {
		p.refused = fmt.Errorf("%w: lease %v", madcap.ErrConflict, c.Lease.ID)
	}
	if !ok || done {
		return p, nil
	}
	if err := s.decide(p, old, r); err != nil {
		return nil, err
	}
	return p, nil
}

// decide works out what a change does that fits the lease stored.
func (s *Store) decide(p *plan, old *madcap.Lease, r *clientv3.TxnResponse) (err error) {
	c := p.change
	goes := make(map[string]bool) // ranges of the old lease
	if old != nil {
		for _, x := range old.Ranges {
			goes[s.keys.addr(x.First)] = true
		}
	}
	if !c.Delete {
		for i, x := range c.Lease.Ranges {
			from := s.keys.family(x.First.Unmap())
			last, _ := x.Last()
			end := s.keys.addr(last) + "\x00"
			for kvs := r.Responses[i+1].GetResponseRange().Kvs; len(kvs) > 0; {
				lastOf, id, _ := strings.Cut(string(kvs[0].Value), " ")
				begin := string(kvs[0].Key)
				if id != c.Lease.ID.String() {
					if from+lastOf >= s.keys.addr(x.First) {
						p.refused = fmt.Errorf("%w: %v is leased", madcap.ErrConflict, x)
						return nil
					}
					from = begin
					break
				}
				if begin <= s.keys.addr(x.First) { // all of what is before ends before
					from = begin
					break
				}
				// Part of the lease as it was: somebody else may be between.
				if kvs, err = s.before(begin, from, r.Header.Revision); err != nil {
					return err
				}
			}
			// Nothing from there to the end is newer than what was read.
			p.still = append(p.still, clientv3.Compare(clientv3.ModRevision(from).WithRange(end), "<", r.Header.Revision+1))
			key := s.keys.addr(x.First)
			delete(goes, key)
			p.puts = append(p.puts, pair{key, rangeValue(last, c.Lease.ID)})
		}
		v, err := c.Lease.MarshalBinary()
		if err != nil {
			return err
		}
		p.puts = append(p.puts, pair{s.keys.lease(c.Lease.ID), string(v)})
	} else {
		p.ops = append(p.ops, clientv3.OpDelete(s.keys.lease(c.Lease.ID)))
	}
	for key := range goes {
		p.ops = append(p.ops, clientv3.OpDelete(key))
	}
	if len(p.ops)+len(p.puts) > maxOps {
		p.refused = fmt.Errorf("etcdstore: lease %v changes %d ranges, too many for a transaction", c.Lease.ID, len(p.ops)+len(p.puts))
	}
	return nil
}

// before reads the last range that begins before a key, as of a revision.
func (s *Store) before(key, from string, revision int64) ([]*mvccpb.KeyValue, error) {
	ctx, cancel := s.timed()
	defer cancel()
	r, err := s.client.Get(ctx, from, clientv3.WithRange(key), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithLimit(1), clientv3.WithRev(revision))
	if err != nil {
		return nil, s.unavailable(err)
	}
	return r.Kvs, nil
}

// write makes the change unless what was read has changed.
func (s *Store) write(p *plan) (made bool, err error) {
	ops := p.ops
	var span clientv3.LeaseID
	if len(p.puts) > 0 {
		if span, err = s.lifespan(p.change.Lease.End); err != nil {
			return false, s.unavailable(err)
		}
		for _, kv := range p.puts {
			ops = append(ops, clientv3.OpPut(kv.key, kv.value, clientv3.WithLease(span)))
		}
	}
	ctx, cancel := s.timed()
	defer cancel()
	r, err := s.client.Txn(ctx).If(p.still...).Then(ops...).Commit()
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.spans.forget(span)
		return false, nil
	}
	if err != nil {
		return false, s.unavailable(err)
	}
	return r.Succeeded, nil
}
