package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/pcap"
	ipwire "github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mld"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// packet4 and packet6 put messages into packets.
func packet4(t testing.TB, src, dst string, message []byte) []byte {
	t.Helper()
	b, err := igmp.AppendPacket(nil, addr(src), addr(dst), message)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func packet6(t testing.TB, src, dst string, message []byte) []byte {
	t.Helper()
	b, err := mld.AppendPacket(nil, addr(src), addr(dst), message)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func report3(t testing.TB, typ igmp.RecordType, g string, sources ...string) []byte {
	t.Helper()
	var s igmp.Sources
	for _, x := range sources {
		s, _ = s.Append(addr(x))
	}
	recs, err := igmp.Records{}.Append(igmp.Record{Type: typ, Group: addr(g), Sources: s})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := (&igmp.Report3{Records: recs}).MarshalBinary()
	return b
}

// udp makes an IPv4 packet by hand, its checksums wrong or missing.
func udp(src, dst netip.AddrPort, payload []byte) []byte {
	n := 28 + len(payload)
	b := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 1, 17, 0, 0}
	b = append(b, src.Addr().AsSlice()...)
	b = append(b, dst.Addr().AsSlice()...)
	b = append(b, byte(src.Port()>>8), byte(src.Port()), byte(dst.Port()>>8), byte(dst.Port()), byte((n-20)>>8), byte(n-20), 0, 0)
	return append(b, payload...)
}

// reseal writes the checksum of an IPv4 header with Router Alert.
func reseal(b []byte) {
	b[10], b[11] = 0, 0
	sum := ipwire.Checksum(b[:24])
	b[10], b[11] = byte(sum>>8), byte(sum)
}

func TestProblems(t *testing.T) {
	join, _ := (&igmp.Membership{Type: igmp.TypeReport2, Group: addr("232.1.1.1")}).MarshalBinary()
	query, _ := (&igmp.Query{Version: 3, Robustness: 2}).MarshalBinary()
	leave, _ := (&igmp.Membership{Type: igmp.TypeLeave, Group: addr("239.1.1.1")}).MarshalBinary()
	long := report3(t, igmp.AllowNewSources, "239.1.1.1", "192.0.2.1", "192.0.2.2")
	mlq, _ := (&mld.Query{Version: 2, Robustness: 2}).Append(nil, addr("fd00::1"), mld.AllNodes)
	old, _ := (&mld.Membership{Type: mld.TypeReport, Group: addr("ff3e::1")}).Append(nil, addr("fe80::1"), addr("ff3e::1"))

	damaged := func(b []byte, change func(b []byte)) []byte {
		b = bytes.Clone(b)
		change(b)
		return b
	}
	good := packet4(t, "10.0.0.1", "224.0.0.22", long)
	for _, tt := range []struct {
		name    string
		packet  []byte
		want    string
		refused bool
	}{
		{"good", good, "", false},
		{"v2 in SSM range", packet4(t, "10.0.0.1", "232.1.1.1", join), "old version in SSM range", false},
		{"EXCLUDE in SSM range", packet4(t, "10.0.0.1", "224.0.0.22", report3(t, igmp.ChangeToExclude, "232.1.1.1")), "exclude in SSM range", false},
		{"unknown record", packet4(t, "10.0.0.1", "224.0.0.22", report3(t, 9, "239.1.1.1")), "bad record", false},
		{"0.0.0.0", packet4(t, "0.0.0.0", "224.0.0.1", query), "sender 0.0.0.0", false},
		{"elsewhere", packet4(t, "10.0.0.1", "239.1.1.1", query), "general query elsewhere", true},
		{"leave elsewhere", packet4(t, "10.0.0.1", "239.1.1.1", leave), "wrong destination", false},
		{"TTL", damaged(good, func(b []byte) { b[8] = 5; reseal(b) }), "wrong TTL", true},
		{"checksum", damaged(good, func(b []byte) { b[len(b)-1]++ }), "wrong checksum", true},
		{"IP checksum", damaged(good, func(b []byte) { b[10]++ }), "wrong IP header checksum", true},
		{"fragment", damaged(good, func(b []byte) { b[6] = 0x20; reseal(b) }), "a fragment", true},
		{"later fragment", damaged(good, func(b []byte) { b[6], b[7] = 0, 3; reseal(b) }), "a fragment", true},
		{"captured in part", good[:len(good)-3], "not captured whole", false},
		{"nothing captured", good[:24], "not captured whole", true},
		{"cut short", packet4(t, "10.0.0.1", "224.0.0.22", long[:len(long)-3]), "cut short: number of records", true},
		{"too short", packet4(t, "10.0.0.1", "224.0.0.22", long[:5]), "cut short: length", true},
		{"empty", packet4(t, "10.0.0.1", "224.0.0.22", nil), "cut short: message", true},
		{"no version", packet4(t, "10.0.0.1", "224.0.0.1", query[:10]), "a length of no version", true},
		{"global MLD querier", packet6(t, "fd00::1", "ff02::1", mlq), "not link-local", true},
		{"MLD checksum", packet6(t, "fe80::2", "ff02::1", mlq), "wrong checksum", true},
		{"MLDv1 in SSM range", packet6(t, "fe80::1", "ff3e::1", old), "old version in SSM range", false},
	} {
		var f pcap.Frame
		var d Decoder
		var r Record
		_ = pcap.Decode(pcap.LinkRaw, tt.packet, &f)
		if !d.Describe(&f, &r) {
			t.Errorf("%s: not known", tt.name)
			continue
		}
		got := strings.Join(r.Problems, ", ")
		if got != tt.want || r.Refused != tt.refused {
			t.Errorf("%s: %q, refused %v; want %q, %v", tt.name, got, r.Refused, tt.want, tt.refused)
		}
	}
}

func TestOther(t *testing.T) {
	seal := func(b ...byte) []byte {
		// A report of version 1 has its checksum in the same place.
		sum := uint32(0)
		for i := 0; i < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		b[2], b[3] = byte(^sum>>8), byte(^sum)
		return b
	}
	for _, tt := range []struct {
		message []byte
		want    string
	}{
		{seal(0x13, 1, 0, 0, 0, 0, 0, 0), "IGMP dvmrp DVMRP probe"},
		{seal(0x13, 7, 0, 0, 0, 0, 0, 0), "IGMP dvmrp DVMRP prune"},
		{seal(0x14, 3, 0, 0, 0, 0, 0, 0), "IGMP pimv1 PIMv1 join/prune"},
		{seal(0x1f, 3, 0, 0, 0, 0, 0, 0), "IGMP mtrace mtrace query"},
		{seal(0x30, 3, 0, 0, 0, 0, 0, 0), "IGMP other router advertisement"},
		{seal(0x99, 3, 0, 0, 0, 0, 0, 0), "IGMP other type 0x99"},
		{[]byte{0x99}, "IGMP other type 0x99  ! cut short: length"},
	} {
		var f pcap.Frame
		var r Record
		_ = pcap.Decode(pcap.LinkRaw, packet4(t, "10.0.0.1", "224.0.0.4", tt.message), &f)
		if !new(Decoder).Describe(&f, &r) || r.Name()+" "+r.Type+" "+r.Text() != tt.want {
			t.Errorf("got %s %s %s, want %s", r.Name(), r.Type, r.Text(), tt.want)
		}
	}
	// Other ICMPv6 and other traffic are nothing of ours.
	for _, b := range [][]byte{
		packet6(t, "fe80::1", "ff02::1", []byte{135, 0, 0, 0, 0, 0, 0, 0}),
		packet6(t, "fe80::1", "ff02::1", nil),
		udp(netip.MustParseAddrPort("10.0.0.1:5004"), netip.MustParseAddrPort("239.1.1.1:5004"), []byte("nothing that is known here")),
		{0x45},
	} {
		var f pcap.Frame
		_ = pcap.Decode(pcap.LinkRaw, b, &f)
		if new(Decoder).Describe(&f, new(Record)) {
			t.Errorf("% x is known", b)
		}
	}
}

// CGMP and GMRP, as Ethernet frames.
func TestSwitchProtocols(t *testing.T) {
	for _, tt := range []struct{ hex, text, json string }{
		{"01000cdddddd 00e01e000001 0018 aaaa0300000c2001 10 000001 01005e010203 00e01e000002",
			"CGMPv1 join 01:00:5e:01:02:03 join 00:e0:1e:00:00:02",
			`{"event":"packet","proto":"cgmp","version":1,"type":"join","src":"00:e0:1e:00:00:01","dst":"01:00:0c:dd:dd:dd","groups":[{"group":"01:00:5e:01:02:03","mode":"join","sources":[],"station":"00:e0:1e:00:00:02"}],"problems":[]}`},
		{"01000cdddddd 00e01e000001 000c aaaa0300000c2001 11 000001", "CGMP other ! cut short: count", ""},
		{"0180c2000020 00e01e000001 0017 424203 0001 01 08 02 01005e010203 02 00 00 000000",
			"GMRP other 01:00:5e:01:02:03 join_in; 00:00:00:00:00:00 leave_all", ""},
		{"0180c2000020 00e01e000001 0014 424203 0001 01 08 04 01005e010203 00 00 000000", "GMRP leave 01:00:5e:01:02:03 leave_in",
			`{"event":"packet","proto":"gmrp","version":0,"type":"leave","src":"00:e0:1e:00:00:01","dst":"01:80:c2:00:00:20","groups":[{"group":"01:00:5e:01:02:03","mode":"leave_in","sources":[]}],"problems":[]}`},
		{"0180c2000020 00e01e000001 000c 424203 0001 02 03 01 00 00 00 00", "GMRP join all groups; 00:00:00:00:00:00 join_empty", ""},
	} {
		var r Record
		if !new(Decoder).Describe(frame(t, pcap.LinkEthernet, tt.hex), &r) {
			t.Errorf("%s is not known", tt.text)
			continue
		}
		b, _ := json.Marshal(r.Words())
		if got := r.Name() + " " + r.Type + " " + r.Text(); got != tt.text {
			t.Errorf("got %s, want %s", got, tt.text)
		}
		if tt.json != "" && string(b) != tt.json {
			t.Errorf("got %s\nwant %s", b, tt.json)
		}
	}
	// GVRP has GARP's format and another address; spanning tree another LLC.
	for _, s := range []string{"0180c2000021 00e01e000001 0007 424203 0001 00 00", "0180c2000000 00e01e000001 0007 424203 0000 00 00"} {
		if new(Decoder).Describe(frame(t, pcap.LinkEthernet, s), new(Record)) {
			t.Errorf("%s is known", s)
		}
	}
}

// Feedback is known by the sender it is for, of which so many are remembered.
func TestNORMFeedback(t *testing.T) {
	var c wire.Codec
	flush, err := c.AppendFlush(nil, &wire.Flush{Sender: wire.Sender{Source: 7}})
	if err != nil {
		t.Fatal(err)
	}
	ack, err := c.AppendAck(nil, &wire.Ack{Feedback: wire.Feedback{Source: 9, Server: 7}, AckType: wire.AckCC})
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	known := func(src, dst string, payload []byte) bool {
		var f pcap.Frame
		var r Record
		if err := pcap.Decode(pcap.LinkRaw, udp(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), payload), &f); err != nil {
			t.Fatal(err)
		}
		return d.Describe(&f, &r)
	}
	const sender, receiver, session = "10.0.0.1:5000", "10.0.0.9:1000", "239.1.1.1:6003"
	if known(receiver, sender, ack) || known(sender, receiver, flush) {
		t.Error("unicast without a session is known")
	}
	if !known(sender, session, flush) || !known(receiver, sender, ack) || !known(receiver, "10.0.0.1:6003", ack) || !known(receiver, session, ack) {
		t.Error("feedback of a session is not known")
	}
	if known(receiver, sender, flush) || known(receiver, "10.0.0.2:5000", ack) {
		t.Error("other unicast is known")
	}
	for i := range len(d.senders) {
		if !known(fmt.Sprintf("10.0.1.%d:5000", i), session, flush) {
			t.Error("a session is not known")
		}
	}
	if known(receiver, sender, ack) || !known(receiver, "10.0.1.63:5000", ack) {
		t.Error("not the oldest was forgotten")
	}
}

