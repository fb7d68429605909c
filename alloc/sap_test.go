package alloc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// A cut is a connection that can be cut off from its network.
type cut struct {
	datagram.Conn
	mu  sync.Mutex
	off bool
}

func (c *cut) set(off bool) { c.mu.Lock(); c.off = off; c.mu.Unlock() }

func (c *cut) cut() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.off }

func (c *cut) ReadBatch(ps []datagram.Packet) (int, error) {
	for {
		n, err := c.Conn.ReadBatch(ps)
		if err != nil || !c.cut() {
			return n, err
		}
	}
}

func (c *cut) WriteBatch(ps []datagram.Packet) (int, error) {
	if c.cut() {
		return len(ps), nil
	}
	return c.Conn.WriteBatch(ps)
}

// A station is a host with an allocator.
type station struct {
	*SAP
	cuts []*cut
}

func (s *station) isolate(off bool) {
	for _, c := range s.cuts {
		c.set(off)
	}
}

// connect puts a host into a network: its directory hears its announcer too, as on a real one.
func connect(t *testing.T, n *mcasttest.Network, host string, cfg SAPConfig, listen time.Duration) *station {
	t.Helper()
	s := new(station)
	open := func(g netip.Addr) sap.Path {
		c, err := n.Open(netip.AddrPortFrom(g, sap.Port).String(), mcasttest.Out(mcasttest.Link{Delay: time.Millisecond}))
		if err != nil {
			t.Fatal(err)
		}
		s.cuts = append(s.cuts, &cut{Conn: c})
		return sap.Path{Conn: s.cuts[len(s.cuts)-1], Group: g}
	}
	var err error
	if cfg.Directory, err = sap.NewDirectory(sap.DirectoryConfig{Listen: listen}, open(sap.LocalGroup)); err != nil {
		t.Fatal(err)
	}
	cfg.Origin = addr(host)
	if cfg.Announcer, err = sap.NewAnnouncer(sap.AnnouncerConfig{Profile: sap.Fast, Sources: []netip.Addr{cfg.Origin}, Seed: 1}, open(sap.LocalGroup)); err != nil {
		t.Fatal(err)
	}
	if s.SAP, err = NewSAP(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var two = []group.Zone{Prefix("239.255.7.4/31")}

// One host takes an address, another one hears of it and takes the other, and there is no
// third. A release is heard of too.
func TestSAPListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		n := mcasttest.New(1)
		a := connect(t, n, "10.0.0.1", SAPConfig{Ranges: two, Seed: 1}, 10*time.Second)
		b := connect(t, n, "10.0.0.2", SAPConfig{Ranges: two, Seed: 1}, 10*time.Second)
		start := time.Now()
		first, err := a.Allocate(ctx, Request{Lifetime: time.Hour})
		if err != nil || time.Since(start) != 10*time.Second+DefaultHold {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		second, err := b.Allocate(ctx, Request{Lifetime: time.Hour})
		if err != nil || first.Addrs()[0] == second.Addrs()[0] {
			t.Fatalf("%v and %v, %v", first.Addrs(), second.Addrs(), err)
		}
		if _, err := b.Allocate(ctx, Request{}); !errors.Is(err, ErrNoFree) {
			t.Error(err)
		}
		if got := slices.Collect(b.InUse()); len(got) == 0 || !slices.Contains(got, first.Addrs()[0]) {
			t.Errorf("in use: %v", got)
		}
		// What is announced says until when.
		ends := func() (all []string) {
			for _, l := range a.cfg.Directory.Sessions() {
				all = append(all, fmt.Sprint(l.Description.Ends().Sub(start).Round(time.Minute)))
			}
			return all
		}
		time.Sleep(30 * time.Minute)
		if err := second.Renew(ctx, Renewal{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if got := ends(); !slices.Contains(got, "1h31m0s") && !slices.Contains(got, "1h30m0s") {
			t.Errorf("sessions end after %v", got)
		}
		if err := first.Release(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		third, err := b.Allocate(ctx, Request{})
		if err != nil || third.Addrs()[0] != first.Addrs()[0] {
			t.Fatalf("%v, %v", third, err)
		}
		// The second ends by itself, and its announcement with it.
		time.Sleep(2 * time.Hour)
		if second.Err() != ErrExpired {
			t.Error(second.Err())
		}
		if got := a.cfg.Directory.Sessions(); len(got) != 1 || got[0].Groups()[0] != third.Addrs()[0] {
			t.Errorf("%d sessions", len(got))
		}
		if err := b.Shutdown(ctx); err != nil || third.Err() != ErrReleased {
			t.Error(err, third.Err())
		}
		time.Sleep(5 * time.Second)
		if got := a.cfg.Directory.Sessions(); len(got) != 0 {
			t.Errorf("%d sessions", len(got))
		}
		if _, err := b.Allocate(ctx, Request{}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// Two that draw the same at the same moment: one of them moves before it grants.
func TestSAPAtOnce(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			n := mcasttest.New(seed)
			var hosts []*station
			for i := range 3 {
				hosts = append(hosts, connect(t, n, fmt.Sprintf("10.0.0.%d", i+1), SAPConfig{Ranges: []group.Zone{Prefix("239.255.7.0/29")}, Seed: seed + 1}, time.Second))
			}
			var leases [3]*Lease
			var wg sync.WaitGroup
			for i, h := range hosts {
				wg.Go(func() {
					l, err := h.Allocate(t.Context(), Request{})
					if err != nil {
						t.Errorf("seed %d, host %d: %v", seed, i, err)
					}
					leases[i] = l
				})
			}
			wg.Wait()
			seen := map[netip.Addr]int{}
			for i, l := range leases {
				if l == nil {
					continue
				}
				if other, there := seen[l.Addrs()[0]]; there {
					t.Errorf("seed %d: hosts %d and %d have %v", seed, other, i, l.Addrs())
				}
				seen[l.Addrs()[0]] = i
				if l.Err() != nil {
					t.Error(l.Err())
				}
			}
		})
	}
}

// Two networks that become one: of two leases of one address the younger is lost, whoever's
// it is and however old both are, and its owner told so; it gets another.
func TestSAPMeet(t *testing.T) {
	for _, hosts := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.1"}} {
		for _, age := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprint(hosts[0], " was first ", age), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testSAPMeet(t, hosts, age) })
			})
		}
	}
}

