package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

var (
	sapSrc = netip.MustParseAddrPort("10.0.0.1:40000")
	sapDst = netip.MustParseAddrPort("239.255.255.255:9875")
)

const (
	sdpStart = "v=0\r\no=- 7 1 IN IP4 10.0.0.1\r\ns=Channel 1\r\nt=0 0\r\n"
	sdpOne   = sdpStart + "m=video 5004 RTP/AVP 33\r\nc=IN IP4 239.1.1.1/5\r\n"
	sdpSSM   = sdpStart + "a=source-filter: incl IN IP4 * 10.0.0.1 10.0.0.2\r\nm=video 5004 RTP/AVP 33\r\nc=IN IP4 232.1.1.1/5/2\r\n" +
		"m=audio 6004 RTP/AVP 0\r\nc=IN IP4 239.1.1.1/5\r\na=source-filter: excl IN IP4 239.1.1.1 10.0.0.3\r\n"
)

// announcement makes a packet of SAP as it was sent.
func announcement(t testing.TB, p sap.Packet, payload string) []byte {
	t.Helper()
	p.Version, p.Hash = 1, 7
	if !p.Origin.IsValid() {
		p.Origin = addr("10.0.0.9")
	}
	if p.PayloadType == nil {
		p.PayloadType = []byte(sap.TypeSDP)
	}
	p.Payload = []byte(payload)
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sapRecord describes a payload that was sent to a SAP group.
func sapRecord(t testing.TB, payload []byte, r *Record) {
	t.Helper()
	var f pcap.Frame
	_ = pcap.Decode(pcap.LinkRaw, udp(sapSrc, sapDst, payload), &f)
	f.IP.BadChecksum = false
	if !new(Decoder).Describe(&f, r) {
		t.Fatal("not known")
	}
}

func TestSAP(t *testing.T) {
	edit := func(b []byte, f func(b []byte)) []byte { f(b); return b }
	compressed := sap.Packet{Version: 1, Hash: 7, Origin: addr("10.0.0.9"), PayloadType: []byte(sap.TypeSDP), Payload: []byte(sdpOne)}
	compressed.Compress()
	zipped, err := compressed.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	many := sdpStart + "m=video 5004 RTP/AVP 33\r\nc=IN IP4 239.1.1.1/5/12\r\n"
	for _, tt := range []struct {
		name    string
		payload []byte
		text    string
		json    string
	}{
		{"announcement", announcement(t, sap.Packet{}, sdpOne), `SAPv1 announce "Channel 1" of 10.0.0.9; 239.1.1.1:5004`,
			`{"event":"packet","proto":"sap","version":1,"type":"announce","src":"10.0.0.1:40000","dst":"239.255.255.255:9875","ttl":1,` +
				`"origin":"10.0.0.9","name":"Channel 1","groups":[{"group":"239.1.1.1","mode":"exclude","sources":[],"port":5004}],"problems":[]}`},
		{"deletion", announcement(t, sap.Packet{Delete: true}, "o=- 7 1 IN IP4 10.0.0.1\r\n"), `SAPv1 delete of 10.0.0.9`,
			`{"event":"packet","proto":"sap","version":1,"type":"delete","src":"10.0.0.1:40000","dst":"239.255.255.255:9875","ttl":1,` +
				`"origin":"10.0.0.9","name":"","groups":[],"problems":[]}`},
		{"senders", announcement(t, sap.Packet{Origin: addr("fd00::9")}, sdpSSM), `SAPv1 announce "Channel 1" of fd00::9; 232.1.1.1:5004 INCLUDE {10.0.0.1, 10.0.0.2}; ` +
			`232.1.1.2:5004 INCLUDE {10.0.0.1, 10.0.0.2}; 239.1.1.1:6004 EXCLUDE {10.0.0.3}`, ""},
		{"many", announcement(t, sap.Packet{}, many), `SAPv1 announce "Channel 1" of 10.0.0.9; 239.1.1.1:5004; 239.1.1.2:5004; 239.1.1.3:5004; 239.1.1.4:5004; ` +
			`239.1.1.5:5004; 239.1.1.6:5004; 239.1.1.7:5004; 239.1.1.8:5004; and 4 more`, ""},
		{"compressed", zipped, `SAPv1 announce "Channel 1" of 10.0.0.9; 239.1.1.1:5004`, ""},
		{"compressed badly", edit(bytes.Clone(zipped), func(b []byte) { b[12] ^= 0xff }), `SAPv1 announce compressed of 10.0.0.9  ! does not decompress`, ""},
		{"encrypted", announcement(t, sap.Packet{Encrypted: true}, "secret"), "SAPv1 announce encrypted of 10.0.0.9", ""},
		{"another type", announcement(t, sap.Packet{PayloadType: []byte("text/plain")}, "hello"), "SAPv1 announce no session description of 10.0.0.9", ""},
		{"no description", announcement(t, sap.Packet{}, "hello"), "SAPv1 announce of 10.0.0.9  ! not a session description", ""},
		{"cursor", announcement(t, sap.Packet{}, strings.Replace(sdpOne, "Channel", "\x1b[2J\xff", 1)), `SAPv1 announce "` + "\ufffd[2J\ufffd 1" + `" of 10.0.0.9; 239.1.1.1:5004`, ""},
		{"bad description", announcement(t, sap.Packet{}, strings.ReplaceAll(sdpOne, "/5\r\n", "\r\n")), `SAPv1 announce "Channel 1" of 10.0.0.9; 239.1.1.1:5004  ! description: ttl`, ""},
		{"no hash", edit(announcement(t, sap.Packet{}, sdpOne), func(b []byte) { b[2], b[3] = 0, 0 }), `SAPv1 announce "Channel 1" of 10.0.0.9; 239.1.1.1:5004  ! no hash`, ""},
		{"version 0", edit(announcement(t, sap.Packet{}, sdpOne), func(b []byte) { b[0] = 0 }), `SAP announce "Channel 1" of 10.0.0.9; 239.1.1.1:5004`, ""},
		{"version 3", edit(announcement(t, sap.Packet{}, sdpOne), func(b []byte) { b[0] |= 0xe0 }), "SAP other ! unknown version", ""},
		{"too short", []byte{0x20, 0, 0}, "SAP other ! cut short: header", ""},
		{"empty", nil, "SAP other ! cut short: header", ""},
	} {
		var r Record
		sapRecord(t, tt.payload, &r)
		if got := r.Name() + " " + r.Type + " " + r.Text(); got != tt.text {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.text)
		}
		b, err := json.Marshal(r.Words())
		if err != nil || tt.json != "" && string(b) != tt.json {
			t.Errorf("%s:\n got %s\nwant %s (%v)", tt.name, b, tt.json, err)
		}
	}
}

