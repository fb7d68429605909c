package sap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

// A sendWorld is an announcer and a clock.
type sendWorld struct {
	t    testing.TB
	e    *announcer
	now  time.Time
	sent []sent
}

type sent struct {
	at    time.Duration
	group netip.Addr
	index int
	p     Packet
	raw   []byte
}

func (s sent) String() string {
	word := "announce"
	if s.p.Delete {
		word = "delete"
	}
	d, _ := sdp.Parse(s.p.Payload)
	o, _ := d.Origin()
	return fmt.Sprintf("%v %s %s on %v", s.at.Round(time.Millisecond), word, o.Version, s.group)
}

func newSender(t testing.TB, cfg AnnouncerConfig, ways ...way) *sendWorld {
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	if len(ways) == 0 {
		ways = []way{{}}
	}
	e, err := newAnnouncer(cfg, ways)
	if err != nil {
		t.Fatal(err)
	}
	return &sendWorld{t: t, e: e, now: epoch}
}

// pump takes what there is to send.
func (w *sendWorld) pump() {
	for {
		var p datagram.Packet
		if !w.e.Transmit(w.now, &p) {
			return
		}
		got, err := ParsePacket(p.Data)
		if err != nil || p.Dst.Port() != Port || p.HopLimit != w.e.cfg.HopLimit {
			w.t.Fatalf("%+v, %v", p, err)
		}
		w.sent = append(w.sent, sent{w.now.Sub(epoch), p.Dst.Addr(), p.IfIndex, got, p.Data})
	}
}

func (w *sendWorld) wait(d time.Duration) {
	end, hasty := w.now.Add(d), 0
	w.pump()
	for {
		next := w.e.Next()
		if next.After(end) {
			break
		}
		if hasty++; next.Sub(w.now) > time.Millisecond {
			hasty = 0
		} else if hasty > 20000 {
			w.t.Fatal("it wants to be called all the time")
		}
		if next.After(w.now) {
			w.now = next
		}
		w.e.Advance(w.now)
		w.pump()
	}
	w.now = end
	w.e.Advance(w.now)
	w.pump()
}

// take returns what was sent since, as words.
func (w *sendWorld) take() string {
	var s []string
	for _, p := range w.sent {
		s = append(s, p.String())
	}
	w.sent = nil
	return strings.Join(s, "; ")
}

