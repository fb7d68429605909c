package sap

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// A heardWorld is a directory and a clock.
type heardWorld struct {
	t   testing.TB
	e   *directory
	now time.Time
}

func newWorld(t testing.TB, cfg DirectoryConfig) *heardWorld {
	e, err := newDirectory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &heardWorld{t, e, epoch}
}

// An ad is a packet with its sender.
type ad struct {
	src    string
	origin string // the sender if empty
	hash   uint16
	text   string
	del    bool
	auth   []byte
	group  string
}

func (a ad) packet() *datagram.Packet {
	if a.origin == "" {
		a.origin = a.src
	}
	if a.group == "" {
		a.group = "239.255.255.255"
	}
	p := Packet{Version: 1, Hash: a.hash, Origin: netip.MustParseAddr(a.origin), Delete: a.del, Auth: a.auth, PayloadType: []byte(TypeSDP), Payload: []byte(a.text)}
	b, err := p.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return &datagram.Packet{Data: b, Src: netip.AddrPortFrom(netip.MustParseAddr(a.src), 40000), Dst: netip.AddrPortFrom(netip.MustParseAddr(a.group), Port), IfIndex: 1}
}

func (w *heardWorld) hear(a ad) { w.e.Handle(w.now, a.packet()) }

// wait lets time pass, with the engine called when it asks for it.
func (w *heardWorld) wait(d time.Duration) {
	end, hasty := w.now.Add(d), 0
	for {
		next := w.e.Next()
		if next.IsZero() || next.After(end) {
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
	}
	w.now = end
	w.e.Advance(w.now)
}

// events returns what happened, as words.
func (w *heardWorld) events() string {
	var s []string
	for _, h := range w.e.happens {
		word := h.kind.String() + " " + h.x.d.Name()
		if h.reason != 0 {
			word += " " + h.reason.String()
		}
		s = append(s, word)
	}
	w.e.happens = w.e.happens[:0]
	w.check()
	return strings.Join(s, ", ")
}

func (w *heardWorld) want(s string) {
	w.t.Helper()
	if got := w.events(); got != s {
		w.t.Errorf("events: %q; want %q", got, s)
	}
}

// check looks whether the tables agree with each other.
func (w *heardWorld) check() {
	w.t.Helper()
	e := w.e
	n, bytes, once := 0, 0, 0
	perHost := map[netip.Addr]int{}
	for key, all := range e.sessions {
		if len(all) == 0 {
			w.t.Errorf("no session under %q", key)
		}
		for _, x := range all {
			n++
			bytes += x.size
			perHost[x.owners[0].addr]++
			if x.once {
				once++
			}
			if x.key != key || e.order[x.index] != x || len(x.wires) > maxPlaces || len(x.heads) > maxPlaces || len(x.places) > maxPlaces || len(x.owners) > maxSources {
				w.t.Errorf("%q is in disorder", key)
			}
			for _, k := range x.wires {
				if e.wires[k] != x {
					w.t.Errorf("%q: a packet is not known", key)
				}
			}
		}
	}
	for x := e.once.oldest; x != nil; x = x.newer {
		once--
	}
	if n != len(e.order) || bytes != e.bytes || once != 0 {
		w.t.Errorf("%d sessions of %d bytes, counted %d of %d, %d heard once too many", n, bytes, len(e.order), e.bytes, once)
	}
	for x := range e.wires {
		if y := e.wires[x]; e.order[min(y.index, len(e.order)-1)] != y {
			w.t.Error("a packet of a session that is gone")
		}
	}
	for a, h := range e.hosts.hosts {
		if h.sessions != perHost[a] {
			w.t.Errorf("%v has %d sessions, counted %d", a, perHost[a], h.sessions)
		}
	}
	if n > e.cfg.MaxSessions || bytes > e.cfg.MaxBytes || len(e.hosts.hosts) > e.hosts.max || len(e.wires) > n*maxPlaces {
		w.t.Errorf("over limits: %d sessions, %d bytes", n, bytes)
	}
	for g, on := range e.groups {
		for _, x := range on {
			if e.order[min(x.index, len(e.order)-1)] != x {
				w.t.Errorf("%v is used by a session that is gone", g)
			}
		}
	}
}

func session(name string, version int, group string) string {
	return fmt.Sprintf("v=0\r\no=- %d %d IN IP4 192.0.2.1\r\ns=%s\r\nc=IN IP4 %s/15\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n", len(name)*1000+int(name[0]), version, name, group)
}

func TestLifeOfASession(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	a := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	w.hear(a)
	w.want("added a")
	w.wait(5 * time.Second)
	w.hear(a)
	w.want("refreshed a")
	a.hash, a.text = 2, session("a", 2, "239.255.1.1")
	w.hear(a)
	w.want("updated a")
	// The old version, late.
	w.hear(ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")})
	w.want("")
	// Its deletion does not reach the new version.
	w.hear(ad{src: "10.0.0.1", hash: 1, del: true, text: "o=- 1097 1 IN IP4 192.0.2.1\r\n"})
	w.want("")
	w.hear(ad{src: "10.0.0.1", hash: 2, del: true, text: "o=- 1097 2 IN IP4 192.0.2.1\r\n"})
	w.want("")
	w.wait(deleteGrace)
	w.want("removed a deleted")
	if st := w.e.counters(); st.Deletes != 1 || st.Ignored != 1 || st.Old != 1 || st.Sessions != 0 || st.Bytes != 0 {
		t.Errorf("%+v", st)
	}
}

func TestDeleteForms(t *testing.T) {
	full := session("a", 1, "239.255.1.1")
	for _, v := range []struct {
		name, text string
		src        string
		hash       uint16
		gone       bool
	}{
		{"o= line", "o=- 1097 1 IN IP4 192.0.2.1\r\n", "10.0.0.1", 1, true},
		{"o= line, LF", "o=- 1097 1 IN IP4 192.0.2.1\n", "10.0.0.1", 1, true},
		{"another hash", "o=- 1097 1 IN IP4 192.0.2.1\r\n", "10.0.0.1", 9, true},
		{"whole description", full, "10.0.0.1", 1, true},
		{"nothing", "", "10.0.0.1", 1, true},
		{"garbage", "\x01\x02", "10.0.0.1", 1, true},
		{"garbage, another hash", "\x01\x02", "10.0.0.1", 9, false},
		{"another session", "o=- 1098 1 IN IP4 192.0.2.1\r\n", "10.0.0.1", 1, false},
		{"another host", "o=- 1097 1 IN IP4 192.0.2.1\r\n", "10.0.0.2", 1, false},
		{"another host, nothing", "", "10.0.0.2", 1, false},
	} {
		w := newWorld(t, DirectoryConfig{})
		w.hear(ad{src: "10.0.0.1", hash: 1, text: full})
		// The originating source is said to be that of the session.
		w.hear(ad{src: v.src, origin: "10.0.0.1", hash: v.hash, text: v.text, del: true})
		w.wait(deleteGrace)
		if gone := len(w.e.order) == 0; gone != v.gone {
			t.Errorf("%s: gone is %v", v.name, gone)
		}
		w.events()
	}
	for _, p := range []DeletePolicy{DeleteNever, DeleteVerified} {
		w := newWorld(t, DirectoryConfig{Deletes: p})
		w.hear(ad{src: "10.0.0.1", hash: 1, text: full})
		w.hear(ad{src: "10.0.0.1", hash: 1, text: full, del: true})
		w.wait(deleteGrace)
		w.want("added a")
	}
}

// FFmpeg writes the same o= line for everything, and minisapserver the same header.
func TestIdentity(t *testing.T) {
	ffmpeg := "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=No Name\r\nc=IN IP4 239.255.12.50/7\r\nt=0 0\r\na=tool:libavformat LIBAVFORMAT_VERSION\r\nm=video 5004 RTP/AVP 32\r\n"
	w := newWorld(t, DirectoryConfig{})
	w.hear(ad{src: "10.0.0.1", hash: 0x1111, text: ffmpeg})
	w.hear(ad{src: "10.0.0.1", hash: 0x2222, text: strings.Replace(ffmpeg, "12.50", "12.51", 1)})
	w.hear(ad{src: "10.0.0.2", hash: 0x1111, text: strings.Replace(ffmpeg, "12.50", "12.52", 1)})
	w.want("added No Name, added No Name, added No Name")
	w.hear(ad{src: "10.0.0.1", hash: 0x2222, text: ffmpeg, del: true})
	w.wait(deleteGrace)
	w.want("removed No Name deleted")
	w.hear(ad{src: "10.0.0.1", hash: 0x1111, text: strings.Replace(ffmpeg, "No Name", "Now Named", 1)})
	w.want("updated Now Named")

	// Servers of the same kind, each with its own session.
	for _, host := range []string{"10.0.1.1", "10.0.1.2"} {
		d := fmt.Sprintf("v=0\r\no=- %s 1 IN IP4 %s\r\ns=%s\r\nc=IN IP4 239.255.2.1/7\r\nt=0 0\r\nm=video 1234 udp mpeg\r\n", host[7:], host, host)
		d = strings.Replace(d, "239.255.2.1", "239.255.2."+host[7:], 1)
		w.hear(ad{src: host, origin: "1.2.3.4", hash: 0x1242, text: d})
	}
	w.want("added 10.0.1.1, added 10.0.1.2")
	w.hear(ad{src: "10.0.1.1", origin: "1.2.3.4", hash: 0x1242, del: true})
	w.wait(deleteGrace)
	w.want("removed 10.0.1.1 deleted")

	// SAP version 0: no hash at all.
	w = newWorld(t, DirectoryConfig{})
	for i := range 3 {
		w.hear(ad{src: "10.0.0.1", origin: "0.0.0.0", text: strings.Replace(ffmpeg, "12.50", fmt.Sprint("12.", i+1), 1)})
	}
	w.want("added No Name, added No Name, added No Name")
}

func TestQuirksAreAccepted(t *testing.T) {
	for name, p := range map[string]Packet{
		"LF, no type":       {Payload: []byte(strings.ReplaceAll(text, "\r\n", "\n"))},
		"capitals":          {PayloadType: []byte("APPLICATION/SDP"), Payload: []byte(text)},
		"charset":           {PayloadType: []byte("application/sdp; charset=UTF-8"), Payload: []byte(text)},
		"trailing NUL":      {PayloadType: []byte(TypeSDP), Payload: []byte(text + "\x00")},
		"reserved":          {Reserved: true, Payload: []byte(text)},
		"auth not verified": {Auth: []byte{0x20, 0, 0, 0}, PayloadType: []byte(TypeSDP), Payload: []byte(text)},
		"raw mpeg":          {Payload: []byte(strings.Replace(text, "RTP/AVP 0", "udp mpeg", 1))},
	} {
		w := newWorld(t, DirectoryConfig{})
		p.Version, p.Hash, p.Origin = 1, 5, netip.MustParseAddr("192.0.2.1")
		if name == "LF, no type" {
			p.Hash, p.Version, p.Origin = 0, 0, netip.IPv4Unspecified()
		}
		b, _ := p.MarshalBinary()
		w.e.Handle(w.now, &datagram.Packet{Data: b, Src: netip.MustParseAddrPort("10.0.0.1:1"), Dst: netip.MustParseAddrPort("224.2.127.254:9875")})
		p.Compress()
		b, _ = p.MarshalBinary()
		w.e.Handle(w.now, &datagram.Packet{Data: b, Src: netip.MustParseAddrPort("10.0.0.1:1"), Dst: netip.MustParseAddrPort("224.2.127.254:9875")})
		if got := w.events(); got != "added Test, refreshed Test" {
			t.Errorf("%s: %s", name, got)
		}
		if l := w.e.listings()[0]; l.Quirks&QuirkRelayed == 0 || len(l.Channels()) != 1 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	w := newWorld(t, DirectoryConfig{})
	for _, v := range vectors {
		w.e.Handle(w.now, &datagram.Packet{Data: v.bytes, Src: netip.MustParseAddrPort("192.0.2.1:1")})
	}
	w.e.Handle(w.now, &datagram.Packet{Data: []byte{1}})
	if st := w.e.counters(); st.Encrypted != 1 || st.Foreign != 1 || st.Bad != 2 {
		t.Errorf("%+v", st)
	}
}

// What another host says under the same o= line is a session of its own.
func TestConflict(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	mine := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	evil := ad{src: "10.6.6.6", origin: "10.0.0.1", hash: 1, text: session("a", 9, "239.255.6.6")}
	w.hear(mine)
	w.hear(evil)
	w.want("added a, added a, conflict a same origin")
	w.wait(2 * time.Second)
	w.hear(mine)
	w.want("refreshed a")
	if all := w.e.listings(); len(all) != 2 || all[0].Key == all[1].Key {
		t.Errorf("%+v", all)
	}
	// It goes its own way.
	evil.del = true
	w.hear(evil)
	w.wait(deleteGrace)
	w.want("removed a deleted")
	if all := w.e.listings(); len(all) != 1 || all[0].Source != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("%+v", all)
	}
	// Another session on the same group.
	w.hear(ad{src: "10.0.0.3", hash: 3, text: strings.Replace(session("b", 1, "239.255.1.1"), "192.0.2.1", "192.0.2.3", 1)})
	w.want("added b, conflict b same group")
}

// Several may announce one session; the first alone may change it.
func TestSeveralAnnouncers(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	one, two := session("a", 1, "239.255.1.1"), session("a", 2, "239.255.1.1")
	w.hear(ad{src: "10.0.0.1", hash: 1, text: one})
	w.hear(ad{src: "2001:db8::1", hash: 1, text: one, group: "ff05::2:7ffe"})
	w.want("added a, refreshed a")
	if l := w.e.listings()[0]; len(l.Others) != 1 || len(l.Places) != 2 {
		t.Errorf("%+v", l)
	}
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two})
	w.hear(ad{src: "2001:db8::1", hash: 1, text: one}) // not yet
	w.hear(ad{src: "2001:db8::1", hash: 2, text: two})
	w.want("updated a, refreshed a")
	// The other way round it is at odds for a moment.
	three := session("a", 3, "239.255.1.1")
	w.hear(ad{src: "2001:db8::1", hash: 3, text: three})
	w.hear(ad{src: "10.0.0.1", hash: 3, text: three})
	w.want("added a, conflict a same origin, removed a merged, refreshed a")
	// It goes when both have deleted it.
	del := "o=- 1097 3 IN IP4 192.0.2.1\r\n"
	w.hear(ad{src: "2001:db8::1", hash: 3, text: three})
	w.hear(ad{src: "10.0.0.1", hash: 3, text: del, del: true})
	w.wait(time.Minute)
	w.want("refreshed a")
	if l := w.e.listings()[0]; l.Source != netip.MustParseAddr("2001:db8::1") || len(l.Others) != 0 {
		t.Errorf("%+v", l)
	}
	w.hear(ad{src: "2001:db8::1", hash: 3, text: del, del: true})
	w.wait(time.Second)
	w.want("")
	w.wait(time.Second)
	w.want("removed a deleted")
	// A new version right behind the deletion of the old is an update.
	for _, src := range []string{"10.0.0.1", "2001:db8::1"} {
		w.hear(ad{src: src, hash: 3, text: three})
	}
	for _, src := range []string{"10.0.0.1", "2001:db8::1"} {
		w.hear(ad{src: src, hash: 3, text: del, del: true})
	}
	for _, src := range []string{"10.0.0.1", "2001:db8::1"} {
		w.hear(ad{src: src, hash: 4, text: session("a", 4, "239.255.1.1")})
	}
	w.wait(time.Minute)
	w.want("added a, refreshed a, updated a, refreshed a")
}

