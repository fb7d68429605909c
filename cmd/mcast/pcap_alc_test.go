package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// fluteCapture writes a capture of a session to port 4001: its FDT, a symbol, the end.
func fluteCapture(t *testing.T) string {
	t.Helper()
	in := fdt.Instance{Expires: 1, Complete: true, Files: []fdt.File{{TOI: lct.TOI{Lo: 1}, ContentLocation: "docs/a.txt"}}}
	document, err := in.Append(nil, fdt.RFC6726)
	if err != nil {
		t.Fatal(err)
	}
	x, err := alc.AppendFTI(lct.AppendFDT(nil, lct.FDT{Version: 2, InstanceID: 7}), &fec.OTI{TransferLength: uint64(len(document)), SymbolSize: 1400, MaxBlockLen: 64})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkRaw)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []alc.Packet{
		{Header: lct.Header{TSI: 9, Extensions: x}, HasPayload: true, Symbols: document},
		{Header: lct.Header{TSI: 9, TOI: lct.TOI{Lo: 1}}, HasPayload: true, Symbols: make([]byte, 100)},
		{Header: lct.Header{TSI: 9, CloseSession: true, Widths: lct.WidthsNoTOI}},
	} {
		payload, err := alc.Codec{}.Append(nil, &p)
		if err != nil {
			t.Fatal(err)
		}
		be := binary.BigEndian
		b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 10, 0, 0, 1, 239, 1, 1, 1}
		be.PutUint16(b[2:], uint16(28+len(payload)))
		var sum uint32
		for j := 0; j < len(b); j += 2 {
			sum += uint32(be.Uint16(b[j:]))
		}
		be.PutUint16(b[10:], ^uint16(sum+sum>>16))
		b = be.AppendUint16(be.AppendUint16(b, 4001), 4001)
		b = be.AppendUint16(be.AppendUint16(b, uint16(8+len(payload))), 0)
		if err := w.Write(time.Unix(1, int64(i)*1e6), append(b, payload...)); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "flute.pcap")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPcapFlute(t *testing.T) {
	name := fluteCapture(t)
	code, out, errs := mcastRun(t, "pcap", "--flute", "4000,4001", name)
	want := []string{
		"0.000000 ALC fdt 10.0.0.1:4001 > 239.1.1.1:4001 TSI 9, TOI 0; FDT instance 7 of FLUTE 2; no-code (0), block 0, symbol 0, 185 bytes; object of 185 bytes, symbols of 1400; 1 file in all: 1 docs/a.txt",
		"0.001000 ALC data 10.0.0.1:4001 > 239.1.1.1:4001 TSI 9, TOI 1; no-code (0), block 0, symbol 0, 100 bytes",
		"0.002000 ALC close 10.0.0.1:4001 > 239.1.1.1:4001 TSI 9; the session closes",
		"3 packets: 3 ALC",
	}
	var got []string // without the columns
	for line := range strings.Lines(out) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if code != 0 || !slices.Equal(got, want) || errs != "" {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	code, out, errs = mcastRun(t, "pcap", "--json", "--flute", "4001", name)
	if code != 0 || errs != "" || strings.Count(out, `"proto":"alc"`) != 3 || !strings.Contains(out, `"tsi":9,"object":"1"`) {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	if code, out, _ := mcastRun(t, "pcap", name); code != 0 || !strings.Contains(out, "no multicast control traffic") {
		t.Errorf("without the port: status %d\n%s", code, out)
	}
	for _, bad := range []string{"0", "65536", "x", "1,,2"} {
		if code, _, errs := mcastRun(t, "pcap", "--flute", bad, name); code == 0 || !strings.Contains(errs, "is no port") {
			t.Errorf("--flute %s: status %d\n%s", bad, code, errs)
		}
	}
}
