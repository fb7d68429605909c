package sdp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

func dest(s string) sdp.Dest {
	t, err := group.ParseTarget(s)
	if err != nil {
		panic(err)
	}
	return sdp.Dest{Channel: t.Channel, Port: t.Port, TTL: 16}
}

func TestBuilders(t *testing.T) {
	session := sdp.Session{Name: "Éclair", Origin: addr("10.0.0.7"), ID: 5, Version: 3, Info: "about", URI: "http://example.com/", Tool: "test",
		Start: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Stop: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)}
	audio := sdp.RTP{Session: session, Dest: dest("239.1.7.1:5004"), Kind: "audio", PayloadType: 96, Encoding: "opus", ClockRate: 48000, Channels: 2,
		Params: "stereo=1", PacketTime: 2500 * time.Microsecond, Title: "voices"}
	d, err := sdp.NewRTP(audio)
	d = clean(t, d, err)
	if !strings.Contains(d.String(), "a=ptime:2.5\r\n") || !strings.Contains(d.String(), "o=- 5 3 IN IP4 10.0.0.7\r\n") || d.Ends() != session.Stop ||
		channels(d.Channels()) != "rtp://239.1.7.1:5004" {
		t.Error(d)
	}
	audio.Dest, audio.Feedback = dest("10.0.0.8@232.1.7.1:5004"), "rsi"
	d, err = sdp.NewRTP(audio)
	if d = clean(t, d, err); channels(d.Channels()) != "rtp://10.0.0.8@232.1.7.1:5004" || d.Channels()[0].RTCP != 5005 {
		t.Error(d)
	}

	ts := sdp.MPEGTS{Session: session, Dest: dest("10.0.0.8@232.1.7.1:5004"), Dup: dest("10.1.0.8@232.2.7.1:5004")}
	d, err = sdp.NewMPEGTS(ts)
	if d = clean(t, d, err); channels(d.Channels()) != "rtp://10.0.0.8@232.1.7.1:5004 rtp://10.1.0.8@232.2.7.1:5004" || len(d.MediaOf(d.Groupings()[0])) != 2 {
		t.Error(d)
	}
	d, err = sdp.NewMPEGTS(sdp.MPEGTS{Session: session, Dest: dest("[ff15::8000:1]:1234"), Raw: true})
	if d = clean(t, d, err); channels(d.Channels()) != "udp://[ff15::8000:1]:1234" || !strings.Contains(d.String(), "m=video 1234 udp mpeg\r\nc=IN IP6 ff15::8000:1\r\n") {
		t.Error(d)
	}

	for _, c := range []sdp.RefClock{{}, {Server: "39-A7-94-FF-FE-07-CB-D0"}, {Server: "39-A7-94-FF-FE-07-CB-D0", Domain: "127"}} {
		d, err = sdp.NewAES67(sdp.AES67{Session: session, Dest: dest("239.69.1.2:5004"), Channels: 2, RefClock: c, Offset: 1<<32 - 1})
		if d = clean(t, d, err); d.Media()[0].RTPMaps()[0].String() != "96 L24/48000/2" {
			t.Error(d)
		}
	}

	files := sdp.FileSession{Session: session, Dest: dest("[2001:470::1]@[ff15::8000:1]:4000"), TSI: 1 << 40, Content: "http://example.com/files",
		FEC: []sdp.FECDeclaration{{EncodingID: 129, InstanceID: 3, HasInstance: true, OTI: []byte{1, 2, 3}}, {Ref: 1, EncodingID: 5}}}
	files.Groups = 3
	d, err = sdp.NewFLUTE(files)
	d = clean(t, d, err)
	f, ok := d.Media()[0].FLUTE()
	if !ok || f.TSI != 1<<40 || f.Channels != 3 || len(f.FEC) != 2 || string(f.FEC[0].OTI) != "\x01\x02\x03" || f.Content != files.Content ||
		len(d.Channels()) != 3 || d.Channels()[2].String() != "udp://[2001:470::1]@[ff15::8000:3]:4000" {
		t.Errorf("%+v\n%s", f, d)
	}
	files.TSI = 0
	d, err = sdp.NewNORM(files)
	if d = clean(t, d, err); len(d.Channels()) != 3 || !strings.Contains(d.String(), "m=application 4000 NORM/UDP *\r\n") {
		t.Error(d)
	}
}