func TestExpiry(t *testing.T) {
	for _, v := range []struct {
		name   string
		cfg    DirectoryConfig
		period time.Duration
		times  int
		want   time.Duration
	}{
		{"fast", DirectoryConfig{}, 5 * time.Second, 5, time.Minute},
		{"half a minute", DirectoryConfig{}, 30 * time.Second, 5, 5 * time.Minute},
		{"RFC period", DirectoryConfig{}, 300 * time.Second, 5, 3000 * time.Second},
		{"full group", DirectoryConfig{}, 1000 * time.Second, 5, 10000 * time.Second},
		{"heard once", DirectoryConfig{}, time.Second, 1, time.Hour},
		{"heard twice", DirectoryConfig{}, time.Second, 2, time.Hour},
		{"fast, by the RFC", DirectoryConfig{Expiry: ExpireRFC}, 5 * time.Second, 5, time.Hour},
	} {
		w := newWorld(t, v.cfg)
		for i := range v.times {
			if i > 0 {
				w.wait(v.period)
			}
			// A copy on another group at once says nothing about the period.
			w.hear(ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")})
			w.hear(ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1"), group: "224.2.127.254"})
		}
		w.events()
		w.wait(v.want - time.Second)
		if got := w.events(); got != "" {
			t.Errorf("%s: early: %s", v.name, got)
		}
		w.wait(2 * time.Second)
		if got := w.events(); got != "removed a expired" {
			t.Errorf("%s: %s", v.name, got)
		}
	}
}

func TestEnds(t *testing.T) {
	stop := uint64(epoch.Unix()) + 2208988800 + 600
	d := strings.Replace(session("a", 1, "239.255.1.1"), "t=0 0", fmt.Sprintf("t=%d %d", stop-1000, stop), 1)
	w := newWorld(t, DirectoryConfig{})
	w.hear(ad{src: "10.0.0.1", hash: 1, text: d})
	w.wait(599 * time.Second)
	w.want("added a")
	w.wait(2 * time.Second)
	w.want("removed a ended")
	w.hear(ad{src: "10.0.0.1", hash: 1, text: d})
	w.want("")
	if w.e.counters().Over != 1 {
		t.Errorf("%+v", w.e.counters())
	}
}

// A host that slept, or whose clock was set, has not missed anything.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour, time.Hour, -time.Second} {
		w := newWorld(t, DirectoryConfig{})
		a := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
		for range 5 {
			w.hear(a)
			w.wait(30 * time.Second)
		}
		w.events()
		w.now = w.now.Add(jump)
		w.e.Advance(w.now)
		w.want("")
		w.wait(3 * time.Minute)
		w.want("")
		w.hear(a)
		w.want("refreshed a")
		w.wait(6 * time.Minute) // and it expires as it did before
		w.want("removed a expired")
	}
}

