package sdp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/sdp"
)

// An edit keeps the bytes of all other lines, with their endings.
func TestEdits(t *testing.T) {
	const in = "v=0\r\no=-  007  009 IN IP4 10.0.0.1 \ns=x\r\nt=0 0\nm=audio 1 RTP/AVP 0\r\n\r\na=ptime:1\nm=video 3 RTP/AVP 31"
	for _, tt := range []struct {
		name string
		edit func(d *sdp.Description) error
		old  string // part of in
		new  string // what it becomes
	}{
		{"bump", (*sdp.Description).BumpVersion, "009", "010"},
		{"set", func(d *sdp.Description) error { return d.Session().Set('s', "New name") }, "s=x\r\n", "s=New name\r\n"},
		{"add info", func(d *sdp.Description) error { return d.Session().Set('i', "About") }, "s=x\r\n", "s=x\r\ni=About\r\n"},
		{"add c=", func(d *sdp.Description) error { return d.Session().Add('c', "IN IP4 239.1.1.1/1") }, "s=x\r\n", "s=x\r\nc=IN IP4 239.1.1.1/1\r\n"},
		{"attribute", func(d *sdp.Description) error { return d.Session().AddAttribute("recvonly", "") }, "t=0 0\n", "t=0 0\na=recvonly\n"},
		{"set ptime", func(d *sdp.Description) error { m, _ := d.MediaAt(0); return m.SetAttribute("ptime", "0.125") }, "a=ptime:1\n", "a=ptime:0.125\n"},
		{"media c=", func(d *sdp.Description) error { m, _ := d.MediaAt(0); return m.Add('c', "IN IP4 239.1.1.1/1") }, "RTP/AVP 0\r\n", "RTP/AVP 0\r\nc=IN IP4 239.1.1.1/1\r\n"},
		{"behind an open end", func(d *sdp.Description) error { m, _ := d.MediaAt(1); return m.AddAttribute("mid", "2") }, "AVP 31", "AVP 31\na=mid:2\n"},
		{"delete", func(d *sdp.Description) error { return d.DeleteLine(5) }, "\r\n\r\n", "\r\n"},
		{"line", func(d *sdp.Description) error { return d.SetLine(7, "m=video 5 udp x") }, "m=video 3 RTP/AVP 31", "m=video 5 udp x"},
		{"media", func(d *sdp.Description) error {
			m, err := d.AddMedia(sdp.MediaLine{Kind: "text", Port: 7, Proto: "RTP/AVP", Formats: "98"})
			if m.Index() != 2 {
				t.Error(m.Index())
			}
			return err
		}, "AVP 31", "AVP 31\nm=text 7 RTP/AVP 98\n"},
		{"origin", func(d *sdp.Description) error {
			return d.SetOrigin(sdp.Origin{"-", "1", "2", "IN", "IP6", "::1"})
		}, "o=-  007  009 IN IP4 10.0.0.1 \n", "o=- 1 2 IN IP6 ::1\n"},
	} {
		d := parse(t, in)
		before := d.Clone()
		if err := tt.edit(d); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got, want := d.String(), strings.Replace(in, tt.old, tt.new, 1); got != want || d.Size() != len(want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, want)
		}
		if before.String() != in {
			t.Errorf("%s changed what the clone was of", tt.name)
		}
	}
}