// An ID that is not told is the same each time, and another for another session.
func TestDerivedID(t *testing.T) {
	ids := map[string]bool{}
	for _, s := range []string{"10.0.0.8@232.1.7.1:5004", "10.0.0.8@232.1.7.2:5004", "10.0.0.9@232.1.7.1:5004", "10.0.0.8@232.1.7.1:5006", "10.0.0.8@232.1.7.1:5004"} {
		d, err := sdp.NewMPEGTS(sdp.MPEGTS{Dest: dest(s)})
		d = clean(t, d, err)
		o, _ := d.Origin()
		ids[o.ID] = true
		if o.Version != "1" || d.Name() != "-" || o.Addr() != d.Channels()[0].Source {
			t.Error(o)
		}
	}
	if len(ids) != 4 {
		t.Error(ids)
	}
}

func TestBuilderErrors(t *testing.T) {
	ok := sdp.RTP{Session: sdp.Session{Name: "x", Origin: addr("10.0.0.7")}, Dest: dest("239.1.7.1:5004"), Kind: "audio", PayloadType: 96, Encoding: "x", ClockRate: 1}
	if _, err := sdp.NewRTP(ok); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*sdp.RTP){
		"no origin":          func(r *sdp.RTP) { r.Origin = netip.Addr{} },
		"unicast":            func(r *sdp.RTP) { r.Channel.Group = addr("10.1.1.1") },
		"no port":            func(r *sdp.RTP) { r.Port = 0 },
		"no source":          func(r *sdp.RTP) { r.Channel.Group = addr("232.1.1.1") },
		"groups":             func(r *sdp.RTP) { r.Groups = sdp.MaxGroups + 1 },
		"groups off the end": func(r *sdp.RTP) { r.Channel.Group, r.Groups = addr("239.255.255.255"), 2 },
		"copy":               func(r *sdp.RTP) { r.Dup.Port = 4 },
		"name":               func(r *sdp.RTP) { r.Name = "x\r\na=y" },
		"title":              func(r *sdp.RTP) { r.Title = "x\na=y" },
		"user":               func(r *sdp.RTP) { r.Username = "a b" },
		"kind":               func(r *sdp.RTP) { r.Kind = "" },
		"encoding":           func(r *sdp.RTP) { r.Encoding = "" },
		"encoding of two":    func(r *sdp.RTP) { r.Encoding = "a b" },
		"clock rate":         func(r *sdp.RTP) { r.ClockRate = 0 },
		"payload type":       func(r *sdp.RTP) { r.PayloadType = 128 },
		"packet time":        func(r *sdp.RTP) { r.PacketTime = -1 },
		"feedback":           func(r *sdp.RTP) { r.Channel.Source, r.Feedback = addr("10.0.0.1"), "maybe" },
		"clock":              func(r *sdp.RTP) { r.RefClock = sdp.RefClock{Kind: "ptp", Version: "x", Server: "y"} },
		"too long":           func(r *sdp.RTP) { r.Info = strings.Repeat("x", sdp.MaxSize) },
	} {
		r := ok
		change(&r)
		if d, err := sdp.NewRTP(r); !errors.Is(err, sdp.ErrValue) && !errors.Is(err, sdp.ErrTooLarge) || d != nil {
			t.Errorf("%s: %v\n%v", name, err, d)
		}
	}
	for name, a := range map[string]sdp.AES67{
		"no channels": {}, "bits": {Channels: 1, Bits: 20}, "too much": {Channels: 11}, "too long": {Channels: 1, PacketTime: time.Hour},
		"too short": {Channels: 1, PacketTime: time.Microsecond}, "rate": {Channels: 1, ClockRate: 1 << 31},
		"clock": {Channels: 2, RefClock: sdp.RefClock{Server: "me"}}, "domain": {Channels: 2, RefClock: sdp.RefClock{Server: "39-A7-94-FF-FE-07-CB-D0", Domain: "200"}},
	} {
		a.Session, a.Dest = ok.Session, ok.Dest
		if _, err := sdp.NewAES67(a); !errors.Is(err, sdp.ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]sdp.FileSession{
		"any source": {Dest: dest("239.1.7.1:5")}, "TSI": {Dest: dest("10.0.0.1@239.1.7.1:5"), TSI: 1 << 48},
		"two FEC": {Dest: dest("10.0.0.1@239.1.7.1:5"), FEC: make([]sdp.FECDeclaration, 2)},
	} {
		f.Session = ok.Session
		if _, err := sdp.NewFLUTE(f); !errors.Is(err, sdp.ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sdp.NewNORM(sdp.FileSession{Session: ok.Session, Dest: ok.Dest, TSI: 1}); !errors.Is(err, sdp.ErrValue) {
		t.Error(err)
	}
	if _, err := sdp.NewMPEGTS(sdp.MPEGTS{Session: ok.Session, Dest: ok.Dest, Dup: ok.Dest, Raw: true}); !errors.Is(err, sdp.ErrValue) {
		t.Error(err)
	}
	if s := fmt.Sprint(sdp.NTP(time.Unix(-1<<40, 0))); s != "0" {
		t.Error(s)
	}
}
