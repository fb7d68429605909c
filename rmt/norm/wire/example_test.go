package wire_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A receiver asks for two symbols, and the sender reads what for.
func Example() {
	codec := wire.Codec{}

	nack := wire.Nack{Feedback: wire.Feedback{Source: 11, Server: 1, InstanceID: 7}}
	packet, _ := codec.AppendNackHeader(make([]byte, 0, 1500), &nack)
	var requests wire.RequestBuilder
	requests.Reset(packet, 1400, codec)
	item := func(esi uint32) wire.Item {
		return wire.Item{FEC: fec.ReedSolomonGF8, Object: 5, ID: fec.PayloadID{SBN: 2, ESI: esi}}
	}
	requests.Add(wire.NackSegment, item(64), item(65))
	packet = requests.Bytes()

	h, err := wire.ParseHeader(packet)
	if err != nil || h.Type != wire.TypeNack {
		return // not for us
	}
	var m wire.Nack
	if err := codec.ParseNack(packet, &m); err != nil {
		fmt.Println(err)
		return
	}
	for r := range m.Requests.All() {
		fmt.Printf("node %v wants object %d, block %d, symbols %d to %d\n",
			m.Source, r.First.Object, r.First.ID.SBN, r.First.ID.ESI, r.Last.ID.ESI)
	}
	// Output:
	// node 11 wants object 5, block 2, symbols 64 to 64
	// node 11 wants object 5, block 2, symbols 65 to 65
}

func ExampleCodec_ParseData() {
	packet := []byte{
		0x12, 8, 0, 42, 0, 0, 0, 1, 0, 7, 0x61, 0x40, 0x14, 5, 0, 5, 0, 0, 2, 3,
		0x40, 3, 0, 0, 0, 4, 0xb0, 0, 0x05, 0x78, 64, 16, // EXT_FTI
		'd', 'a', 't', 'a',
	}
	var m wire.Data
	if err := (wire.Codec{}).ParseData(packet, &m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("object %d (%v), block %d, symbol %d: %q\n", m.Object, m.Flags, m.ID.SBN, m.ID.ESI, m.Payload)
	fmt.Printf("%v: %d bytes in blocks of up to %d+%d symbols of %d\n",
		m.FEC, m.FTI.TransferLength, m.FTI.MaxBlockLen, m.FTI.Parity, m.FTI.SymbolSize)
	fmt.Println("GRTT", wire.GRTT(m.GRTT), "for a group of", wire.GroupSize(m.GroupSize))
	// Output:
	// object 5 (INFO|FILE), block 2, symbol 3: "data"
	// rs8 (5): 307200 bytes in blocks of up to 64+16 symbols of 1400
	// GRTT 5.268071ms for a group of 10
}
