package gmp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// The situations that the Linux kernel's forwarding selftests (bridge_igmp.sh and
// bridge_mld.sh) put a snooping bridge with a querier into, written anew from what
// they expect. Here a Router asks, and a Snooper sees all that passes between it,
// behind port 9, and a host behind port 1; the kernel has both in one. Each is
// checked in both tables.
type bridge struct {
	t      *testing.T
	f      *family
	router *Router
	switc  *Snooper
	g      netip.Addr
	now    time.Time
}

func newBridge(t *testing.T, f *family, timers Timers) *bridge {
	b := &bridge{t: t, f: f, g: f.g, now: start}
	b.router = f.newRouter(t, RouterConfig{Timers: timers})
	b.switc = f.newSnooper(t, SnooperConfig{Ports: []int{1, 2, 9}, Unknown: PruneUnknown, Timers: timers})
	b.pass(0)
	return b
}

// pass lets time pass; queries reach the switch.
func (b *bridge) pass(d time.Duration) {
	until := b.now.Add(d)
	for {
		for _, m := range drain(b.router, b.now) {
			b.switc.Handle(b.now, on(9, m))
		}
		next := earliest(b.router.Next(), b.switc.Next())
		if next.IsZero() || next.After(until) {
			break
		}
		b.now = next
		b.router.Advance(b.now)
		b.switc.Advance(b.now)
	}
	b.now = until
}

func (b *bridge) host(m *Message) {
	m.IfIndex = 1
	b.switc.Handle(b.now, m)
	if !slices.Contains(b.switc.Relay(nil, m), 9) {
		b.t.Error("a report does not reach the router")
	}
	b.router.Handle(b.now, m)
	b.pass(0)
}

func (b *bridge) report(typ RecordType, n ...int) {
	b.host(b.f.report(b.f.peer, typ, b.g, b.f.s(n...)...))
}

// check compares both tables, and where packets of each kind of source go.
func (b *bridge) check(mode group.FilterMode, x, y []int) {
	b.t.Helper()
	states := map[string]GroupState{}
	states["router"], _ = b.router.State(b.g)
	states["switch"], _ = b.switc.State(1, b.g)
	for who, s := range states {
		var gotX, gotY []netip.Addr
		for _, src := range s.Sources {
			if src.Until.IsZero() {
				gotY = append(gotY, src.Addr)
			} else {
				gotX = append(gotX, src.Addr)
			}
		}
		if s.Mode != mode || !slices.Equal(gotX, b.f.s(x...)) || !slices.Equal(gotY, b.f.s(y...)) {
			b.t.Errorf("%s: %v %v, %v; want %v %v, %v", who, s.Mode, gotX, gotY, mode, x, y)
		}
	}
	for _, a := range b.f.s(x...) {
		b.forwards(a, true)
	}
	for _, a := range b.f.s(y...) {
		b.forwards(a, false)
	}
	b.forwards(b.f.s(100)[0], mode == group.Exclude)
}

func (b *bridge) forwards(src netip.Addr, want bool) {
	b.t.Helper()
	if got := b.router.Forward(src, b.g); got != want {
		b.t.Errorf("router forwards from %v: %v", src, got)
	}
	if got := slices.Contains(b.switc.Forward(nil, 9, src, b.g), 1); got != want {
		b.t.Errorf("switch forwards from %v: %v", src, got)
	}
}

func (b *bridge) include() {
	b.report(IsIn, 1, 2, 3)
	b.check(group.Include, []int{1, 2, 3}, nil)
}

func (b *bridge) exclude() {
	b.include()
	b.report(IsEx, 1, 2, 20, 21)
	b.check(group.Exclude, []int{1, 2}, []int{20, 21})
}

func TestBridgeScenarios(t *testing.T) {
	slow := Timers{LastMember: 5 * time.Second}
	for _, tt := range []struct {
		name   string
		timers Timers
		run    func(b *bridge)
	}{
		{"v2_report_leave", Timers{}, func(b *bridge) {
			b.host(b.f.oldReport(b.f.peer, b.g, V2))
			b.check(group.Exclude, nil, nil)
			b.host(b.f.leave(b.f.peer, b.g))
			b.pass(5 * time.Second)
			b.forwards(b.f.s(1)[0], false)
			if _, ok := b.switc.State(1, b.g); ok {
				b.t.Error("the entry is still there")
			}
		}},
		{"include", Timers{}, (*bridge).include},
		{"include_allow", Timers{}, func(b *bridge) {
			b.include()
			b.report(Allow, 10, 11, 12)
			b.check(group.Include, []int{1, 2, 3, 10, 11, 12}, nil)
		}},
		{"include_is_include", Timers{}, func(b *bridge) {
			b.include()
			b.report(IsIn, 10, 11, 12)
			b.check(group.Include, []int{1, 2, 3, 10, 11, 12}, nil)
		}},
		{"include_is_exclude", Timers{}, (*bridge).exclude},
		{"include_to_exclude", slow, func(b *bridge) {
			b.include()
			b.report(ToEx, 1, 20, 30)
			b.check(group.Exclude, []int{1}, []int{20, 30})
		}},
		{"exclude_allow", Timers{}, func(b *bridge) {
			b.exclude()
			b.report(Allow, 20, 30)
			b.check(group.Exclude, []int{1, 2, 20, 30}, []int{21})
		}},
		{"exclude_is_include", Timers{}, func(b *bridge) {
			b.exclude()
			b.report(IsIn, 20, 30)
			b.check(group.Exclude, []int{1, 2, 20, 30}, []int{21})
		}},
		{"exclude_is_exclude", Timers{}, func(b *bridge) {
			b.exclude()
			b.report(IsEx, 20, 30)
			b.check(group.Exclude, []int{30}, []int{20})
		}},
		{"exclude_to_exclude", slow, func(b *bridge) {
			b.exclude()
			b.report(ToEx, 1, 20, 30)
			b.check(group.Exclude, []int{1, 30}, []int{20})
		}},
		{"include_block", Timers{}, func(b *bridge) {
			b.include()
			b.report(Block, 1, 20, 30)
			b.pass(3 * time.Second)
			b.check(group.Include, []int{2, 3}, nil)
		}},
		{"exclude_block", slow, func(b *bridge) {
			b.exclude()
			b.report(Block, 1, 20, 30)
			b.check(group.Exclude, []int{1, 2, 30}, []int{20, 21})
		}},
		{"exclude_timeout", Timers{QueryInterval: time.Second, QueryResponse: time.Second}, func(b *bridge) {
			b.exclude()
			b.pass(2 * time.Second)
			b.report(Allow, 20, 30)
			b.pass(1500 * time.Millisecond)
			b.check(group.Include, []int{20, 30}, nil)
		}},
		{"a_source_goes_to_who_excludes_others", Timers{}, func(b *bridge) {
			// One port includes a source, another wants all: both get it.
			b.include()
			b.switc.Handle(b.now, on(2, b.f.report(b.f.low, IsEx, b.g, b.f.s(3)...)))
			wantPorts(b.t, "1", b.switc.Forward(nil, 9, b.f.s(1)[0], b.g), 1, 2)
			wantPorts(b.t, "3", b.switc.Forward(nil, 9, b.f.s(3)[0], b.g), 1)
			wantPorts(b.t, "9", b.switc.Forward(nil, 9, b.f.s(9)[0], b.g), 2)
		}},
	} {
		for i := range families {
			f := families[i]
			if f.p == &MLD {
				f.g = addr("ff02::cc")
			}
			t.Run(tt.name+"/"+f.p.Name, func(t *testing.T) { tt.run(newBridge(t, &f, tt.timers)) })
		}
	}
}
