package sdp_test

import (
	"bytes"
	"testing"

	"github.com/gomulticast/multicast/sdp"
)

// FuzzParse does what a listener does with an announcement, and edits it.
func FuzzParse(f *testing.F) {
	for _, x := range fixtures {
		f.Add([]byte(x.text))
	}
	f.Add([]byte("\r\ra=tool \n\nc=0"))
	f.Add([]byte("\ra=tool \n\nc=0")) // without its second line, the first and third would be one
	f.Fuzz(func(t *testing.T, b []byte) {
		d := roundTrip(t, b)
		_, err := sdp.Strict(b)
		if d == nil {
			if err == nil {
				t.Fatal("strict takes what Parse refuses")
			}
			return
		}
		if (err == nil) != (len(d.Warnings()) == 0) {
			t.Fatalf("strict: %v, warnings %v", err, d.Warnings())
		}
		readAll(t, d)
		edits(t, d)
	})
}

// edits checks that an edit changes its line alone.
func edits(t *testing.T, d *sdp.Description) {
	t.Helper()
	c := d.Clone()
	if err := c.BumpVersion(); err == nil {
		was, _ := d.Origin()
		is, _ := c.Origin()
		if sdp.CompareVersions(was.Version, is.Version) != -1 || was.Key() != is.Key() {
			t.Fatalf("%v became %v", was, is)
		}
		same(t, d, c, 1)
	}
	c = d.Clone()
	_ = c.Session().SetAttribute("tool", "x")
	for _, m := range c.Media() {
		_ = m.SetAttribute("ptime", "1")
		if v, ok := m.Attribute("ptime"); ok && v != "1" {
			t.Fatalf("ptime is %q", v)
		}
	}
	_ = c.Session().DeleteAttribute("tool")
	if _, err := sdp.ParseString(c.String()); err != nil || c.Size() != len(c.String()) {
		t.Fatalf("after edits: %v", err)
	}
	e, _ := sdp.ParseString(c.String())
	if e.Len() != c.Len() || e.NumMedia() != c.NumMedia() {
		t.Fatalf("%q has %d lines, parsed again %d", c.String(), c.Len(), e.Len())
	}
}

// same checks that all lines but n are those of before.
func same(t *testing.T, a, b *sdp.Description, n int) {
	t.Helper()
	if a.Len() != b.Len() {
		t.Fatalf("%d lines became %d", a.Len(), b.Len())
	}
	for i := range a.Len() {
		if a.Line(i) != b.Line(i) {
			n--
		}
	}
	if n < 0 {
		t.Fatalf("more lines changed:\n%q\n%q", a, b)
	}
}

// again checks that what a value's parser reads is written to something that reads the
// same.
func again[T comparable](t *testing.T, s string, parse func(string) (T, error), text func(T) string) {
	t.Helper()
	v, err := parse(s)
	if err != nil {
		return
	}
	w, err := parse(text(v))
	if err != nil || v != w {
		t.Fatalf("%q is %+v, %q is %+v, %v", s, v, text(v), w, err)
	}
}

func FuzzSessionValue(f *testing.F) {
	for _, s := range []string{"- 1 1 IN IP4 10.0.0.1", "a b 1 2 IN IP6 ::1", "IN IP4 239.1.1.1/3/4", "IN IP6 ff15::1/3", "IN IP4 239.001.1.1",
		"3034423619 3042462419", "7d 1h 0 25h", "2882844526 -1h 2898848070 0", "audio 49170/2 RTP/AVP 0 96", "AS:1200", "IN c=IN IP4 h/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again(t, s, sdp.ParseOrigin, sdp.Origin.String)
		again(t, s, func(s string) (sdp.Connection, error) {
			c, err := sdp.ParseConnection(s)
			if c.Count == 1 { // which String leaves out
				c.Count = 0
			}
			if c.Count > 1 && !c.HasTTL && !c.Addr.Is6() { // which String adds
				c.TTL, c.HasTTL = 1, true
			}
			if c.Addr.Is6() && c.HasTTL || !c.Addr.IsValid() { // forms String does not write
				c = sdp.Connection{NetType: "IN", AddrType: "IP4", Host: "h"}
			}
			return c, err
		}, sdp.Connection.String)
		again(t, s, func(s string) (string, error) { v, err := sdp.ParseTiming(s); return v.String(), err }, func(s string) string { return s })
		if r, err := sdp.ParseRepeat(s); err == nil && (r.Interval <= 0 || r.Active < 0 || len(r.Offsets) == 0) {
			t.Fatalf("%q is %+v", s, r)
		}
		_, _ = sdp.ParseZones(s)
		again(t, s, func(s string) (sdp.MediaLine, error) {
			m, err := sdp.ParseMediaLine(s)
			m.Formats = bytesFields(m.Formats)
			if m.Ports == 1 {
				m.Ports = 0
			}
			return m, err
		}, sdp.MediaLine.String)
		if b, err := sdp.ParseBandwidth(s); err == nil {
			if bits, ok := b.BitsPerSecond(); ok && bits < b.Value {
				t.Fatalf("%q is %d bits per second", s, bits)
			}
		}
	})
}

