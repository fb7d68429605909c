package madcap

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// The simulated worlds of TestSeeds. MADCAP_SEEDS sets how many, MADCAP_SEED runs one
// alone.
const defaultSeeds = 200

func seeds(t *testing.T) (from, to uint64) {
	from, to = 1, defaultSeeds+1
	for name, set := range map[string]func(n uint64){
		"MADCAP_SEEDS": func(n uint64) { to = n + 1 },
		"MADCAP_SEED":  func(n uint64) { from, to = n, n+1 },
	} {
		if v := os.Getenv(name); v != "" {
			n, err := strconv.ParseUint(v, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			set(n)
		}
	}
	return from, to
}

// Whatever the network, the clocks and the crashes do: no address is in two live leases,
// and every lease that a client was told of is in the store for as long as that.
func TestSeeds(t *testing.T) {
	from, to := seeds(t)
	if underRace && to > from+40 && os.Getenv("MADCAP_SEEDS") == "" {
		to = from + 40
	}
	var sum simSum
	for seed := from; seed < to; seed++ {
		w := newSim(t, seed)
		w.run()
		if !w.plan.Shared && w.Conflicts > 0 {
			t.Errorf("%d conflicts of a server with itself", w.Conflicts)
		}
		if t.Failed() {
			t.Fatalf("%+v\nto run it alone: MADCAP_SEED=%d go test -count=1 -run TestSeeds ./madcap", w.plan, seed)
		}
		sum.add(&w.simSum)
	}
	t.Logf("%d worlds: %+v", to-from, sum)
	if to-from >= 40 && (sum.Allocated == 0 || sum.Renewed == 0 || sum.Released == 0 || sum.Crashes == 0 || sum.Conflicts == 0 ||
		sum.Lost == 0 || sum.Skewed == 0 || sum.Adopted == 0 || sum.Expired == 0 || sum.Repeated == 0) {
		t.Error("something never happened: the worlds do not test what they should")
	}
}

// The same seed is the same world.
func TestSeedsRepeat(t *testing.T) {
	trace := func() string {
		w := newSim(t, 7)
		w.run()
		return w.sim.Trace() + fmt.Sprintf("%+v", w.simSum)
	}
	if a, b := trace(), trace(); a != b {
		t.Errorf("%s\nand then\n%s", a, b)
	}
}

type simSum struct {
	Allocated, Failed, Renewed, Released, Lost, Crashes, Conflicts, Skewed, Adopted, Expired, Repeated, Refused int
}

func (s *simSum) add(o *simSum) {
	s.Allocated += o.Allocated
	s.Failed += o.Failed
	s.Renewed += o.Renewed
	s.Released += o.Released
	s.Lost += o.Lost
	s.Crashes += o.Crashes
	s.Conflicts += o.Conflicts
	s.Skewed += o.Skewed
	s.Adopted += o.Adopted
	s.Expired += o.Expired
	s.Repeated += o.Repeated
	s.Refused += o.Refused
}

// A simPlan is what a seed decides.
type simPlan struct {
	Servers, Clients int
	Shared           bool // store
	Link             netem.Link
	Commit           time.Duration // at most
	CrashEvery       time.Duration // mean; 0 is never
	Cut              bool          // a server is cut off for a time
	Extra            time.Duration
	PoolSize         int
}

type sim struct {
	t       *testing.T
	plan    simPlan
	rng     *rand.Rand
	sim     *netem.Sim
	servers []*simServer
	clients []*simClient
	claims  map[netip.Addr]*claim
	all     []*claim
	simSum
}

// A claim is a lease as its client believes in it, in true time.
type claim struct {
	client     *simClient
	lease      ClientLease
	start, end time.Time
	over       bool
}

func newSim(t *testing.T, seed uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &sim{t: t, rng: rng, sim: netem.NewSim(seed), claims: map[netip.Addr]*claim{}}
	w.sim.Group = netip.AddrPortFrom(DefaultGroup, Port)
	p := &w.plan
	p.Servers, p.Clients = 1+rng.IntN(2), 2+rng.IntN(5)
	p.Shared = p.Servers > 1 && rng.IntN(3) > 0
	p.Link = netem.Link{Delay: time.Duration(rng.IntN(50)) * time.Millisecond, Jitter: time.Duration(rng.IntN(30)) * time.Millisecond}
	if rng.IntN(4) > 0 {
		p.Link.Loss, p.Link.Duplicate = rng.Float64()*0.3, rng.Float64()*0.3
	}
	if rng.IntN(3) == 0 { // older than retransmissions
		p.Link.Reorder, p.Link.ReorderBy = 0.1, 20*time.Second
	}
	p.Commit = time.Duration(rng.IntN(3000)) * time.Millisecond
	if rng.IntN(4) > 0 {
		p.CrashEvery = time.Duration(20+rng.IntN(300)) * time.Second
	}
	p.Cut = rng.IntN(3) == 0
	p.Extra = DefaultSkew + time.Minute
	p.PoolSize = []int{8, 40, 200}[rng.IntN(3)]
	var shared *MemoryStore
	if p.Shared {
		shared = new(MemoryStore)
	}
	for i := range p.Servers {
		w.addServer(i, shared)
	}
	for i := range p.Clients {
		w.addClient(i)
	}
	return w
}

func (w *sim) now() time.Time { return w.sim.Now() }

func (w *sim) in(d time.Duration, f func()) { w.sim.At(w.now().Sub(netem.Start)+d, f) }

// upTo returns a random time.
func (w *sim) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

// A simServer crashes and comes back with what its store has.
type simServer struct {
	*Server
	w      *sim
	node   *netem.Node
	cfg    ServerConfig
	store  *MemoryStore
	life   int // counts crashes
	dead   bool
	flight []Change // not durable yet
}

func (w *sim) addServer(i int, shared *MemoryStore) {
	s := &simServer{w: w, store: shared}
	first := netip.MustParseAddr("239.255.7.0")
	if shared == nil { // each its own part
		s.store = new(MemoryStore)
		first = netip.AddrFrom4([4]byte{239, 255, byte(7 + i), 0})
	}
	last, _ := addOffset(first, uint64(w.plan.PoolSize-1))
	s.cfg = ServerConfig{
		ID: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Extra: w.plan.Extra, Shared: shared != nil,
		Scopes: []Scope{{Zone: Zone{Zone: group.LocalZone}, Pools: []group.Zone{{First: first, Last: last}}}},
		Rand:   w.sim.Rand(fmt.Sprint("server", i)),
	}
	s.start()
	s.node = w.sim.Add(fmt.Sprint("server", i), s, w.plan.Link, netem.Link{})
	s.node.Drain = s.drain
	w.servers = append(w.servers, s)
	w.crashLater(s)
}

func (w *sim) crashLater(s *simServer) {
	if w.plan.CrashEvery > 0 {
		w.in(w.upTo(2*w.plan.CrashEvery), func() { s.crash(); w.crashLater(s) })
	}
}

func (s *simServer) start() {
	var err error
	if s.Server, err = NewServer(s.w.now(), s.cfg); err != nil {
		s.w.t.Fatal(err)
	}
	life := s.life
	_ = s.store.Watch(func(changes []Change) {
		s.w.in(s.w.upTo(2*s.w.plan.Commit), func() {
			if s.life == life && s.cfg.Shared {
				s.node.Run(func(now time.Time) { s.Learn(now, changes) })
			}
		})
	})
	_ = s.store.Load(func(l Lease) bool { s.Restore(l); return true })
}

// crash ends the server between any two steps. What was on its way to the disk may
// have got there, or not.
func (s *simServer) crash() {
	if s.dead {
		return
	}
	s.life++
	s.dead = true
	s.w.Crashes++
	if s.flight != nil && s.w.rng.IntN(2) == 0 {
		_ = s.store.Commit(s.flight)
	}
	s.flight = nil
	s.w.verify()
	down := s.w.upTo(30 * time.Second)
	s.node.SetDown(true)
	s.w.in(down, func() {
		s.dead = false
		s.start()
		s.node.SetDown(false)
		s.node.Restart(s)
	})
}

func (s *simServer) drain(now time.Time) {
	if s.dead {
		return
	}
	st := s.Server.Stats()
	for e, ok := s.Server.Event(); ok; e, ok = s.Server.Event() {
		switch e.Kind {
		case LeaseExpired:
			s.w.Expired++
		case ServerConflict:
			s.w.Conflicts++
		case RequestRefused:
			s.w.Refused++
		}
	}
	s.w.Repeated = max(s.w.Repeated, int(st.Repeated))
	batch := s.Changes()
	if batch == nil {
		return
	}
	life := s.life
	s.flight = batch
	s.w.in(s.w.upTo(s.w.plan.Commit), func() {
		if s.life != life {
			return
		}
		s.flight = nil
		if err := s.store.Commit(batch); err != nil {
			s.w.t.Error(err)
		}
		s.w.in(s.w.upTo(s.w.plan.Commit), func() {
			if s.life == life {
				s.node.Run(func(now time.Time) { s.Committed(now, batch) })
			}
		})
	})
}

// A skewed engine has a clock that is off.
type skewed struct {
	engine.Engine
	off time.Duration
}

func (s *skewed) Handle(now time.Time, p *datagram.Packet) { s.Engine.Handle(now.Add(s.off), p) }
func (s *skewed) Advance(now time.Time)                    { s.Engine.Advance(now.Add(s.off)) }
func (s *skewed) Transmit(now time.Time, p *datagram.Packet) bool {
	return s.Engine.Transmit(now.Add(s.off), p)
}
func (s *skewed) Next() time.Time {
	if n := s.Engine.Next(); !n.IsZero() {
		return n.Add(-s.off)
	}
	return time.Time{}
}

type simClient struct {
	*Client
	w     *sim
	node  *netem.Node
	cfg   ClientConfig
	off   time.Duration
	off2  bool               // too far off to be granted anything
	saved map[ID]ClientLease // on its disk
	held  map[ID]*claim
}

func (w *sim) addClient(i int) {
	c := &simClient{w: w, saved: map[ID]ClientLease{}, held: map[ID]*claim{}}
	c.off = time.Duration(w.rng.Int64N(int64(50*time.Minute))) - 25*time.Minute
	if w.rng.IntN(12) == 0 {
		c.off, c.off2 = 40*time.Minute, true
	}
	c.cfg = ClientConfig{Rand: w.sim.Rand(fmt.Sprint("client", i)), WaitAll: w.rng.IntN(4) == 0}
	if w.rng.IntN(4) == 0 {
		c.cfg.Server = netip.AddrPortFrom(w.servers[w.rng.IntN(len(w.servers))].cfg.ID, Port)
	}
	c.start()
	c.node = w.sim.Add(fmt.Sprint("client", i), c.engine(), w.plan.Link, netem.Link{})
	c.node.SetSkew((w.rng.Float64() - 0.5) * 2e-4)
	c.node.Drain = c.drain
	w.clients = append(w.clients, c)
	c.live()
}

func (c *simClient) engine() engine.Engine { return &skewed{c.Client, c.off} }

func (c *simClient) start() {
	var err error
	if c.Client, err = NewClient(c.w.now().Add(c.off), c.cfg); err != nil {
		c.w.t.Fatal(err)
	}
}

// live does something now and then.
func (c *simClient) live() {
	w := c.w
	w.in(w.upTo(4*time.Minute), func() {
		c.node.Run(func(now time.Time) {
			now = now.Add(c.off)
			switch n := w.rng.IntN(20); {
			case n < 11:
				c.ask(now)
			case n < 14:
				if id, ok := c.any(); ok {
					c.give(now, id)
				}
			case n < 16:
				if id, ok := c.any(); ok {
					_, _ = c.Renew(now, id, Renewal{Lifetime: time.Duration(1+w.rng.IntN(10)) * time.Minute})
				}
			case n < 18:
				_, _ = c.GetInfo(now, InfoRequest{})
			default:
				c.restart(now)
			}
		})
		c.live()
	})
}

// restart is what a program does that kept its leases in a file.
func (c *simClient) restart(now time.Time) {
	c.start()
	var ids []ID
	for id := range c.saved {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := c.Adopt(now, c.saved[id]); err == nil {
			c.w.Adopted++
		} else {
			c.over(id)
		}
	}
	c.node.Restart(c.engine())
}

func (c *simClient) any() (ID, bool) {
	var ids []ID
	for id := range c.held {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "", false
	}
	slices.Sort(ids)
	return ids[c.w.rng.IntN(len(ids))], true
}

func (c *simClient) ask(now time.Time) {
	w := c.w
	r := Request{Lifetime: time.Duration(60+w.rng.IntN(600)) * time.Second, Renew: w.rng.IntN(2) == 0, Count: 1 + w.rng.IntN(3)*w.rng.IntN(2)}
	r.MinCount = 1
	if w.rng.IntN(5) == 0 {
		r.Start = now.Add(time.Duration(w.rng.IntN(600)) * time.Second)
	}
	r.Mobile = w.plan.Shared && w.rng.IntN(2) == 0
	if _, err := c.Allocate(now, r); err != nil {
		w.t.Error(err)
	}
}

// give stops the use of a lease, and then releases it.
func (c *simClient) give(now time.Time, id ID) {
	c.over(id)
	if _, err := c.Release(now, id); err != nil {
		c.w.t.Errorf("release of %v: %v", id, err)
	}
}

func (c *simClient) over(id ID) {
	if cl := c.held[id]; cl != nil {
		cl.over = true
		delete(c.held, id)
	}
	delete(c.saved, id)
}

func (c *simClient) drain(now time.Time) {
	now = now.Add(c.off)
	for e, ok := c.Event(); ok; e, ok = c.Event() {
		switch e.Kind {
		case ClientAllocated:
			c.w.Allocated++
			if c.off2 {
				c.w.t.Errorf("a client whose clock is off by %v got a lease", c.off)
			}
			c.claim(now, e.Lease)
		case ClientRenewed:
			c.w.Renewed++
			c.claim(now, e.Lease)
		case ClientLost:
			c.w.Lost++
			c.over(e.ID)
		case ClientReleased:
			c.w.Released++
		case ClientFailed:
			c.w.Failed++
			if f, ok := e.Err.(Failure); ok && f.Code == ExcessiveClockSkew {
				c.w.Skewed++
			}
		}
	}
}

// claim believes in a lease, and holds the world to it.
func (c *simClient) claim(now time.Time, l ClientLease) {
	c.over(l.ID)
	// By the client's clock, which also drifts.
	cl := &claim{client: c, lease: l, start: c.w.now().Add(l.Start.Sub(now)), end: c.w.now().Add(l.End.Sub(now))}
	if cl.start.Before(c.w.now()) {
		cl.start = c.w.now()
	}
	c.held[l.ID], c.saved[l.ID] = cl, l
	for _, r := range l.Ranges {
		for a := range r.All() {
			old := c.w.claims[a]
			if old != nil && !old.over && old.start.Before(cl.end) && cl.start.Before(old.end) && old.lease.ID != l.ID {
				c.w.t.Errorf("%v: %v is leased to %s from %v to %v and to %s from %v to %v", c.w.now(), a,
					old.client.node.Name, old.start, old.end, c.node.Name, cl.start, cl.end)
			}
			c.w.claims[a] = cl
		}
	}
	c.w.all = append(c.w.all, cl)
	c.w.verifyClaim(cl)
}

// verify looks for every live lease in the stores.
func (w *sim) verify() {
	w.all = slices.DeleteFunc(w.all, func(cl *claim) bool { return cl.over || !cl.end.After(w.now()) })
	for _, cl := range w.all {
		w.verifyClaim(cl)
	}
}

// drift is how much a clock can run away during a lease.
const drift = 200 * time.Millisecond

func (w *sim) verifyClaim(cl *claim) {
	l := &cl.lease
	for _, s := range w.servers {
		if s.cfg.ID != l.Server {
			continue
		}
		got, ok := s.store.leases[l.ID]
		switch {
		case !ok:
			w.t.Errorf("%v: acknowledged lease %v of %s until %v is not in the store", w.now(), l.ID, cl.client.node.Name, cl.end)
		case !slices.Equal(got.Ranges, l.Ranges):
			w.t.Errorf("%v: lease %v has %v, the store %v", w.now(), l.ID, l.Ranges, got.Ranges)
		case got.End.Add(drift).Before(cl.end) && got.End.Before(l.End) && cl.client.held[l.ID] == cl:
			w.t.Errorf("%v: lease %v until %v ends in the store at %v\n%+v off %v\n%+v", w.now(), l.ID, cl.end, got.End, cl, cl.client.off, got)
		}
	}
}

func (w *sim) run() {
	w.t.Helper()
	if s := w.servers[0]; w.plan.Cut {
		w.sim.At(20*time.Minute, func() { s.node.SetDown(true) })
		w.sim.At(26*time.Minute, func() { s.node.SetDown(s.dead) })
	}
	for at := time.Minute; at < 100*time.Minute; at += time.Minute {
		w.sim.At(at, w.verify)
	}
	w.sim.RunUntil(100*time.Minute, func() bool { return w.t.Failed() })
	for _, s := range w.servers {
		if s.node.Hasty > 0 {
			w.t.Errorf("%s was hasty %d times", s.node.Name, s.node.Hasty)
		}
	}
	for _, c := range w.clients {
		if c.node.Hasty > 0 {
			w.t.Errorf("%s was hasty %d times", c.node.Name, c.node.Hasty)
		}
	}
}
