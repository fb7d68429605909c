package wire

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"
)

// readPcap returns the UDP payloads of a classic pcap file of Ethernet and IPv4.
func readPcap(t *testing.T, name string) (payloads [][]byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if len(b) < 24 || le.Uint32(b) != 0xa1b2c3d4 || le.Uint32(b[20:]) != 1 {
		t.Fatalf("%s: not a little-endian Ethernet pcap", name)
	}
	for b = b[24:]; len(b) > 0; {
		n := int(le.Uint32(b[8:]))
		frame := b[16 : 16+n]
		b = b[16+n:]
		if binary.BigEndian.Uint16(frame[12:]) != 0x0800 || frame[14+9] != 17 {
			continue
		}
		udp := frame[14+int(frame[14]&15)*4:]
		payloads = append(payloads, udp[8:binary.BigEndian.Uint16(udp[4:])])
	}
	return payloads
}

// writePcap writes payloads as UDP datagrams from 192.0.2.1 to 239.77.1.2:6003.
func writePcap(t *testing.T, name string, payloads [][]byte) {
	t.Helper()
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 65535)
	b = le.AppendUint32(b, 1)
	for i, p := range payloads {
		n := 14 + 20 + 8 + len(p)
		b = le.AppendUint32(b, 1)
		b = le.AppendUint32(b, uint32(i))
		b = le.AppendUint32(b, uint32(n))
		b = le.AppendUint32(b, uint32(n))
		b = append(b, 0x01, 0, 0x5e, 77, 1, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0)
		ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 192, 0, 2, 1, 239, 77, 1, 2}
		be.PutUint16(ip[2:], uint16(n-14))
		var sum uint32
		for j := 0; j < len(ip); j += 2 {
			sum += uint32(be.Uint16(ip[j:]))
		}
		be.PutUint16(ip[10:], ^uint16(sum+sum>>16))
		b = append(b, ip...)
		b = be.AppendUint16(b, 6003)
		b = be.AppendUint16(b, 6003)
		b = be.AppendUint16(b, uint16(8+len(p)))
		b = be.AppendUint16(b, 0) // no checksum
		b = append(b, p...)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The two agree.
func TestPcap(t *testing.T) {
	name := t.TempDir() + "/a.pcap"
	want := [][]byte{[]byte("one"), {}, []byte("three")}
	writePcap(t, name, want)
	if got := readPcap(t, name); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%q", got)
	}
}