func testSAPMeet(t *testing.T, hosts [2]string, age time.Duration) {
	ctx := t.Context()
	n := mcasttest.New(1)
	a := connect(t, n, hosts[0], SAPConfig{Ranges: two, Seed: 1}, time.Second)
	b := connect(t, n, hosts[1], SAPConfig{Ranges: two, Seed: 1}, time.Second)
	b.isolate(true)
	first, err := a.Allocate(ctx, Request{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	second, err := b.Allocate(ctx, Request{})
	if err != nil || first.Addrs()[0] != second.Addrs()[0] {
		t.Fatalf("%v and %v, %v", first.Addrs(), second.Addrs(), err)
	}
	time.Sleep(age)
	b.isolate(false)
	select {
	case <-second.Lost():
	case <-time.After(time.Minute):
		t.Fatal("both keep it")
	}
	if !errors.Is(second.Err(), ErrClash) || first.Err() != nil {
		t.Errorf("%v, %v", second.Err(), first.Err())
	}
	again, err := b.Allocate(ctx, Request{})
	if err != nil || again.Addrs()[0] == first.Addrs()[0] {
		t.Fatalf("%v, %v", again, err)
	}
	time.Sleep(time.Hour)
	if first.Err() != nil || again.Err() != nil {
		t.Errorf("%v, %v", first.Err(), again.Err())
	}
}

// A firm lease is not lost to who claims to be older, but an address not granted yet is.
func TestSAPFirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		a := connect(t, n, "10.0.0.9", SAPConfig{Ranges: two, Seed: 1, Firm: true}, time.Second)
		l, err := a.Allocate(t.Context(), Request{})
		if err != nil {
			t.Fatal(err)
		}
		rival := connect(t, n, "10.0.0.1", SAPConfig{}, time.Second)
		announce := func(g netip.Addr) {
			t.Helper()
			p := &placeholder{"rival", addr("10.0.0.1"), 5004, 1}
			d, err := p.describe(sdp.NTP(time.Now().Add(-1000*time.Hour)), Grant{Addrs: []netip.Addr{g}, Version: 1})
			if err == nil {
				_, err = rival.cfg.Announcer.Announce(d)
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		announce(l.Addrs()[0])
		if l.Err() != nil {
			t.Error(l.Err())
		}
		done := make(chan error)
		go func() {
			_, err := a.Allocate(t.Context(), Request{})
			done <- err
		}()
		time.Sleep(time.Second)
		left := two[0].First
		if left == l.Addrs()[0] {
			left = two[0].Last
		}
		announce(left) // while it is held back
		if err := <-done; !errors.Is(err, ErrNoFree) {
			t.Error(err)
		}
	})
}

// Both sides agree on who was first.
func TestPrecedes(t *testing.T) {
	now := noon
	low, high := addr("10.0.0.1"), addr("10.0.0.2")
	at := func(d time.Duration, chance uint64) uint64 { return newID(now.Add(d), 0, chance) }
	line := func(id uint64, a netip.Addr) sdp.Origin {
		o, err := sdp.ParseOrigin(fmt.Sprintf("- %d 1 IN IP4 %v", id, a))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, tt := range []struct{ a, b uint64 }{{at(0, 1), at(0, 2)}, {at(-time.Hour, 9), at(0, 0)}, {at(0, 5), at(0, 5)}, {at(0, 65535), at(time.Second, 0)}} {
		x, ok := precedes(line(tt.a, low), tt.b, high, now)
		y, ok2 := precedes(line(tt.b, high), tt.a, low, now)
		if !ok || !ok2 || !x || y {
			t.Errorf("%d and %d: %v, %v", tt.a, tt.b, x, y)
		}
	}
	// Others write the seconds alone, or what is no time.
	if x, ok := precedes(line(sdp.NTP(now)-1, high), at(0, 0), low, now); !x || !ok {
		t.Error("a second before is later")
	}
	if x, ok := precedes(line(sdp.NTP(now)+1, low), at(0, 0), high, now); x || !ok {
		t.Error("a second after is before")
	}
	for _, id := range []string{"0", "1", "17198685921397729485", "99999999999999999999999", "5000000000"} {
		if _, ok := precedes(sdp.Origin{ID: id, Address: "10.0.0.1"}, at(0, 0), high, now); ok {
			t.Errorf("%s is a time", id)
		}
	}
	if a := newID(now, 0, 1); newID(now, a, 1) <= a || newID(now.Add(-time.Hour), a, 1) <= a {
		t.Error("IDs repeat")
	}
}

// Waiting ends with its context, and with the allocator.
func TestSAPCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		a := connect(t, n, "10.0.0.1", SAPConfig{Ranges: two, Seed: 1, Hold: time.Hour}, time.Minute)
		for _, after := range []time.Duration{30 * time.Second, 10 * time.Minute} { // listening, holding
			ctx, cancel := context.WithTimeout(t.Context(), after)
			if _, err := a.Allocate(ctx, Request{}); err == nil || ctx.Err() == nil {
				t.Errorf("%v: %v", after, err)
			}
			cancel()
		}
		if len(a.claims) != 0 || len(a.book.claims) != 0 {
			t.Error("something is kept")
		}
		done := make(chan error)
		go func() {
			_, err := a.Allocate(t.Context(), Request{})
			done <- err
		}()
		time.Sleep(time.Minute)
		a.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestSAPMistakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		a := connect(t, n, "10.0.0.1", SAPConfig{Seed: 1}, time.Second)
		if _, err := a.Allocate(t.Context(), Request{Scope: group.OrganizationLocal}); !errors.Is(err, sap.ErrNoPath) {
			t.Error(err)
		}
		if _, err := a.Allocate(t.Context(), Request{Scope: group.SiteLocal}); !errors.Is(err, ErrRequest) {
			t.Error(err)
		}
		if len(a.book.claims) != 0 {
			t.Error("something is kept")
		}
		good := a.cfg
		for _, cfg := range []SAPConfig{{}, {Directory: good.Directory, Announcer: good.Announcer}} {
			if _, err := NewSAP(cfg); !errors.Is(err, ErrConfig) {
				t.Errorf("%v", err)
			}
		}
		for _, change := range []func(*SAPConfig){
			func(c *SAPConfig) { c.TTL = 256 }, func(c *SAPConfig) { c.Name = "a\nb" }, func(c *SAPConfig) { c.Ranges = []group.Zone{{}} },
			func(c *SAPConfig) { c.Origin = addr("239.1.1.1") },
		} {
			cfg := good
			if change(&cfg); cfg.Validate() == nil {
				t.Errorf("%+v", cfg)
			}
		}
	})
}

