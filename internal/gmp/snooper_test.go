package gmp

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

func (f *family) newSnooper(t *testing.T, cfg SnooperConfig) *Snooper {
	t.Helper()
	cfg.Profile = f.p
	if cfg.Ports == nil {
		cfg.Ports = []int{1, 2, 3, 4}
	}
	s, err := NewSnooper(start, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantPorts(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// RFC 4541 section 2.1.1: where messages go, and which ports lead to routers.
func TestRFC4541_2_1_1_Messages(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		s := f.newSnooper(t, SnooperConfig{RouterPorts: []int{4}})
		report := on(1, f.report(f.peer, IsEx, f.g))
		s.Handle(start, report)
		wantPorts(t, "report", s.Relay(nil, report), 4)
		// 1b: queries tell of routers, those from nowhere do not.
		if f.p == &IGMP {
			s.Handle(start, on(3, f.query(f.p.Unspecified)))
			wantPorts(t, "query from 0.0.0.0", s.RouterPorts(nil), 4)
		}
		q := on(2, f.query(f.low))
		s.Handle(start, q)
		wantPorts(t, "router ports", s.RouterPorts(nil), 2, 4)
		wantPorts(t, "query", s.Relay(nil, q), 1, 3, 4)
		wantPorts(t, "report", s.Relay(nil, report), 2, 4)
		wantPorts(t, "leave", s.Relay(nil, on(2, f.leave(f.peer, f.g))), 4)
		wantPorts(t, "unrecognized", s.Relay(nil, &Message{Kind: 77, IfIndex: 1}), 2, 3, 4) // 3
		if evs := polled(s); kinds(evs) != "router port added, membership added" || evs[0].IfIndex != 2 || evs[1].IfIndex != 1 {
			t.Errorf("%s", kinds(evs))
		}
		// 1a: other signs.
		s.RouterSeen(at(sec(10)), 3, sec(105))
		wantPorts(t, "hello", s.RouterPorts(nil), 2, 3, 4)
		run(t, s, at(sec(115)))
		wantPorts(t, "hello has aged", s.RouterPorts(nil), 2, 4)
		s.RouterSeen(at(sec(115)), 3, sec(105))
		s.RouterSeen(at(sec(116)), 3, 0)
		run(t, s, at(sec(254.9)))
		wantPorts(t, "query has not aged", s.RouterPorts(nil), 2, 4)
		run(t, s, at(sec(255)))
		wantPorts(t, "query has aged", s.RouterPorts(nil), 4)
		// 2: reports from the unspecified address count.
		s.Handle(at(sec(255)), on(3, f.report(f.p.Unspecified, IsEx, f.g2)))
		if _, ok := s.State(3, f.g2); !ok {
			t.Error("2: a report from the unspecified address was ignored")
		}
		// 6: memberships age.
		run(t, s, at(sec(260)))
		if _, ok := s.State(1, f.g); ok {
			t.Error("6: a membership did not age")
		}
		s = f.newSnooper(t, SnooperConfig{FloodReports: true})
		wantPorts(t, "flooded report", s.Relay(nil, report), 2, 3, 4)
	})
}

// RFC 4541 section 2.1.2: where data goes.
func TestRFC4541_2_1_2_Data(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		one, two := f.s(1)[0], f.s(2)[0]
		s := f.newSnooper(t, SnooperConfig{Ports: []int{1, 2, 3, 4, 5}, RouterPorts: []int{5}})
		s.Handle(start, on(1, f.report(f.peer, IsIn, f.g, one)))
		s.Handle(start, on(2, f.report(f.peer, IsEx, f.g, one)))
		wantPorts(t, "1: included by 1", s.Forward(nil, 3, one, f.g), 1, 5)
		wantPorts(t, "1: excluded by 2", s.Forward(nil, 3, two, f.g), 2, 5)
		wantPorts(t, "1: from a member", s.Forward(nil, 2, two, f.g), 5)
		wantPorts(t, "3: unregistered", s.Forward(nil, 3, one, f.g2), 1, 2, 4, 5)
		wantPorts(t, "all systems", s.Forward(nil, 3, one, f.p.AllSystems), 1, 2, 4, 5)
		if f.p == &IGMP {
			wantPorts(t, "2: link-local", s.Forward(nil, 3, one, addr("224.0.0.251")), 1, 2, 4, 5)
		} else {
			wantPorts(t, "scope 1", s.Forward(nil, 3, one, addr("ff01::5")))
		}
		wantPorts(t, "not a group", s.Forward(nil, 3, one, two))
		// A port with two hosts gets what either wants (7).
		s.Handle(start, on(1, f.report(f.low, IsEx, f.g, f.s(1, 2)...)))
		wantPorts(t, "7", s.Forward(nil, 3, one, f.g), 1, 5)
		wantPorts(t, "7", s.Forward(nil, 3, f.s(3)[0], f.g), 1, 2, 5)

		s = f.newSnooper(t, SnooperConfig{Unknown: PruneUnknown, FloodPorts: []int{4}, RouterPorts: []int{2}})
		wantPorts(t, "3: pruned", s.Forward(nil, 3, one, f.g2), 2, 4)
		out := make([]int, 0, 8)
		if n := testing.AllocsPerRun(100, func() { out = s.Forward(out[:0], 3, one, f.g2) }); n != 0 {
			t.Errorf("%v allocations for a packet", n)
		}
	})
}

