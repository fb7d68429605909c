package alloc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/glop"
	"github.com/gomulticast/multicast/mcast/group"
)

// open checks the error of a constructor.
func open(t *testing.T) func(*Local, error) *Local {
	return func(l *Local, err error) *Local {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

// Every allocator gives what it has, and for what it has not says what to do.
func TestAllocators(t *testing.T) {
	cfg := Config{Seed: 1}
	static := open(t)(NewStatic(cfg, Prefix("239.192.200.0/24"), Prefix("ff18::8000:0/112")))
	random := open(t)(NewRandom(cfg))
	ssm4 := open(t)(NewSSM(cfg, addr("10.0.0.1")))
	ssm6 := open(t)(NewSSM(cfg, addr("fd00::1")))
	glop4 := open(t)(NewGLOP(cfg, 5662))
	unicast4 := open(t)(NewPrefix(cfg, netip.MustParsePrefix("193.0.0.0/16")))
	unicast6 := open(t)(NewPrefix(cfg, netip.MustParsePrefix("fd12:3456::/48")))
	for _, tt := range []struct {
		name string
		from *Local
		ask  Request
		in   string // prefix of what is granted
		not  string // part of the error
	}{
		{"static", static, Request{}, "239.192.200.0/24", ""},
		{"static, IPv6", static, Request{Family: IPv6}, "ff18::8000:0/112", ""},
		{"static, by scope", static, Request{Scope: group.OrganizationLocal}, "239.192.200.0/24", ""},
		{"static, part of it", static, Request{Zone: Prefix("239.192.0.0/16")}, "239.192.200.0/24", ""},
		{"static, another scope", static, Request{Scope: group.RealmLocal}, "", "no IPv4 of scope realm-local among 239.192.200.0 to"},
		{"static, another zone", static, Request{Zone: group.LocalZone}, "", "no 239.255.0.0 to 239.255.255.255 among"},
		{"random", random, Request{}, "239.255.0.0/16", ""},
		{"random, organization", random, Request{Scope: group.OrganizationLocal}, "239.192.0.0/14", ""},
		{"random, zone", random, Request{Zone: Prefix("239.16.32.0/23")}, "239.16.32.0/24", ""}, // not its last 256
		{"random, IPv6", random, Request{Family: IPv6}, "ff13::/16", ""},
		{"random, IPv6 site", random, Request{Family: IPv6, Scope: group.SiteLocal}, "ff15::/16", ""},
		{"random, IPv4 site", random, Request{Scope: group.SiteLocal}, "", "ask for realm-local"},
		{"random, IPv4 global", random, Request{Scope: group.Global}, "", "NewSSM"},
		{"source-specific", ssm4, Request{}, "232.0.0.0/8", ""},
		{"source-specific, IPv6", ssm6, Request{}, "ff33::/96", ""},
		{"source-specific, IPv6 global", ssm6, Request{Scope: group.Global}, "ff3e::/96", ""},
		{"source-specific, wrong family", ssm4, Request{Family: IPv6}, "", "no IPv6 among 232."},
		{"source-specific, wrong zone", ssm6, Request{Zone: Prefix("239.1.0.0/16")}, "", "among ff33::8000:0"},
		{"source-specific, local", ssm4, Request{Scope: group.RealmLocal}, "", "no IPv4 of scope realm-local"},
		{"AS", glop4, Request{}, "233.22.30.0/24", ""},
		{"unicast prefix", unicast4, Request{}, "234.193.0.0/16", ""},
		{"unicast prefix, IPv6", unicast6, Request{}, "ff33:30:fd12:3456::/96", ""},
		{"unicast prefix, organization", unicast6, Request{Scope: group.OrganizationLocal}, "ff38:30:fd12:3456::/96", ""},
		{"unicast prefix, too wide", unicast6, Request{Scope: group.Global}, "", "organization-local or less"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 20 {
				l, err := tt.from.Allocate(t.Context(), tt.ask)
				if tt.in == "" {
					if !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), tt.not) {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				a := l.Addrs()[0]
				if !netip.MustParsePrefix(tt.in).Contains(a) || fault(a, group.CodeExpansion) != "" || l.Family() != familyOf(a) {
					t.Errorf("%v: %s", a, fault(a, group.CodeExpansion))
				}
				if ch := l.Channels()[0]; group.IsSSM(a) != ch.Source.IsValid() || ch.Validate() != nil {
					t.Errorf("%v", ch)
				}
			}
		})
	}
}

func TestConstructors(t *testing.T) {
	for _, tt := range []struct {
		make func() (*Local, error)
		want string
	}{
		{func() (*Local, error) { return NewStatic(Config{}) }, "239.192.200.0/24"},
		{func() (*Local, error) { return NewStatic(Config{}, group.Zone{}) }, "in order"},
		{func() (*Local, error) { return NewStatic(Config{}, Prefix("ff15::/16")) }, "give a part of it"},
		{func() (*Local, error) { return NewStatic(Config{}, Prefix("239.192.0.0/16"), Prefix("239.192.7.0/24")) }, "overlap"},
		{func() (*Local, error) { return NewStatic(Config{}, Prefix("239.255.255.0/24")) }, "top 256"},
		{func() (*Local, error) { return NewSSM(Config{}, addr("239.1.1.1")) }, "sends from"},
		{func() (*Local, error) { return NewSSM(Config{}, netip.Addr{}) }, "sends from"},
		{func() (*Local, error) { return NewGLOP(Config{}, 70000) }, "RFC 6034"},
		{func() (*Local, error) { return NewPrefix(Config{}) }, "no prefixes"},
		{func() (*Local, error) { return NewPrefix(Config{}, netip.MustParsePrefix("10.0.0.0/8")) }, "239.0.0.0/8"},
	} {
		if _, err := tt.make(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
	if _, err := NewGLOP(Config{}, 70000); !errors.Is(err, glop.ErrAS) {
		t.Error(err)
	}
}

// What another allocator has out, and its aliases, are left alone.
func TestInUse(t *testing.T) {
	a := open(t)(NewStatic(Config{Seed: 1}, Prefix("239.192.200.0/30")))
	b := open(t)(NewStatic(Config{Seed: 1, InUse: a.InUse}, Prefix("239.192.200.0/29")))
	if _, err := a.Allocate(t.Context(), Request{Count: 4}); err != nil {
		t.Fatal(err)
	}
	l, err := b.Allocate(t.Context(), Request{Count: 8, MinCount: 1})
	if err != nil || len(l.Addrs()) != 4 || l.Addrs()[0] != addr("239.192.200.4") {
		t.Errorf("%v, %v", l.Addrs(), err)
	}
	for range a.InUse { // ends when it is told
		break
	}
}

// The life of a lease: to its end, beyond it, and given back.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := open(t)(NewStatic(Config{Seed: 1}, Prefix("239.192.200.0/31")))
		lost := func(l *Lease) bool {
			synctest.Wait()
			select {
			case <-l.Lost():
				return true
			default:
				return false
			}
		}
		first, err := a.Allocate(ctx, Request{Lifetime: time.Hour})
		if err != nil || !first.Expires().Equal(time.Now().Add(time.Hour)) || !first.Start().Equal(time.Now()) || first.ID() == "" {
			t.Fatalf("%+v, %v", first, err)
		}
		second, err := a.Allocate(ctx, Request{})
		if err != nil || !second.Expires().IsZero() {
			t.Fatalf("%+v, %v", second, err)
		}
		var later *LaterError
		if _, err := a.Allocate(ctx, Request{}); !errors.As(err, &later) {
			t.Error(err)
		}
		time.Sleep(50 * time.Minute)
		if err := first.Renew(ctx, Renewal{}); err != nil || !first.Expires().Equal(time.Now().Add(time.Hour)) {
			t.Errorf("until %v, %v", first.Expires(), err)
		}
		time.Sleep(time.Hour - time.Second)
		if lost(first) {
			t.Error("lost before its end")
		}
		time.Sleep(time.Second)
		if !lost(first) || first.Err() != ErrExpired || first.Release(ctx) != ErrExpired || first.Renew(ctx, Renewal{}) != ErrExpired {
			t.Errorf("%v", first.Err())
		}
		third, err := a.Allocate(ctx, Request{Start: time.Now().Add(time.Hour), Lifetime: time.Hour})
		if err != nil || !third.Expires().Equal(time.Now().Add(2*time.Hour)) {
			t.Fatalf("%+v, %v", third, err)
		}
		if err := third.Renew(ctx, Renewal{Lifetime: 5 * time.Hour}); err != nil || !third.Expires().Equal(third.Start().Add(5*time.Hour)) {
			t.Errorf("%v, %v", third.Expires(), err)
		}
		if err := third.Renew(ctx, Renewal{Lifetime: time.Hour, MinLifetime: 2 * time.Hour}); !errors.Is(err, ErrRequest) {
			t.Error(err)
		}
		for range 2 {
			if err := second.Release(ctx); err != nil {
				t.Error(err)
			}
		}
		if !lost(second) || second.Err() != ErrReleased || second.Renew(ctx, Renewal{}) != ErrReleased {
			t.Errorf("%v", second.Err())
		}
		fourth, err := a.Allocate(ctx, Request{})
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		a.Close()
		if !lost(third) || !errors.Is(fourth.Err(), net.ErrClosed) || !errors.Is(third.Err(), net.ErrClosed) {
			t.Errorf("%v", third.Err())
		}
		if _, err := a.Allocate(ctx, Request{}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := a.Allocate(done, Request{}); err != context.Canceled {
			t.Error(err)
		}
	})
}

// Keep renews half way, for ever, until it is told not to.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t)(NewStatic(Config{Seed: 1}, Prefix("239.192.200.0/31")))
		l, err := a.Allocate(t.Context(), Request{Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour+time.Minute)
		defer cancel()
		n := 0
		if err := l.Keep(ctx, func(err error) {
			if n++; err != nil {
				t.Error(err)
			}
		}); err != context.DeadlineExceeded || n != 20 {
			t.Errorf("%d times, %v", n, err)
		}
		ended := make(chan error)
		go func() { ended <- l.Keep(context.Background(), nil) }()
		synctest.Wait()
		l.Release(t.Context())
		if err := <-ended; err != ErrReleased {
			t.Error(err)
		}
		forever, err := a.Allocate(t.Context(), Request{})
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- forever.Keep(context.Background(), nil) }()
		time.Sleep(1000 * time.Hour)
		a.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}
