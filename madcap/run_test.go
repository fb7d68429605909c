package madcap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/madcap/storetest"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

const serverGroup = "239.255.255.254:2535"

var scopes = []madcap.Scope{{
	Zone:  madcap.Zone{Zone: group.LocalZone, Names: []madcap.Name{{Lang: "en", Text: "this site", Default: true}}},
	Pools: []group.Zone{{First: netip.MustParseAddr("239.255.7.0"), Last: netip.MustParseAddr("239.255.7.255")}},
}}

func TestMemoryStore(t *testing.T) {
	all := map[string]*madcap.MemoryStore{}
	storetest.Run(t, func(t *testing.T, name string) madcap.Store {
		if all[name] == nil {
			all[name] = new(madcap.MemoryStore)
		}
		return all[name]
	})
}

func open(t testing.TB, n *mcasttest.Network, opts ...mcasttest.Option) *mcasttest.Conn {
	t.Helper()
	c, err := n.Open(serverGroup, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t testing.TB, n *mcasttest.Network, store madcap.Store) *madcap.RunningServer {
	t.Helper()
	c := open(t, n)
	s, err := madcap.RunServer(c, madcap.ServerConfig{ID: c.LocalAddr().Addr(), Scopes: scopes}, store)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t testing.TB, n *mcasttest.Network, opts ...mcasttest.Option) *madcap.RunningClient {
	t.Helper()
	c, err := madcap.RunClient(open(t, n, opts...), madcap.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		store := new(madcap.MemoryStore)
		s := serve(t, n, store)
		c := client(t, n, mcasttest.Out(mcasttest.Link{Loss: 0.03}), mcasttest.In(mcasttest.Link{Loss: 0.03}))
		ctx := context.Background()

		info, err := c.GetInfo(ctx, madcap.InfoRequest{})
		if err != nil || len(info) != 1 || info[0].Scopes[0].Names[0].Text != "this site" {
			t.Fatalf("%+v, %v", info, err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				l, err := c.Allocate(ctx, madcap.Request{Lifetime: time.Hour, Renew: true})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Renew(ctx, l.ID, madcap.Renewal{Lifetime: 2 * time.Hour}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(store.Leases()) < 20 || len(c.Leases()) != 20 {
			t.Errorf("%d stored, %d held", len(store.Leases()), len(c.Leases()))
		}
		kept := c.Leases()[0]
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := c.Allocate(ctx, madcap.Request{}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}

		// The server again, with its store; the client again, with one lease.
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		s = serve(t, n, store)
		c2 := client(t, n)
		kept.At = netip.AddrPortFrom(serverID(s), madcap.Port)
		if err := c2.Adopt(kept); err != nil {
			t.Fatal(err)
		}
		// From another address it is not the client's to release.
		var f madcap.Failure
		if _, err := c2.Renew(ctx, kept.ID, madcap.Renewal{}); !errors.As(err, &f) || f.Code != madcap.LeaseNotRecognized {
			t.Error(err)
		}
		if _, err := c2.Allocate(ctx, madcap.Request{}); err != nil {
			t.Error(err)
		}
		if err := c2.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if st := s.Stats(); st.Acks < 2 || s.Err() != nil {
			t.Errorf("%+v, %v", st, s.Err())
		}
		kinds := map[madcap.ServerEventKind]int{}
		s.Close()
		for e, err := range s.Events(ctx) {
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				break
			}
			kinds[e.Kind]++
		}
		if kinds[madcap.LeaseGranted] != 1 || kinds[madcap.LeaseReleased] != 1 {
			t.Errorf("%v", kinds)
		}
	})
}

func serverID(s *madcap.RunningServer) (id netip.Addr) {
	_ = s.Do(func(now time.Time, s *madcap.Server) { id = s.ID() })
	return id
}

// A store that fails for a while delays the answers; it makes none of them wrong.
type sickStore struct {
	madcap.MemoryStore
	mu   sync.Mutex
	sick bool
}

var errSick = errors.New("disk full")

func (s *sickStore) set(sick bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sick = sick
}

func (s *sickStore) Commit(changes []madcap.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sick {
		return errSick
	}
	return s.MemoryStore.Commit(changes)
}

func TestSickStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		store := new(sickStore)
		store.set(true)
		s := serve(t, n, store)
		c := client(t, n)
		begun := time.Now()
		time.AfterFunc(20*time.Second, func() {
			if !errors.Is(s.Err(), errSick) {
				t.Error(s.Err())
			}
			store.set(false)
		})
		if _, err := c.Allocate(context.Background(), madcap.Request{Lifetime: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d < 20*time.Second || len(store.Leases()) != 1 || s.Err() != nil {
			t.Errorf("granted after %v: %d leases, %v", d, len(store.Leases()), s.Err())
		}
		// It can be closed while the store is at fault.
		store.set(true)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := c.Allocate(ctx, madcap.Request{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		s.Close()
		c.Close()
	})
}

func TestShellMistakes(t *testing.T) {
	n := mcasttest.New(1)
	conn := open(t, n)
	defer conn.Close()
	if _, err := madcap.RunServer(conn, madcap.ServerConfig{}, new(madcap.MemoryStore)); !errors.Is(err, madcap.ErrConfig) {
		t.Error(err)
	}
	if _, err := madcap.RunServer(conn, madcap.ServerConfig{ID: netip.MustParseAddr("10.0.0.1"), Scopes: scopes, Shared: true}, struct{ madcap.Store }{}); !errors.Is(err, madcap.ErrConfig) {
		t.Error(err)
	}
	if _, err := madcap.RunClient(conn, madcap.ClientConfig{TTL: -1}); !errors.Is(err, madcap.ErrConfig) {
		t.Error(err)
	}
}

// A lease as a program keeps it over a restart.
func TestLeaseAsJSON(t *testing.T) {
	l := madcap.ClientLease{Lease: madcap.Lease{ID: "\x00\xff", Scope: netip.MustParseAddr("239.255.0.0"), Ranges: []madcap.Range{{First: netip.MustParseAddr("239.255.7.1"), Count: 2}},
		Start: time.Unix(1_900_000_000, 0).UTC(), End: time.Unix(1_900_003_600, 0).UTC(), Server: netip.MustParseAddr("10.0.0.1"), Shared: true},
		At: netip.MustParseAddrPort("10.0.0.1:2535"), Lifetime: time.Hour, Mobile: true, Renew: true}
	b, err := json.Marshal(l)
	var back madcap.ClientLease
	if err = errors.Join(err, json.Unmarshal(b, &back)); err != nil || !back.Equal(&l.Lease) || back.At != l.At || back.Lifetime != l.Lifetime || !back.Mobile || !back.Renew {
		t.Errorf("%s\n%+v, %v", b, back, err)
	}
}

// Two servers with one store.
func TestRunningTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		store := new(madcap.MemoryStore)
		var servers []*madcap.RunningServer
		for range 2 {
			c := open(t, n)
			s, err := madcap.RunServer(c, madcap.ServerConfig{ID: c.LocalAddr().Addr(), Scopes: scopes, Shared: true, ClientAddresses: -1}, store)
			if err != nil {
				t.Fatal(err)
			}
			servers = append(servers, s)
		}
		var wg sync.WaitGroup
		for i := range 8 {
			c := client(t, n)
			wg.Go(func() {
				defer c.Close()
				at := netip.AddrPortFrom(serverID(servers[i%2]), madcap.Port)
				for range 20 {
					if _, err := c.Allocate(context.Background(), madcap.Request{Lifetime: time.Hour, Server: at, Mobile: true}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		seen := map[netip.Addr]bool{}
		for _, l := range store.Leases() {
			if seen[l.Ranges[0].First] {
				t.Errorf("%v twice", l.Ranges[0])
			}
			seen[l.Ranges[0].First] = true
		}
		if len(seen) != 160 {
			t.Errorf("%d leases", len(seen))
		}
		for _, s := range servers {
			if st := s.Stats(); st.Leases != 160 {
				t.Errorf("a server knows of %d leases", st.Leases)
			}
			s.Close()
		}
	})
}

func Example() {
	n := mcasttest.New(1) // in its place: mcast.Listen and mcast.Dial
	conn, _ := n.Open("239.255.255.254:2535")
	server, _ := madcap.RunServer(conn, madcap.ServerConfig{ID: conn.LocalAddr().Addr(), Scopes: scopes}, new(madcap.MemoryStore))
	defer server.Close()

	conn, _ = n.Open("239.255.255.254:2535")
	client, _ := madcap.RunClient(conn, madcap.ClientConfig{})
	defer client.Close()
	ctx := context.Background()
	lease, err := client.Allocate(ctx, madcap.Request{Count: 4, Lifetime: time.Hour, Renew: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lease.Total(), "addresses, kept by", server.Stats().Leases, "lease")
	fmt.Println(client.Release(ctx, lease.ID))
	// Output:
	// 4 addresses, kept by 1 lease
	// <nil>
}

func ExampleParseMessage() {
	b := []byte{0, 7, 0, 1, 0, 0, 0, 9, 0, 3, 0, 2, 0, 42, 0, 0, 0, 0}
	var m madcap.Message
	if err := madcap.ParseMessage(b, &m); err != nil {
		fmt.Println(err)
	}
	fmt.Println(m.Type, m.XID, madcap.ID(m.LeaseID), madcap.KindRelease.Check(&m))
	fmt.Println(madcap.KindRenew.Check(&m), "/", madcap.KindAckRelease.Check(&m))
	// Output:
	// RELEASE 9 002a ok
	// ok / Server Identifier is missing
}
