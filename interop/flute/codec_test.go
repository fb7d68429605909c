package flute

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
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

// port is where the packets go, and what tshark is told to be ALC's.
const port = 4001

// tshark returns the dissector's path.
func tshark(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("MULTICAST_LAB=required, but tshark is not installed")
		}
		t.Skip("tshark is not installed (package tshark)")
	}
	return path
}

// datagram makes an IPv4 packet with payload, from 192.0.2.1 to 239.77.1.2.
func datagram(payload []byte) []byte {
	be := binary.BigEndian
	b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 192, 0, 2, 1, 239, 77, 1, 2}
	be.PutUint16(b[2:], uint16(28+len(payload)))
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(be.Uint16(b[i:]))
	}
	be.PutUint16(b[10:], ^uint16(sum+sum>>16))
	b = be.AppendUint16(b, 40000)
	b = be.AppendUint16(b, port)
	b = be.AppendUint16(b, uint16(8+len(payload)))
	return append(be.AppendUint16(b, 0), payload...) // no checksum
}

// A layer is a protocol's part of a packet as tshark shows it: values by field. A field
// that is there several times has several values.
type layer map[string][]string

// dissect has tshark read payloads, and returns the fields of each packet.
func dissect(t *testing.T, payloads [][]byte) []layer {
	t.Helper()
	path := tshark(t)
	name := filepath.Join(t.TempDir(), "ours.pcap")
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkRaw)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range payloads {
		if err := w.Write(time.Unix(1, int64(i)), datagram(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-n", "-r", name, "-d", fmt.Sprintf("udp.port==%d,alc", port), "-T", "ek")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	var layers []layer
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var k struct{ Layers map[string]json.RawMessage }
		if err := d.Decode(&k); err != nil {
			t.Fatal(err)
		}
		if k.Layers == nil {
			continue // the index line
		}
		l := layer{}
		for proto, raw := range k.Layers {
			switch proto {
			case "frame", "ip", "udp", "raw":
				continue
			}
			l.collect(t, raw)
		}
		layers = append(layers, l)
	}
	if len(layers) != len(payloads) {
		t.Fatalf("tshark read %d packets of %d", len(layers), len(payloads))
	}
	return layers
}

// collect adds the fields below raw, whatever their nesting.
func (l layer) collect(t *testing.T, raw json.RawMessage) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, v := range v {
				walk(k, v)
			}
		case []any:
			for _, v := range v {
				walk(name, v)
			}
		case nil:
		default:
			l[name] = append(l[name], fmt.Sprint(v))
		}
	}
	walk("", v)
}

// A meant packet is one of ours with what tshark should show of it.
type meant struct {
	name    string
	payload []byte
	// want has the values of fields, joined by a comma, "" for one that is not to
	// be there.
	want map[string]string
	// expert is what tshark complains of without reason.
	expert string
}

