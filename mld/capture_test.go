package mld

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

// capture returns the MLD messages of a capture, all of whose packets are MLD.
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
		n := 40 + int(fr.Payload[4])<<8 + int(fr.Payload[5])
		out = append(out, captured{e, fr.Payload[:n], m})
	}
}

// TestCaptures decodes what kernels and bridges sent and appends the same bytes
// again, of message and packet.
func TestCaptures(t *testing.T) {
	for file, want := range map[string]string{
		"mldv1": "done:2 query:5 v1 report:31 v2 report:1 wrong destination:1",
		"mldv2": "not link-local:13 query:16 v2 report:47",
	} {
		seen := map[string]int{}
		for i, c := range capture(t, "testdata/"+file+".pcap") {
			typ, _ := TypeOf(c.message)
			seen[typ.String()]++
			var m message
			switch {
			case typ == TypeQuery:
				m = &Query{}
			case typ.membership():
				m = &Membership{}
			case typ == TypeReport2:
				m = &Report2{}
			default:
				continue
			}
			m, err := parse(Strict, c.env.Src, c.env.Dst, c.message, m)
			if err != nil {
				t.Fatalf("%s, packet %d: %v", file, i+1, err)
			}
			out, err := m.Append(nil, c.env.Src, c.env.Dst)
			if err != nil || !bytes.Equal(out, c.message) {
				t.Errorf("%s, packet %d: %v\n got %x\nwant %x", file, i+1, err, out, c.message)
			}
			for v := range m.Check(c.env).All() {
				seen[v.String()]++
			}
			packet, err := AppendPacket(nil, c.env.Src, c.env.Dst, out)
			if err != nil || !samePacket(packet, c.packet) {
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
	if files, _ := filepath.Glob("testdata/*.pcap"); len(files) != 2 {
		t.Errorf("there are other captures: %q", files)
	}
}

// samePacket compares packets but for the flow label, which hosts make up, and how
// two bytes are padded: hosts and we have PadN, bridges Pad1 twice.
func samePacket(a, b []byte) bool {
	a, b = bytes.Clone(a), bytes.Clone(b)
	for _, p := range [][]byte{a, b} {
		clear(p[1:4])
		clear(p[46:48])
	}
	return bytes.Equal(a, b)
}
