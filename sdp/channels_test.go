package sdp_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

const head = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nt=0 0\n"

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// What a media's filter says counts, and nothing of the session's then; one that names the
// group counts over one for all.
func TestFilterPrecedence(t *testing.T) {
	const wild, named = "a=source-filter: incl IN IP4 * 10.0.0.1\n", "a=source-filter: incl IN IP4 232.1.1.1 10.0.0.2\n"
	const other = "a=source-filter: incl IN IP4 232.9.9.9 10.0.0.3\n"
	const m = "m=audio 5004 RTP/AVP 0\nc=IN IP4 232.1.1.1/1\n"
	for _, tt := range []struct{ text, want string }{
		{m, "rtp://232.1.1.1:5004"},
		{wild + m, "rtp://10.0.0.1@232.1.1.1:5004"},
		{wild + named + m, "rtp://10.0.0.2@232.1.1.1:5004"},
		{named + wild + m, "rtp://10.0.0.2@232.1.1.1:5004"},
		{m + wild + named, "rtp://10.0.0.2@232.1.1.1:5004"},
		{named + m + wild, "rtp://10.0.0.1@232.1.1.1:5004"},
		{wild + m + other, "rtp://232.1.1.1:5004"}, // overridden completely
		{m + named + "a=source-filter: incl IN IP4 232.1.1.1 10.0.0.2 10.0.0.4\n", "rtp://10.0.0.2@232.1.1.1:5004 rtp://10.0.0.4@232.1.1.1:5004"},
		{m + "a=source-filter: incl IN IP6 * 2001:db8::1\n", "rtp://232.1.1.1:5004"},
		{m + "a=source-filter: incl IN * * 10.0.0.7 2001:db8::1\n", "rtp://10.0.0.7@232.1.1.1:5004"},
		{m + "a=source-filter: incl IN IP4 * sender.example\n", ""},
		{m + "a=source-filter: incl IN IP4 * 239.1.1.1\n", ""},
		{m + "a=source-filter: nonsense\n", "rtp://232.1.1.1:5004"},
		{"c=IN IP4 232.2.2.2/1\n" + wild + "m=audio 1 RTP/AVP 0\nm=audio 3 RTP/AVP 0\nc=IN IP4 232.3.3.3/1\n" + m,
			"rtp://10.0.0.1@232.2.2.2:1 rtp://10.0.0.1@232.3.3.3:3 rtp://10.0.0.1@232.1.1.1:5004"},
		{"m=audio 0 RTP/AVP 0\nc=IN IP4 232.1.1.1/1\nm=audio 6 RTP/AVP 0\nc=IN IP4 10.1.1.1\n", ""},
		{"m=audio 9 RTP/AVP 0\nc=IN IP4 239.255.255.254/1/9\n", "rtp://239.255.255.254:9 rtp://239.255.255.255:9"},
		{"m=audio 65535/9 udp x\nc=IN IP4 239.255.255.254/1\n", "udp://239.255.255.254:65535"},
	} {
		if got := channels(parse(t, head+tt.text).Channels()); got != tt.want {
			t.Errorf("%s got %s\nwant %s\n", tt.text, got, tt.want)
		}
	}
}