// Repetitions cost no allocation, and no reading.
func TestRefreshAllocs(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	p := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}.packet()
	w.e.Handle(w.now, p)
	w.e.happens = make([]happening, 0, 4)
	if n := testing.AllocsPerRun(100, func() {
		w.now = w.now.Add(time.Second)
		w.e.Handle(w.now, p)
		w.e.Advance(w.now)
		w.e.Next()
		w.e.happens = w.e.happens[:0]
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRefresh(b *testing.B) {
	w := newWorld(b, DirectoryConfig{MaxPerSource: 4096, Burst: 4096})
	var ps []*datagram.Packet
	for i := range 1000 {
		p := ad{src: "10.0.0.1", hash: uint16(i + 1), text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(i+1), 1)}.packet()
		w.e.Handle(w.now, p)
		ps = append(ps, p)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.now = w.now.Add(time.Millisecond)
		w.e.Handle(w.now, ps[i%len(ps)])
		w.e.happens = w.e.happens[:0]
		i++
	}
}

func BenchmarkNewSession(b *testing.B) {
	w := newWorld(b, DirectoryConfig{MaxPerSource: 4096, Burst: 1 << 30})
	b.ReportAllocs()
	i := 0
	p := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	for b.Loop() {
		i++
		p.text = strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(i), 1)
		w.e.Handle(w.now, p.packet())
		w.e.happens = w.e.happens[:0]
	}
}
