package sdp_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/sdp"
)

func parse(t testing.TB, s string) *sdp.Description {
	t.Helper()
	d, err := sdp.Parse([]byte(s))
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	return d
}

func warnings(all []sdp.Warning) string {
	var s []string
	for _, w := range all {
		s = append(s, fmt.Sprintf("%d:%d %s", w.Line, w.Column, w.Code))
	}
	return strings.Join(s, " ")
}

func channels(all []sdp.Channel) string {
	var s []string
	for _, c := range all {
		s = append(s, c.String())
	}
	return strings.Join(s, " ")
}

func TestFixtures(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			d := parse(t, f.text)
			if got := warnings(d.Warnings()); got != f.warnings {
				t.Errorf("warnings %q\n    want %q\n%v", got, f.warnings, d.Warnings())
			}
			if got := channels(d.Channels()); got != f.channels {
				t.Errorf("channels %s\n    want %s", got, f.channels)
			}
			_, err := sdp.Strict([]byte(f.text))
			if (err == nil) != (f.warnings == "") {
				t.Errorf("strict: %v", err)
			}
			var pe *sdp.ParseError
			if err != nil && (!errors.As(err, &pe) || pe.Warning != d.Warnings()[0]) {
				t.Errorf("strict: %v, want the first of %v", err, d.Warnings())
			}
			roundTrip(t, []byte(f.text))
		})
	}
}

// roundTrip checks that the bytes of what parses come back, whole and by lines.
func roundTrip(t *testing.T, in []byte) *sdp.Description {
	t.Helper()
	d, err := sdp.Parse(in)
	if err != nil {
		return nil
	}
	out, err := d.MarshalBinary()
	if err != nil || !bytes.Equal(in, out) || d.String() != string(in) || d.Size() != len(in) {
		t.Fatalf("%q became %q, %v", in, out, err)
	}
	// Once edited it is put together from its lines.
	c := d.Clone()
	last := c.Len()
	if c.Line(last-1).Ending() != "" && c.InsertLine(last, "a=x") == nil {
		if err := c.DeleteLine(last); err != nil || c.String() != string(in) || c.Size() != len(in) {
			t.Fatalf("%q became %q by lines", in, c.String())
		}
	}
	return d
}

