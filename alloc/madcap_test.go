package alloc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// pools has a scope of each IP version.
var pools = []madcap.Scope{
	{Zone: madcap.Zone{Zone: group.LocalZone}, Pools: []group.Zone{Prefix("239.255.7.0/29")}},
	{Zone: madcap.Zone{Zone: Prefix("ff15::/16")}, Pools: []group.Zone{Prefix("ff15::8000:0/112")}},
}

func serve(t *testing.T, n *mcasttest.Network, store madcap.Store, scopes []madcap.Scope) *madcap.RunningServer {
	t.Helper()
	c, err := n.Open("239.255.255.254:2535", mcasttest.Addr(addr("10.9.9.9")))
	if err != nil {
		t.Fatal(err)
	}
	s, err := madcap.RunServer(c, madcap.ServerConfig{ID: c.LocalAddr().Addr(), Scopes: scopes, Extra: -1}, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ask(t *testing.T, n *mcasttest.Network) *MADCAP {
	t.Helper()
	c, err := n.Open("239.255.255.254:2535")
	if err != nil {
		t.Fatal(err)
	}
	r, err := madcap.RunClient(c, madcap.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a := NewMADCAP(r)
	t.Cleanup(func() { a.Close() })
	return a
}

// A lease from a server lives as one from anywhere, through a restart of the server.
func TestMADCAP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		n := mcasttest.New(1)
		store := new(madcap.MemoryStore)
		s := serve(t, n, store, pools)
		a := ask(t, n)
		l, err := a.Allocate(ctx, Request{Count: 3, Lifetime: time.Hour})
		if err != nil || len(l.Addrs()) != 3 || !Prefix("239.255.7.0/29").Contains(l.Addrs()[2]) || !slices.IsSortedFunc(l.Addrs(), netip.Addr.Compare) {
			t.Fatalf("%+v, %v", l, err)
		}
		if left := time.Until(l.Expires()); left < 59*time.Minute || left > time.Hour {
			t.Errorf("for %v", left)
		}
		if id, err := madcap.ParseID(l.ID()); err != nil || store.Leases()[0].ID != id {
			t.Errorf("%s, %v", l.ID(), err)
		}
		time.Sleep(30 * time.Minute)
		s.Close()
		s = serve(t, n, store, pools)
		if err := l.Renew(ctx, Renewal{}); err != nil || time.Until(l.Expires()) < 59*time.Minute {
			t.Errorf("%v, %v", l.Expires(), err)
		}
		if err := l.Release(ctx); err != nil || len(store.Leases()) != 0 || l.Err() != ErrReleased {
			t.Errorf("%v, %v", err, store.Leases())
		}

		six, err := a.Allocate(ctx, Request{Family: IPv6})
		if err != nil || !Prefix("ff15::8000:0/112").Contains(six.Addrs()[0]) {
			t.Fatalf("%+v, %v", six, err)
		}
		if _, err := a.Allocate(ctx, Request{Family: IPv6, Scope: group.Global}); !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), "ff15::") {
			t.Error(err)
		}
		end := six.Expires()
		six2, err := a.Allocate(ctx, Request{Zone: Prefix("ff15::/16"), Lifetime: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		if six2.Err() != ErrExpired || six.Err() != nil || !six.Expires().Equal(end) {
			t.Errorf("%v, %v", six2.Err(), six.Err())
		}
		// The server has forgotten the lease.
		s.Close()
		serve(t, n, new(madcap.MemoryStore), pools)
		if err := six.Renew(ctx, Renewal{}); err == nil {
			t.Error("renewed by a server that does not know it")
		}
		synctest.Wait()
		if six.Err() == nil || errors.Is(six.Err(), ErrExpired) {
			t.Errorf("%v", six.Err())
		}
		last, err := a.Allocate(ctx, Request{})
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		if !errors.Is(last.Err(), net.ErrClosed) {
			t.Error(last.Err())
		}
		if _, err := a.Allocate(ctx, Request{}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// What cannot be had says why.
func TestMADCAPRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		n := mcasttest.New(1)
		a := ask(t, n)
		if _, err := a.Allocate(ctx, Request{}); !errors.Is(err, madcap.ErrNoAnswer) || !strings.Contains(err.Error(), "239.255.0.0") {
			t.Error(err)
		}
		if _, err := a.Allocate(ctx, Request{Family: IPv6}); !errors.Is(err, madcap.ErrNoAnswer) {
			t.Error(err)
		}
		if _, err := a.Allocate(ctx, Request{Count: -1}); !errors.Is(err, ErrRequest) {
			t.Error(err)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := a.Allocate(short, Request{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		serve(t, n, new(madcap.MemoryStore), pools)
		l, err := a.Allocate(ctx, Request{Count: 20, MinCount: 4})
		if err != nil || len(l.Addrs()) != 8 {
			t.Fatalf("%+v, %v", l, err)
		}
		if _, err := a.Allocate(ctx, Request{}); err == nil {
			t.Error("a ninth address of eight")
		}
	})
}

// An address that must not be given out is not taken from a server either, and the server
// told so.
func TestMADCAPForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		c, err := n.Open("239.255.255.254:2535")
		if err != nil {
			t.Fatal(err)
		}
		released := make(chan bool, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			rogue(c, madcap.RangeOf(addr("239.255.255.250")), released)
		}()
		a := ask(t, n)
		_, err = a.Allocate(t.Context(), Request{Lifetime: time.Hour})
		if err == nil || !strings.Contains(err.Error(), "239.255.255.250") || !strings.Contains(err.Error(), "top 256") {
			t.Error(err)
		} else {
			<-released
		}
		c.Close()
		<-done
	})
}

// rogue leases a range to everybody who asks.
func rogue(c *mcasttest.Conn, r madcap.Range, released chan<- bool) {
	ps := []datagram.Packet{{Data: make([]byte, 1500)}}
	for {
		if _, err := c.ReadBatch(ps); err != nil {
			return
		}
		var q madcap.Message
		if madcap.ParseMessage(ps[0].Data, &q) != nil {
			continue
		}
		m := madcap.Message{Type: madcap.TypeAck, Family: madcap.IPv4, XID: q.XID, LeaseID: q.LeaseID, ServerID: c.LocalAddr().Addr(),
			LeaseTime: time.Hour, Scope: group.LocalZone.First, Ranges: madcap.NewRangeList(madcap.IPv4, r), CurrentTime: time.Now()}
		m.Has = madcap.OptionsOf(madcap.OptionLeaseID, madcap.OptionServerID, madcap.OptionLeaseTime, madcap.OptionScope, madcap.OptionRanges, madcap.OptionCurrentTime)
		switch q.Type {
		case madcap.TypeDiscover:
			m.Type = madcap.TypeOffer
		case madcap.TypeRelease:
			m.Has = madcap.OptionsOf(madcap.OptionLeaseID, madcap.OptionServerID)
			released <- true
		}
		if data, err := m.MarshalBinary(); err == nil {
			c.WriteBatch([]datagram.Packet{{Data: data, Dst: ps[0].Src}})
		}
	}
}
