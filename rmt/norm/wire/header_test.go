package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

func truncated(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }

func TestParseHeader(t *testing.T) {
	h, err := ParseHeader(unhex(`1f 03 abcd | 0a000001 | 00000000`))
	if err != nil || h != (Header{Type: 15, HeaderLen: 12, Sequence: 0xabcd, Source: 0x0a000001}) {
		t.Errorf("%+v, %v; unknown types are not its business", h, err)
	}
	for _, tt := range []struct {
		bytes string
		err   error
	}{
		{``, io.ErrUnexpectedEOF},
		{`12 05 0102 | 000000`, io.ErrUnexpectedEOF},
		{`22 02 0102 | 00000001`, ErrVersion},
		{`02 02 0102 | 00000001`, ErrVersion},
		{`12 01 0102 | 00000001`, ErrHeaderLen},
		{`12 00 0102 | 00000001`, ErrHeaderLen},
		{`12 03 0102 | 00000001 000000`, io.ErrUnexpectedEOF},
	} {
		if _, err := ParseHeader(unhex(tt.bytes)); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.bytes, err, tt.err)
		}
	}
}

// What is wrong with these messages is not their length.
func TestParseErrors(t *testing.T) {
	const s = `0102 | 00000001 | 4e4f 61 40 |`
	for _, tt := range []struct {
		name  string
		kind  string
		codec Codec
		bytes string
		err   error
	}{
		{"another type", "DATA", Codec{}, `11 04` + s + `00 05 0000`, ErrType},
		{"another command", "CMD(EOT)", Codec{}, `13 04` + s + `01 05 0000`, ErrType},
		{"an unknown command", "CMD(EOT)", Codec{}, `13 04` + s + `08 000000`, ErrType},
		{"a command without a sub-type", "CMD(EOT)", Codec{}, `13 03` + s + `02 000000`, ErrHeaderLen},
		{"DATA without a payload ID", "DATA", Codec{}, `12 04` + s + `00 05 0000 | 00000000`, ErrHeaderLen},
		{"DATA with half a payload ID", "DATA", Codec{}, `12 05` + s + `00 81 0000 | 00000000 00000000`, ErrHeaderLen},
		{"DATA of an unknown scheme", "DATA", Codec{}, `12 05` + s + `00 4d 0000 | 00000000`, fec.ErrUnknownScheme},
		{"DATA over an odd field", "DATA", Codec{M: 5}, `12 05` + s + `00 02 0000 | 00000000`, fec.ErrUnknownScheme},
		{"DATA with EXT_FTI over an odd field", "DATA", Codec{},
			`12 09` + s + `00 02 0000 | 00000000 | 4004 0000 00000001 05 01 0001 0001 0000`, fec.ErrUnknownScheme},
		{"hel 0", "DATA", Codec{}, `12 06` + s + `00 05 0000 | 00000000 | 4000 0000`, ErrExtension},
		{"hel 0 of an unknown type", "INFO", Codec{}, `11 05` + s + `00 05 0000 | 0000 0000`, ErrExtension},
		{"an extension past the header", "INFO", Codec{},
			`11 06` + s + `00 05 0000 | 4003 0000 0004b000 0578 40 10`, ErrExtension},
		{"hel 255", "INFO", Codec{}, `11 05` + s + `00 05 0000 | 07ff 0000`, ErrExtension},
		{"EXT_FTI too short for its scheme", "INFO", Codec{},
			`11 07` + s + `00 81 0000 | 4003 0000 0004b000 0578 40 10`, ErrExtension},
		{"max_n below B", "INFO", Codec{FTI: FTIRFC5510},
			`11 07` + s + `00 05 0000 | 4003 0000 0004b000 0578 40 10`, ErrExtension},
		{"no code with a block of 65536", "INFO", Codec{},
			`11 08` + s + `00 00 0000 | 4004 0000 00000001 0000 0001 00010000`, ErrExtension},
		{"EXT_CC too short", "NACK", Codec{},
			`14 08 0000 | 0000000b 00000001 4e4f0000 00000000 00000000 | 0302 0000 00000000`, ErrExtension},
		{"a bad extension after a good one", "CMD(CC)", Codec{},
			`13 08` + s + `04 00 0001 | 00000000 00000000 | 8000a005 0500 0000`, ErrExtension},
		{"a bad extension in CMD(EOT)", "CMD(EOT)", Codec{}, `13 05` + s + `02 000000 | 0102 0000`, ErrExtension},
		{"a bad extension in CMD(FLUSH)", "CMD(FLUSH)", Codec{}, `13 06` + s + `01 05 0000 | 00000000 | 0102 0000`, ErrExtension},
		{"a bad extension in CMD(SQUELCH)", "CMD(SQUELCH)", Codec{}, `13 06` + s + `03 05 0000 | 00000000 | 0102 0000`, ErrExtension},
		{"a bad extension in CMD(ACK_REQ)", "CMD(ACK_REQ)", Codec{}, `13 05` + s + `06 00 1000 | 0102 0000`, ErrExtension},
		{"a bad extension in CMD(APPLICATION)", "CMD(APPLICATION)", Codec{}, `13 05` + s + `07 000000 | 0102 0000`, ErrExtension},
		{"a bad extension in REPORT", "REPORT", Codec{}, `16 03 0000 | 0000000b | 0102 0000`, ErrExtension},
		{"a short CMD(CC)", "CMD(CC)", Codec{}, `13 05` + s + `04 00 0001 | 00000000 00000000`, ErrHeaderLen},
		{"a short NACK", "NACK", Codec{}, `14 05 0000 | 0000000b 00000001 4e4f0000 00000000 00000000`, ErrHeaderLen},
	} {
		k := kindNamed(tt.kind)
		err := k.parse(tt.codec, unhex(tt.bytes), k.new())
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		var pe *ParseError
		if !errors.As(err, &pe) || !strings.HasPrefix(err.Error(), "norm: ") {
			t.Errorf("%s: %T %v", tt.name, err, err)
		}
	}
}

