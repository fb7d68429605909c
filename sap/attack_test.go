package sap

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/sdp"
)

// Packets of an announcement, repeated by many in its sender's place or beside it and
// then not any more, do not end a session that is announced every 300 s.
func TestCopiesDoNotEndASession(t *testing.T) {
	for _, v := range []struct {
		first bool // whether the copies are heard first
		from  int
	}{{false, 1}, {false, 7}, {false, 16}, {false, 20}, {true, 1}, {true, 7}, {true, 16}, {true, 20}} {
		w := newWorld(t, DirectoryConfig{})
		a := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
		if !v.first {
			w.hear(a)
		}
		copies := func(n int) {
			for range n {
				for i := range v.from {
					c := a
					c.src = fmt.Sprintf("10.6.6.%d", i)
					w.hear(c)
				}
				w.wait(600 * time.Millisecond)
			}
		}
		copies(30)
		for range 10 {
			w.hear(a)
			w.wait(20 * time.Second)
			copies(10)
			w.wait(274 * time.Second)
		}
		w.hear(a)
		if got := w.events(); strings.Contains(got, "removed") || !strings.HasPrefix(got, "added a, refreshed a") || len(w.e.order) != 1 {
			t.Errorf("%+v: %.200s", v, got)
		}
	}
}

// Somebody repeats an announcement before its sender is heard, and so is taken for the
// owner. When it changes the session, the sender's next announcement is listed as its
// own, and after that no trick takes it away.
func TestThiefOfASession(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	mine := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	thief := func(version int, group string) ad {
		return ad{src: "10.6.6.6", origin: "10.0.0.1", hash: uint16(version), text: session("a", version, group)}
	}
	listed := func() bool {
		for _, l := range w.e.listings() {
			if l.Source.String() == mine.src && l.Description.String() == mine.text {
				return true
			}
		}
		return false
	}
	w.hear(thief(1, "239.255.1.1"))
	w.hear(mine)
	w.hear(thief(9, "239.255.6.6"))
	for range 5 {
		w.wait(5 * time.Second)
		w.hear(thief(9, "239.255.6.6"))
		w.hear(mine)
	}
	if !listed() {
		t.Fatal("the session is hidden by a change that its sender did not make")
	}
	w.events()
	for i := range 50 {
		for _, a := range []ad{thief(1, "239.255.1.1"), thief(10+i, "239.255.6.6"), deletionOf(mine), deletionOf(thief(1, "239.255.1.1"))} {
			a.src = thief(1, "239.255.1.1").src
			w.hear(a)
			if !listed() {
				t.Fatalf("round %d: taken away by %q", i, a.text)
			}
			w.wait(3 * time.Second)
		}
		w.hear(mine)
	}
}

// A device that begins again with a lower version is heard, whatever others say of the
// version it had.
func TestVersionBeginsAgain(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	old := ad{src: "10.0.0.1", hash: 7, text: session("a", 7, "239.255.1.1")}
	for range 5 {
		w.hear(old)
		w.wait(5 * time.Second)
	}
	fresh := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	for range 13 { // 65 s
		c := old
		c.src = "10.6.6.6"
		w.hear(c)
		w.hear(fresh)
		w.wait(5 * time.Second)
	}
	if got := w.names(); !strings.Contains(got, "a.1 10.0.0.1 []") {
		t.Error(got)
	}
}

// Signed packets can be repeated by anybody. Old ones change nothing, however long the
// announcer was silent, nor do they delete what is newer.
func TestReplays(t *testing.T) {
	sign := func(a ad) ad {
		a.auth, _ = Auth{Version: 1, Type: AuthCMS, Data: []byte("ann")}.AppendBinary(nil)
		return a
	}
	w := newWorld(t, DirectoryConfig{Verify: func(a Auth, _ []byte) (string, error) { return string(a.Data), nil }})
	one := sign(ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")})
	two := sign(ad{src: "10.0.0.1", hash: 2, text: session("a", 2, "239.255.1.2")})
	w.hear(one)
	w.hear(two)
	w.events()
	for _, src := range []string{"10.0.0.1", "10.6.6.6"} { // its address can be forged too
		w.wait(20 * time.Minute)
		for _, a := range []ad{one, deletionOf(one)} {
			a.src = src
			w.hear(a)
		}
		w.wait(deleteGrace)
		w.want("")
	}
	// The deletion without its signature, and with that of the announcement.
	del := deletionOf(two)
	del.auth = nil
	w.hear(del)
	w.wait(deleteGrace)
	w.want("")
	if got := w.names(); got != "a.2 10.0.0.1 []" {
		t.Error(got)
	}
}

// Somebody sends in the name of a host: its sessions stay, and a new one is listed.
func TestForgedSender(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	round := func() {
		for i := range 20 {
			w.hear(ad{src: "10.0.0.1", hash: uint16(i + 1), text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(5000+i), 1)})
		}
	}
	for range 3 {
		round()
		w.wait(5 * time.Second)
	}
	for i := range 10000 {
		w.hear(ad{src: "10.0.0.1", hash: uint16(i), text: strings.Replace(evil(i), "10.6.6.6", "10.0.0.1", 1)})
		w.wait(50 * time.Millisecond)
		if i%100 == 0 {
			round()
		}
		for _, h := range w.e.happens {
			if h.kind == Removed && h.x.d.Name() == "a" {
				t.Fatalf("removed: %v", h.reason)
			}
		}
		w.e.happens = w.e.happens[:0]
	}
	round()
	for range 3 {
		w.hear(ad{src: "10.0.0.1", hash: 99, text: session("late", 1, "239.255.1.9")})
		w.wait(5 * time.Second)
	}
	w.check()
	honest, late := 0, 0
	for _, l := range w.e.listings() {
		switch l.Description.Name() {
		case "a":
			honest++
		case "late":
			late++
		}
	}
	if honest != 20 || late != 1 || len(w.e.order) > w.e.cfg.MaxPerSource {
		t.Errorf("%d sessions of before and %d new in %d", honest, late, len(w.e.order))
	}
}

