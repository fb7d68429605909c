package sdp_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

func TestTimes(t *testing.T) {
	d := parse(t, "v=0\nt=2873397496 2873404696\nt=3034423619 3042462419\nr=7d 1h 0 25h\nr=604800 3600s 90m\nz=2882844526 -1h 2898848070 0\n")
	times := d.Times()
	if len(times) != 2 || !reflect.DeepEqual(times[1].Repeats, []sdp.Repeat{
		{Interval: 7 * 24 * time.Hour, Active: time.Hour, Offsets: []time.Duration{0, 25 * time.Hour}},
		{Interval: 7 * 24 * time.Hour, Active: time.Hour, Offsets: []time.Duration{90 * time.Minute}},
	}) {
		t.Errorf("%+v", times)
	}
	start := times[1].StartTime()
	if sdp.NTP(start) != 3034423619 || start.Format(time.RFC3339) != "1996-02-27T15:26:59Z" {
		t.Error(start)
	}
	for at, want := range map[time.Duration]bool{
		-1: false, 0: true, 59 * time.Minute: true, time.Hour: false, 91 * time.Minute: true, 25 * time.Hour: true,
		7 * 24 * time.Hour: true, 3 * 24 * time.Hour: false, 8*24*time.Hour + time.Hour: true, 94 * 24 * time.Hour: false,
	} {
		if times[1].Active(start.Add(at)) != want {
			t.Errorf("%v after the start: not %v", at, want)
		}
	}
	if z := d.Zones(); len(z) != 2 || z[0] != (sdp.ZoneChange{At: 2882844526, Offset: -time.Hour}) {
		t.Error(z)
	}
	if d.Ends() != times[1].StopTime() {
		t.Error(d.Ends())
	}
	if p := parse(t, "v=0\nt=2873397496 2873404696\nt=0 0\n"); !p.Ends().IsZero() || !p.Times()[1].Active(time.Time{}) || !p.Times()[1].StartTime().IsZero() {
		t.Error("a permanent session ends")
	}
	if sdp.NTP(time.Time{}) != 0 || sdp.NTP(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)) != 4417977600 {
		t.Error("NTP")
	}
}

func TestAttributes(t *testing.T) {
	d := parse(t, fixtureNamed("RFC 6364 section 6.4"))
	g := d.Groupings()
	if len(g) != 2 || g[0].Semantics != "FEC-FR" || len(d.MediaOf(g[1])) != 2 || d.MediaOf(g[1])[1].Index() != 2 {
		t.Error(g)
	}
	m := d.Media()
	if f, ok := m[0].SourceFlow(); !ok || f != (sdp.SourceFlow{}) {
		t.Error(f, ok)
	}
	if f, ok := m[2].RepairFlow(); !ok || f != (sdp.RepairFlow{EncodingID: 1, Preference: 1, SenderInfo: "t:3"}) {
		t.Error(f, ok)
	}
	w0, _ := m[1].RepairWindow()
	w1, _ := m[2].RepairWindow()
	if w0 != 200*time.Millisecond || w1 != 150500*time.Microsecond {
		t.Error(w0, w1)
	}
	if f, err := sdp.ParseRepairFlow("encoding-id=8; fssi=E:1234,S:0,m:7"); err != nil || f.Info != "E:1234,S:0,m:7" || f.Preference != -1 {
		t.Error(f, err)
	}

	f, ok := parse(t, fixtureNamed("FLUTE")).Media()[0].FLUTE()
	want := sdp.FLUTE{TSI: 3, HasTSI: true, FEC: []sdp.FECDeclaration{{Ref: 1, EncodingID: 129, InstanceID: 7, HasInstance: true, OTI: []byte{0, 0x20, 4, 0}}}}
	if !ok || !reflect.DeepEqual(f, want) {
		t.Errorf("%+v", f)
	}
	if _, ok := m[0].FLUTE(); ok {
		t.Error("RTP is FLUTE")
	}
	if n, ok := parse(t, "m=application 6003 NORM/UDP *\na=FEC-declaration:0 encoding-id=5\n").Media()[0].NORM(); !ok || n.FEC[0].EncodingID != 5 {
		t.Error(n, ok)
	}

	a := parse(t, aes67).Media()[0]
	pt, _ := a.PacketTime()
	clock, _ := a.MediaClock()
	if r := a.RTPMaps(); len(r) != 1 || r[0].Channels() != 8 || r[0].ClockRate != 48000 || pt != time.Millisecond ||
		clock != (sdp.MediaClock{Kind: "direct", HasOffset: true}) || a.Direction() != "recvonly" ||
		a.RefClocks()[0] != (sdp.RefClock{Kind: "ptp", Version: "IEEE1588-2008", Server: "39-A7-94-FF-FE-07-CB-D0", Domain: "0"}) {
		t.Error(r, pt, clock, a.Direction(), a.RefClocks())
	}
	if title, _ := a.Value('i'); title != "Channels 1-8" {
		t.Error(title)
	}
	v := parse(t, fixtureNamed("VLC rtp")).Media()[0]
	if b, ok := v.Bandwidth("RR"); !ok || b.Value != 0 || v.Direction() != "recvonly" {
		t.Error(b, ok)
	}
	s := parse(t, fixtureNamed("ST 2110 rate in Hz"))
	fm, ok := s.Media()[0].FMTP("97")
	if width, _ := fm.Get("WIDTH"); !ok || width != "1920" {
		t.Error(fm, ok)
	}
	if _, has := fm.Get("interlace"); !has {
		t.Error("no flag")
	}
	if r, ok := parse(t, "m=audio 1 RTP/AVP 14 33 77\n").Media()[0].RTPMap(33); !ok || r.Encoding != "MP2T" {
		t.Error(r, ok)
	}
}