// Unknown extensions, long known ones and reserved bits are skipped, and are not
// there when the message is appended again.
func TestLenient(t *testing.T) {
	for _, tt := range []struct{ name, kind, bytes, canonical string }{
		{
			"unknown extensions around EXT_FTI", "INFO",
			`11 0e 0102 | 00000001 | 4e4f 61 40 | 00 05 0000
				[EXT_AUTH] 0103 0000 00000000 00000000 | [fixed] c000 0000
				[EXT_FTI] 4003 0000 0004b000 0578 40 10 | [NRL's application acknowledgment] 4102 0000 00000000 |
				[fixed] ffff ffff | 78`,
			`11 07 0102 | 00000001 | 4e4f 61 40 | 00 05 0000
				[EXT_FTI] 4003 0000 0004b000 0578 40 10 | 78`,
		},
		{
			"EXT_FTI with words behind", "DATA",
			`12 09 0102 | 00000001 | 4e4f 61 40 | 00 05 0000 | 00000000
				[EXT_FTI] 4004 0000 0004b000 0578 40 10 01020304`,
			`12 08 0102 | 00000001 | 4e4f 61 40 | 00 05 0000 | 00000000
				[EXT_FTI] 4003 0000 0004b000 0578 40 10`,
		},
		{
			"EXT_FTI of a scheme we have no layout for", "INFO",
			`11 06 0102 | 00000001 | 4e4f 61 40 | 00 4d 0000 | [EXT_FTI] 4002 0000 00000000`,
			`11 04 0102 | 00000001 | 4e4f 61 40 | 00 4d 0000`,
		},
		{
			"m and G not given", "INFO",
			`11 08 0102 | 00000001 | 4e4f 61 40 | 00 02 0000 | 4004 0000 00000001 00 00 0014 00c8 0020`,
			`11 08 0102 | 00000001 | 4e4f 61 40 | 00 02 0000 | 4004 0000 00000001 08 01 0014 00c8 0020`,
		},
		{
			"reserved bytes", "CMD(EOT)",
			`13 04 0102 | 00000001 | 4e4f 61 40 | 02 ffffff`,
			`13 04 0102 | 00000001 | 4e4f 61 40 | 02 000000`,
		},
		{
			"reserved bytes", "NACK",
			`14 06 0009 | 0000000b | 00000001 | 0001 ffff | 00000000 00000000`,
			`14 06 0009 | 0000000b | 00000001 | 0001 0000 | 00000000 00000000`,
		},
		{
			"the reserved byte of EXT_RATE", "CMD(CC)",
			`13 07 0102 | 00000001 | 4e4f 61 40 | 04 00 0001 | 00000001 00000002 | 80ff a005`,
			`13 07 0102 | 00000001 | 4e4f 61 40 | 04 00 0001 | 00000001 00000002 | 8000 a005`,
		},
		{
			"nodes without EXT_RATE", "CMD(CC)",
			`13 06 0102 | 00000001 | 4e4f 61 40 | 04 00 0001 | 00000001 00000002 | 0000000b 05 61 51f4`,
			`13 06 0102 | 00000001 | 4e4f 61 40 | 04 00 0001 | 00000001 00000002 | 0000000b 05 61 51f4`,
		},
	} {
		k := kindNamed(tt.kind)
		m := k.new()
		if err := k.parse(Codec{}, unhex(tt.bytes), m); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		b, err := k.append(Codec{}, nil, m)
		if want := unhex(tt.canonical); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s:\n got %x, %v\nwant %x", tt.name, b, err, want)
		}
	}
}