// Other ports and unicast are nothing of SAP's, and a part of a packet is told to be one.
func TestSAPElsewhere(t *testing.T) {
	b := announcement(t, sap.Packet{}, sdpOne)
	var f pcap.Frame
	var r Record
	for _, dst := range []string{"239.255.255.255:9876", "10.0.0.2:9875"} {
		_ = pcap.Decode(pcap.LinkRaw, udp(sapSrc, netip.MustParseAddrPort(dst), b), &f)
		if new(Decoder).Describe(&f, &r) {
			t.Errorf("known as %s to %s", r.Name(), dst)
		}
	}
	whole := udp(sapSrc, sapDst, b)
	_ = pcap.Decode(pcap.LinkRaw, whole[:len(whole)-20], &f)
	if !new(Decoder).Describe(&f, &r) || r.Type != Announce || r.Title != "Channel 1" || fmt.Sprint(r.Problems) != "[wrong IP header checksum not captured whole]" {
		t.Errorf("%+v", r)
	}
}

// A record's room is used again, and senders do not make it grow beyond the packet.
func TestSAPRoom(t *testing.T) {
	var senders strings.Builder
	for i := range 500 {
		fmt.Fprintf(&senders, " 10.1.%d.%d", i/250, 1+i%250)
	}
	b := announcement(t, sap.Packet{}, strings.Replace(sdpSSM, "* 10.0.0.1 10.0.0.2", "*"+senders.String(), 1))
	var r Record
	for range 3 {
		sapRecord(t, b, &r)
		if len(r.Groups) < 2 || len(r.Groups[0].Sources) != 500 || len(r.sources) > sdp.MaxChannels {
			t.Fatalf("%d groups, %d senders of the first, %d in all", len(r.Groups), len(r.Groups[0].Sources), len(r.sources))
		}
	}
}

// No payload makes the description panic, or a line that is more than a line.
func FuzzSAP(f *testing.F) {
	for _, s := range []string{sdpOne, sdpSSM, "o=- 7 1 IN IP4 10.0.0.1\r\n", "hello"} {
		f.Add(announcement(f, sap.Packet{}, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 60000 {
			return
		}
		var r Record
		sapRecord(t, b, &r)
		if r.Proto != SAP || strings.ContainsAny(r.Text(), "\r\n\t\x1b") {
			t.Errorf("%q", r.Text())
		}
		if _, err := json.Marshal(r.Words()); err != nil {
			t.Error(err)
		}
	})
}
