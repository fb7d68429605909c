package control

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

var (
	alcSrc = netip.MustParseAddrPort("10.0.0.1:40000")
	alcDst = netip.MustParseAddrPort("239.1.1.1:4001")
)

// alcRecord describes a payload that was sent to a port that is ALC's.
func alcRecord(t testing.TB, payload []byte, r *Record) {
	t.Helper()
	var f pcap.Frame
	if err := pcap.Decode(pcap.LinkRaw, udp(alcSrc, alcDst, payload), &f); err != nil {
		t.Fatal(err)
	}
	f.IP.BadChecksum = false // udp does not make it
	d := Decoder{ALC: []uint16{4001}}
	if !d.Describe(&f, r) || r.Proto != ALC {
		t.Fatal("not known")
	}
}

// alcPacket appends a packet; extensions are what f makes of them.
func alcPacket(t testing.TB, p alc.Packet) []byte {
	t.Helper()
	b, err := alc.Codec{}.Append(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestALC(t *testing.T) {
	in := fdt.Instance{Expires: 1, Complete: true, Files: []fdt.File{
		{TOI: lct.TOI{Lo: 1}, ContentLocation: "docs/a.txt"}, {TOI: lct.TOI{Lo: 2}, ContentLocation: "../b\u202e"},
	}}
	document, err := in.Append(nil, fdt.RFC6726)
	if err != nil {
		t.Fatal(err)
	}
	first := lct.Extensions(lct.AppendFDT(nil, lct.FDT{Version: 2, InstanceID: 7}))
	first, err = alc.AppendFTI(first, &fec.OTI{TransferLength: uint64(len(document)), SymbolSize: 1400, MaxBlockLen: 64})
	if err != nil {
		t.Fatal(err)
	}
	fti := lct.Extensions{64, 1, 0, 0}
	toi := lct.TOI{Lo: 5}
	data := alc.Packet{
		Header:     lct.Header{TSI: 9, TOI: toi, Codepoint: uint8(fec.RaptorQ), CloseObject: true},
		HasPayload: true, ID: fec.PayloadID{SBN: 1, ESI: 70000}, Symbols: make([]byte, 100),
	}
	edit := func(p alc.Packet, f func(*alc.Packet)) alc.Packet { f(&p); return p }
	raw := func(b []byte, f func([]byte)) []byte { f(b); return b }
	for _, tt := range []struct {
		payload []byte
		text    string
		json    string
	}{
		{
			alcPacket(t, alc.Packet{Header: lct.Header{TSI: 9, Extensions: first}, HasPayload: true, Symbols: document}),
			"ALC fdt TSI 9, TOI 0; FDT instance 7 of FLUTE 2; no-code (0), block 0, symbol 0, 228 bytes; object of 228 bytes, symbols of 1400; " +
				"2 files in all: 1 docs/a.txt, 2 ../b\ufffd  ! a Content-Location that is no safe file name",
			"",
		},
		{
			alcPacket(t, data), "ALC data TSI 9, TOI 5; raptorq (6), block 1, symbol 70000, 100 bytes; the object closes",
			`{"event":"packet","proto":"alc","version":1,"type":"data","detail":"raptorq (6), block 1, symbol 70000, 100 bytes; the object closes",` +
				`"src":"10.0.0.1:40000","dst":"239.1.1.1:4001","ttl":1,"tsi":9,"object":"5","groups":[],"problems":[]}`,
		},
		{
			alcPacket(t, alc.Packet{Header: lct.Header{TSI: 9, CloseSession: true, Widths: lct.WidthsNoTOI}}), "ALC close TSI 9; the session closes",
			`{"event":"packet","proto":"alc","version":1,"type":"close","detail":"the session closes","src":"10.0.0.1:40000","dst":"239.1.1.1:4001","ttl":1,"tsi":9,"groups":[],"problems":[]}`,
		},
		{alcPacket(t, alc.Packet{Header: lct.Header{TSI: 9}}), "ALC empty TSI 9, TOI 0", ""},
		{alcPacket(t, edit(data, func(p *alc.Packet) { p.Extensions = lct.AppendCENC(nil, lct.EncodingGZIP) })), "ALC data TSI 9, TOI 5; gzip; raptorq (6), block 1, symbol 70000, 100 bytes; the object closes  ! EXT_CENC without EXT_FDT", ""},
		{alcPacket(t, edit(data, func(p *alc.Packet) { p.Extensions = lct.AppendFDT(nil, lct.FDT{Version: 3}) })), "ALC fdt TSI 9, TOI 5; FDT instance 0 of FLUTE 3; raptorq (6), block 1, symbol 70000, 100 bytes; the object closes  ! unknown version of FLUTE, an FDT with another TOI than 0", ""},
		{alcPacket(t, edit(data, func(p *alc.Packet) { p.Extensions, p.TOI, p.Widths = fti, lct.TOI{}, lct.WidthsNoTOI })), "ALC data TSI 9; raptorq (6), block 1, symbol 70000, 100 bytes; the object closes  ! malformed: EXT_FTI, symbols without TOI", ""},
		{raw(alcPacket(t, data), func(b []byte) { b[3] = 200 }), "ALC data TSI 9, TOI 5; the object closes  ! codepoint 200 of no FEC scheme", ""},
		{
			raw(alcPacket(t, data), func(b []byte) { b[0] = 0x20 }), "ALC other ! unknown version",
			`{"event":"packet","proto":"alc","version":0,"type":"other","src":"10.0.0.1:40000","dst":"239.1.1.1:4001","ttl":1,"groups":[],"problems":["unknown version"]}`,
		},
		{raw(alcPacket(t, data), func(b []byte) { b[2] = 2 }), "ALC other ! malformed: header length", ""},
		{[]byte{0x10, 0, 2, 0, 0, 0, 0, 0, 1}, "ALC other ! no TSI", ""},
		{[]byte{0x10, 0x10, 4, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0}, "ALC other ! malformed: header extension", ""},
		{[]byte{0x10}, "ALC other ! cut short", ""},
	} {
		var r Record
		alcRecord(t, tt.payload, &r)
		if got := r.Name() + " " + r.Type + " " + r.Text(); got != tt.text {
			t.Errorf("got  %s\nwant %s", got, tt.text)
		}
		b, err := json.Marshal(r.Words())
		if err != nil || tt.json != "" && string(b) != tt.json {
			t.Errorf("got  %s, %v\nwant %s", b, err, tt.json)
		}
	}
	// Without the port nothing is known.
	var f pcap.Frame
	_ = pcap.Decode(pcap.LinkRaw, udp(alcSrc, alcDst, alcPacket(t, data)), &f)
	if new(Decoder).Describe(&f, new(Record)) {
		t.Error("it is known without its port")
	}
}

// No payload makes Describe panic, nor words that are no JSON or a line that is two.
func FuzzALC(f *testing.F) {
	f.Add(alcPacket(f, alc.Packet{Header: lct.Header{TSI: 1, CloseSession: true}}))
	in := fdt.Instance{Files: []fdt.File{{TOI: lct.TOI{Lo: 1}, ContentLocation: "a"}}}
	document, err := in.Append(nil, fdt.RFC6726)
	if err != nil {
		f.Fatal(err)
	}
	x, err := alc.AppendFTI(lct.AppendFDT(nil, lct.FDT{Version: 2}), &fec.OTI{TransferLength: uint64(len(document)), SymbolSize: 1400, MaxBlockLen: 64})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(alcPacket(f, alc.Packet{Header: lct.Header{TSI: 1, Extensions: x}, HasPayload: true, Symbols: document}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2000 {
			return
		}
		var r Record
		alcRecord(t, b, &r)
		if w, err := json.Marshal(r.Words()); err != nil || !json.Valid(w) {
			t.Fatal(err)
		}
		if text := r.Text(); strings.ContainsAny(text, "\n\r\x1b") {
			t.Fatalf("%q", text)
		}
	})
}
