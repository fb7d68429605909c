package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

func parseSDP(t *testing.T, text string) *sdp.Description {
	t.Helper()
	d, err := sdp.ParseString(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// listings are sessions as a directory has them: one of a stream, one of two media, of
// which one has a sender, and one whose name is a trap.
func listings(t *testing.T, now time.Time) []sap.Listing {
	two := parseSDP(t, "v=0\r\no=- 8 1 IN IP4 10.0.0.2\r\ns=both\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\nc=IN IP4 232.1.1.1/5\r\n"+
		"a=source-filter: incl IN IP4 232.1.1.1 10.0.0.2\r\nm=audio 1234 udp mpeg\r\nc=IN IP4 239.255.1.2/5\r\n")
	trap := parseSDP(t, strings.Replace(goodSDP, "Channel 1", "\x1b[2J\xff, here", 1))
	src := netip.MustParseAddr("10.0.0.9")
	return []sap.Listing{
		{Key: "b", Description: parseSDP(t, goodSDP), Source: src, Origin: src, Period: 5 * time.Second, Heard: 3, Last: now.Add(-2 * time.Second), Expires: now.Add(time.Minute)},
		{Key: "c", Description: two, Source: src, Heard: 1, Last: now, Expires: now.Add(time.Hour)},
		{Key: "a", Description: trap, Source: src, Heard: 1, Last: now, Expires: now.Add(-time.Second)},
	}
}

func TestSessionTable(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	l := lister{out: &printer{out: &out}, started: now.Add(-30 * time.Second)}
	got := l.table(now, nil) + l.table(now, listings(t, now))
	l.handle(&sap.Event{Kind: sap.Conflict, Reason: sap.SameOrigin, Listing: listings(t, now)[0], Other: listings(t, now)[1]})
	all := l.table(now, listings(t, now)[:1])
	got += all[strings.LastIndex(all[:len(all)-1], "\n")+1:]
	want := `no session was announced in 30s
NAME         GROUPS                                                SOURCE    EVERY  HEARD  SEEN   ENDS IN
�[2J�, here  rtp://239.255.1.1:5004                                10.0.0.9  ?      1      0.0 s  0s
both         rtp://10.0.0.2@232.1.1.1:5004 udp://239.255.1.2:1234  10.0.0.9  ?      1      0.0 s  1h0m0s
Channel 1    rtp://239.255.1.1:5004                                10.0.0.9  5s     3      2.0 s  1m0s
CONFLICT  Channel 1 of 10.0.0.9 and both of 10.0.0.9: same origin
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	if out.Len() != 0 {
		t.Errorf("written: %s", &out)
	}
}

func TestPlaylist(t *testing.T) {
	name := filepath.Join(t.TempDir(), "list.m3u")
	for range 2 { // the second takes the place of the first
		if err := writePlaylist(name, listings(t, time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := "#EXTM3U\n#EXTINF:-1,\ufffd[2J\ufffd, here\nrtp://239.255.1.1:5004\n#EXTINF:-1,both (video)\nrtp://10.0.0.2@232.1.1.1:5004\n" +
		"#EXTINF:-1,both (audio)\nudp://@239.255.1.2:1234\n#EXTINF:-1,Channel 1\nrtp://239.255.1.1:5004\n"
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o444 != 0o444 {
		t.Errorf("not for all to read: %v, %v", info.Mode(), err)
	}
	if err := writePlaylist(filepath.Join(name, "x"), nil); err == nil {
		t.Error("written below a file")
	}
}

// The lines are a contract with scripts.
func TestSessionJSON(t *testing.T) {
	var out bytes.Buffer
	l := lister{out: &printer{out: &out, json: true}}
	all := listings(t, time.Now())
	for _, ev := range []sap.Event{
		{Kind: sap.Added, Listing: all[0]}, {Kind: sap.Refreshed, Listing: all[0]}, {Kind: sap.Updated, Listing: all[1]},
		{Kind: sap.Conflict, Reason: sap.SameGroup, Listing: all[0], Other: all[1]}, {Kind: sap.Removed, Reason: sap.Expired, Listing: all[0]},
	} {
		if l.handle(&ev) != (ev.Kind == sap.Added || ev.Kind == sap.Updated || ev.Kind == sap.Removed) {
			t.Errorf("%v", ev.Kind)
		}
	}
	const one = `"name":"Channel 1","origin":"10.0.0.9","source":"10.0.0.9","groups":[{"group":"239.255.1.1","source":"","port":5004,"ttl":5}]`
	want := `{"event":"added",` + one + `,"reason":""}
{"event":"updated","name":"both","origin":"","source":"10.0.0.9","groups":[{"group":"232.1.1.1","source":"10.0.0.2","port":5004,"ttl":5},{"group":"239.255.1.2","source":"","port":1234,"ttl":5}],"reason":""}
{"event":"conflict",` + one + `,"reason":"same group"}
{"event":"removed",` + one + `,"reason":"expired"}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

// One announces a stream and a file, the other lists them, on lo, where others may do
// the same.
func TestAnnounceAndListen(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lo, me := onLoopback(t), fmt.Sprintf("of %d", os.Getpid())
	dir := t.TempDir()
	file, list := filepath.Join(dir, "a.sdp"), filepath.Join(dir, "list.m3u")
	if err := os.WriteFile(file, []byte(strings.Replace(goodSDP, "Channel 1", "File "+me, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	heard, deaf := context.WithCancel(ctx)
	defer deaf()
	said, mute := context.WithCancel(ctx)
	defer mute()
	listening, announcing := make(chan error, 1), make(chan error, 1)
	go func() {
		f := sapListenFlags{ifaces: []string{lo}, m3u: list, interval: 10 * time.Millisecond, json: true}
		listening <- f.run(heard, &printer{out: pw, err: os.Stderr, json: true})
		pw.Close()
	}()
	var out bytes.Buffer
	go func() {
		f := sapAnnounceFlags{streams: []string{"rtp://239.255.84.1:5004"}, name: "Stream " + me, ttl: 3, profile: "fast", ifaces: []string{lo, "127.0.0.1"}, json: true} // the same twice
		announcing <- f.run(said, []string{file}, &printer{out: &out, err: os.Stderr, json: true})
	}()
	events := map[string]int{}
	for dec := json.NewDecoder(pr); ; {
		var e sessionEvent
		if err := dec.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(e.Name, me) {
			continue
		}
		if events[e.Event+" "+e.Name]++; e.Event == "removed" && e.Reason != "deleted" {
			t.Errorf("%+v", e)
		}
		if events["added File "+me] > 0 && events["added Stream "+me] > 0 {
			mute()
		}
		if events["removed File "+me] > 0 && events["removed Stream "+me] > 0 {
			deaf()
		}
	}
	if len(events) != 4 {
		t.Errorf("%v", events)
	}
	for _, c := range []chan error{listening, announcing} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(list); err != nil || strings.Contains(string(text), me) || !strings.HasPrefix(string(text), "#EXTM3U\n") {
		t.Errorf("%s, %v", text, err)
	}
	for _, want := range []string{
		`^{"event":"announced","name":"File of \d+","file":".*a.sdp","groups":\[{"group":"239.255.1.1","source":"","port":5004,"ttl":5}\],"on":\["239.255.255.255"\],"interval":5,"bytes":\d+}\n`,
		`\n{"event":"announced","name":"Stream of \d+","file":"rtp://239.255.84.1:5004","groups":\[{"group":"239.255.84.1","source":"","port":5004,"ttl":3}\],"on":\["239.255.255.255"\],"interval":5,"bytes":\d+}\n`,
		`\n{"event":"withdrawn","sessions":2,"announcements":\d+,"deletes":6}\n$`,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("%s\nhas not %s", &out, want)
		}
	}
}

// What is announced of a stream, by its URL.
func TestDescribe(t *testing.T) {
	lo, origins := onLoopback(t), make(map[string]bool)
	for _, tt := range []struct{ stream, profile, channels, media string }{
		{"rtp://239.255.1.1:5004", "rfc2974", "[rtp://239.255.1.1:5004]", "video 5004 RTP/AVP 33"},
		{"rtp://239.255.1.1", "fast", "[rtp://239.255.1.1:5004]", "video 5004 RTP/AVP 33"},
		{"udp://@239.255.1.1:1234", "fast", "[udp://239.255.1.1:1234]", "video 1234 udp mpeg"},
		{"rtp://192.0.2.1@232.1.1.1:5004", "fast", "[rtp://192.0.2.1@232.1.1.1:5004]", "video 5004 RTP/AVP 33"},
		{"rtp://239.69.1.1:5004", "aes67", "[rtp://239.69.1.1:5004]", "audio 5004 RTP/AVP 96"},
	} {
		f := sapAnnounceFlags{ttl: 7, profile: tt.profile, ifaces: []string{lo}}
		d, err := f.describe(t.Context(), tt.stream, time.Unix(1e9, 0))
		if err != nil {
			t.Errorf("%s: %v", tt.stream, err)
			continue
		}
		if o, _ := d.Origin(); origins[o.Key()] || o.Version != "3208988800" { // now, since 1900
			t.Errorf("%s: two sessions with the origin %v", tt.stream, o)
		} else {
			origins[o.Key()] = tt.profile != "rfc2974" // which the next has the same as
		}
		m, _ := d.MediaAt(0)
		if got := fmt.Sprint(d.Channels()); got != tt.channels || m.MediaLine.String() != tt.media || d.Channels()[0].TTL != 7 || len(d.Warnings()) > 0 {
			t.Errorf("%s: %s, %s, %v\n%s", tt.stream, got, m.MediaLine, d.Warnings(), d)
		}
	}
}

// Mistakes are told with what to do, before anything is sent.
func TestSessionMistakes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"none.sdp": "hello\n", "unicast.sdp": strings.Replace(goodSDP, "239.255.1.1/5", "10.0.0.1", 1), "zone.sdp": strings.Replace(goodSDP, "239.255.1.1", "239.1.1.1", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, tt := range []struct{ args, want string }{
		{"sap bogus", "announce, listen"},
		{"sap listen eth0", "--iface"},
		{"sap listen --interval 1ms", "at least 10ms"},
		{"sap listen --duration -1s", "positive time"},
		{"sap listen --iface nosuch0", "this host has"},
		{"sap listen --iface lo --m3u nodir/list.m3u", "may write to"},
		{"sap announce", "--stream rtp://239.255.1.1:5004"},
		{"sap announce nofile.sdp", "no such file"},
		{"sap announce none.sdp", "not a session description"},
		{"sap announce unicast.sdp --iface lo", "no multicast group"},
		{"sap announce zone.sdp --iface lo", "--profile aes67"},
		{"sap announce --stream 239.255.1.1:5004 --iface lo", "rtp:// or udp://"},
		{"sap announce --stream rtp://10.0.0.1:5004 --iface lo", "multicast"},
		{"sap announce --stream rtp://232.1.1.1:5004 --iface lo", "rtp://192.0.2.10@232.1.2.3:5004"},
		{"sap announce --stream rtp://239.255.1.1:5004 --iface nosuch0", "this host has"},
		{"sap announce --stream rtp://239.255.1.1:5004 --profile slow", "rfc2974, aes67 or fast"},
		{"sap announce --stream rtp://239.255.1.1:5004 --ttl 0", "from 1 to 255"},
		{"sap announce zone.sdp --name x", "s= line"},
		{"sdp bogus", "lint"},
		{"sdp lint", "name a file"},
		{"sdp lint a b", "what is"},
		{"sdp lint nofile.sdp", "no such file"},
	} {
		code, out, errs := mcastRun(t, strings.Fields(tt.args)...)
		if code != exitUsage || !strings.Contains(errs, tt.want) || !strings.HasPrefix(errs, "mcast: ") || api.MatchString(errs) || out != "" {
			t.Errorf("mcast %s: status %d, want 2 and %q\n%s%s", tt.args, code, tt.want, out, errs)
		}
	}
	for _, args := range []string{"sap", "sap --help", "sap listen --help", "sap announce --help", "sdp", "sdp lint --help"} {
		if code, out, errs := mcastRun(t, strings.Fields(args)...); code != 0 || !strings.Contains(out, "mcast") || errs != "" {
			t.Errorf("mcast %s: status %d\n%s%s", args, code, out, errs)
		}
	}
}

func TestTitle(t *testing.T) {
	for in, want := range map[string]string{
		"": "(no name)", "-": "(no name)", " ": "(no name)", " a b ": "a b", "a\rb\u202ec": "a\ufffdb\ufffdc", "\xff": "\ufffd", "0123456789ab": "0123456789…",
	} {
		if got := title(in, 10); got != want {
			t.Errorf("title(%q) = %q, want %q", in, got, want)
		}
	}
}
