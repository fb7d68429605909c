package wire

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// unhex reads bytes written as hexadecimal words, where | and anything in
// brackets are for the reader.
func unhex(s string) []byte {
	var clean strings.Builder
	depth := 0
	for _, r := range s {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case depth == 0 && !strings.ContainsRune(" |\n\t", r):
			clean.WriteRune(r)
		}
	}
	b, err := hex.DecodeString(clean.String())
	if err != nil {
		panic(err)
	}
	return b
}

func nodes(ids ...NodeID) (l NodeList) {
	for _, id := range ids {
		l = l.Append(id)
	}
	return l
}

// sender is the Sender of all test messages: GRTT 5.27 ms, K 4, group of 10, as
// libnorm sends them.
var sender = Sender{Sequence: 0x0102, Source: 1, InstanceID: 0x4e4f, GRTT: 0x61, Backoff: 4, GroupSize: 0}

// rs8OTI and its bytes are those of a captured transfer.
var rs8OTI = fec.OTI{EncodingID: 5, TransferLength: 0x4b000, SymbolSize: 1400, MaxBlockLen: 64, Parity: 16}

var messages = []struct {
	name  string
	kind  string
	codec Codec
	msg   any
	bytes string
	zero  bool // the zero Codec does as well
}{
	{
		name: "figure 4: DATA with a captured EXT_FTI", kind: "DATA", zero: true,
		msg: &Data{
			Sender: sender, Flags: FlagInfo | FlagFile, FEC: 5, Object: 7,
			ID: fec.PayloadID{SBN: 3, ESI: 0x36}, HasFTI: true, FTI: rs8OTI, Payload: []byte("abcde"),
		},
		bytes: `12 08 0102 | 00000001 | 4e4f 61 40 | 14 05 0007 | 000003 36
			[EXT_FTI] 4003 0000 0004b000 0578 40 10 | 6162636465`,
	},
	{
		name: "DATA without EXT_FTI or payload", kind: "DATA", zero: true,
		msg: &Data{
			Sender: sender, Flags: FlagRepair | FlagExplicit, FEC: 5, Object: 0xffff,
			ID: fec.PayloadID{SBN: 0xfffffe, ESI: 255},
		},
		bytes: `12 05 0102 | 00000001 | 4e4f 61 40 | 03 05 ffff | fffffe ff`,
	},
	{
		name: "figures 5 and 7: DATA of FEC ID 129", kind: "DATA", zero: true,
		msg: &Data{
			Sender: sender, Flags: FlagStream, FEC: 129, Object: 0x0708,
			ID:     fec.PayloadID{SBN: 0x01020304, SourceBlockLen: 32, ESI: 0x0102},
			HasFTI: true,
			FTI: fec.OTI{
				EncodingID: 129, InstanceID: 0x0a0b, TransferLength: 0x112233445566,
				SymbolSize: 0x0400, MaxBlockLen: 32, Parity: 8,
			},
			Payload: append(StreamHeader{Len: 1, MsgStart: 1, Offset: 0xfffffff0}.Append(nil), 'a'),
		},
		bytes: `12 0a 0102 | 00000001 | 4e4f 61 40 | 20 81 0708 | 01020304 0020 0102
			[EXT_FTI] 4004 1122 33445566 0a0b 0400 0020 0008 | 0001 0001 fffffff0 61`,
	},
	{
		name: "RFC 5510 figure 3: DATA over GF(2^16), the EXT_FTI says so", kind: "DATA", zero: true,
		msg: &Data{
			Sender: sender, FEC: 2, Object: 1, ID: fec.PayloadID{SBN: 2, ESI: 0x0103},
			HasFTI: true,
			FTI: fec.OTI{
				EncodingID: 2, TransferLength: 1500, SymbolSize: 20, MaxBlockLen: 200, Parity: 100, M: 16, G: 1,
			},
		},
		bytes: `12 09 0102 | 00000001 | 4e4f 61 40 | 00 02 0001 | 0002 0103
			[EXT_FTI] 4004 0000 000005dc 10 01 0014 00c8 0064`,
	},
	{
		name: "DATA over GF(2^16), only the Codec says so", kind: "DATA", codec: Codec{M: 16},
		msg: &Data{
			Sender: sender, FEC: 2, Object: 1, ID: fec.PayloadID{SBN: 2, ESI: 0x0103}, Payload: []byte("symbol"),
		},
		bytes: `12 05 0102 | 00000001 | 4e4f 61 40 | 00 02 0001 | 0002 0103 | 73796d626f6c`,
	},
	{
		name: "RFC 5510 figure 6: max_n", kind: "DATA", codec: Codec{FTI: FTIRFC5510},
		msg: &Data{
			Sender: sender, FEC: 5, ID: fec.PayloadID{SBN: 1, ESI: 2}, HasFTI: true, FTI: rs8OTI,
		},
		bytes: `12 08 0102 | 00000001 | 4e4f 61 40 | 00 05 0000 | 000001 02
			[EXT_FTI] 4003 0000 0004b000 0578 40 50`,
	},
	{
		name: "RFC 5445 figure 2: no code", kind: "DATA", zero: true,
		msg: &Data{
			Sender: sender, FEC: 0, ID: fec.PayloadID{SBN: 0x0102, ESI: 0x0304}, HasFTI: true,
			FTI: fec.OTI{TransferLength: 0x010203040506, SymbolSize: 0x0708, MaxBlockLen: 0x090a},
		},
		bytes: `12 09 0102 | 00000001 | 4e4f 61 40 | 00 00 0000 | 0102 0304
			[EXT_FTI] 4004 0102 03040506 0000 0708 0000090a`,
	},
	{
		name: "figure 8: INFO", kind: "INFO", zero: true,
		msg: &Info{
			Sender: sender, Flags: FlagInfo | FlagFile | 0x40, FEC: 5, Object: 7,
			HasFTI: true, FTI: rs8OTI, Payload: []byte("file.bin"),
		},
		bytes: `11 07 0102 | 00000001 | 4e4f 61 40 | 54 05 0007
			[EXT_FTI] 4003 0000 0004b000 0578 40 10 | 66696c652e62696e`,
	},
	{
		name: "INFO of an unknown scheme", kind: "INFO", zero: true,
		msg:   &Info{Sender: sender, Flags: FlagInfo, FEC: 77, Object: 7, Payload: []byte("x")},
		bytes: `11 04 0102 | 00000001 | 4e4f 61 40 | 04 4d 0007 | 78`,
	},
	{
		name: "figure 10: CMD(FLUSH) to two nodes, as captured", kind: "CMD(FLUSH)", zero: true,
		msg: &Flush{
			Sender: sender, FEC: 5, Object: 0, ID: fec.PayloadID{SBN: 3, ESI: 0x36}, AckingNodes: nodes(11, 12),
		},
		bytes: `13 05 0102 | 00000001 | 4e4f 61 40 | 01 05 0000 | 000003 36 | 0000000b 0000000c`,
	},
	{
		name: "CMD(FLUSH) of FEC ID 129, to nobody", kind: "CMD(FLUSH)", zero: true,
		msg: &Flush{
			Sender: sender, FEC: 129, Object: 9, ID: fec.PayloadID{SBN: 3, SourceBlockLen: 64, ESI: 5},
		},
		bytes: `13 06 0102 | 00000001 | 4e4f 61 40 | 01 81 0009 | 00000003 0040 0005`,
	},
	{
		name: "figure 11: CMD(EOT)", kind: "CMD(EOT)", zero: true,
		msg:   &EOT{Sender: sender},
		bytes: `13 04 0102 | 00000001 | 4e4f 61 40 | 02 000000`,
	},
	{
		name: "figure 12: CMD(SQUELCH)", kind: "CMD(SQUELCH)", zero: true,
		msg: &Squelch{
			Sender: sender, FEC: 5, Object: 0xfffe, ID: fec.PayloadID{SBN: 1},
			Invalid: TransportIDList(nil).Append(0xffff).Append(1).Append(4),
		},
		bytes: `13 05 0102 | 00000001 | 4e4f 61 40 | 03 05 fffe | 000001 00 | ffff 0001 0004`,
	},
	{
		name: "figure 13: CMD(CC) with EXT_RATE, 625,000 B/s, and nodes", kind: "CMD(CC)", zero: true,
		msg: &CC{
			Sender: sender, CCSequence: 0x0a0b, SendTime: Timestamp{0x01020304, 999999}, HasRate: true, Rate: 0xa005,
			Nodes: CCNodeList(nil).
				Append(CCNode{Node: 11, Flags: CCFlagCLR | CCFlagRTT, RTT: 0x61, Rate: 0x51f4}).
				Append(CCNode{Node: 12, Flags: CCFlagPLR}),
		},
		bytes: `13 07 0102 | 00000001 | 4e4f 61 40 | 04 00 0a0b | 01020304 000f423f | [EXT_RATE] 8000 a005
			0000000b 05 61 51f4 | 0000000c 02 00 0000`,
	},
	{
		name: "CMD(CC) without EXT_RATE, NRL's SYN", kind: "CMD(CC)", zero: true,
		msg:   &CC{Sender: sender, Reserved: 1, CCSequence: 1, SendTime: Timestamp{1, 2}},
		bytes: `13 06 0102 | 00000001 | 4e4f 61 40 | 04 01 0001 | 00000001 00000002`,
	},
	{
		name: "figure 14: CMD(REPAIR_ADV) with EXT_CC", kind: "CMD(REPAIR_ADV)", zero: true,
		msg: &RepairAdv{
			Sender: sender, Flags: RepairAdvLimit, HasCC: true,
			CC:       CCFeedback{Sequence: 0x0a0b, Flags: CCFlagStart, RTT: 0x61, Loss: 0x0c0d, Rate: 0xa005},
			Requests: Codec{}.Requests(unhex(`01 08 0008 | 05 00 0007 00000000`)),
		},
		bytes: `13 07 0102 | 00000001 | 4e4f 61 40 | 05 01 0000 | [EXT_CC] 0303 0a0b 08 61 0c0d a005 0000
			01 08 0008 | 05 00 0007 00000000`,
	},
	{
		name: "CMD(REPAIR_ADV), empty", kind: "CMD(REPAIR_ADV)", zero: true,
		msg:   &RepairAdv{Sender: sender},
		bytes: `13 04 0102 | 00000001 | 4e4f 61 40 | 05 00 0000`,
	},
	{
		name: "figure 15: CMD(ACK_REQ)", kind: "CMD(ACK_REQ)", zero: true,
		msg:   &AckReq{Sender: sender, AckType: AckApplication, AckID: 3, AckingNodes: nodes(11, NodeAny)},
		bytes: `13 04 0102 | 00000001 | 4e4f 61 40 | 06 00 10 03 | 0000000b ffffffff`,
	},
	{
		name: "figure 16: CMD(APPLICATION)", kind: "CMD(APPLICATION)", zero: true,
		msg:   &Application{Sender: sender, Payload: []byte("go")},
		bytes: `13 04 0102 | 00000001 | 4e4f 61 40 | 07 000000 | 676f`,
	},
	{
		name: "CMD(APPLICATION), numbered", kind: "CMD(APPLICATION)", zero: true,
		msg:   &Application{Sender: sender, HasNumber: true, Number: 0xfffe, Payload: []byte("go")},
		bytes: `13 05 0102 | 00000001 | 4e4f 61 40 | 07 000000 | [number] f0 fffe 00 | 676f`,
	},
	{
		name: "figure 17: NACK with EXT_CC", kind: "NACK", zero: true,
		msg: &Nack{
			Feedback: Feedback{
				Source: 11, Server: 1, InstanceID: 0x4e4f, GRTTResponse: Timestamp{0x65000000, 1}, HasCC: true,
				CC: CCFeedback{Sequence: 3, Flags: CCFlagRTT, RTT: 0x61, Loss: 0xffff, Rate: 0xa005, Reserved: 0x1234},
			},
			Requests: Codec{}.Requests(unhex(`02 01 0010 | 05 00 0007 000003 37 | 05 00 0007 000003 39`)),
		},
		bytes: `14 09 0000 | 0000000b | 00000001 | 4e4f 0000 | 65000000 00000001
			[EXT_CC] 0303 0003 04 61 ffff a005 1234
			02 01 0010 | 05 00 0007 000003 37 | 05 00 0007 000003 39`,
	},
	{
		name: "NACK before any CMD(CC), empty", kind: "NACK", zero: true,
		msg:   &Nack{Feedback: Feedback{Sequence: 9, Source: 11, Server: 1, InstanceID: 1}},
		bytes: `14 06 0009 | 0000000b | 00000001 | 0001 0000 | 00000000 00000000`,
	},
	{
		name: "figure 20: ACK(CC)", kind: "ACK", zero: true,
		msg: &Ack{
			Feedback: Feedback{
				Source: 11, Server: 1, InstanceID: 0x4e4f, GRTTResponse: Timestamp{5, 6}, HasCC: true,
				CC: CCFeedback{Sequence: 3, Flags: CCFlagStart, RTT: 0x94},
			},
			AckType: AckCC,
		},
		bytes: `15 09 0000 | 0000000b | 00000001 | 4e4f 01 00 | 00000005 00000006
			[EXT_CC] 0303 0003 08 94 0000 0000 0000`,
	},
	{
		name: "ACK(CC) with EXT_DELIVERY", kind: "ACK", zero: true,
		msg: &Ack{
			Feedback: Feedback{
				Source: 11, Server: 1, InstanceID: 0x4e4f, GRTTResponse: Timestamp{5, 6}, HasCC: true,
				CC:          CCFeedback{Sequence: 3, Flags: CCFlagStart, RTT: 0x94},
				HasDelivery: true, Delivery: Delivery{Packets: 0x01020304, Time: 0x05060708, Dropped: 0x090a0b0c},
			},
			AckType: AckCC,
		},
		bytes: `15 0d 0000 | 0000000b | 00000001 | 4e4f 01 00 | 00000005 00000006
			[EXT_CC] 0303 0003 08 94 0000 0000 0000
			[EXT_DELIVERY] 7004 0000 01020304 05060708 090a0b0c`,
	},
	{
		name: "ACK(FLUSH)", kind: "ACK", zero: true,
		msg: &Ack{
			Feedback: Feedback{Source: 12, Server: 1, InstanceID: 0x4e4f},
			AckType:  AckFlush, Payload: unhex(`05 00 0007 000003 36`),
		},
		bytes: `15 06 0000 | 0000000c | 00000001 | 4e4f 02 00 | 00000000 00000000 | 05 00 0007 000003 36`,
	},
	{
		name: "ACK of the application's", kind: "ACK", zero: true,
		msg: &Ack{
			Feedback: Feedback{Source: 12, Server: 1, InstanceID: 0x4e4f},
			AckType:  255, AckID: 4, Payload: []byte("ok"),
		},
		bytes: `15 06 0000 | 0000000c | 00000001 | 4e4f ff 04 | 00000000 00000000 | 6f6b`,
	},
	{
		name: "REPORT", kind: "REPORT", zero: true,
		msg:   &Report{Sequence: 5, Source: 11, Payload: []byte("?")},
		bytes: `16 02 0005 | 0000000b | 3f`,
	},
}