// bytesFields makes single spaces of blanks.
func bytesFields(s string) string {
	return string(bytes.Join(bytes.FieldsFunc([]byte(s), func(r rune) bool { return r == ' ' || r == '\t' }), []byte(" ")))
}

func FuzzAttribute(f *testing.F) {
	for _, s := range []string{" incl IN IP4 * 10.0.0.1", "excl IN IP6 ff15::1/3 ::1 h", "96 L24/48000/2", "96 a=b; c", "0.125", "5000 IN IP4 10.0.0.1",
		"rsi forward:206", "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:domain-nmbr=3", "ptp=IEEE1588-2002:39-A7-94-FF-FE-07-CB-D0:domain-name=x", "private:traceable",
		"id=src:MDA= direct=9 rate=1000/1001", "IEEE1722=38-D6-6D-8E-D2-78-13-2F", "DUP a b", " id=0; tag-len=4", "encoding-id=8; fssi=E:1,S:0; preference-lvl=2; ss-fssi=n:7",
		"0 encoding-id=128; instance-id=7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fold := func(v sdp.SourceFilter) sdp.SourceFilter { v.Sources = bytesFields(v.Sources); return v }
		again(t, s, func(s string) (sdp.SourceFilter, error) { v, err := sdp.ParseSourceFilter(s); return fold(v), err }, sdp.SourceFilter.String)
		again(t, s, sdp.ParseRTPMap, sdp.RTPMap.String)
		again(t, s, func(s string) (string, error) { v, err := sdp.ParseFMTP(s); return v.String(), err }, func(s string) string { return s })
		again(t, s, sdp.ParseRTCP, sdp.RTCP.String)
		again(t, s, func(s string) (sdp.RTCPUnicast, error) {
			v, err := sdp.ParseRTCPUnicast(s)
			v.Rules = bytesFields(v.Rules)
			return v, err
		}, sdp.RTCPUnicast.String)
		again(t, s, sdp.ParseRefClock, sdp.RefClock.String)
		again(t, s, sdp.ParseMediaClock, sdp.MediaClock.String)
		again(t, s, func(s string) (sdp.Grouping, error) {
			v, err := sdp.ParseGrouping(s)
			v.IDs = bytesFields(v.IDs)
			return v, err
		}, sdp.Grouping.String)
		if v, err := sdp.ParsePacketTime(s); err == nil && v <= 0 {
			t.Fatalf("%q is %v", s, v)
		}
		if v, err := sdp.ParseRepairFlow(s); err == nil && v.Preference < -1 {
			t.Fatalf("%q is %+v", s, v)
		}
		_, _ = sdp.ParseSourceFlow(s)
		if v, err := sdp.ParseFECDeclaration(s); err == nil {
			w, err := sdp.ParseFECDeclaration(v.String())
			if err != nil || v.Ref != w.Ref || v.EncodingID != w.EncodingID || v.HasInstance != w.HasInstance || v.InstanceID != w.InstanceID {
				t.Fatalf("%q is %+v, then %+v", s, v, w)
			}
		}
	})
}