func TestRFC7273(t *testing.T) {
	for in, want := range map[string]sdp.RefClock{
		"ntp=203.0.113.10": {Kind: "ntp", Server: "203.0.113.10"},
		"ntp=/traceable/":  {Kind: "ntp", Traceable: true},
		"ptp=IEEE802.1AS-2011:39-A7-94-FF-FE-07-CB-D0":                {Kind: "ptp", Version: "IEEE802.1AS-2011", Server: "39-A7-94-FF-FE-07-CB-D0"},
		"ptp=IEEE1588-2008:39-a7-94-ff-fe-07-cb-d0:domain-nmbr=127":   {Kind: "ptp", Version: "IEEE1588-2008", Server: "39-a7-94-ff-fe-07-cb-d0", Domain: "127"},
		"ptp=IEEE1588-2002:39-A7-94-FF-FE-07-CB-D0:domain-name=_DFLT": {Kind: "ptp", Version: "IEEE1588-2002", Server: "39-A7-94-FF-FE-07-CB-D0", Domain: "_DFLT"},
		"ptp=IEEE1588-2008:traceable":                                 {Kind: "ptp", Version: "IEEE1588-2008", Traceable: true},
		"ptp=traceable":                                               {Kind: "ptp", Version: "traceable", Traceable: true},
		"gps":                                                         {Kind: "gps"}, "local": {Kind: "local"}, "private": {Kind: "private"},
		"private:traceable":          {Kind: "private", Traceable: true},
		"localmac=01-23-45-67-89-ab": {Kind: "localmac", Server: "01-23-45-67-89-ab"},
	} {
		c, err := sdp.ParseRefClock(in)
		if err != nil || c != want {
			t.Errorf("%s: %+v, %v", in, c, err)
		}
		if back, err := sdp.ParseRefClock(c.String()); err != nil || back != c {
			t.Errorf("%s became %s", in, c)
		}
	}
	for in, want := range map[string]sdp.MediaClock{
		"direct=963214424":                   {Kind: "direct", Offset: 963214424, HasOffset: true},
		"direct=963214424 rate=1000/1001":    {Kind: "direct", Offset: 963214424, HasOffset: true, Rate: "1000/1001"},
		"direct":                             {Kind: "direct"},
		"sender":                             {Kind: "sender"},
		"id=MDA6NjA6MmI6MjA6MTI6MWY= sender": {Kind: "sender", ID: "MDA6NjA6MmI6MjA6MTI6MWY="},
		"id=src:MDA= IEEE1722=38-D6-6D-8E-D2-78-13-2F": {Kind: "IEEE1722", Stream: "38-D6-6D-8E-D2-78-13-2F", ID: "MDA=", Master: true},
	} {
		c, err := sdp.ParseMediaClock(in)
		if err != nil || c != want || c.String() != in {
			t.Errorf("%s: %+v, %s, %v", in, c, c, err)
		}
	}
}