// binaryMessage is what all messages implement.
type binaryMessage interface {
	encoding.BinaryAppender
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

func TestMessages(t *testing.T) {
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			want, k := unhex(tt.bytes), kindNamed(tt.kind)

			got := k.new()
			if err := k.parse(tt.codec, want, got); err != nil {
				t.Fatal(err)
			}
			mustEqual(t, got, tt.msg)

			prefix := []byte("prefix")
			b, err := k.append(tt.codec, prefix, tt.msg)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b[:6], prefix) || !bytes.Equal(b[6:], want) {
				t.Fatalf("appended\n got %x\nwant %x", b[6:], want)
			}

			if d, err := dispatch(want); err != nil || d.name != tt.kind {
				t.Fatalf("dispatched as %q, %v", d.name, err)
			}

			// The standard interfaces, with the zero Codec.
			if !tt.zero {
				return
			}
			if b, err = tt.msg.(binaryMessage).MarshalBinary(); err != nil || !bytes.Equal(b, want) {
				t.Fatalf("MarshalBinary: %x, %v", b, err)
			}
			got = k.new()
			if err := got.(binaryMessage).UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			clear(b) // UnmarshalBinary keeps nothing of its argument
			mustEqual(t, got, tt.msg)
		})
	}
}

// Every prefix of a good message is an error or a shorter good message, with the
// whole header and, where there is a list, whole entries.
func TestTruncation(t *testing.T) {
	entry := map[string]int{"CMD(FLUSH)": 4, "CMD(SQUELCH)": 2, "CMD(CC)": 8, "CMD(ACK_REQ)": 4}
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			full, k := unhex(tt.bytes), kindNamed(tt.kind)
			hdr := int(full[1]) * 4
			for n := range full {
				m := k.new()
				b := full[:n:n]
				err := k.parse(tt.codec, b, m)
				size := max(1, entry[tt.kind])
				if good := n >= hdr && (n-hdr)%size == 0; !good {
					if !truncated(err) {
						t.Errorf("%d of %d bytes: %v, want io.ErrUnexpectedEOF", n, len(full), err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%d of %d bytes: %v", n, len(full), err)
					continue
				}
				again, err := k.append(tt.codec, nil, m)
				if err != nil || !bytes.Equal(again, b) {
					t.Errorf("%d of %d bytes came back as %x, %v", n, len(full), again, err)
				}
			}
		})
	}
}

// What is parsed aliases the input, but an append to it does not write there.
func TestAliasing(t *testing.T) {
	b := append(unhex(messages[0].bytes), "next packet"...)
	n := len(b) - len("next packet")
	var m Data
	if err := (Codec{}).ParseData(b[:n], &m); err != nil {
		t.Fatal(err)
	}
	if &m.Payload[0] != &b[n-len(m.Payload)] {
		t.Error("the payload is a copy")
	}
	_ = append(m.Payload, "xxxx"...)
	if string(b[n:]) != "next packet" {
		t.Error("an append to the payload overwrote what is behind the message")
	}
}