// Every beginning of every fixture parses or is refused, and none panics.
func TestTruncation(t *testing.T) {
	for _, f := range fixtures {
		for n := range len(f.text) {
			if d := roundTrip(t, []byte(f.text[:n])); d != nil {
				readAll(t, d)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	header := "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nt=0 0\n"
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", sdp.ErrNotSDP},
		{"NULs", "\x00\x00", sdp.ErrNotSDP},
		{"a picture", "\x89PNG\r\n\x1a\n\x00\x00", sdp.ErrNotSDP},
		{"a playlist", "#EXTM3U\nrtp://239.1.1.1:5004\n", sdp.ErrNotSDP},
		{"other lines", "a=b\nx=y\n", sdp.ErrNotSDP},
		{"too long", header + "a=" + strings.Repeat("x", sdp.MaxSize), sdp.ErrTooLarge},
		{"too many lines", header + strings.Repeat("a=x\n", sdp.MaxLines-3), sdp.ErrTooLarge},
		{"too many lines of CR", strings.ReplaceAll(header, "\n", "\r") + strings.Repeat("a=x\r", sdp.MaxLines-3), sdp.ErrTooLarge},
		{"too many media", header + strings.Repeat("m=a 1 b c\n", sdp.MaxMedia+1), sdp.ErrTooLarge},
	} {
		for name, f := range map[string]func([]byte) (*sdp.Description, error){"Parse": sdp.Parse, "Strict": sdp.Strict} {
			if d, err := f([]byte(tt.text)); !errors.Is(err, tt.want) || d != nil {
				t.Errorf("%s, %s: %v, want %v", name, tt.name, err, tt.want)
			}
		}
	}
	for _, ok := range []string{
		header + strings.Repeat("a=x\n", sdp.MaxLines-4),
		header + strings.Repeat("m=a 1 b c\n", sdp.MaxMedia),
		header + "a=" + strings.Repeat("x", sdp.MaxSize-len(header)-3) + "\n",
	} {
		if _, err := sdp.Parse([]byte(ok)); err != nil {
			t.Error("at the limit:", err)
		}
	}
}

// All that the grammar does not allow, a line each, in otherwise good text.
func TestWarnings(t *testing.T) {
	const session = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 239.1.7.1/4\nt=0 0\n"
	const media = session + "m=audio 5004 RTP/AVP 0\n"
	for _, tt := range []struct{ text, want string }{
		{session, ""},
		{media, ""},
		{session + "r=7d 1h 0 25h\nz=2882844526 -1h 2898848070 0\nt=3034423619 3042462419\nk=prompt\na=recvonly\n", ""},
		{session + "r=7d 1h\n", "6:8 syntax"},
		{session + "r=0 1h 0\n", "6:5 number"},
		{session + "z=1 2 3\n", "6:8 number"},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nr=7d 1h 0\nt=0 0\n", "4:1 order"},
		{session + "v=0\n", "6:1 order"},
		{session + "i=x\n", "6:1 order"},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\ns=-\nt=0 0\n", "4:1 twice"},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 239.1.7.1/4\nc=IN IP4 239.1.7.2/4\nt=0 0\n", "5:1 twice"},
		{"v=1\no=- 1 1 IN IP4 10.0.0.1\ns=-\nt=0 0\n", "1:3 version"},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=\nt=0 0\n", ""},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=\ni=\nt=0 0\n", "4:3 syntax"},
		{"v=0\no=- 1 1 IN IP6 10.0.0.1\ns=-\nt=0 0\n", "2:16 address"},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1 x\ns=-\nt=0 0\n", "2:3 syntax"},
		{"v=0\no=a b 1 1 IN IP4 10.0.0.1\ns=-\nt=0 0\n", "2:3 syntax"},
		{"v=0\no=- 1 1 IN\ns=-\nt=0 0\n", "2:11 syntax"},
		{"v=0\no=-  1 1 IN IP4 10.0.0.1\ns=-\nt=0 0\n", "2:4 space"},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nt=1 0\n", "4:3 number"},
		{"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=a\x00b\nt=0 0\n", "3:4 bytes"},
		{session + "b=AS:x\n", "6:1 order 6:3 number"},
		{session + "q=1\n", "6:1 line"},
		{session + "hello\n", "6:1 line"},
		{session + "a=\n", "6:3 attribute"},
		{session + "a=two words\n", "6:6 attribute"},
		{session + "a=group:\n", "6:9 attribute"},
		{session + "a=flute-tsi:281474976710656\n", "6:13 number"},
		{session + "a=source-filter: incl IN IP4 239.1.7.1\n", "6:39 attribute"},
		{session + "a=source-filter: only IN IP4 239.1.7.1 10.0.0.1\n", "6:17 attribute"},
		{session + "a=source-filter: INCL IN IP4 239.1.7.1 10.0.0.1\n", "6:17 attribute"},
		{session + "a=source-filter: incl IN IP4 239.1.7.1 239.1.1.1\n", "6:39 address"},
		{session + "a=source-filter: incl IN IP6 239.1.7.1 10.0.0.1\n", "6:29 address"},
		{session + "m=audio 5004 RTP/AVP\n", "6:21 missing"},
		{session + "m=audio 65536 RTP/AVP 0\n", "6:9 number"},
		{session + "m=audio 5004/0 RTP/AVP 0\n", "6:14 number"},
		{session + "m=audio\n", "6:8 syntax"},
		{session + "m=au/dio 5004 RTP//AVP 0 1,2\n", "6:3 syntax"},
		{media + "t=0 0\n", "7:1 order"},
		{media + "a=x\ni=title\n", "8:1 order"},
		{media + "c=IN IP4 239.1.7.1/4\nc=IN IP4 239.1.7.2/4\n", ""},
		{media + "c=IN IP4 224.2.3.4.5\n", ""},
		{media + "c=IN IP4 999.2.3.4\n", "7:10 address"},
		{media + "c=IN IP4 239.1.7.1/x\n", "7:20 ttl"},
		{media + "c=IN IP4 239.1.7.1/1/0\n", "7:22 count"},
		{media + "c=IN IP6 ::ffff:239.1.7.1/1\n", "7:10 address"},
		{media + "a=rtpmap:128 x/1\n", "7:10 attribute"},
		{media + "a=rtpmap:96 x\n", "7:14 attribute"},
		{media + "a=fmtp:96\n", "7:10 attribute"},
		{media + "a=ptime:0\n", "7:9 attribute"},
		{media + "a=ptime: 1\n", "7:9 space"},
		{media + "a=rtcp:x\n", "7:8 attribute"},
		{media + "a=rtcp-unicast:yes\n", "7:16 attribute"},
		{media + "a=rtcp-unicast:rsi forward:206 aggr:5\n", "7:32 attribute"},
		{media + "a=ts-refclk:\n", "7:13 attribute"},
		{media + "a=ts-refclk:ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:128\n", "7:55 number"},
		{media + "a=mediaclk:direct=x\n", "7:12 number"},
		{media + "a=mediaclk:IEEE1722=1\n", "7:12 attribute"},
		{media + "a=mid:a b\n", "7:7 attribute"},
		{media + "a=fec-source-flow:tag-len=3\n", "7:19 attribute"},
		{media + "a=fec-repair-flow:encoding-id=256\n", "7:19 attribute"},
		{media + "a=repair-window:1s\n", "7:17 attribute"},
		{media + "a=FEC-declaration:0\n", "7:20 attribute"},
		{media + "a=multicast-rtcp:\n", "7:18 number"},
	} {
		d := parse(t, tt.text)
		got := warnings(d.Warnings())
		if got != tt.want {
			t.Errorf("%q\n got %s\nwant %s", tt.text[strings.LastIndex(tt.text[:len(tt.text)-1], "\n")+1:], got, tt.want)
		}
		for _, w := range d.Warnings() {
			if w.Reason == "" || !strings.Contains(w.String(), w.Reason) {
				t.Errorf("%+v", w)
			}
		}
	}
}

func TestWarningsBounded(t *testing.T) {
	d := parse(t, "v=0\n"+strings.Repeat("bad\n", 1000))
	w := d.Warnings()
	if len(w) != sdp.MaxWarnings || w[len(w)-1].Code != sdp.CodeLimit {
		t.Errorf("%d warnings, the last %v", len(w), w[len(w)-1])
	}
	var m sdp.Description
	if err := m.UnmarshalBinary([]byte(aes67)); err != nil || m.String() != aes67 || len(m.Channels()) != 1 {
		t.Error(err)
	}
	if err := m.UnmarshalBinary(nil); !errors.Is(err, sdp.ErrNotSDP) || m.String() != aes67 {
		t.Error(err, m.String())
	}
}
