package sap

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A crowd is many engines on one group in virtual time. What one sends reaches all
// others at once, but for what is lost.
type crowd struct {
	now   time.Duration
	rng   *rand.Rand
	loss  float64
	nodes []*member
	wakes wakes
	bits  map[int]int // sent in each second
	sent  int
	trace uint64
	out   datagram.Packet
}

type member struct {
	e     engine.Engine
	addr  netip.AddrPort
	shift time.Duration // of its clock
	next  time.Duration
	place int
	off   bool
}

type wakes []*member

func (h wakes) Len() int           { return len(h) }
func (h wakes) Less(i, j int) bool { return h[i].next < h[j].next }
func (h wakes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *wakes) Push(x any) { x.(*member).place = len(*h); *h = append(*h, x.(*member)) }
func (h *wakes) Pop() any   { panic("never") }

func newCrowd(seed uint64) *crowd {
	return &crowd{rng: rand.New(rand.NewPCG(seed, 7)), bits: map[int]int{}}
}

func (c *crowd) add(e engine.Engine, addr string) *member {
	m := &member{e: e, addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 5000), next: c.now}
	c.nodes = append(c.nodes, m)
	heap.Push(&c.wakes, m)
	return m
}

func (m *member) time(c *crowd) time.Time { return epoch.Add(c.now + m.shift) }

// settle drains m and books its next wake-up.
func (c *crowd) settle(m *member) {
	for {
		p := &c.out
		*p = datagram.Packet{Data: p.Data[:0]}
		if !m.e.Transmit(m.time(c), p) {
			break
		}
		if m.off {
			continue
		}
		c.sent++
		c.bits[int(c.now/time.Second)] += 8 * len(p.Data)
		h := fnv.New64a()
		fmt.Fprint(h, c.trace, c.now, m.addr)
		h.Write(p.Data)
		c.trace = h.Sum64()
		in := *p
		in.Src, in.IfIndex = m.addr, 1
		for _, to := range c.nodes {
			if to != m && !to.off && (c.loss == 0 || c.rng.Float64() >= c.loss) {
				to.e.Handle(to.time(c), &in)
			}
		}
	}
	m.next = max(m.e.Next().Sub(epoch)-m.shift, c.now+time.Microsecond)
	heap.Fix(&c.wakes, m.place)
}

// call calls an engine from outside.
func (c *crowd) call(m *member, fn func(now time.Time)) {
	fn(m.time(c))
	c.settle(m)
}

func (c *crowd) run(until time.Duration, done func() bool) bool {
	for c.wakes[0].next <= until {
		m := c.wakes[0]
		c.now = max(c.now, m.next)
		m.e.Advance(m.time(c))
		c.settle(m)
		if done != nil && done() {
			return true
		}
	}
	c.now = until
	return done != nil && done()
}

// rate returns the mean rate in bits per second.
func (c *crowd) rate(from, to time.Duration) float64 {
	sum := 0
	for s := int(from / time.Second); s < int(to/time.Second); s++ {
		sum += c.bits[s]
	}
	return float64(sum) / (to - from).Seconds()
}

// announcers adds n announcers of a session each, of 300 to 700 bytes, that begin
// within a minute.
func (c *crowd) announcers(t testing.TB, n int, cfg AnnouncerConfig) (bytes int, largest int) {
	for i := range n {
		addr := fmt.Sprintf("10.0.%d.%d", i>>8, i&255)
		cfg.Seed = uint64(i + 1)
		e, err := newAnnouncer(cfg, []way{{LocalGroup, 0}})
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("v=0\r\no=- %d 1 IN IP4 %s\r\ns=Session %d\r\nc=IN IP4 239.255.%d.%d/15\r\nt=0 0\r\na=%s\r\nm=audio 5004 RTP/AVP 0\r\n",
			i, addr, i, i>>8, i&255, strings.Repeat("x", 150+c.rng.IntN(400)))
		m := c.add(e, addr)
		at := time.Duration(c.rng.Float64() * float64(time.Minute))
		d := parse(text)
		size := len(text) + headerSize4 + len(TypeSDP) + 1
		bytes += size
		largest = max(largest, size)
		m.off = false
		c.at(at, func() {
			c.call(m, func(now time.Time) {
				if _, err := e.announce(now, Announcement{Description: d}); err != nil {
					t.Error(err)
				}
			})
		})
	}
	return bytes, largest
}