// What an Append method refuses leaves the slice as it was.
func TestAppendErrors(t *testing.T) {
	big := sender
	big.Backoff = 16
	group := sender
	group.GroupSize = 16
	oti := func(f func(*fec.OTI)) fec.OTI { o := rs8OTI; f(&o); return o }
	for _, tt := range []struct {
		name  string
		kind  string
		codec Codec
		msg   any
		err   error
	}{
		{"backoff", "DATA", Codec{}, &Data{Sender: big, FEC: 5}, ErrRange},
		{"gsize", "DATA", Codec{}, &Data{Sender: group, FEC: 5}, ErrRange},
		{"backoff", "INFO", Codec{}, &Info{Sender: big}, ErrRange},
		{"backoff", "CMD(FLUSH)", Codec{}, &Flush{Sender: big, FEC: 5}, ErrRange},
		{"backoff", "CMD(EOT)", Codec{}, &EOT{Sender: big}, ErrRange},
		{"backoff", "CMD(SQUELCH)", Codec{}, &Squelch{Sender: big, FEC: 5}, ErrRange},
		{"backoff", "CMD(CC)", Codec{}, &CC{Sender: big}, ErrRange},
		{"backoff", "CMD(REPAIR_ADV)", Codec{}, &RepairAdv{Sender: big}, ErrRange},
		{"backoff", "CMD(ACK_REQ)", Codec{}, &AckReq{Sender: big}, ErrRange},
		{"backoff", "CMD(APPLICATION)", Codec{}, &Application{Sender: big}, ErrRange},
		{"scheme", "DATA", Codec{}, &Data{Sender: sender, FEC: 6}, fec.ErrUnknownScheme},
		{"scheme", "CMD(FLUSH)", Codec{}, &Flush{Sender: sender, FEC: 6}, fec.ErrUnknownScheme},
		{"symbol ID", "DATA", Codec{}, &Data{Sender: sender, FEC: 5, ID: fec.PayloadID{ESI: 256}}, ErrRange},
		{"symbol ID", "CMD(FLUSH)", Codec{}, &Flush{Sender: sender, FEC: 5, ID: fec.PayloadID{ESI: 256}}, ErrRange},
		{"two schemes", "DATA", Codec{}, &Data{Sender: sender, FEC: 129, HasFTI: true, FTI: rs8OTI}, ErrExtension},
		{"two schemes", "INFO", Codec{}, &Info{Sender: sender, FEC: 129, HasFTI: true, FTI: rs8OTI}, ErrExtension},
		{"object size", "DATA", Codec{}, &Data{Sender: sender, FEC: 5, HasFTI: true,
			FTI: oti(func(o *fec.OTI) { o.TransferLength = 1 << 48 })}, ErrRange},
		{"block length", "DATA", Codec{}, &Data{Sender: sender, FEC: 5, HasFTI: true,
			FTI: oti(func(o *fec.OTI) { o.MaxBlockLen = 256 })}, ErrRange},
		{"max_n", "DATA", Codec{FTI: FTIRFC5510}, &Data{Sender: sender, FEC: 5, HasFTI: true,
			FTI: oti(func(o *fec.OTI) { o.Parity = 192 })}, ErrRange},
		{"scheme", "INFO", Codec{}, &Info{Sender: sender, FEC: 6, HasFTI: true, FTI: fec.OTI{EncodingID: 6}}, fec.ErrUnknownScheme},
	} {
		k := kindNamed(tt.kind)
		b, err := k.append(tt.codec, []byte("as it was"), tt.msg)
		if !errors.Is(err, tt.err) || string(b) != "as it was" {
			t.Errorf("%s, %s: %q, %v, want %v", tt.kind, tt.name, b, err, tt.err)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{TypeNack.String(), "NACK"},
		{Type(9).String(), "type 9"},
		{CmdRepairAdv.String(), "CMD(REPAIR_ADV)"},
		{CmdType(200).String(), "CMD(200)"},
		{AckFlush.String(), "ACK(FLUSH)"},
		{AckType(16).String(), "ACK(16)"},
		{NodeID(11).String(), "11"},
		{NodeAny.String(), "any"},
		{NodeNone.String(), "none"},
		{(FlagInfo | FlagFile).String(), "INFO|FILE"},
		{(FlagStream | 0x40).String(), "STREAM|0x40"},
		{Flags(0).String(), "0x0"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestTransportIDSub(t *testing.T) {
	for _, tt := range []struct {
		a, b TransportID
		want int
	}{
		{5, 5, 0}, {6, 5, 1}, {5, 6, -1}, {0, 0xffff, 1}, {0xffff, 0, -1}, {0x7fff, 0, 32767}, {0x8000, 0, -32768},
	} {
		if got := tt.a.Sub(tt.b); got != tt.want {
			t.Errorf("%d.Sub(%d) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
