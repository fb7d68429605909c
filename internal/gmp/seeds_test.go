package gmp

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/group"
)

// The simulated worlds of TestSeeds. GMP_SEEDS sets how many, GMP_SEED runs one alone.
const defaultSeeds = 30

func seeds(t *testing.T) (from, to uint64) {
	read := func(name string) (uint64, bool) {
		v := os.Getenv(name)
		if v == "" {
			return 0, false
		}
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n, true
	}
	if n, ok := read("GMP_SEED"); ok {
		return n, n + 1
	}
	if n, ok := read("GMP_SEEDS"); ok {
		return 1, n + 1
	}
	return 1, defaultSeeds + 1
}

const (
	simHosts  = 200
	simGroups = 50
	simQuiet  = 400 * time.Second // when the last change has been made
)

// A scenario is what a seed makes of a world.
type scenario struct {
	seed      uint64
	family    *family
	loss      float64
	jitter    time.Duration
	routers   int
	dies      bool // the querier does, in the middle
	old       int  // of ten hosts speak an older generation
	proxy     bool
	switched  bool
	light     bool // hosts speak RFC 5790
	tracking  bool
	changes   int
	robust    int
	fastLeave bool
}

func newScenario(seed uint64) *scenario {
	rng := seeded(seed * 7919)
	s := &scenario{
		seed: seed, family: &families[seed%2], loss: float64(rng.IntN(21)) / 100,
		jitter:  time.Duration(rng.IntN(200)) * time.Millisecond,
		routers: 1 + rng.IntN(2), changes: 200 + rng.IntN(400), robust: 2 + rng.IntN(2),
	}
	s.proxy = rng.IntN(4) == 0
	s.switched = !s.proxy && rng.IntN(3) == 0
	s.dies = s.routers == 2 && !s.proxy && rng.IntN(2) == 0
	if rng.IntN(3) == 0 {
		s.old = 1 + rng.IntN(3)
	}
	if rng.IntN(5) == 0 {
		s.loss = 0
	}
	s.light = rng.IntN(8) == 0
	s.tracking = rng.IntN(3) == 0
	s.fastLeave = s.tracking && rng.IntN(2) == 0
	return s
}

// A sim is a scenario at work.
type sim struct {
	*world
	*scenario
	hosts   []*node
	routers []*node // on the links of the hosts
	proxy   *Proxy
	root    *node          // the router upstream of the proxy
	before  []group.Filter // by steady
	senders []netip.Addr   // that filters may list, and one that none does
	switc   *Snooper
}