func (w *sendWorld) announce(d *sdp.Description) uint64 {
	w.t.Helper()
	id, err := w.e.announce(w.now, Announcement{Description: d})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func parse(s string) *sdp.Description {
	d, err := sdp.ParseString(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestAnnounceUpdateWithdraw(t *testing.T) {
	w := newSender(t, AnnouncerConfig{Profile: Fast})
	id := w.announce(parse(session("a", 1, "239.255.1.1")))
	w.wait(0)
	if got := w.take(); got != "0s announce 1 on 239.255.255.255" {
		t.Error(got)
	}
	w.wait(time.Second)
	// The version is raised by us, unless it was by the caller.
	if err := w.e.update(w.now, id, parse(session("b", 1, "239.255.1.1"))); err != nil {
		t.Fatal(err)
	}
	w.pump()
	if got := w.take(); got != "1s delete 1 on 239.255.255.255; 1s announce 1 on 239.255.255.255" {
		t.Error("another session ID: ", got)
	}
	next := parse(strings.Replace(session("b", 1, "239.255.1.1"), "t=0 0", "i=more\r\nt=0 0", 1))
	before := w.e.sessions[id].hash
	if err := w.e.update(w.now, id, next); err != nil {
		t.Fatal(err)
	}
	if w.e.sessions[id].hash == before {
		t.Error("the hash is the same")
	}
	w.pump()
	if got := w.take(); got != "1s delete 1 on 239.255.255.255; 1s announce 2 on 239.255.255.255" {
		t.Error(got)
	}
	if err := w.e.update(w.now, id, next); err != nil { // nothing new, its version is just not ours
		t.Fatal(err)
	}
	w.pump()
	if got := w.take(); got != "" {
		t.Error(got)
	}
	o, _ := next.Origin()
	o.Version = "70"
	next.SetOrigin(o)
	if err := w.e.update(w.now, id, next); err != nil {
		t.Fatal(err)
	}
	w.pump()
	if got := w.take(); got != "1s delete 2 on 239.255.255.255; 1s announce 70 on 239.255.255.255" {
		t.Error(got)
	}
	if err := w.e.withdraw(w.now, id); err != nil {
		t.Fatal(err)
	}
	w.wait(time.Hour)
	if got := w.take(); got != "1s delete 70 on 239.255.255.255; 1.5s delete 70 on 239.255.255.255; 2s delete 70 on 239.255.255.255" {
		t.Error(got)
	}
	if err := w.e.withdraw(w.now, id); !errors.Is(err, ErrWithdrawn) || !w.e.idle() {
		t.Error(err)
	}
}

// Each scope has its copy, with an originating source of its IP version.
func TestScopes(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("2001:db8::77")
	zone := group.ZoneOfPrefix(netip.MustParsePrefix("239.16.0.0/16"))
	w := newSender(t, AnnouncerConfig{Sources: []netip.Addr{v6, v4}, Zones: []group.Zone{zone}}, way{ifIndex: 3}, way{ifIndex: 4})
	w.announce(describe("m=audio 5004 RTP/AVP 0\r\nc=IN IP4 239.16.1.1/15\r\nm=audio 5006 RTP/AVP 0\r\nc=IN IP6 ff18::1\r\n"))
	w.wait(0)
	seen := map[string]bool{}
	for _, s := range w.sent {
		seen[fmt.Sprint(s.group, s.index, s.p.Origin)] = true
	}
	for _, s := range []string{"239.16.255.255 3 192.0.2.77", "239.16.255.255 4 192.0.2.77", "ff08::2:7ffe 3 2001:db8::77", "ff08::2:7ffe 4 2001:db8::77"} {
		if !seen[s] || len(seen) != 4 {
			t.Errorf("no %s in %v", s, seen)
		}
	}
}

func TestAnnounceErrors(t *testing.T) {
	good := session("a", 1, "239.255.1.1")
	for _, v := range []struct {
		name string
		cfg  AnnouncerConfig
		text string
		want error
	}{
		{"good", AnnouncerConfig{}, good, nil},
		{"zone", AnnouncerConfig{}, session("a", 1, "239.1.2.3"), ErrScope},
		{"AES67 needs no zone", AnnouncerConfig{Profile: AES67}, session("a", 1, "239.1.2.3"), nil},
		{"size", AnnouncerConfig{}, good + strings.Repeat("a=x\r\n", 300), ErrSize},
		{"size not limited", AnnouncerConfig{MaxSize: -1}, good + strings.Repeat("a=x\r\n", 300), nil},
		{"compressed", AnnouncerConfig{Compress: true}, good + strings.Repeat("a=x\r\n", 300), nil},
		{"source", AnnouncerConfig{}, strings.Replace(good, "192.0.2.1", "host.example", 1), ErrSource},
		{"source given", AnnouncerConfig{Sources: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, strings.Replace(good, "192.0.2.1", "host.example", 1), nil},
		{"path", AnnouncerConfig{}, session("a", 1, "224.2.200.1"), ErrNoPath},
		{"origin", AnnouncerConfig{}, "v=0\r\ns=x\r\nc=IN IP4 239.255.1.1/1\r\nm=audio 1 RTP/AVP 0\r\n", ErrConfig},
	} {
		w := newSender(t, v.cfg, way{group: LocalGroup})
		_, err := w.e.announce(w.now, Announcement{Description: parse(v.text)})
		if !errors.Is(err, v.want) || (v.want == nil) != (err == nil) {
			t.Errorf("%s: %v", v.name, err)
		}
		if w.wait(0); len(w.sent) > 0 != (err == nil) {
			t.Errorf("%s: %v", v.name, w.sent)
		}
	}
	w := newSender(t, AnnouncerConfig{MaxSessions: 1})
	w.announce(parse(good))
	if _, err := w.e.announce(w.now, Announcement{Description: parse(good)}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if err := w.e.update(w.now, 1, parse(session("a", 2, "239.1.2.3"))); !errors.Is(err, ErrScope) {
		t.Error(err)
	}
	if st, _ := w.e.status(w.now, 1); st.Version != "1" || len(st.Groups) != 1 {
		t.Errorf("%+v", st)
	}
	for _, c := range []AnnouncerConfig{{Profile: 9}, {Interval: -1}, {HopLimit: 256}, {MaxSessions: -1}, {DeleteGap: -1}, {Zones: make([]group.Zone, 1)}, {Sources: make([]netip.Addr, 1)}} {
		if _, err := newAnnouncer(c, nil); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Alone on a group the interval is 200 to 400 s, and different each time (RFC 2974
// section 3.1).
func TestInterval(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	w.announce(parse(session("a", 1, "239.255.1.1")))
	w.wait(100 * time.Hour)
	var gaps []time.Duration
	var sum time.Duration
	for i := range w.sent[1:] {
		g := w.sent[i+1].at - w.sent[i].at
		if g < 200*time.Second || g > 400*time.Second {
			t.Errorf("%v", g)
		}
		gaps, sum = append(gaps, g), sum+g
	}
	if mean := sum / time.Duration(len(gaps)); mean < 290*time.Second || mean > 310*time.Second {
		t.Errorf("mean %v", mean)
	}
	slices.Sort(gaps)
	if gaps[0] > 210*time.Second || gaps[len(gaps)-1] < 390*time.Second {
		t.Errorf("%v to %v", gaps[0], gaps[len(gaps)-1])
	}
}

// A host with many sessions spreads them out from the start.
func TestManySessions(t *testing.T) {
	w := newSender(t, AnnouncerConfig{Profile: Fast})
	hashes := map[uint16]bool{}
	for i := range 500 {
		id := w.announce(parse(strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(i), 1)))
		hashes[w.e.sessions[id].hash] = true
	}
	if len(hashes) != 500 || hashes[0] {
		t.Errorf("%d hashes", len(hashes))
	}
	size := len(w.e.sessions[1].data4)
	w.wait(time.Hour)
	bits, last := 0, map[uint16]time.Duration{}
	for _, s := range w.sent {
		bits += 8 * len(s.raw)
		last[s.p.Hash] = s.at
	}
	if rate := float64(bits) / 3616; rate > DefaultBandwidth || rate < 0.9*DefaultBandwidth {
		t.Errorf("%.0f bit/s", rate)
	}
	base := time.Duration(500*8*size) * time.Second / DefaultBandwidth
	for h, at := range last {
		if time.Hour-at > base*3/2 {
			t.Errorf("%x was announced %v ago; interval %v", h, time.Hour-at, base)
		}
	}
	// Goodbye takes seconds, not minutes.
	w.sent = nil
	w.e.shutdown(w.now)
	w.wait(2 * time.Minute)
	if len(w.sent) != 1500 || w.sent[len(w.sent)-1].at > 3600*time.Second+30*time.Second {
		t.Errorf("%d deletions, the last after %v", len(w.sent), w.sent[len(w.sent)-1].at-time.Hour)
	}
}

func TestFunc(t *testing.T) {
	w := newSender(t, AnnouncerConfig{Profile: Fast})
	text, calls := session("a", 1, "239.255.1.1"), 0
	id, err := w.e.announce(w.now, Announcement{Func: func() *sdp.Description {
		calls++
		if text == "" {
			return nil
		}
		return parse(text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.wait(8 * time.Second)
	if n := len(w.sent); n < 2 || calls < n {
		t.Errorf("%d packets, %d calls", n, calls)
	}
	w.sent = nil
	text = strings.Replace(text, "t=0 0", "i=PTP changed\r\nt=0 0", 1)
	w.wait(7 * time.Second)
	if got := w.take(); !strings.Contains(got, "delete 1 on") || !strings.Contains(got, "announce 2 on") {
		t.Error(got)
	}
	if st, _ := w.e.status(w.now, id); st.Version != "2" {
		t.Errorf("%+v", st)
	}
	text = "" // nothing to say: as before
	w.wait(20 * time.Second)
	if got := w.take(); strings.Contains(got, "delete") || !strings.Contains(got, "announce 2 on") {
		t.Error(got)
	}
	text = session("a", 5, "239.1.1.1") // cannot be announced
	w.wait(20 * time.Second)
	if got := w.take(); strings.Contains(got, "delete") || !strings.Contains(got, "announce 2 on") || w.e.counters().Errors != 1 {
		t.Error(got, w.e.counters())
	}
	// One that changes at each call is held to the budget.
	n := 0
	if err := w.e.withdraw(w.now, id); err != nil {
		t.Fatal(err)
	}
	w.e.announce(w.now, Announcement{Func: func() *sdp.Description {
		n++
		return parse(strings.Replace(session("a", 1, "239.255.1.1"), "t=0 0", fmt.Sprintf("i=%d\r\nt=0 0", n), 1))
	}})
	at := w.now.Sub(epoch)
	w.sent = nil
	w.wait(time.Hour)
	bits := 0
	for _, s := range w.sent {
		if !s.p.Delete {
			bits += 8 * len(s.raw)
		}
	}
	if rate := float64(bits) / 3600; rate > 1.1*DefaultBandwidth || len(w.sent) < 100 {
		t.Errorf("%d packets since %v, %.0f bit/s", len(w.sent), at, rate)
	}
}

// Announced by three hosts a session is announced as often as by one, all together.
func TestSharedSession(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	id := w.announce(parse(session("a", 1, "239.255.1.1")))
	w.wait(0)
	copyOf := func(src string) {
		w.e.Handle(w.now, &datagram.Packet{Data: w.sent[0].raw, Src: netip.AddrPortFrom(netip.MustParseAddr(src), 9), Dst: netip.AddrPortFrom(LocalGroup, Port), IfIndex: 2})
	}
	copyOf("192.0.2.1") // ours, come back
	if st, _ := w.e.status(w.now, id); st.Groups[0].Peers != 0 || st.Groups[0].Interval != 300*time.Second {
		t.Errorf("%+v", st)
	}
	copyOf("10.0.0.1")
	copyOf("10.0.0.2")
	copyOf("10.0.0.2")
	if st, _ := w.e.status(w.now, id); st.Groups[0].Peers != 2 || st.Groups[0].Interval != 900*time.Second || st.Groups[0].Heard != 0 {
		t.Errorf("%+v", st)
	}
	for i := range 100 {
		copyOf(fmt.Sprintf("10.6.0.%d", i)) // made to silence us
	}
	if st, _ := w.e.status(w.now, id); st.Groups[0].Interval != 1500*time.Second {
		t.Errorf("%+v", st)
	}
	w.wait(10 * time.Hour)
	if st, _ := w.e.status(w.now, id); st.Groups[0].Peers != 0 {
		t.Errorf("%+v", st)
	}
}

// What others announce stretches the interval, until it is deleted or not heard.
func TestHeard(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	id := w.announce(parse(session("a", 1, "239.255.1.1")))
	w.wait(0)
	hear := func(i int, del bool, on string) {
		p := ad{src: fmt.Sprintf("10.0.%d.%d", i>>8, i&255), hash: 7, text: session("b", 1, "239.255.9.9"), del: del, group: on}.packet()
		w.e.Handle(w.now, p)
	}
	for i := range 2000 {
		hear(i, false, "239.255.255.255")
		hear(i, false, "224.2.127.254") // another budget
	}
	st, _ := w.e.status(w.now, id)
	want := time.Duration(2001*8*st.Size) * time.Second / 4000
	if g := st.Groups[0]; g.Heard != 2000 || g.Interval != want {
		t.Errorf("%+v; want %v", g, want)
	}
	for i := range 1000 {
		hear(i, true, "239.255.255.255")
	}
	if st, _ := w.e.status(w.now, id); st.Groups[0].Heard != 1000 {
		t.Errorf("%+v", st)
	}
	for i := range 10000 {
		hear(i, false, "239.255.255.255")
	}
	if st, _ := w.e.status(w.now, id); st.Groups[0].Heard != maxHeard {
		t.Errorf("%+v", st)
	}
	w.wait(48 * time.Hour)
	if st, _ := w.e.status(w.now, id); st.Groups[0].Heard != 0 || st.Groups[0].Interval != 300*time.Second {
		t.Errorf("%+v", st)
	}
}

// The older session stays and is announced again at once, the younger one moves.
func TestClash(t *testing.T) {
	other := ad{src: "10.0.0.9", hash: 7, text: strings.Replace(session("b", 1, "239.255.1.1"), "192.0.2.1", "192.0.2.9", 1)}
	w := newSender(t, AnnouncerConfig{})
	w.announce(parse(session("a", 1, "239.255.1.1")))
	w.announce(parse(session("cc", 1, "239.255.1.2")))
	w.wait(time.Hour)
	w.sent = nil
	w.e.Handle(w.now, other.packet())
	w.pump()
	c, ok := w.e.event()
	if !ok || c.id != 1 || c.Yield || c.Group != netip.MustParseAddr("239.255.1.1") || c.Source != netip.MustParseAddr("10.0.0.9") {
		t.Fatalf("%+v", c)
	}
	if got := w.take(); got != "1h0m0s announce 1 on 239.255.255.255" {
		t.Error(got)
	}
	// A flood of them does not make us answer each.
	for i := range 1000 {
		other.hash = uint16(100 + i)
		other.src = fmt.Sprintf("10.9.%d.%d", i>>8, i&255)
		w.e.Handle(w.now, other.packet())
		w.pump()
	}
	if got := w.take(); got != "" || len(w.e.clashes) > maxParse {
		t.Error(got, len(w.e.clashes))
	}

	for src, yield := range map[string]bool{"10.0.0.9": true, "198.51.100.1": false} {
		w := newSender(t, AnnouncerConfig{})
		w.announce(parse(session("a", 1, "239.255.1.1")))
		w.wait(time.Minute)
		other.src = src
		w.e.Handle(w.now, other.packet())
		if c, ok := w.e.event(); !ok || c.Yield != yield {
			t.Errorf("%s: %+v", src, c)
		}
	}
	// Other groups, and other senders to one group, are no clash.
	w = newSender(t, AnnouncerConfig{})
	w.announce(describe("a=source-filter: incl IN IP4 232.1.1.1 192.0.2.1\r\nm=audio 5004 RTP/AVP 0\r\nc=IN IP4 232.1.1.1/15\r\n"))
	w.wait(time.Hour)
	w.e.Handle(w.now, ad{src: "10.0.0.9", hash: 1, group: "224.2.127.254", text: strings.Replace(describe("a=source-filter: incl IN IP4 232.1.1.1 192.0.2.9\r\nm=audio 5004 RTP/AVP 0\r\nc=IN IP4 232.1.1.1/15\r\n").String(), "- 7 1", "- 8 1", 1)}.packet())
	if c, ok := w.e.event(); ok {
		t.Errorf("%+v", c)
	}
}

func TestSign(t *testing.T) {
	w := newSender(t, AnnouncerConfig{FullDelete: true, Sign: func(b []byte) (Auth, error) {
		return Auth{Version: 1, Type: AuthPGP, Data: []byte(fmt.Sprint(len(b)))}, nil
	}})
	id := w.announce(parse(session("a", 1, "239.255.1.1")))
	w.wait(0)
	w.e.withdraw(w.now, id)
	w.wait(time.Minute)
	if len(w.sent) != 4 {
		t.Fatal(w.sent)
	}
	for _, s := range w.sent {
		a, err := ParseAuth(s.p.Auth)
		over, _ := AppendSigned(nil, s.raw)
		if err != nil || string(a.Data) != fmt.Sprint(len(over)) || string(s.p.Payload) != session("a", 1, "239.255.1.1") {
			t.Errorf("%+v, %v", a, err)
		}
	}
	broken := errors.New("no key")
	w = newSender(t, AnnouncerConfig{Sign: func([]byte) (Auth, error) { return Auth{}, broken }})
	if _, err := w.e.announce(w.now, Announcement{Description: parse(session("a", 1, "239.255.1.1"))}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// After a jump of the clock the announcer goes on, without a burst.
func TestAnnouncerClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		w := newSender(t, AnnouncerConfig{})
		for i := range 200 {
			w.announce(parse(strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(i), 1)))
		}
		w.wait(2 * time.Hour)
		w.sent = nil
		w.now = w.now.Add(jump)
		w.e.Advance(w.now)
		w.pump()
		if len(w.sent) > 20 {
			t.Errorf("%v: %d packets at once", jump, len(w.sent))
		}
		w.wait(time.Hour)
		if n := len(w.sent); n < 1000 || n > 4000 {
			t.Errorf("%v: %d packets in an hour", jump, n)
		}
	}
}

func TestAnnouncerAllocs(t *testing.T) {
	w := newSender(t, AnnouncerConfig{Profile: Fast})
	w.announce(parse(session("a", 1, "239.255.1.1")))
	other := ad{src: "10.0.0.9", hash: 7, text: session("b", 1, "239.255.9.9")}.packet()
	w.e.Handle(w.now, other)
	buf := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(500, func() {
		w.now = w.now.Add(time.Second)
		w.e.Handle(w.now, other)
		w.e.Advance(w.now)
		p := datagram.Packet{Data: buf}
		w.e.Transmit(w.now, &p)
		w.e.Next()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if w.e.stats.Sent < 50 {
		t.Error(w.e.stats)
	}
}

func BenchmarkHear(b *testing.B) {
	w := newSender(b, AnnouncerConfig{NoDefend: true})
	w.announce(parse(session("a", 1, "239.255.1.1")))
	var ps []*datagram.Packet
	for i := range 1000 {
		ps = append(ps, ad{src: "10.0.0.9", hash: uint16(i + 1), text: session("b", 1, "239.255.9.9")}.packet())
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.now = w.now.Add(time.Millisecond)
		w.e.Handle(w.now, ps[i%len(ps)])
		i++
	}
}