func TestPacketTime(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"1": time.Millisecond, "0.125": 125 * time.Microsecond, "1.000": time.Millisecond, "20": 20 * time.Millisecond,
		"1.088435374150": 1088435, "0.00000099": 0, "0": 0, "x": 0, "1.x": 0, "1e3": 0, "-1": 0, "": 0, "99999999999": 0,
	} {
		if got, err := sdp.ParsePacketTime(in); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestConnections(t *testing.T) {
	for in, want := range map[string]string{
		"IN IP4 239.1.1.1/16":                              "[239.1.1.1]",
		"IN IP4 239.1.1.254/16/3":                          "[239.1.1.254 239.1.1.255 239.1.2.0]",
		"IN IP6 ff15::8000:1/3":                            "[ff15::8000:1 ff15::8000:2 ff15::8000:3]",
		"IN IP6 ff15::8000:1/127":                          "[ff15::8000:1]",
		"IN IP4 192.0.2.1":                                 "[]",
		"IN IP4 example.com/127":                           "[]",
		"IN IP4 239.255.255.254/1/64":                      "[239.255.255.254 239.255.255.255]",
		"IN IP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/3": "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
	} {
		c, err := sdp.ParseConnection(in)
		var got []any
		for a := range c.Groups() {
			got = append(got, a)
		}
		if err != nil || fmt.Sprint(got) != want || c.String() != in {
			t.Errorf("%s: %v, %s, %v", in, got, c, err)
		}
	}
	_, err := sdp.ParseConnection("IN IP4")
	var ve *sdp.ValueError
	if !errors.As(err, &ve) || !errors.Is(err, sdp.ErrValue) || ve.Column != 7 || errors.Is(err, io.EOF) || err.Error() == "" {
		t.Error(err)
	}
}

func TestLookups(t *testing.T) {
	d := parse(t, " v=0\r\nb=AS:800\nm=audio 1 udp x\na=mid:a\nb=TIAS:64000\nm=audio 3 udp x\na=mid:b\nb=X-Q:1")
	if m, ok := d.MediaByID("b"); !ok || m.Index() != 1 || m.Port != 3 {
		t.Error(m, ok)
	}
	if _, ok := d.MediaByID("c"); ok {
		t.Error("there is no c")
	}
	if _, ok := d.MediaAt(2); ok {
		t.Error("there is no third media")
	}
	if l := d.Line(0); l.Type() != 'v' || l.Value() != "0" || l.Text() != " v=0" || l.Ending() != "\r\n" || l.String() != " v=0\r\n" || d.Line(99) != (sdp.Line{}) {
		t.Errorf("%q", l)
	}
	m := d.Media()
	for _, tt := range []struct {
		section sdp.Section
		typ     string
		want    uint64
		ok      bool
	}{
		{m[0].Section, "AS", 800000, true}, {m[0].Section, "TIAS", 64000, true}, {m[1].Section, "X-Q", 0, false}, {d.Session(), "AS", 800000, true},
	} {
		b, has := tt.section.Bandwidth(tt.typ)
		if got, ok := b.BitsPerSecond(); !has || got != tt.want || ok != tt.ok {
			t.Errorf("%+v: %d, %v", b, got, ok)
		}
	}
	var none sdp.Media
	if _, ok := none.Attribute("mid"); ok || none.Connections() != nil || none.RTPMaps() != nil || none.Direction() != "" {
		t.Error("the zero Media has something")
	}
}