// No packet makes Describe or a Watch panic, nor words that are no JSON.
func FuzzDescribe(f *testing.F) {
	for _, name := range captures[:6] {
		n := 0
		file, err := os.Open(filepath.Join("..", "..", name))
		if err != nil {
			f.Fatal(err)
		}
		c, err := pcap.NewReader(file)
		if err != nil {
			f.Fatal(err)
		}
		var p pcap.Packet
		for c.Next(&p) == nil && n < 20 {
			if len(p.Data) > 128 { // the fuzzer takes long to make such smaller
				continue
			}
			f.Add(uint16(p.Link), bytes.Clone(p.Data))
			n++
		}
		file.Close()
	}
	f.Add(uint16(pcap.LinkRaw), packet6(f, "fe80::1", "ff02::16", []byte{143, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 1}))
	f.Fuzz(func(t *testing.T, link uint16, b []byte) {
		var d Decoder
		var fr pcap.Frame
		var r Record
		_ = pcap.Decode(pcap.LinkType(link), b, &fr)
		if !d.Describe(&fr, &r) {
			return
		}
		if r.Proto == "" || r.Type == "" || strings.ContainsAny(r.Text(), "\n\t") {
			t.Errorf("%+v", r)
		}
		text, err := json.Marshal(r.Words())
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if json.Unmarshal(text, &back) != nil || back["groups"] == nil || back["problems"] == nil {
			t.Errorf("%s", text)
		}
		w := NewWatch(t0, Config{Limits: Limits{Groups: 8, Members: 16, Sources: 32}})
		for i := range time.Duration(3) {
			w.Handle(t0.Add(i*time.Second), &r)
			checkBounds(t, w)
		}
		w.Groups()
		w.Queriers()
		w.Warnings()
		w.Advance(t0.Add(time.Hour))
		checkBounds(t, w)
	})
}