// pack appends a packet and says what is the same for all of them.
func pack(t *testing.T, name string, p alc.Packet) meant {
	t.Helper()
	b, err := alc.Codec{}.Append(nil, &p)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var h lct.Header // with the widths that were chosen
	if err := lct.Parse(b, &h); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	m := meant{name: name, payload: b, want: map[string]string{
		"alc_alc_version":                     "1",
		"rmt-lct_rmt-lct_version":             "1",
		"rmt-lct_rmt-lct_hlen":                fmt.Sprint(h.Len),
		"rmt-lct_rmt-lct_codepoint":           fmt.Sprint(p.Codepoint),
		"rmt-lct_rmt-lct_fsize_cci":           fmt.Sprint(len(h.CCI)),
		"rmt-lct_rmt-lct_fsize_tsi":           fmt.Sprint(h.Widths.TSI() / 8),
		"rmt-lct_rmt-lct_fsize_toi":           fmt.Sprint(h.Widths.TOI() / 8),
		"rmt-lct_rmt-lct_cci":                 strings.ReplaceAll(fmt.Sprintf("% x", h.CCI), " ", ":"),
		"rmt-lct_rmt-lct_flags_close_session": fmt.Sprint(p.CloseSession),
		"rmt-lct_rmt-lct_flags_close_object":  fmt.Sprint(p.CloseObject),
		"rmt-lct_rmt-lct_flags_sct_present":   fmt.Sprint(p.HasSCT),
		"rmt-lct_rmt-lct_flags_ert_present":   fmt.Sprint(p.HasERT),
	}}
	name = "rmt-lct_rmt-lct_tsi"
	if h.Widths.TSI() > 32 {
		name += "64"
	}
	m.want[name] = fmt.Sprint(uint64(p.TSI))
	switch w := h.Widths.TOI(); {
	case w > 64:
		m.want["rmt-lct_rmt-lct_toi_extended"] = fmt.Sprint(p.TOI.Hi)
		fallthrough
	case w > 32:
		m.want["rmt-lct_rmt-lct_toi64"] = fmt.Sprint(p.TOI.Lo)
	case w > 0:
		m.want["rmt-lct_rmt-lct_toi"] = fmt.Sprint(p.TOI.Lo)
	}
	return m
}

// compare has tshark read all packets and compares what it says with what was meant.
// There is to be no other expert information, and nothing malformed.
func compare(t *testing.T, packets []meant) {
	t.Helper()
	payloads := make([][]byte, len(packets))
	for i := range packets {
		payloads[i] = packets[i].payload
	}
	for i, l := range dissect(t, payloads) {
		m := &packets[i]
		for name, want := range m.want {
			if got := strings.Join(l[name], ","); got != want {
				t.Errorf("%s: %s is %q, want %q", m.name, name, got, want)
			}
		}
		for _, text := range l["_ws_expert__ws_expert_message"] {
			if text != m.expert {
				t.Errorf("%s: tshark complains: %s", m.name, text)
			}
		}
		for name := range l {
			if strings.Contains(name, "malformed") || strings.Contains(name, "undecoded") {
				t.Errorf("%s: %s", m.name, name)
			}
		}
	}
}

// Every width of CCI, TSI and TOI that ALC allows, with the highest bits in use.
func TestWidths(t *testing.T) {
	var packets []meant
	for cci := 4; cci <= 16; cci += 4 {
		for tsi := 16; tsi <= 48; tsi += 16 {
			for toi := tsi % 32; toi <= lct.TOIBits; toi += 32 {
				w, err := lct.NewWidths(tsi, toi)
				if err != nil {
					t.Fatal(err)
				}
				h := lct.Header{
					Widths: w, CCI: []byte("0123456789abcdef")[:cci], TSI: 0xfedcba987654 >> (48 - tsi),
					CloseObject: toi%64 == 0, PSI: uint8(cci / 4 % 4),
				}
				switch full := (lct.TOI{Hi: 0xf1f2f3f4f5f6, Lo: 0xe1e2e3e4e5e6e7e8}); {
				case toi >= 64:
					h.TOI = lct.TOI{Hi: full.Hi & (1<<(toi-64) - 1), Lo: full.Lo}
				default:
					h.TOI = lct.TOI{Lo: full.Lo & (1<<toi - 1)}
				}
				p := alc.Packet{Header: h, HasPayload: true, ID: fec.PayloadID{SBN: 0x102, ESI: 0x304}, Symbols: []byte("x")}
				m := pack(t, fmt.Sprintf("CCI %d, TSI %d, TOI %d", cci*8, tsi, toi), p)
				m.want["rmt-fec_rmt-fec_sbn"], m.want["rmt-fec_rmt-fec_esi"] = "258", "0x00000304"
				m.want["alc_alc_payload"] = "78"
				packets = append(packets, m)
			}
		}
	}
	if len(packets) != 4*12 {
		t.Fatalf("%d packets, want 48", len(packets))
	}
	compare(t, packets)
}

