package igmp

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/pcap"
)

// captured is a message of a capture, with what it came in.
type captured struct {
	env     Envelope
	packet  []byte // from the IP header on, without padding
	message []byte
}

// capture returns the IGMP messages of a capture, all of whose packets are IGMP.
func capture(t *testing.T, file string) (out []captured) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var p pcap.Packet
	var fr pcap.Frame
	for {
		if err := r.Next(&p); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if err := pcap.Decode(p.Link, bytes.Clone(p.Data), &fr); err != nil {
			t.Fatal(err)
		}
		e, m, err := ParsePacket(fr.Payload)
		if err != nil {
			t.Fatalf("%s, packet %d: %v", file, len(out)+1, err)
		}
		n := int(fr.Payload[2])<<8 | int(fr.Payload[3])
		out = append(out, captured{e, fr.Payload[:n], m})
	}
}

// TestCaptures decodes what kernels, bridges and FRR sent and appends the same bytes
// again, of message and packet.
func TestCaptures(t *testing.T) {
	for file, want := range map[string]string{
		"igmpv1":      "query:2 v1 report:3",
		"igmpv2":      "leave:2 query:3 v2 report:7",
		"igmpv3":      "query:15 v3 report:28",
		"igmpv3-many": "query:604 v3 report:14",
		"frr-v2":      "leave:2 old version in SSM range:2 query:5 v2 report:4 v3 report:2",
		"frr-v3":      "mtrace query:1 mtrace response:1 query:9 v3 report:11",
	} {
		seen := map[string]int{}
		for i, c := range capture(t, "testdata/"+file+".pcap") {
			h, err := ParseHeader(c.message)
			if err != nil {
				t.Fatal(err)
			}
			seen[h.String()]++
			var m message
			switch {
			case h.Type == TypeQuery:
				m = &Query{}
			case h.Type.membership():
				m = &Membership{}
			case h.Type == TypeReport3:
				m = &Report3{}
			default:
				continue
			}
			if m, err = parse(Strict, c.message, m); err != nil {
				t.Fatalf("%s, packet %d: %v", file, i+1, err)
			}
			out, err := m.AppendBinary(nil)
			if err != nil || !bytes.Equal(out, c.message) {
				t.Errorf("%s, packet %d: %v\n got %x\nwant %x", file, i+1, err, out, c.message)
			}
			for v := range m.Check(c.env).All() {
				seen[v.String()]++
			}
			packet, err := AppendPacket(nil, c.env.Src, c.env.Dst, out)
			if c.env.RouterAlert && (err != nil || !samePacket(packet, c.packet)) {
				t.Errorf("%s, packet %d: %v\n got %x\nwant %x", file, i+1, err, packet, c.packet)
			}
		}
		var got []string
		for _, k := range slices.Sorted(maps.Keys(seen)) {
			got = append(got, fmt.Sprint(k, ":", seen[k]))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s has %s, want %s", file, s, want)
		}
	}
	if files, _ := filepath.Glob("testdata/*.pcap"); len(files) != 6 {
		t.Errorf("there are other captures: %q", files)
	}
}

// samePacket compares packets but for what a system numbers as it likes:
// identification and don't fragment, and the checksum over them.
func samePacket(a, b []byte) bool {
	a, b = bytes.Clone(a), bytes.Clone(b)
	for _, p := range [][]byte{a, b} {
		clear(p[4:8])
		clear(p[10:12])
	}
	return bytes.Equal(a, b)
}