// Deletions that say nothing take nothing away that they do not name, and cost no more
// than their rate.
func TestDeletionFlood(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	for i := range 10 { // by SAP version 0, without a hash, and with one
		w.hear(ad{src: "10.0.0.1", hash: uint16(i), text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(5000+i), 1)})
	}
	w.events()
	for i := range 5000 {
		w.hear(ad{src: "10.0.0.1", del: true, text: ""})
		w.hear(ad{src: "10.0.0.1", hash: 77, del: true, text: "o=\r\n"})
		w.hear(ad{src: "10.6.6.6", origin: "10.0.0.1", hash: uint16(i), del: true, text: ""})
	}
	w.wait(deleteGrace)
	w.want("")
	if st := w.e.counters(); st.Sessions != 10 || st.Deletes != 0 || st.Limited < 10000 {
		t.Errorf("%+v", st)
	}
}

// One header, and another o= line each time: a session each, as minisapserver makes them
// by several processes of one host. One hash for two sessions of a host is no change of
// the first.
func TestOriginChanges(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	for i := range 3 {
		w.hear(ad{src: "10.0.0.1", hash: 0x1242, text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(i+1), 1)})
	}
	w.want("added a, added a, added a")
	w.hear(ad{src: "10.0.0.1", hash: 0x1242, text: strings.Replace(session("a", 2, "239.255.1.1"), "1097", "2", 1)})
	w.want("updated a")
	w.hear(ad{src: "10.0.0.1", hash: 0x1242, del: true, text: "o=- 1 1 IN IP4 192.0.2.1\r\n"})
	w.wait(deleteGrace)
	w.want("removed a deleted")
	// The same header and other bytes are read (RFC 2974 section 10).
	w.hear(ad{src: "10.0.0.1", hash: 0x1242, text: strings.Replace(session("b", 3, "239.255.1.1"), "1098", "2", 1)})
	w.hear(ad{src: "10.0.0.1", hash: 0x1242, text: strings.Replace(session("a", 3, "239.255.1.1"), "1097", "2", 1)})
	if got := w.events(); !strings.HasPrefix(got, "added b") && !strings.HasPrefix(got, "updated") {
		t.Error(got)
	}
	// An o= line that many share, which grows an identity, and loses it again.
	w = newWorld(t, DirectoryConfig{})
	for i := range 4 {
		o := []string{"- 0 0 IN IP4 127.0.0.1", "- 5 1 IN IP4 192.0.2.1"}[i%2]
		w.hear(ad{src: "10.0.0.1", hash: 9, text: "v=0\r\no=" + o + "\r\ns=x\r\nc=IN IP4 239.255.12.50/7\r\nt=0 0\r\nm=video 5004 RTP/AVP 32\r\n"})
	}
	w.want("added x, added x, refreshed x, refreshed x")
}