// A later is a node that calls something once.
type later struct {
	at time.Duration
	fn func()
}

func (l *later) Handle(time.Time, *datagram.Packet) {}
func (l *later) Advance(now time.Time) {
	if fn := l.fn; fn != nil && !now.Before(epoch.Add(l.at)) {
		l.fn = nil
		fn()
	}
}
func (l *later) Next() time.Time {
	if l.fn == nil {
		return epoch.Add(1 << 62)
	}
	return epoch.Add(l.at)
}
func (l *later) Transmit(time.Time, *datagram.Packet) bool { return false }

func (c *crowd) at(when time.Duration, fn func()) {
	m := &member{e: &later{when, fn}, next: when, off: true}
	heap.Push(&c.wakes, m)
}

// A thousand announcers that start within a minute share 4,000 bit/s, and a listener
// that comes late lists all of them within the longest interval there can be (RFC 2974
// section 3.1: four thirds of the base interval).
func TestThousandAnnouncers(t *testing.T) {
	n := 1000
	if underRace || testing.Short() {
		n = 150
	}
	for _, profile := range []Profile{RFC2974, Fast} {
		if profile == Fast {
			n = min(n, 200)
		}
		run := func(seed uint64, loss float64) (*crowd, time.Duration) {
			c := newCrowd(seed)
			c.loss = loss
			bytes, largest := c.announcers(t, n, AnnouncerConfig{Profile: profile})
			round := time.Duration(bytes*8) * time.Second / DefaultBandwidth // of all
			longest := max(time.Duration(n*largest*8)*time.Second/DefaultBandwidth, profile.interval())
			settled := 2 * longest
			c.run(settled, nil)
			begin := c.now
			end := begin + 4*longest
			l, _ := newDirectory(DirectoryConfig{})
			c.add(l, "10.9.9.9")
			var all time.Duration
			c.run(end, func() bool {
				if l.happens = l.happens[:0]; all == 0 && len(l.order) == n {
					all = c.now - begin
				}
				return false
			})
			worst := 0.0
			window := longest
			for s := begin; s+window <= end; s += window {
				worst = max(worst, c.rate(s, s+window))
			}
			mean := c.rate(begin, end)
			t.Logf("%v, loss %.0f %%: %d announcers, %.0f bit/s, at most %.0f in %v; a round takes %v; all listed after %v of %v; first minute %.0f bit/s",
				profile, loss*100, n, mean, worst, window.Round(time.Second), round, all.Round(time.Second), (longest * 4 / 3).Round(time.Second), c.rate(0, time.Minute))
			if mean > 1.1*DefaultBandwidth || worst > 1.1*DefaultBandwidth {
				t.Errorf("%.0f bit/s, at most %.0f", mean, worst)
			}
			if profile == RFC2974 && n == 1000 && mean < 0.85*DefaultBandwidth {
				t.Errorf("only %.0f bit/s", mean)
			}
			if limit := longest * 4 / 3; all == 0 || loss == 0 && all > limit || all > 3*limit {
				t.Errorf("all listed after %v; %v at most", all, limit)
			}
			return c, all
		}
		run(1, 0)
		if profile == RFC2974 {
			run(2, 0.05)
		}
	}
}

