package gmp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func (f *family) newProxy(t *testing.T, anyQuerier bool) *Proxy {
	t.Helper()
	p, err := NewProxy(start, ProxyConfig{
		Upstream: 1, Host: HostConfig{Profile: f.p, Addr: f.host, Rand: seeded(1)},
		Downstream: []Downstream{{3, RouterConfig{Profile: f.p, Addr: f.host}}, {2, RouterConfig{Profile: f.p, Addr: f.host}}},
		AnyQuerier: anyQuerier,
	})
	if err != nil {
		t.Fatal(err)
	}
	drain(p, start)
	polled(p)
	return p
}

func on(ifIndex int, m *Message) *Message { m.IfIndex = ifIndex; return m }

// RFC 4605 section 4.1, with its example: an old subscription on one interface and
// sources on another.
func TestRFC4605_4_1_MembershipDatabase(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		p := f.newProxy(t, false)
		p.Handle(start, on(3, f.report(f.peer, IsIn, f.g, f.s(1, 2)...)))
		if got := p.Database(f.g); !got.Equal(f.in(1, 2)) {
			t.Errorf("I2 alone: %v", got)
		}
		wantWords(t, drain(p, start), words(f.report(f.host, Allow, f.g, f.s(1, 2)...)))
		p.Handle(start, on(2, f.oldReport(f.peer, f.g, V2)))
		if got := p.Database(f.g); !got.Equal(f.ex()) {
			t.Errorf("merged: %v", got)
		}
		got := drain(p, start)
		wantWords(t, got, words(f.report(f.host, ToEx, f.g)))
		if got[0].IfIndex != 1 {
			t.Errorf("sent by interface %d", got[0].IfIndex)
		}
		// Sources with timers are taken off the list of an EXCLUDE subscription.
		p = f.newProxy(t, false)
		p.Handle(start, on(2, f.report(f.peer, IsEx, f.g, f.s(1, 2)...)))
		p.Handle(start, on(2, f.report(f.low, IsIn, f.g, f.s(2)...)))
		if got := p.Database(f.g); !got.Equal(f.ex(1)) {
			t.Errorf("preprocessed: %v", got)
		}
		// An old querier upstream.
		p.Handle(start, on(1, f.oldQuery(V2, netip.Addr{})))
		p.Handle(start, on(3, f.report(f.peer, IsIn, f.g2, f.s(1)...)))
		p.Handle(start, on(3, f.report(f.peer, IsIn, f.g2, f.s(2)...))) // changes nothing there
		wantWords(t, drain(p, start), fmt.Sprintf("report2 %s", f.g2))
		// Link-local groups end at the link.
		p = f.newProxy(t, false)
		local := map[bool]string{true: "224.0.0.99", false: "ff02::99"}[f.p == &IGMP]
		p.Handle(start, on(2, f.report(f.peer, IsEx, addr(local))))
		if got := p.Database(addr(local)); !got.IsEmpty() || len(p.Outgoing(nil, 1, f.s(1)[0], addr(local))) != 0 {
			t.Errorf("link-local group: %v", got)
		}
		p.Shutdown(start)
		p.Handle(start, on(2, f.report(f.peer, IsEx, f.g)))
		if p.Stats().Refused != 0 || p.Upstream() == nil || p.Router(2) == nil || p.Router(9) != nil {
			t.Error("after Shutdown")
		}
	})
}

// RFC 4605 section 4.2: where packets go.
func TestRFC4605_4_2_Forwarding(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		src, other := f.s(1)[0], f.s(9)[0]
		p := f.newProxy(t, false)
		p.Handle(start, on(2, f.report(f.peer, IsIn, f.g, src)))
		p.Handle(start, on(3, f.report(f.peer, IsEx, f.g, src)))
		out := func(in int, src netip.Addr, want ...int) {
			t.Helper()
			if got := p.Outgoing(nil, in, src, f.g); !slices.Equal(got, want) {
				t.Errorf("from interface %d: %v, want %v", in, got, want)
			}
		}
		out(1, src, 2)
		out(1, other, 3)
		out(2, src, 1)
		out(2, other, 1, 3)
		out(3, src, 1, 2)
		out(9, src)
		evs := polled(p)
		if kinds(evs) != "membership added, forwarding changed, membership added, forwarding changed" || evs[1].IfIndex != 2 || evs[3].IfIndex != 3 || !evs[3].Filter.Equal(f.ex(1)) {
			t.Errorf("%s", kinds(evs))
		}
		// Another querier: this proxy forwards no more, but still subscribes.
		p.Handle(start, on(2, f.query(f.low)))
		out(1, src)
		out(3, src, 1)
		if evs := polled(p); kinds(evs) != "querier lost, forwarding changed" || evs[1].IfIndex != 2 || evs[1].Group.IsValid() {
			t.Errorf("%s", kinds(evs))
		}
		if got := p.Database(f.g); !got.Equal(f.ex()) {
			t.Errorf("%v", got)
		}
		run(t, p, at(sec(300)))
		if evs := polled(p); !strings.Contains(kinds(evs), "querier elected, forwarding changed") {
			t.Errorf("%s", kinds(evs))
		}
		// Unless it is set so.
		p = f.newProxy(t, true)
		p.Handle(start, on(2, f.report(f.peer, IsIn, f.g, src)))
		p.Handle(start, on(2, f.query(f.low)))
		out(1, src, 2)
		if n := testing.AllocsPerRun(100, func() { outgoing = p.Outgoing(outgoing[:0], 1, src, f.g) }); n != 0 {
			t.Errorf("%v allocations for a packet", n)
		}
	})
}

var outgoing = make([]int, 0, 8)

// A subscription with more sources than there is room for upstream is one for all.
func TestProxyLimits(t *testing.T) {
	f := &families[0]
	p, err := NewProxy(start, ProxyConfig{
		Upstream: 1, Host: HostConfig{Profile: f.p, Addr: f.host, Rand: seeded(1), MaxGroups: 2, MaxSources: 64},
		Downstream: []Downstream{{2, RouterConfig{Profile: f.p, Addr: f.host}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Handle(start, on(2, f.report(f.peer, Allow, f.g, f.numbered(65)...)))
	if got := p.Database(f.g); !got.Equal(f.ex()) {
		t.Errorf("%v", got)
	}
	p.Handle(start, on(2, f.report(f.peer, Allow, f.ssm, f.numbered(64)...)))
	p.Handle(start, on(2, f.report(f.peer, Allow, f.ssm, f.s(99)...)))
	if got := p.Database(f.ssm); !got.Equal(group.Filter{}) || p.Stats().Refused != 1 {
		t.Errorf("%v", got)
	}
	for i, cfg := range []ProxyConfig{
		{Host: HostConfig{Profile: f.p}},
		{Host: HostConfig{Profile: f.p}, Downstream: []Downstream{{0, RouterConfig{Profile: f.p}}}},
		{Host: HostConfig{Profile: f.p}, Downstream: []Downstream{{1, RouterConfig{Profile: &MLD}}}},
		{Host: HostConfig{Profile: f.p}, Downstream: []Downstream{{1, RouterConfig{Profile: f.p}}}}, // no Rand
		{Host: HostConfig{Profile: f.p}, Downstream: []Downstream{{1, RouterConfig{Profile: f.p, MTU: 1}}}},
	} {
		if _, err := NewProxy(start, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