// RFC 4541 sections 2.1.2 (5) and 3: groups that a switch cannot tell apart by their
// Ethernet addresses.
func TestRFC4541_SharedAddresses(t *testing.T) {
	f := &families[0]
	s := f.newSnooper(t, SnooperConfig{Unknown: PruneUnknown})
	a, b := addr("239.1.2.3"), addr("232.129.2.3")
	mac := group.MAC(a)
	s.Handle(start, on(1, f.report(f.peer, IsEx, a)))
	s.Handle(start, on(2, f.report(f.peer, IsIn, b, f.s(1)...)))
	s.Handle(start, on(3, f.report(f.peer, IsEx, addr("239.1.2.4"))))
	if got := s.Sharing(nil, mac); !slices.Equal(got, []netip.Addr{b, a}) {
		t.Errorf("shared by %v", got)
	}
	wantPorts(t, "by address", s.ForwardMAC(nil, 4, mac), 1, 2)
	wantPorts(t, "by group", s.Forward(nil, 4, f.s(1)[0], a), 1)
	wantPorts(t, "like 224.0.0.251", s.ForwardMAC(nil, 4, group.MAC(addr("239.128.0.251"))), 1, 2, 3)
	wantPorts(t, "nobody's", s.ForwardMAC(nil, 4, [6]byte{1, 0, 0x5e, 9, 9, 9}))

	f = &families[1]
	s = f.newSnooper(t, SnooperConfig{Unknown: PruneUnknown})
	s.Handle(start, on(1, f.report(f.peer, IsEx, addr("ff15::1:2"))))
	s.Handle(start, on(2, f.report(f.peer, IsEx, addr("ff18::9:0:0:1:2"))))
	if got := s.Sharing(nil, group.MAC(addr("ff15::1:2"))); len(got) != 2 {
		t.Errorf("shared by %v", got)
	}
	wantPorts(t, "by address", s.ForwardMAC(nil, 4, group.MAC(addr("ff15::1:2"))), 1, 2)
	wantPorts(t, "all nodes", s.ForwardMAC(nil, 4, group.MAC(addr("ff02::1"))), 1, 2, 3)
}