// The same seed is the same run.
func TestSameTrace(t *testing.T) {
	run := func(seed uint64) string {
		c := newCrowd(seed)
		c.loss = 0.1
		c.announcers(t, 50, AnnouncerConfig{})
		c.run(2*time.Hour, nil)
		return fmt.Sprintf("%x/%d", c.trace, c.sent)
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := run(1), run(2); a == b {
		t.Errorf("%s twice", a)
	}
}

// Clocks that jump by a day, forth or back, at announcers and the listener: nobody is
// lost and the rate holds.
func TestCrowdClockJumps(t *testing.T) {
	c := newCrowd(3)
	c.announcers(t, 100, AnnouncerConfig{Profile: AES67})
	l, _ := newDirectory(DirectoryConfig{})
	listener := c.add(l, "10.9.9.9")
	c.run(time.Hour, nil)
	for i, m := range c.nodes {
		if i%2 == 0 {
			m.shift += []time.Duration{24 * time.Hour, -24 * time.Hour}[i/2%2]
			c.call(m, m.e.Advance)
		}
	}
	listener.shift += 24 * time.Hour
	c.call(listener, l.Advance)
	jump := c.now
	l.happens = l.happens[:0]
	c.run(5*time.Hour, nil)
	for _, h := range l.happens {
		if h.kind != Refreshed {
			t.Errorf("%v %v %s", h.kind, h.reason, h.x.d.Name())
		}
	}
	if len(l.order) != 100 {
		t.Errorf("%d sessions", len(l.order))
	}
	for s := jump; s < 5*time.Hour; s += 5 * time.Minute {
		if r := c.rate(s, s+5*time.Minute); r > 1.2*DefaultBandwidth {
			t.Errorf("%.0f bit/s at %v", r, s)
		}
	}
}

// The network is cut in two for hours and heals: no burst (RFC 2974 section 3.1), and
// everything is listed again.
func TestPartition(t *testing.T) {
	s := netem.NewSim(4)
	s.Group = netip.AddrPortFrom(LocalGroup, Port)
	link := netem.Link{Delay: 5 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.02, Burst: 3, Duplicate: 0.01}
	// Bursts are counted in packets: on a way that carries one every half minute
	// they would last for minutes.
	out := link
	out.Burst = 0
	for i := range 60 {
		e, err := newAnnouncer(AnnouncerConfig{Profile: AES67, Seed: uint64(i + 1)}, []way{{LocalGroup, 0}})
		if err != nil {
			t.Fatal(err)
		}
		n := s.Add(fmt.Sprint(i), e, out, link)
		n.Run(func(now time.Time) {
			if _, err := e.announce(now, Announcement{Description: parse(strings.Replace(session("a", 1, fmt.Sprintf("239.255.1.%d", i)), "1097", fmt.Sprint(i), 1))}); err != nil {
				t.Error(err)
			}
		})
	}
	l, _ := newDirectory(DirectoryConfig{})
	last := s.Add("listener", l, link, link)
	cut := false
	bits := map[int]int{}
	s.Filter = func(from, to *netem.Node, data []byte) bool {
		if to == last {
			bits[int(s.Now().Sub(netem.Start)/time.Minute)] += 8 * len(data)
		}
		side := func(n *netem.Node) bool { return len(n.Name)%2 == 0 }
		return !cut || side(from) == side(to)
	}
	l.happens = nil
	last.Drain = func(time.Time) {
		for _, h := range l.happens {
			if cut && h.kind == Added {
				t.Errorf("%s was added %v %v %v", h.x.key, s.Now(), h.x.owners, h.x.places)
			}
		}
		l.happens = l.happens[:0]
	}
	never := func() bool { return false }
	s.RunUntil(time.Hour, never)
	if len(l.order) != 60 {
		t.Errorf("%d sessions", len(l.order))
	}
	cut = true
	s.RunUntil(5*time.Hour, never)
	if n := len(l.order); n != 50 { // those with two digits are on its side
		t.Errorf("%d sessions when cut off", n)
	}
	cut = false
	s.RunUntil(6*time.Hour, never)
	if len(l.order) != 60 {
		t.Errorf("%d sessions", len(l.order))
	}
	for m := 4 * 60; m < 6*60; m++ {
		if r := float64(bits[m]) / 60; r > 1.3*DefaultBandwidth {
			t.Errorf("%.0f bit/s in minute %d", r, m)
		}
	}
	if last.Hasty > 0 {
		t.Errorf("hasty %d times", last.Hasty)
	}
}

// Somebody sends ten thousand sessions, and deletions of those of others.
func TestSpoofed(t *testing.T) {
	attacks := map[string]func(i int) []ad{
		"one host": func(i int) []ad {
			return []ad{{src: "10.6.6.6", hash: uint16(i), text: evil(i)}}
		},
		"a host each": func(i int) []ad {
			return []ad{{src: fmt.Sprintf("10.6.%d.%d", i>>8, i&255), hash: uint16(i), text: evil(i)}}
		},
		"the origin of others": func(i int) []ad {
			a := honest(i % 50)
			return []ad{{src: fmt.Sprintf("10.6.%d.%d", i>>8, i&255), origin: a.src, hash: a.hash, text: strings.Replace(a.text, "m=", fmt.Sprintf("a=%d\r\nm=", i), 1)}}
		},
		"deletions": func(i int) []ad {
			a := honest(i % 50)
			a.origin, a.del = a.src, true
			a.src = fmt.Sprintf("10.6.%d.%d", i>>8, i&255)
			return []ad{a}
		},
		"copies, then deletions": func(i int) []ad {
			a := honest(i % 50)
			a.origin = a.src
			a.src = fmt.Sprintf("10.6.%d.%d", i>>8, i&255)
			b := a
			b.del = true
			return []ad{a, b}
		},
		"large": func(i int) []ad {
			return []ad{{src: fmt.Sprintf("10.6.%d.%d", i>>8, i&255), hash: 1, text: evil(i) + strings.Repeat("a=x\r\n", 1500)}}
		},
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, DirectoryConfig{MaxSessions: 1000, MaxBytes: 4 << 20})
			gone := 0
			round := func(n int) {
				for i := range n {
					w.hear(honest(i))
				}
			}
			look := func() {
				for _, h := range w.e.happens {
					if h.kind == Removed && strings.HasPrefix(h.x.d.Name(), "honest") && h.x.d.Name() != "honest newcomer" && h.x.owners[0].addr.String()[:7] == "192.168" {
						gone++
					}
				}
				w.e.happens = w.e.happens[:0]
			}
			for range 3 {
				round(50)
				w.wait(5 * time.Second)
			}
			newcomer := honest(77)
			for i := range 10000 {
				for _, a := range attack(i) {
					w.hear(a)
				}
				if i%50 == 49 {
					w.wait(50 * time.Millisecond) // a thousand a second
					look()
				}
				if i%1000 == 0 && i >= 5000 { // each second
					w.hear(newcomer)
				}
				if i%5000 == 4999 {
					round(50)
				}
			}
			w.check()
			look()
			if gone > 0 {
				t.Errorf("%d honest sessions were removed", gone)
			}
			round(50)
			kept := map[string]bool{}
			for _, l := range w.e.listings() {
				if strings.HasPrefix(l.Source.String(), "192.168") {
					kept[l.Description.Name()] = true
				}
			}
			if len(kept) != 51 {
				t.Errorf("%d honest sessions, with the newcomer", len(kept))
			}
			st := w.e.counters()
			t.Logf("%d sessions, %d KiB, %d senders; %d refused, %d over their rate, %d deletions ignored", st.Sessions, st.Bytes>>10, len(w.e.hosts.hosts), st.Full, st.Limited, st.Ignored)
		})
	}
}