// Every header extension, alone, and the old words of RFC 3451.
func TestExtensions(t *testing.T) {
	header := func(x lct.Extensions, err error) alc.Packet {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return alc.Packet{Header: lct.Header{TSI: 1, TOI: lct.TOI{Lo: 2}, Extensions: x}}
	}
	with := func(m meant, fields ...string) meant {
		for i := 0; i < len(fields); i += 2 {
			m.want["rmt-lct_rmt-lct_"+fields[i]] = fields[i+1]
		}
		return m
	}
	x, err := lct.AppendAuth(nil, lct.Auth{Scheme: 5, Flags: 1, Data: []byte{1, 2, 3, 4, 5}})
	if err != nil {
		t.Fatal(err)
	}
	everything := lct.Extensions(lct.AppendTime(lct.AppendFDT(x, lct.FDT{Version: 2, InstanceID: lct.MaxInstanceID}), lct.Time{SCT: 0x0102030405060708, HasSCTHigh: true, HasSCTLow: true}))
	all := lct.Time{SCT: 0x0102030405060708, HasSCTHigh: true, HasSCTLow: true, ERT: 0x11121314, HasERT: true, SLC: 0x21222324, HasSLC: true}
	compare(t, []meant{
		with(pack(t, "none", header(nil, nil)), "ext", ""),
		with(pack(t, "EXT_NOP", header(lct.AppendExtension(nil, lct.ExtNOP, []byte{9, 8}))), "hec_type", "0", "hec_len", "1", "hec_data", "09:08"),
		with(pack(t, "EXT_AUTH", header(x, nil)), "hec_type", "1", "hec_len", "2", "hec_data", "51:01:02:03:04:05"),
		with(pack(t, "EXT_TIME", header(lct.AppendTime(nil, lct.Time{SCT: 7 << 32, HasSCTHigh: true}), nil)), "hec_type", "2", "hec_len", "2", "hec_data", "80:00:00:00:00:07"),
		with(pack(t, "EXT_TIME with all", header(lct.AppendTime(nil, all), nil)), "hec_type", "2", "hec_len", "5",
			"hec_data", "f0:00:01:02:03:04:05:06:07:08:11:12:13:14:21:22:23:24"),
		with(pack(t, "EXT_FDT", header(lct.AppendFDT(nil, lct.FDT{Version: 1, InstanceID: 0x12345}), nil)), "hec_type", "192", "flute_version", "1", "fdt_instance_id", "74565"),
		// Wireshark 4.0 takes the last byte for the encoding, which RFC 6726 section
		// 3.4.3 has in the second; so only that it is there is compared.
		with(pack(t, "EXT_CENC", header(lct.AppendCENC(nil, lct.EncodingGZIP), nil)), "hec_type", "193"),
		with(pack(t, "several", header(everything, nil)), "ext", "3", "hec_type", "1,192,2", "hec_len", "2,3", "flute_version", "2", "fdt_instance_id", "1048575"),
		with(pack(t, "SCT and ERT", alc.Packet{Header: lct.Header{TSI: 1, HasSCT: true, SCT: 5000, HasERT: true, ERT: 6001}}), "sct", "5.000000000", "ert", "6.001000000"),
		with(pack(t, "close", alc.Packet{Header: lct.Header{TSI: 1, CloseSession: true, Widths: lct.WidthsNoTOI}}), "toi", "", "flags", "0x0002"),
	})
}