func TestChannelOptions(t *testing.T) {
	d := parse(t, head+"m=audio 5004 RTP/AVP 0\nc=IN IP4 232.1.1.1/1\n"+
		"m=audio 5006 RTP/AVP 0\nc=IN IP4 239.1.1.1/1\n"+
		"m=audio 5008 RTP/AVP 0\nc=IN IP4 channel.example/127\na=source-filter: incl IN * channel.example src.example\n")
	o := sdp.ChannelOptions{Source: addr("10.0.0.9"), Lookup: func(name string) []netip.Addr {
		return map[string][]netip.Addr{
			"channel.example": {addr("2001:db8::1"), addr("ff3e::8000:1"), addr("232.5.5.5")},
			"src.example":     {addr("2001:db8::2"), addr("::ffff:10.0.0.5")},
		}[name]
	}}
	want := "rtp://10.0.0.9@232.1.1.1:5004 rtp://239.1.1.1:5006 rtp://10.0.0.5@232.5.5.5:5008"
	if got := channels(d.ChannelsWith(o)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	o.Source = addr("2001:db8::9") // of the other IP version
	if got := d.ChannelsWith(o)[0]; got.Source.IsValid() {
		t.Error(got)
	}
}

func TestChannelFields(t *testing.T) {
	d := parse(t, head+"m=audio 5004/2 RTP/AVP 0\nc=IN IP4 239.1.1.1/17\na=source-filter: excl IN IP4 * 10.0.0.3 10.0.0.4\n"+
		"m=audio 5004 udp x\nc=IN IP6 ff15::8000:1\n")
	c := d.Channels()
	if len(c) != 3 || c[0].TTL != 17 || c[0].RTCP != 5005 || c[1].Port != 5006 || c[1].RTCP != 5007 || !c[1].RTP || c[1].Media != 0 ||
		fmt.Sprint(c[1].Except) != "[10.0.0.3 10.0.0.4]" || c[2].RTP || c[2].RTCP != 0 || c[2].Media != 1 || c[2].TTL != 0 {
		t.Errorf("%+v", c)
	}
	tg := c[0].Target()
	if back, err := group.ParseTarget(tg.String()); err != nil || back != tg {
		t.Error(back, err)
	}
}

func TestRTCPPorts(t *testing.T) {
	for _, tt := range []struct {
		lines string
		rtcp  uint16
	}{
		{"", 5005},
		{"a=rtcp:5100\n", 5100},
		{"a=rtcp:5100 IN IP4 239.1.1.1\n", 5100},
		{"a=rtcp:5100 IN IP4 192.0.2.1\n", 5005},
		{"a=rtcp-mux\n", 5004},
		{"a=rtcp-mux\na=rtcp:5100\n", 5004},
		{"a=multicast-rtcp:5200\na=rtcp:5100\n", 5200},
		{"a=rtcp-unicast:rsi\na=rtcp:5100\n", 5005},
		{"b=RS:0\nb=RR:0\n", 0},
		{"b=RR:0\n", 5005},
	} {
		d := parse(t, head+"m=audio 5004 RTP/AVP 0\nc=IN IP4 239.1.1.1/1\n"+tt.lines)
		if c := d.Channels(); len(c) != 1 || c[0].RTCP != tt.rtcp {
			t.Errorf("%q: %+v, want %d", tt.lines, c, tt.rtcp)
		}
	}
	m, _ := parse(t, fixtureNamed("RFC 6128")).MediaAt(0)
	if a, p, ok := m.FeedbackTarget(); !ok || p != 43000 || a != addr("192.0.2.1") {
		t.Error(a, p, ok)
	}
	if _, p := m.RTCP(); !p {
		t.Error("no a=rtcp")
	}
}

func fixtureNamed(name string) string {
	for _, f := range fixtures {
		if f.name == name {
			return f.text
		}
	}
	panic(name)
}

// Texts made to be slow or large are neither.
func TestHostile(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	size := func(s string) string { return s[:min(len(s), sdp.MaxSize)] }
	filter := "a=source-filter: incl IN IP4 * " + many("1.1.1.1 ", 7000) + "2.2.2.2\n"
	media := many("m=a 1 RTP/AVP 0\nc=IN IP4 224.1.1.1/1/64\n", 150)
	for name, s := range map[string]string{
		"one sender often":    head + filter + media,
		"senders excluded":    head + strings.Replace(filter, "incl", "excl", 1) + media,
		"many filters":        head + many("a=source-filter: incl IN IP4 1.1.1.1 2.2.2.2\n", 1200) + media[:5000],
		"many groups":         head + many("m=a 1/64 x 0\nc=IN IP4 224.1.1.1/1/9999999\n", 256),
		"CR":                  head + many("\r", 4000),
		"CR and a far LF":     head + many("a\r", 4000) + many("x", 50000) + "\n",
		"blanks":              head + "o=" + many(" ", 60000) + "\n",
		"a long number":       head + "o=- 1 " + many("9", 60000) + " IN IP4 1.1.1.1\n",
		"many IDs":            head + "a=group:DUP " + many("a ", 15000) + "\n" + many("m=a 1 b c\na=mid:b\n", 250),
		"many formats":        head + "m=a 1 RTP/AVP " + many("96 ", 10000) + "\n" + many("a=fmtp:9 1\n", 1500),
		"many FEC references": head + many("a=FEC-declaration:1 encoding-id=1\n", 900) + "m=a 1 FLUTE/UDP 0\n" + many("a=FEC:2\n", 2000) + "a=FEC:1\n",
		"many offsets":        head + "r=1 1 " + many("1 ", 30000) + "\n",
	} {
		begin := time.Now()
		d := parse(t, size(s))
		readAll(t, d)
		took := time.Since(begin)
		t.Logf("%-20s %v", name, took)
		if took > 10*time.Second { // on a machine busy with other things
			t.Errorf("%s takes %v", name, took)
		}
	}
}