// What is announced of a lease names all of its addresses, and nothing is wrong with it.
func TestPlaceholder(t *testing.T) {
	p := &placeholder{"reserved", addr("10.0.0.1"), 5004, 16}
	for _, tt := range []struct {
		addrs []netip.Addr
		media int
	}{
		{[]netip.Addr{addr("239.255.1.1")}, 1},
		{[]netip.Addr{addr("239.255.1.1"), addr("239.255.1.2"), addr("239.255.1.9")}, 2},
		{[]netip.Addr{addr("ff15::8000:1"), addr("ff15::8000:2")}, 1},
	} {
		d, err := p.describe(7, Grant{Addrs: tt.addrs, Start: noon, End: noon.Add(time.Hour), Version: 3})
		if err != nil || len(d.Warnings()) > 0 || d.NumMedia() != tt.media || !d.Ends().Equal(noon.Add(time.Hour)) {
			t.Fatalf("%v %v\n%v", err, d.Warnings(), d)
		}
		var got []netip.Addr
		for _, c := range d.Channels() {
			got = append(got, c.Group)
		}
		if !slices.Equal(got, tt.addrs) {
			t.Errorf("%v, want %v", got, tt.addrs)
		}
		if o, _ := d.Origin(); o.String() != "- 7 3 IN IP4 10.0.0.1" {
			t.Error(o)
		}
		if strict, err := sdp.Strict([]byte(d.String())); err != nil || strict == nil {
			t.Error(err)
		}
	}
}