// What a Store hands back may be made up: limits hold, and it keeps nobody quiet who is
// heard.
func TestPoisonedStore(t *testing.T) {
	line := func(source, signer, text, times string) string {
		return fmt.Sprintf(`{"Text":%q,"Source":%q,"Signer":%q,"Origin":"192.0.2.1","Hash":1,%s}`, base64.StdEncoding.EncodeToString([]byte(text)), source, signer, times) + "\n"
	}
	now := `"First":"2029-12-31T23:59:00Z","Last":"2029-12-31T23:59:59Z","Heard":1000000,"Period":86399000000000`
	high := session("a", 1, "239.255.6.6")
	high = strings.Replace(high, "1097 1 ", "1097 99999999999999999999999 ", 1)
	w := newWorld(t, DirectoryConfig{MaxBytes: 1 << 20})
	var data bytes.Buffer
	data.WriteString(line("10.0.0.1", "", high, now))
	data.WriteString(line("10.0.0.2", strings.Repeat("s", 100000), session("long", 1, "239.255.1.1"), now))
	data.WriteString(line("10.0.0.3", "", session("never", 1, "239.255.1.1"), `"First":"9999-01-01T00:00:00Z","Last":"9999-01-01T00:00:00Z","Period":-5,"Heard":-5`))
	data.WriteString(line("10.0.0.4", "", session("old", 1, "239.255.1.1"), `"First":"0001-01-01T00:00:00Z","Last":"0001-01-01T00:00:00Z"`))
	data.WriteString(line("", "", session("nobody", 1, "239.255.1.1"), now))
	data.WriteString(strings.Repeat("[", 1<<17) + "\n" + strings.Repeat("{\"Text\":", 1000) + "\n\x00\xff\n")
	for i := range 5000 {
		data.WriteString(line(fmt.Sprintf("10.6.%d.%d", i>>8, i&255), strings.Repeat("s", 5000), evil(i), now))
	}
	w.e.restore(w.now, data.Bytes())
	w.check()
	if st := w.e.counters(); st.Bytes > 1<<20 || st.Sessions == 0 || st.Stale != st.Sessions {
		t.Errorf("%+v", st)
	}
	for _, l := range w.e.listings() {
		if n := l.Description.Name(); n == "old" || n == "nobody" || l.Last.After(w.now) || l.First.After(l.Last) {
			t.Errorf("%+v", l)
		}
	}
	w.e.happens = w.e.happens[:0]
	w.hear(ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")})
	if got := w.events(); got != "updated a" {
		t.Error(got)
	}
	// Made up or not, all that is not heard goes.
	w.wait(11 * 24 * time.Hour)
	if n := len(w.e.order); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// A file longer than any that is written is refused before it is read.
func TestStoreTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(maxStore + 1); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if b, err := NewFileStore(path).Load(); err == nil || b != nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// Payloads that inflate a thousandfold, that never end, or that hold what is compressed
// again, by the hundred: nothing is kept of them.
func TestBombs(t *testing.T) {
	w := newWorld(t, DirectoryConfig{Burst: 1 << 20})
	bomb := func(payload []byte) *datagram.Packet {
		p := Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), PayloadType: []byte(TypeSDP), Payload: payload}
		p.Compress()
		b, _ := p.MarshalBinary()
		return &datagram.Packet{Data: b, Src: netip.MustParseAddrPort("10.6.6.6:1"), Dst: netip.AddrPortFrom(LocalGroup, Port)}
	}
	zeros := bomb(make([]byte, 5<<20))
	lines := bomb(bytes.Repeat([]byte("a=x\r\n"), sdp.MaxSize/5+1))
	twice := bomb(zeros.Data)
	cut := bomb(bytes.Repeat([]byte("a=x\r\n"), 100))
	cut.Data = cut.Data[:len(cut.Data)-6]
	for range 200 {
		for _, p := range []*datagram.Packet{zeros, lines, twice, cut} {
			w.e.Handle(w.now, p)
		}
	}
	if st := w.e.counters(); st.Sessions != 0 || st.Bad != 800 || cap(w.e.inflate.buf) > MaxInflated+1 {
		t.Errorf("%+v, a buffer of %d", st, cap(w.e.inflate.buf))
	}
}

// A short line that stands for many channels is weighed by what it takes in memory.
func TestManyChannels(t *testing.T) {
	w := newWorld(t, DirectoryConfig{Burst: 1 << 20, MaxPerSource: 1 << 20})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 6000 {
		for range 2 {
			w.hear(ad{src: "10.6.6.6", hash: uint16(i), text: fmt.Sprintf("v=0\no=- %d 1 IN IP4 10.6.6.6\ns=x\nt=0 0\nm=a 1/64 x 0\nc=IN IP4 239.%d.%d.0/1/64\n", i+1, i>>8, i&255)})
			w.e.happens = w.e.happens[:0]
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	taken := int(after.HeapAlloc - before.HeapAlloc)
	st := w.e.counters()
	t.Logf("%d sessions, %d KiB counted, %d KiB taken", st.Sessions, st.Bytes>>10, taken>>10)
	if taken > 3*w.e.cfg.MaxBytes {
		t.Errorf("%d bytes for a bound of %d", taken, w.e.cfg.MaxBytes)
	}
	runtime.KeepAlive(w)
}
