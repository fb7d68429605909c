package main

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/sap"
)

// A capture of an announcement and its deletion, in words.
func TestPcapSAP(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sap.pcap")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcap.NewWriter(file, pcap.LinkRaw)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []sap.Packet{
		{Version: 1, Hash: 7, Origin: netip.MustParseAddr("10.0.0.1"), PayloadType: []byte(sap.TypeSDP), Payload: []byte(goodSDP)},
		{Version: 1, Hash: 7, Origin: netip.MustParseAddr("10.0.0.1"), PayloadType: []byte(sap.TypeSDP), Payload: []byte("o=- 7 1 IN IP4 10.0.0.1\r\n"), Delete: true},
	} {
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(time.Unix(1e9+int64(i), 0), udpPacket("10.0.0.2:40000", "239.255.255.255:9875", b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	code, out, errs := mcastRun(t, "pcap", name)
	const text = `    0.000000  SAPv1   announce  10.0.0.2:40000  > 239.255.255.255:9875  "Channel 1" of 10.0.0.1; 239.255.1.1:5004
    1.000000  SAPv1   delete    10.0.0.2:40000  > 239.255.255.255:9875  of 10.0.0.1
2 packets: 2 SAP
`
	if code != 0 || out != text || errs != "" {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	code, out, errs = mcastRun(t, "pcap", "--json", name)
	const lines = `{"event":"packet","time":"2001-09-09T01:46:40Z","proto":"sap","version":1,"type":"announce","src":"10.0.0.2:40000","dst":"239.255.255.255:9875","ttl":255,` +
		`"origin":"10.0.0.1","name":"Channel 1","groups":[{"group":"239.255.1.1","mode":"exclude","sources":[],"port":5004}],"problems":[]}
{"event":"packet","time":"2001-09-09T01:46:41Z","proto":"sap","version":1,"type":"delete","src":"10.0.0.2:40000","dst":"239.255.255.255:9875","ttl":255,` +
		`"origin":"10.0.0.1","name":"","groups":[],"problems":[]}
`
	if code != 0 || out != lines || errs != "" {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}

// udpPacket makes an IPv4 packet.
func udpPacket(src, dst string, payload []byte) []byte {
	from, to := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	b := make([]byte, 28, 28+len(payload))
	b[0], b[8], b[9] = 0x45, 255, 17
	binary.BigEndian.PutUint16(b[2:], uint16(28+len(payload)))
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[10:], wire.Checksum(b[:20]))
	binary.BigEndian.PutUint16(b[20:], from.Port())
	binary.BigEndian.PutUint16(b[22:], to.Port())
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(payload)))
	return append(b, payload...)
}
