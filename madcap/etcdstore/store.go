package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/gomulticast/multicast/madcap"
)

// Defaults of a Config.
const (
	DefaultPrefix  = "/madcap/1/"
	DefaultTimeout = 5 * time.Second
)

// page is how many leases Load reads at a time.
const page = 1000

// ErrUnavailable means that etcd did not answer, or not for a majority of its members.
// Nothing is granted then.
var ErrUnavailable = errors.New("etcdstore: etcd is not available")

// ErrConfig means that a Config cannot be; the text says why.
var ErrConfig = errors.New("etcdstore: configuration")

// Config configures a Store. Zero fields stand for the defaults named.
type Config struct {
	// Prefix is where the keys are; default DefaultPrefix. Servers that share an
	// address space have the same, others different ones.
	Prefix string

	// Timeout is how long etcd may take to answer; default DefaultTimeout.
	Timeout time.Duration

	// Extra is that of the servers (madcap.ServerConfig.Extra): how long addresses are
	// kept after their lease. Default madcap.DefaultExtra.
	Extra time.Duration

	// Slack is how much longer etcd keeps a lease that no server has deleted, because
	// clocks differ. Default madcap.DefaultSkew; at least a minute.
	Slack time.Duration
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Extra == 0 {
		c.Extra = madcap.DefaultExtra
	}
	c.Extra = max(c.Extra, 0)
	if c.Slack == 0 {
		c.Slack = madcap.DefaultSkew
	}
	c.Slack = max(c.Slack, time.Minute)
	return c
}

// Validate says what is wrong; the error wraps ErrConfig.
func (c Config) Validate() error {
	switch {
	case c.Prefix != "" && (!strings.HasSuffix(c.Prefix, "/") || strings.ContainsRune(c.Prefix, 0)):
		return fmt.Errorf("%w: prefix %q: let it end with /, as %s", ErrConfig, c.Prefix, DefaultPrefix)
	case c.Timeout < 0:
		return fmt.Errorf("%w: a timeout of %v: give a positive time", ErrConfig, c.Timeout)
	case c.Slack < 0:
		return fmt.Errorf("%w: a slack of %v: give a minute or more", ErrConfig, c.Slack)
	}
	return nil
}

// A Store is a madcap.Store and madcap.Watcher in etcd. It is safe for concurrent use.
type Store struct {
	cfg    Config
	client *clientv3.Client
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	keys   keys
	spans  lifespans

	least, step time.Duration // leastSpan, spanStep; tests have less time
	page        int64         // page; and smaller pages
}

var (
	_ madcap.Store   = (*Store)(nil)
	_ madcap.Watcher = (*Store)(nil)
)

// New returns a store that uses client, which the store owns from then on unless there
// is an error; that wraps ErrConfig. It does not wait for etcd.
func New(client *clientv3.Client, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Store{cfg: cfg, client: client, keys: keys{cfg.Prefix}, least: leastSpan, step: spanStep, page: page}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// timed returns the context of one question to etcd.
func (s *Store) timed() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, s.cfg.Timeout)
}

// unavailable makes an error of etcd one that says what to do.
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %w: see that a majority of %s runs and is reached", ErrUnavailable, err, strings.Join(s.client.Endpoints(), ", "))
}

// Load implements madcap.Store: all leases as of one moment. A lease that cannot be read
// is an error, as to leave it out could grant its addresses again. Others wrap
// ErrUnavailable.
func (s *Store) Load(yield func(madcap.Lease) bool) error {
	_, err := s.load(yield)
	return err
}

// load is Load, and returns the revision of etcd that it read.
func (s *Store) load(yield func(madcap.Lease) bool) (revision int64, err error) {
	from, end := s.keys.leases()
	for {
		ctx, cancel := s.timed()
		opts := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(s.page), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend)}
		if revision != 0 {
			opts = append(opts, clientv3.WithRev(revision))
		}
		r, err := s.client.Get(ctx, from, opts...)
		cancel()
		if err != nil {
			return 0, s.unavailable(err)
		}
		if revision == 0 {
			revision = r.Header.Revision
		}
		for _, kv := range r.Kvs {
			l, err := lease(kv)
			if err != nil {
				return 0, err
			}
			if !yield(l) {
				return revision, nil
			}
		}
		if !r.More || len(r.Kvs) == 0 {
			return revision, nil
		}
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
	}
}

// lease reads a stored lease.
func lease(kv *mvccpb.KeyValue) (l madcap.Lease, err error) {
	if err = l.UnmarshalBinary(kv.Value); err != nil {
		return l, fmt.Errorf("etcdstore: %s: %w", kv.Key, err)
	}
	return l, nil
}

// Close implements madcap.Store: it ends Watch and closes the client.
func (s *Store) Close() error {
	s.cancel()
	s.wg.Wait()
	return s.client.Close()
}