// Every FEC scheme that tshark knows, with EXT_FTI and Payload ID.
func TestSchemes(t *testing.T) {
	// Wireshark 4.0 finds a FEC Instance ID in every EXT_FTI but that of 0 and 6, and
	// complains of it.
	const instance = "FEC Encoding ID < 128, should be zero"
	var packets []meant
	for _, tt := range []struct {
		o      fec.OTI
		id     fec.PayloadID
		expert string
		want   map[string]string
	}{
		{
			fec.OTI{EncodingID: fec.CompactNoCode, TransferLength: fec.MaxTransferLength, SymbolSize: 1400, MaxBlockLen: 1 << 20},
			fec.PayloadID{SBN: 0x1234, ESI: 0x5678}, "",
			map[string]string{"encoding_symbol_length": "1400", "max_source_block_length": "1048576"},
		},
		{
			fec.OTI{EncodingID: fec.Raptor, TransferLength: 1 << 40, SymbolSize: 1024, Blocks: 300, SubBlocks: 2, Align: 4},
			fec.PayloadID{SBN: 0x12c, ESI: 0x5678}, instance,
			map[string]string{"encoding_symbol_length": "1024", "num_blocks": "300", "num_subblocks": "2", "alignment": "4"},
		},
		{
			fec.OTI{EncodingID: fec.RaptorQ, TransferLength: 1<<40 - 1, SymbolSize: 1280, Blocks: 200, SubBlocks: 300, Align: 8},
			fec.PayloadID{SBN: 0xc7, ESI: 0xabcdef}, "",
			map[string]string{"encoding_symbol_length": "1280", "num_blocks": "200", "num_subblocks": "300", "alignment": "8"},
		},
		{
			fec.OTI{EncodingID: fec.SmallBlockSystematic, InstanceID: 3, TransferLength: 12345, SymbolSize: 512, MaxBlockLen: 320, Parity: 80},
			fec.PayloadID{SBN: 0x01020304, SourceBlockLen: 300, ESI: 0x131}, "",
			map[string]string{"encoding_symbol_length": "512", "max_source_block_length": "320", "max_number_encoding_symbols": "400"},
		},
		// Of these it knows the length only, and of 3 and 4 the Payload ID.
		{fec.OTI{EncodingID: fec.LDPCStaircase, TransferLength: 12345, SymbolSize: 1024, MaxBlockLen: 5000, Parity: 1000, Seed: 77}, fec.PayloadID{SBN: 0xabc, ESI: 0xdef01}, instance, nil},
		{fec.OTI{EncodingID: fec.LDPCTriangle, TransferLength: 12345, SymbolSize: 1024, MaxBlockLen: 5000, Parity: 1000, Seed: 77}, fec.PayloadID{SBN: 0xabc, ESI: 0xdef01}, instance, nil},
		{fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 12345, SymbolSize: 1024, MaxBlockLen: 200, Parity: 55}, fec.PayloadID{SBN: 0x123456, ESI: 0x78}, instance, nil},
		{fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 8, G: 1, TransferLength: 12345, SymbolSize: 1024, MaxBlockLen: 200, Parity: 55}, fec.PayloadID{SBN: 0x123456, ESI: 0x78}, instance, nil},
	} {
		x, err := alc.AppendFTI(nil, &tt.o)
		if err != nil {
			t.Fatal(err)
		}
		p := alc.Packet{
			Header:     lct.Header{TSI: 1, TOI: lct.TOI{Lo: 2}, Codepoint: uint8(tt.o.EncodingID), Extensions: x},
			HasPayload: true, ID: tt.id, Symbols: []byte("symbol"),
		}
		m := pack(t, tt.o.EncodingID.String(), p)
		m.expert = tt.expert
		m.want["rmt-lct_rmt-lct_hec_type"] = "64"
		m.want["rmt-fec_rmt-fec_encoding_id"] = fmt.Sprint(uint8(tt.o.EncodingID))
		m.want["rmt-fec_rmt-fec_fti_transfer_length"] = fmt.Sprint(tt.o.TransferLength)
		for name, v := range tt.want {
			m.want["rmt-fec_rmt-fec_fti_"+name] = v
		}
		switch tt.o.EncodingID {
		case fec.ReedSolomonGF8, fec.ReedSolomonGF2m: // it does not know their Payload ID
		default:
			m.want["rmt-fec_rmt-fec_sbn"], m.want["rmt-fec_rmt-fec_esi"] = fmt.Sprint(tt.id.SBN), fmt.Sprintf("0x%08x", tt.id.ESI)
			m.want["alc_alc_payload"] = "73:79:6d:62:6f:6c"
		}
		if tt.o.EncodingID == fec.SmallBlockSystematic {
			m.want["rmt-fec_rmt-fec_sbl"] = fmt.Sprint(tt.id.SourceBlockLen)
		}
		packets = append(packets, m)
	}
	compare(t, packets)
}