func honest(i int) ad {
	src := fmt.Sprintf("192.168.0.%d", i%25+1)
	name := fmt.Sprintf("honest %d", i)
	if i == 77 {
		src, name = "192.168.7.7", "honest newcomer"
	}
	return ad{src: src, hash: uint16(i + 1), text: fmt.Sprintf("v=0\r\no=- %d 1 IN IP4 %s\r\ns=%s\r\nc=IN IP4 239.255.0.%d/15\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n", i+1, src, name, i+1)}
}

func evil(i int) string {
	return fmt.Sprintf("v=0\r\no=- %d 1 IN IP4 10.6.6.6\r\ns=evil %d\r\nc=IN IP4 239.255.%d.%d/15\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n", i+1, i, i>>8, i&255)
}

// The same ten thousand do not silence an announcer for longer than what it counts.
func TestSpoofedAnnouncer(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	id := w.announce(parse(session("a", 1, "239.255.1.1")))
	w.wait(0)
	for i := range 10000 {
		w.e.Handle(w.now, ad{src: fmt.Sprintf("10.6.%d.%d", i>>8, i&255), hash: uint16(i), text: evil(i)}.packet())
	}
	st, _ := w.e.status(w.now, id)
	if limit := time.Duration((maxHeard+1)*8*st.Size) * time.Second / DefaultBandwidth; st.Groups[0].Interval > limit {
		t.Errorf("%v", st.Groups[0].Interval)
	}
	if w.e.stats.Heard != 10000 || len(w.e.lanes) != 1 {
		t.Errorf("%+v", w.e.stats)
	}
}