func TestEditErrors(t *testing.T) {
	d := parse(t, aes67)
	m, _ := d.MediaAt(0)
	long := strings.Repeat("x", sdp.MaxSize)
	for name, tt := range map[string]struct{ got, want error }{
		"line break in a name":  {d.Session().Set('s', "x\r\nc=IN IP4 239.9.9.9/1"), sdp.ErrValue},
		"NUL":                   {d.SetLine(0, "v=0\x00"), sdp.ErrValue},
		"attribute of two":      {m.SetAttribute("a b", "x"), sdp.ErrValue},
		"attribute with colon":  {m.AddAttribute("a:b", "x"), sdp.ErrValue},
		"value with LF":         {m.SetAttribute("ptime", "1\na=x"), sdp.ErrValue},
		"t= in a media":         {m.Add('t', "0 0"), sdp.ErrValue},
		"m= in a media":         {m.Add('m', "0 0"), sdp.ErrValue},
		"unknown type":          {d.Session().Add(200, "x"), sdp.ErrValue},
		"no such line":          {d.SetLine(99, "a=x"), sdp.ErrNoLine},
		"no line before 0":      {d.InsertLine(-1, "a=x"), sdp.ErrNoLine},
		"nothing to delete":     {d.DeleteLine(-1), sdp.ErrNoLine},
		"too long":              {d.Session().Set('i', long), sdp.ErrTooLarge},
		"an origin with blanks": {d.SetOrigin(sdp.Origin{"a b", "1", "2", "IN", "IP6", "::1"}), sdp.ErrValue},
		"no origin":             {parse(t, "v=0\n").BumpVersion(), sdp.ErrNoLine},
		"no version":            {parse(t, "o=- 1 x IN IP4 1.1.1.1\n").BumpVersion(), sdp.ErrValue},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	if d.String() != aes67 {
		t.Errorf("what failed left %q", d)
	}
	if _, err := d.AddMedia(sdp.MediaLine{Kind: "a b"}); !errors.Is(err, sdp.ErrValue) {
		t.Error(err)
	}
	full := parse(t, "v=0\n"+strings.Repeat("m=a 1 b c\n", sdp.MaxMedia))
	if _, err := full.AddMedia(sdp.MediaLine{Kind: "a", Proto: "b", Formats: "c"}); !errors.Is(err, sdp.ErrTooLarge) || full.NumMedia() != sdp.MaxMedia {
		t.Error(err)
	}
	if err := full.Session().AddAttribute("x", ""); err != nil || full.NumMedia() != sdp.MaxMedia {
		t.Error(err)
	}
	if n := m.DeleteAttribute("ptime"); n != 1 || strings.Contains(d.String(), "ptime") {
		t.Error(n)
	}
}

func TestVersions(t *testing.T) {
	for _, tt := range []struct{ in, out string }{
		{"0", "1"}, {"9", "10"}, {"18446744073709551615", "18446744073709551616"}, {"99999999999999999999999", "100000000000000000000000"}, {"007", "008"},
	} {
		d := parse(t, "o=- 1 "+tt.in+" IN IP4 10.0.0.1\n")
		if err := d.BumpVersion(); err != nil {
			t.Error(err)
		}
		if o, _ := d.Origin(); o.Version != tt.out || sdp.CompareVersions(tt.in, o.Version) != -1 || sdp.CompareVersions(o.Version, tt.in) != 1 {
			t.Errorf("%s became %s", tt.in, o.Version)
		}
	}
	if sdp.CompareVersions("010", "10") != 0 || sdp.CompareVersions("x", "y") != -1 {
		t.Error("CompareVersions")
	}
	// An origin with a number too many, and one with blanks in the name.
	for in, out := range map[string]string{
		"- 14665860 31787219 1 IN IP4 10.0.0.1": "- 14665860 31787220 1 IN IP4 10.0.0.1",
		"The King 5 6 IN IP4 10.0.0.1":          "The King 5 7 IN IP4 10.0.0.1",
		"- 5 6":                                 "- 5 7",
	} {
		d := parse(t, "o="+in+"\n")
		if err := d.BumpVersion(); err != nil || d.String() != "o="+out+"\n" {
			t.Errorf("%q became %q, %v", in, d, err)
		}
	}
	for in, want := range map[string]bool{
		"- 0 0 IN IP4 127.0.0.1": false, "- 0 0 IN IP6 ::1": false, "- 5 0 IN IP4 127.0.0.1": true, "- 0 0 IN IP4 10.0.0.1": true, "- 0 0 IN IP4 localhost": false,
	} {
		if o, err := sdp.ParseOrigin(in); err != nil || o.Identifies() != want {
			t.Errorf("%q: %v, %v", in, o.Identifies(), err)
		}
	}
}
