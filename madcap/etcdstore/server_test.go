package etcdstore

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// patient is a client that tries again quickly, for long.
var patient = madcap.ClientConfig{Retransmit: 300 * time.Millisecond, MaxRetransmit: time.Second, Retries: 200, NoResponse: patience, Rounds: 20}

// serve starts a server with a pool of a few addresses that it shares with others.
func serve(t *testing.T, n *mcasttest.Network, number int, s *Store) *madcap.RunningServer {
	t.Helper()
	c, err := n.Open("239.255.255.254:2535", mcasttest.Addr(address(number)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := madcap.RunServer(c, madcap.ServerConfig{
		ID: c.LocalAddr().Addr(), Shared: true, Extra: -1, ClientRate: -1, ClientAddresses: -1, AnyClient: true,
		Scopes: []madcap.Scope{{Zone: madcap.Zone{Zone: group.LocalZone}, Pools: []group.Zone{{First: netip.MustParseAddr("239.255.7.0"), Last: netip.MustParseAddr("239.255.7.63")}}}},
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// address returns that of a server.
func address(number int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 0, byte(number)}) }

func clientOf(t *testing.T, n *mcasttest.Network) *madcap.RunningClient {
	t.Helper()
	c, err := n.Open("239.255.255.254:2535")
	if err != nil {
		t.Fatal(err)
	}
	r, err := madcap.RunClient(c, patient)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Three servers lease the addresses of one pool to the last one, none of them twice; when
// the server that granted them dies another renews and releases; and without etcd nothing
// is granted.
func TestServers(t *testing.T) {
	e := startEtcd(t)
	cfg := Config{Prefix: prefixOf(t, 0), Extra: -1, Timeout: 2 * time.Second}
	// One network for each server and its clients, so that all of them grant.
	var networks [3]*mcasttest.Network
	var servers [3]*madcap.RunningServer
	for i := range servers {
		networks[i] = mcasttest.New(uint64(i) + 1)
		servers[i] = serve(t, networks[i], i, e.store(cfg))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	var mu sync.Mutex
	leases := map[netip.Addr]madcap.ClientLease{}
	by := map[netip.Addr]int{}
	var wg sync.WaitGroup
	for i := range networks {
		c := clientOf(t, networks[i])
		for range 20 {
			wg.Go(func() {
				l, err := c.Allocate(ctx, madcap.Request{Lifetime: time.Hour, Mobile: true})
				if err != nil {
					t.Errorf("server %d: %v", i, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				a := l.Ranges[0].First
				if _, there := leases[a]; there {
					t.Errorf("%v is leased twice, by %d and %d", a, by[a], i)
				}
				leases[a], by[a] = l, i
			})
		}
	}
	wg.Wait()
	if len(leases) != 60 {
		t.Fatalf("%d leases", len(leases))
	}
	for i, s := range servers {
		t.Logf("server %d: %d leases, %d conflicts", i, s.Stats().Leases, s.Stats().Conflicts)
	}

	servers[0].Close()
	other := clientOf(t, networks[1])
	n := 0
	for a, l := range leases {
		if by[a] != 0 {
			continue
		}
		l.At = netip.AddrPortFrom(address(1), madcap.Port)
		if err := other.Adopt(l); err != nil {
			t.Fatal(err)
		}
		if renewed, err := other.Renew(ctx, l.ID, madcap.Renewal{Lifetime: 2 * time.Hour}); err != nil || !renewed.End.After(l.End) {
			t.Fatalf("%+v, %v", renewed, err)
		}
		if n++; n > 5 {
			if err := other.Release(ctx, l.ID); err != nil {
				t.Fatal(err)
			}
		}
	}

	e.kill()
	short, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	if l, err := other.Allocate(short, madcap.Request{}); err == nil {
		t.Errorf("granted without etcd: %+v", l)
	}
	if err := servers[1].Err(); err == nil {
		t.Error("the server does not tell")
	} else {
		t.Log(err)
	}
	e.start()
	if _, err := other.Allocate(ctx, madcap.Request{}); err != nil {
		t.Error(err)
	}
	seen := map[netip.Addr]madcap.ID{}
	if err := e.store(cfg).Load(func(l madcap.Lease) bool {
		for _, r := range l.Ranges {
			for a := range r.All() {
				if o, there := seen[a]; there {
					t.Errorf("%v is stored for %v and %v", a, o, l.ID)
				}
				seen[a] = l.ID
			}
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	for a, l := range leases {
		if by[a] != 0 && seen[a] != l.ID {
			t.Errorf("%v was acknowledged and is not stored", a)
		}
	}
}

// A server that another one leaves behind learns what it did, in time.
func TestServersLearn(t *testing.T) {
	e := startEtcd(t)
	cfg := Config{Prefix: prefixOf(t, 0), Extra: -1}
	one, two := mcasttest.New(1), mcasttest.New(2)
	a, b := serve(t, one, 1, e.store(cfg)), serve(t, two, 2, e.store(cfg))
	c := clientOf(t, one)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for n := range 3 {
		if _, err := c.Allocate(ctx, madcap.Request{Lifetime: time.Hour}); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if got := b.Stats().Leases; got != n+1 {
				return fmt.Errorf("the other server knows of %d leases, not %d", got, n+1)
			}
			return nil
		})
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if x, y := a.Stats().Leases, b.Stats().Leases; x != 0 || y != 0 {
			return fmt.Errorf("%d and %d leases are left", x, y)
		}
		return nil
	})
}