// FDT Instances of every profile: tshark finds the XML, its elements and attributes.
func TestFDT(t *testing.T) {
	oti, err := fdt.NewOTI(&fec.OTI{EncodingID: fec.Raptor, SymbolSize: 1024, Blocks: 1, SubBlocks: 1, Align: 4})
	if err != nil {
		t.Fatal(err)
	}
	var packets []meant
	for _, profile := range []fdt.Profile{fdt.RFC6726, fdt.RFC3926, fdt.MBMS} {
		in := fdt.Instance{
			Expires: 4000000000, Complete: true, FullFDT: profile == fdt.MBMS,
			Files: []fdt.File{
				{
					TOI: lct.TOI{Lo: 1}, ContentLocation: "http://example.com/a&b<c>", ContentLength: 5000, HasContentLength: true,
					HasMD5: true, Common: fdt.Common{ContentType: "text/plain", OTI: oti},
				},
				{TOI: lct.MaxTOI, ContentLocation: "b", Common: fdt.Common{OTI: oti}},
			},
		}
		if profile == fdt.MBMS {
			in.Files[1].Groups, in.Files[1].CacheControl = []string{"one"}, fdt.CacheControl{Mode: fdt.CacheNone}
		}
		document, err := in.Append(nil, profile)
		if err != nil {
			t.Fatal(err)
		}
		x, err := alc.AppendFTI(lct.AppendFDT(nil, lct.FDT{Version: profile.Version(), InstanceID: 5}),
			&fec.OTI{TransferLength: uint64(len(document)), SymbolSize: 1400, MaxBlockLen: 64})
		if err != nil {
			t.Fatal(err)
		}
		m := pack(t, profile.String(), alc.Packet{Header: lct.Header{TSI: 1, Extensions: x}, HasPayload: true, Symbols: document})
		m.want["rmt-lct_rmt-lct_flute_version"] = fmt.Sprint(profile.Version())
		m.want["rmt-lct_rmt-lct_fdt_instance_id"] = "5"
		m.want["rmt-fec_rmt-fec_fti_transfer_length"] = fmt.Sprint(len(document))
		packets = append(packets, m)
	}
	compare(t, packets)

	payloads := make([][]byte, len(packets))
	for i := range packets {
		payloads[i] = packets[i].payload
	}
	for i, l := range dissect(t, payloads) {
		has := func(want string) {
			if !slices.Contains(l["xml_xml_attribute"], want) {
				t.Errorf("%s: no %s among %q", packets[i].name, want, l["xml_xml_attribute"])
			}
		}
		for _, want := range []string{
			`Expires="4000000000"`, `Complete="true"`, `xmlns="urn:IETF:metadata:2005:FLUTE:FDT"`, `TOI="1"`, `TOI="5192296858534827628530496329220095"`,
			`Content-Location="http://example.com/a&amp;b&lt;c&gt;"`, `Content-Length="5000"`, `Content-Type="text/plain"`,
			`Content-MD5="AAAAAAAAAAAAAAAAAAAAAA=="`, `FEC-OTI-FEC-Encoding-ID="1"`, `FEC-OTI-Scheme-Specific-Info="AAEBBA=="`,
		} {
			has(want)
		}
		// At both levels: of the instance and of each file.
		n := 0
		for _, a := range l["xml_xml_attribute"] {
			if a == `FEC-OTI-Encoding-Symbol-Length="1024"` {
				n++
			}
		}
		if n != 3 {
			t.Errorf("%s: the symbol length is there %d times, want 3", packets[i].name, n)
		}
	}
}