func (s *sim) newRouter(l *link, i int, port int) {
	f := s.family
	a := addr([]string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}[i])
	if f.p.LinkLocal {
		a = addr(fmt.Sprintf("fe80::%d", i+1))
	}
	r, err := NewRouter(s.now, RouterConfig{
		Profile: f.p, Addr: a, Timers: Timers{Robustness: s.robust}, Tracking: s.tracking, FastLeave: s.fastLeave,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	n := s.add(r, a)
	s.connect(l, n, 0, port)
	s.routers = append(s.routers, n)
}

func build(t testing.TB, sc *scenario) *sim {
	f := sc.family
	bad := netem.Link{Delay: time.Millisecond, Jitter: sc.jitter, Loss: sc.loss, Duplicate: sc.loss / 4}
	s := &sim{world: newWorld(t, f, sc.seed, bad), scenario: sc, senders: append(f.numbered(8), f.s(99)...)}
	links := []*link{{}}
	switch {
	case sc.proxy:
		links = []*link{{}, {}}
		up := &link{}
		s.newRouter(up, 0, 0)
		s.root, s.routers = s.routers[0], nil
		a := f.low
		p, err := NewProxy(start, ProxyConfig{
			Upstream: 1, Host: HostConfig{Profile: f.p, Addr: f.host, Rand: s.rng, Timers: Timers{Robustness: sc.robust}},
			Downstream: []Downstream{
				{2, RouterConfig{Profile: f.p, Addr: a, Timers: Timers{Robustness: sc.robust}}},
				{3, RouterConfig{Profile: f.p, Addr: a, Timers: Timers{Robustness: sc.robust}}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.proxy = p
		n := s.add(p, a)
		s.connect(up, n, 1, 0)
		s.connect(links[0], n, 2, 0)
		s.connect(links[1], n, 3, 0)
	default:
		if sc.switched {
			var ports []int
			for i := range 22 {
				ports = append(ports, i)
			}
			cfg := SnooperConfig{Profile: f.p, Ports: ports, Timers: Timers{Robustness: sc.robust}}
			if sc.routers > 1 {
				// A router that is not the querier is silent: the switch has
				// to be told, else it hears no reports.
				cfg.RouterPorts = []int{20, 21}
			}
			sw, err := NewSnooper(start, cfg)
			if err != nil {
				t.Fatal(err)
			}
			s.switc = sw
			links[0].switc = s.add(sw, netip.Addr{})
		}
		for i := range sc.routers {
			s.newRouter(links[0], i, 20+i)
		}
	}
	for i := range simHosts {
		cfg := HostConfig{
			Profile: f.p, Addr: f.hostAddr(i), Rand: s.rng, Lightweight: sc.light, Timers: Timers{Robustness: sc.robust},
		}
		if s.rng.IntN(10) < sc.old {
			cfg.Generation = V2
			if f.p.Oldest == V1 && s.rng.IntN(3) == 0 {
				cfg.Generation = V1
			}
		}
		h, err := NewHost(start, cfg)
		if err != nil {
			t.Fatal(err)
		}
		n := s.add(h, cfg.Addr)
		s.connect(links[i%len(links)], n, 0, i%20)
		s.hosts = append(s.hosts, n)
	}
	s.plan()
	return s
}

// plan books the changes: three groups for each host in the first seconds, then some
// at any time.
func (s *sim) plan() {
	change := func(after time.Duration, n *node) {
		g := s.family.groupAddr(s.rng.IntN(simGroups))
		filter, socket := s.randomFilter(g), uint64(s.rng.IntN(2))
		if n.host.cfg.Generation < V3 && group.IsSSM(g) {
			return // which no router serves (RFC 4604 section 3.5)
		}
		s.call(after, func() {
			if err := n.host.SetFilter(s.now, socket, g, filter); err != nil {
				s.t.Fatal(err)
			}
			s.settle(n)
		})
	}
	for _, n := range s.hosts {
		for range 3 {
			change(time.Duration(s.rng.Int64N(int64(20*time.Second))), n)
		}
	}
	for range s.changes {
		change(time.Duration(s.rng.Int64N(int64(simQuiet))), s.hosts[s.rng.IntN(simHosts)])
	}
	if s.dies {
		s.call(simQuiet/2, func() { s.routers[0].down = true })
	}
	s.call(simQuiet, func() { s.calm = true })
	if s.loss == 0 && !s.dies && s.proxy == nil {
		s.call(7*time.Second, s.steady)
	}
}

// steady checks, again and again, that nobody who goes on wanting something loses it
// even for a moment, when no message is lost.
func (s *sim) steady() {
	kept := make([]group.Filter, simGroups)
	for i := range kept {
		kept[i] = wanted(s.hosts, s.family.groupAddr(i))
	}
	for i, before := range s.before {
		g := s.family.groupAddr(i)
		for _, src := range s.senders {
			if !before.Accepts(src) || !kept[i].Accepts(src) {
				continue
			}
			for j, r := range s.routers {
				if !r.router.Forward(src, g) {
					s.t.Errorf("at %v: router %d does not forward %v, %v; it has %v, hosts want %v", s.now.Sub(start), j, src, g, r.router.Filter(g), kept[i])
				}
			}
		}
	}
	s.before = kept
	if after := s.now.Sub(start) + 7*time.Second; after < s.end() {
		s.call(after, s.steady)
	}
}

// end is when all must be right: the next general query comes within a query interval,
// answers take a response interval, and what nobody repeats is gone a group
// membership interval later. If the querier died, the other has to find out first.
func (s *sim) end() time.Duration {
	d := Timers{Robustness: s.robust}
	_ = d.normalize(s.family.p, V3)
	end := simQuiet + d.QueryInterval + d.QueryResponse + d.membership() + 10*time.Second
	if s.dies {
		end += d.otherQuerier()
	}
	if s.scenario.proxy {
		end += d.QueryInterval + d.QueryResponse + d.membership() // the same upstream
	}
	return end
}

func (s *sim) check() {
	for i := range simGroups {
		g := s.family.groupAddr(i)
		if s.proxy != nil {
			var merged merger
			for index := range 2 {
				var hosts []*node
				for i, n := range s.hosts {
					if i%2 == index {
						hosts = append(hosts, n)
					}
				}
				s.compare(fmt.Sprintf("downstream %d", index), g, wanted(hosts, g), s.proxy.Router(2+index).Filter(g))
				merged.add(s.proxy.Router(2 + index).Filter(g))
			}
			want := merged.result()
			if got := s.root.router.Filter(g); !got.Equal(want) {
				s.t.Errorf("%v: upstream %v, the proxy's links want %v", g, got, want)
			}
			continue
		}
		for i, r := range s.routers {
			if !r.down {
				s.compare(fmt.Sprintf("router %d", i), g, wanted(s.hosts, g), r.router.Filter(g))
			}
		}
		if s.switc != nil {
			for port := range 20 {
				var hosts []*node
				for i, n := range s.hosts {
					if i%20 == port {
						hosts = append(hosts, n)
					}
				}
				var got group.Filter
				if p := s.switc.port(port); p.table.groups[g] != nil {
					got = p.table.groups[g].filter()
				}
				s.compare(fmt.Sprintf("port %d", port), g, wanted(hosts, g), got)
			}
		}
	}
	if s.hasty > 0 {
		s.t.Errorf("%d times an engine asked to be called again at once", s.hasty)
	}
	queriers := 0
	for _, r := range s.routers {
		if !r.down && r.router.IsQuerier() {
			queriers++
		}
	}
	if s.proxy == nil && queriers != 1 {
		s.t.Errorf("%d queriers", queriers)
	}
	for _, n := range append(s.routers, s.root) {
		if n != nil {
			s.balance(&n.router.table)
		}
	}
}

// compare wants equal filters; with older hosts, which cannot say from whom, a
// superset.
func (s *sim) compare(who string, g netip.Addr, want, got group.Filter) {
	if s.old == 0 {
		if !got.Equal(want) {
			s.t.Errorf("%s, %v: %v, hosts want %v", who, g, got, want)
		}
		return
	}
	for _, src := range s.senders {
		if want.Accepts(src) && !got.Accepts(src) {
			s.t.Errorf("%s, %v: %v lacks %v; hosts want %v", who, g, got, src, want)
		}
	}
}

// balance compares a table's accounts with what is in it.
func (s *sim) balance(t *table) { checkBalance(s.t, t) }

func checkBalance(t testing.TB, tab *table) {
	t.Helper()
	sources, tracked := 0, 0
	groupsBy, sourcesBy := map[*holder]int{}, map[*holder]int{}
	for _, e := range tab.groups {
		groupsBy[e.by]++
		sources += len(e.sources)
		for i := range e.sources {
			sourcesBy[e.sources[i].by]++
		}
		for _, r := range e.hosts {
			tracked += 1 + len(r.sources)
		}
	}
	if sources != tab.sources || tracked != tab.tracked {
		t.Errorf("%d sources and %d tracked, accounts say %d and %d", sources, tracked, tab.sources, tab.tracked)
	}
	for a, h := range tab.holders {
		if h.groups != groupsBy[h] || h.sources != sourcesBy[h] || h.groups+h.sources == 0 {
			t.Errorf("%v holds %d groups and %d sources, its account says %d and %d", a, groupsBy[h], sourcesBy[h], h.groups, h.sources)
		}
		delete(groupsBy, h)
		delete(sourcesBy, h)
	}
	if len(groupsBy)+len(sourcesBy) > 0 {
		t.Errorf("%d accounts are lost", len(groupsBy)+len(sourcesBy))
	}
}

func simulate(t testing.TB, seed uint64) string {
	sc := newScenario(seed)
	s := build(t, sc)
	s.run(s.end())
	s.check()
	if t.Failed() {
		t.Logf("%+v", *sc)
		t.Logf("to run it alone: GMP_SEED=%d go test -count=1 -run TestSeeds -v ./internal/gmp", seed)
	}
	return s.traceWords()
}

// After all changes have been made, and a while without loss, routers and switches
// know exactly what hosts want.
func TestSeeds(t *testing.T) {
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, seed)
		})
	}
}

// A run can be repeated: the same seed gives the same messages at the same times.
func TestSameSeedSameTrace(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			if a, b := simulate(t, seed), simulate(t, seed); a != b {
				t.Errorf("%s, then %s", a, b)
			}
		})
	}
}