// RFC 4541 section 2.1.1 (4).
func TestTopologyChange(t *testing.T) {
	f := &families[0]
	s := f.newSnooper(t, SnooperConfig{Unknown: PruneUnknown})
	s.Handle(start, on(1, f.report(f.peer, IsEx, f.g)))
	q := on(4, f.query(f.low))
	q.QRV, q.Interval = 3, 60*time.Second
	s.Handle(start, q)
	s.TopologyChange(at(sec(10)))
	got := drain(s, at(sec(10)))
	if len(got) != 3 {
		t.Fatalf("%d queries", len(got))
	}
	for i, m := range got {
		if m.IfIndex != i+1 || !m.Src.IsUnspecified() || m.Generation != V3 || m.QRV != 3 || m.Interval != 60*time.Second {
			t.Errorf("%+v", m)
		}
	}
	wantPorts(t, "for a while all get all", s.Forward(nil, 4, f.s(1)[0], f.g), 1, 2, 3)
	run(t, s, at(sec(30)))
	wantPorts(t, "then as before", s.Forward(nil, 4, f.s(1)[0], f.g), 1)
	// A switch that cannot ask floods until the querier should have asked.
	f = &families[1]
	s = f.newSnooper(t, SnooperConfig{Unknown: PruneUnknown})
	s.Handle(start, on(4, f.query(f.low)))
	s.TopologyChange(at(sec(10)))
	if got := drain(s, at(sec(10))); len(got) != 0 {
		t.Errorf("MLD from nowhere: %d queries", len(got))
	}
	run(t, s, at(sec(269)))
	wantPorts(t, "before GMI", s.Forward(nil, 4, f.s(1)[0], f.g), 1, 2, 3)
	run(t, s, at(sec(270)))
	wantPorts(t, "after GMI", s.Forward(nil, 1, f.s(1)[0], f.g))
}

func TestSnooperPorts(t *testing.T) {
	f := &families[0]
	s := f.newSnooper(t, SnooperConfig{FastLeave: []int{2}})
	for _, port := range []int{1, 2} {
		s.Handle(start, on(port, f.report(f.peer, IsEx, f.g)))
		s.Handle(start, on(port, f.oldReport(f.peer, f.g2, V2)))
	}
	polled(s)
	for _, port := range []int{1, 2} {
		s.Handle(start, on(port, f.report(f.peer, ToIn, f.g)))
		s.Handle(start, on(port, f.leave(f.peer, f.g2)))
	}
	if a, _ := s.Usage(1); a != 2 {
		t.Errorf("port 1 has %d groups", a)
	}
	if a, _ := s.Usage(2); a != 0 {
		t.Errorf("port 2, fast leave, has %d groups", a)
	}
	if evs := polled(s); kinds(evs) != "membership removed, membership removed" || evs[0].IfIndex != 2 {
		t.Errorf("%s", kinds(evs))
	}
	s.Flush(start, 1)
	if got := s.Groups(nil, 1); len(got) != 0 || kinds(polled(s)) != "membership removed, membership removed" {
		t.Errorf("flushed port has %v", got)
	}
	if s.AddPort(1) || !s.AddPort(7) {
		t.Error("AddPort")
	}
	s.RemovePort(3)
	wantPorts(t, "ports", s.Ports(nil), 1, 2, 4, 7)
	s.Handle(start, on(3, f.report(f.peer, IsEx, f.g)))
	if s.Stats().Ignored != 1 {
		t.Error("a message from no port")
	}
	for i, cfg := range []SnooperConfig{{}, {Profile: &IGMP, Unknown: 9}, {Profile: &MLD, Addr: addr("2001:db8::1")}, {Profile: &IGMP, Limits: TableLimits{MaxSources: -1}}} {
		if _, err := NewSnooper(start, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// A forged query with short timers ends no membership before its time.
func TestSnooperForgedTimers(t *testing.T) {
	f := &families[0]
	s := f.newSnooper(t, SnooperConfig{})
	q := on(3, f.query(f.low))
	q.QRV, q.Interval, q.MaxResp = 1, time.Second, 0
	s.Handle(start, q)
	s.Handle(start, on(1, f.report(f.peer, IsEx, f.g)))
	run(t, s, at(sec(259)))
	if _, ok := s.State(1, f.g); !ok {
		t.Error("gone")
	}
}
