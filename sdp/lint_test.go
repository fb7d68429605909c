package sdp_test

import (
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

func codes(all []sdp.Warning) string {
	var s []string
	for _, w := range all {
		s = append(s, string(w.Code))
	}
	return strings.Join(s, " ")
}

func TestLint(t *testing.T) {
	const m = "m=video 5004 RTP/AVP 33\nc=IN IP4 239.1.7.1/31\n"
	const ssm = "m=video 5004 RTP/AVP 33\nc=IN IP4 232.1.7.1/31\n"
	const quiet = "b=RS:0\nb=RR:0\n"
	const from = "a=source-filter: incl IN IP4 * 10.0.0.1\n"
	const audio = "m=audio 5004 RTP/AVP 96\nc=IN IP4 239.1.7.1/31\na=rtpmap:96 L24/48000/2\n"
	const clocks = "a=ts-refclk:ptp=IEEE1588-2008:traceable\na=mediaclk:direct=0\n"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", m, ""},
		{"unicast", "m=video 5005 RTP/AVP 96\nc=IN IP4 10.1.1.1\n", ""},
		{"FFmpeg's origin", "", "identity"},
		{"size", m + "a=x:" + strings.Repeat("x", 1000) + "\n", "size"},
		{"session-level count", "c=IN IP4 239.1.7.1/31/2\n" + m, "connections"},
		{"session-level rtcp", "a=rtcp:5\n" + m, "level"},
		{"no source", ssm + quiet, "ssm-source"},
		{"nowhere to report", ssm + from, "rtcp-unicast"},
		{"reports by reflection", ssm + from + "a=rtcp-unicast:reflection\n", ""},
		{"no reports", ssm + quiet + from, ""},
		{"reports to nobody", m + "a=rtcp-unicast:reflection\n", "rtcp-unicast"},
		{"excluded", ssm + quiet + "a=source-filter: excl IN IP4 * 10.0.0.1\n", "ssm-exclude"},
		{"other version", ssm + quiet + "a=source-filter: incl IN * * 2001:db8::1\n", "filter-sources"},
		{"a name", ssm + quiet + "a=source-filter: incl IN IP4 * src.example\n", ""},
		{"not there", m + "a=source-filter: incl IN IP4 239.1.7.2 10.0.0.1\n", "filter-dest"},
		{"of another media", m + "m=audio 6 RTP/AVP 0\nc=IN IP4 239.1.8.1/31\na=source-filter: incl IN IP4 239.1.7.1 10.0.0.1\n", "filter-dest"},
		{"of some media", "a=source-filter: incl IN IP4 239.1.7.1 10.0.0.1\n" + m, ""},
		{"twice", m + "a=source-filter: incl IN IP4 239.1.7.1 10.0.0.1\na=source-filter: incl IN IP4 239.1.7.1 10.0.0.2\n", "filter-twice"},
		{"for two versions", m + from + "a=source-filter: incl IN IP6 * 2001:db8::1\n", ""},
		{"some of a count", "m=video 5004 RTP/AVP 33\nc=IN IP4 239.1.7.1/31/3\na=source-filter: incl IN IP4 239.1.7.1 10.0.0.1\n", "filter-count"},
		{"control alias", strings.Replace(m, "239.1.7.1", "239.128.0.251", 1), string(group.CodeControlAlias)},
		{"TTL", strings.Replace(m, "/31", "/1", 1), string(group.CodeTTLBelow)},
		{"odd port", strings.Replace(m, "5004", "5005", 1), "port"},
		{"odd port, one for both", strings.Replace(m, "5004", "5005", 1) + "a=rtcp-mux\n", ""},
		{"unknown type", "m=video 5004 RTP/AVP 96\nc=IN IP4 239.1.7.1/31\n", "rtpmap"},
		{"other type", m + "a=rtpmap:96 x/1\na=fmtp:97 y\n", "rtpmap rtpmap"},
		{"format", "m=video 5004 RTP/AVP mpeg\nc=IN IP4 239.1.7.1/31\n", "rtpmap"},
		{"AES67", audio + "a=ptime:1\n" + clocks, ""},
		{"no clocks", audio + "a=ptime:1\n", "clock clock"},
		{"a direct clock of nothing", m + "a=mediaclk:direct=0\n", "clock"},
		{"a clock for nothing", m + "a=ts-refclk:ptp=IEEE1588-2008:traceable\n", "clock"},
		{"traceable alone", audio + "a=ptime:1\na=ts-refclk:ptp=traceable\na=mediaclk:direct=0\n", "clock"},
		{"no packet time", audio + clocks, "ptime"},
		{"frames", audio + clocks + "a=ptime:1\na=framecount:48\n", ""},
		{"other frames", audio + clocks + "a=ptime:1\na=framecount:6\n", "ptime"},
		{"large packets", audio + clocks + "a=ptime:10\n", "ptime"},
		{"huge packets", audio + clocks + "a=ptime:10000\n", "ptime"},
		{"channels not told", strings.Replace(audio, "/2", "", 1) + clocks + "a=ptime:1\n", "rtpmap"},
		{"44.1 kHz", strings.Replace(audio, "48000", "44100", 1) + clocks + "a=ptime:1.09\na=framecount:48\n", ""},
		{"L16 without clocks", strings.Replace(audio, "L24", "L16", 1), ""},
		{"FLUTE", "m=application 5 FLUTE/UDP *\nc=IN IP4 239.1.7.1/31\n", "flute flute"},
		{"group of nothing", "a=group:DUP a b\n" + m + "a=mid:a\n", "grouping"},
		{"group of one", "a=group:DUP a\n" + m + "a=mid:a\n", "grouping"},
		{"same ID", m + "a=mid:a\n" + m + "a=mid:a\n", "grouping"},
		{"repair of nothing", "m=application 5 UDP/FEC *\nc=IN IP4 239.1.7.1/31\n", "fec"},
		{"repair without a window", "m=application 5 UDP/FEC *\nc=IN IP4 239.1.7.1/31\na=fec-repair-flow:encoding-id=1\n", "fec fec"},
		{"over before", "", "times"},
	} {
		text := "v=0\no=- 7 1 IN IP4 10.0.0.7\ns=-\n"
		switch tt.want {
		case "identity":
			text = fixtureNamed("FFmpeg")
		case "times":
			text += "t=3042462419 3034423619\n"
		default:
			if c, rest, ok := strings.Cut(tt.text, "\n"); ok && strings.HasPrefix(c, "c=") {
				text, tt.text = text+c+"\n", rest
			}
			text += "t=0 0\n" + tt.text
		}
		d := parse(t, text)
		got := d.Lint()
		if codes(got) != tt.want {
			t.Errorf("%s:\n got %q\nwant %q\n%v", tt.name, codes(got), tt.want, got)
		}
	}
}

// What the builders write, Strict reads and Lint has nothing against.
func clean(t *testing.T, d *sdp.Description, err error) *sdp.Description {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sdp.Strict([]byte(d.String())); err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if w := d.Lint(); len(w) > 0 {
		t.Errorf("%v\n%s", w, d)
	}
	return d
}
