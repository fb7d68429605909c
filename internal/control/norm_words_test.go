package control

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

func TestNORMWords(t *testing.T) {
	var c wire.Codec
	made := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	s := wire.Sender{Source: 7, Sequence: 3}
	back := wire.Feedback{Source: 9, Server: 7}
	o := fec.OTI{EncodingID: 5, TransferLength: 9000, SymbolSize: 1400, MaxBlockLen: 64, Parity: 16}
	id := fec.PayloadID{SBN: 2, ESI: 5}
	var ask wire.RequestBuilder
	item := func(esi uint32) wire.Item {
		return wire.Item{FEC: 5, Object: 4, ID: fec.PayloadID{SBN: 2, ESI: esi}}
	}
	ask.Reset(made(c.AppendNackHeader(nil, &wire.Nack{Feedback: back})), 1400, c)
	ask.Add(wire.NackSegment, item(1), item(1))
	ask.Add(wire.NackSegment, item(3), item(9))
	ask.Add(wire.NackBlock, item(0), item(0))
	ask.Add(wire.NackObject|wire.NackInfo, item(0), item(0))
	ask.Add(wire.NackSegment, item(12), item(12))
	at := made(c.AppendFlushAck(nil, &wire.FlushAck{FEC: 5, Object: 4, ID: id}))
	for _, tt := range []struct {
		b            []byte
		text, object string
	}{
		{
			made(c.AppendData(nil, &wire.Data{Sender: s, Flags: wire.FlagFile, FEC: 5, Object: 4, ID: id, HasFTI: true, FTI: o, Payload: make([]byte, 10)})),
			"data object 4 (FILE), block 2, symbol 5, rs8 (5), 10 bytes of 9000, blocks of 64+16 symbols of 1400, node 7, sequence 3", "4",
		},
		{made(c.AppendInfo(nil, &wire.Info{Sender: s, FEC: 5, Object: 4, Payload: []byte("x")})), "info object 4 (0x0), 1 byte, node 7, sequence 3", "4"},
		{
			ask.Bytes(), "nack to 7: wants object 4 block 2 symbol 1; object 4 block 2 symbol 3 to object 4 block 2 symbol 9; object 4 block 2; " +
				"object 4 with its info; and 1 more, node 9, sequence 0", "",
		},
		{made(c.AppendAck(nil, &wire.Ack{Feedback: back, AckType: wire.AckFlush, Payload: at})), "ack to 7: ACK(FLUSH), object 4 block 2, symbol 5, node 9, sequence 0", "4"},
		{
			made(c.AppendFlush(nil, &wire.Flush{Sender: s, FEC: 5, Object: 4, ID: id, AckingNodes: wire.NodeList{}.Append(9)})),
			"cmd(flush) object 4 block 2, symbol 5, 1 to acknowledge, node 7, sequence 3", "4",
		},
		{
			made(c.AppendSquelch(nil, &wire.Squelch{Sender: s, FEC: 5, Object: 4, ID: id, Invalid: wire.TransportIDList{}.Append(5)})),
			"cmd(squelch) object 4 block 2, 1 object gone, node 7, sequence 3", "4",
		},
		{made(c.AppendRepairAdv(nil, &wire.RepairAdv{Sender: s})), "cmd(repair_adv) wants nothing, node 7, sequence 3", ""},
		{made(c.AppendAckReq(nil, &wire.AckReq{Sender: s, AckType: 20})), "cmd(ack_req) ACK(20), 0 to acknowledge, node 7, sequence 3", ""},
		{made(c.AppendEOT(nil, &wire.EOT{Sender: s})), "cmd(eot) node 7, sequence 3", ""},
	} {
		var f pcap.Frame
		var r Record
		if err := pcap.Decode(pcap.LinkRaw, udp(netip.MustParseAddrPort("10.0.0.1:5000"), netip.MustParseAddrPort("239.1.1.1:6003"), tt.b), &f); err != nil {
			t.Fatal(err)
		}
		if !new(Decoder).Describe(&f, &r) || r.Proto != NORM {
			t.Errorf("%s: not known", tt.text)
			continue
		}
		if got := r.Type + " " + r.Text(); got != tt.text || r.Object != tt.object || r.Words().Object != tt.object {
			t.Errorf("got  %s (%s)\nwant %s (%s)", got, r.Object, tt.text, tt.object)
		}
		if strings.Contains(r.Text(), "  ") {
			t.Errorf("%q", r.Text())
		}
	}
}
