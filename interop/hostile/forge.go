package hostile

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A forger appends one forged message to b.
type forger func(a *Attacker, v *victim, b []byte) ([]byte, error)

var forgers = map[string]forger{
	"nacks":    forgeNack,
	"fti":      forgeFTI,
	"blocks":   forgeBlock,
	"objects":  forgeObject,
	"streams":  forgeStream,
	"senders":  forgeSender,
	"cmds":     forgeCmd,
	"acks":     forgeAck,
	"commands": forgeCommand,
	"slow":     forgeSlow,
	"garbage":  forgeGarbage,
}

func init() {
	all := slices.Sorted(maps.Keys(forgers))
	forgers["mix"] = func(a *Attacker, v *victim, b []byte) ([]byte, error) {
		return forgers[all[a.rand.IntN(len(all))]](a, v, b)
	}
}

// Kinds returns the names of the attacks:
//
//   - nacks: repair of everything that was sent, symbols, blocks and objects, is asked
//     for in the name of ever new receivers
//   - fti: messages of the sender's object with other FEC parameters
//   - blocks: one symbol each of ever new blocks of one large object
//   - objects: ever new objects of the sender, of absurd sizes and numbers
//   - streams: ever new streams of the sender
//   - senders: ever new senders
//   - cmds: FLUSH, SQUELCH, EOT, REPAIR_ADV and probes of the sender
//   - commands: ever new commands and questions of the sender's application, and of other
//     senders'
//   - acks: confirmations that nobody gave, and round-trip times that nobody measured
//   - slow: answers to the sender's probes that tell of a path that carries nothing
//   - garbage: messages that are cut off or have bits turned
//   - mix: any of those
func Kinds() []string { return slices.Sorted(maps.Keys(forgers)) }

// anybody returns a node ID that is nobody's.
func (a *Attacker) anybody() wire.NodeID { return wire.NodeID(0x66000000 | a.rand.Uint32()>>8) }

// somebody returns the ID of a receiver, or nobody's.
func (a *Attacker) somebody(v *victim) wire.NodeID {
	if len(v.receivers) > 0 && a.rand.IntN(2) == 0 {
		return v.receivers[a.rand.IntN(len(v.receivers))]
	}
	return a.anybody()
}

// feedback returns the beginning of what receivers say, an answer to the last probe.
func (a *Attacker) feedback(v *victim) wire.Feedback {
	f := wire.Feedback{Sequence: uint16(a.rand.Uint32()), Source: a.anybody(), Server: v.sender.Source, InstanceID: v.sender.InstanceID}
	if !v.probed.IsZero() {
		f.GRTTResponse = v.cc.SendTime
		held := time.Since(v.probed).Microseconds() + int64(f.GRTTResponse.Usec)
		f.GRTTResponse.Sec += uint32(held / 1e6)
		f.GRTTResponse.Usec = uint32(held % 1e6)
		f.HasCC, f.CC = true, wire.CCFeedback{Sequence: v.cc.CCSequence, Rate: wire.QuantizeRate(1e8)}
	}
	return f
}

func forgeNack(a *Attacker, v *victim, b []byte) ([]byte, error) {
	item := func(sbn, esi uint32) wire.Item {
		return wire.Item{FEC: v.oti.EncodingID, Object: v.object, ID: fec.PayloadID{SBN: sbn, ESI: esi, SourceBlockLen: uint16(v.oti.MaxBlockLen)}}
	}
	const last = 1<<24 - 1
	var rb wire.RequestBuilder
	rb.Reset(nil, 1400, a.codec)
	switch a.rand.IntN(4) {
	case 0:
		rb.Add(wire.NackInfo, item(0, 0), item(0, 0))
		rb.Add(wire.NackBlock, item(0, 0), item(last, 0))
	case 1:
		from, to := item(0, 0), item(0, 0)
		from.Object, to.Object = v.object-1000, v.object
		rb.Add(wire.NackObject, from, to)
	case 2:
		for i := range uint32(80) {
			rb.Add(wire.NackSegment, item(i*7, 0), item(i*7, 255))
		}
	default:
		at := uint32(a.rand.IntN(1 << 14))
		for i := range uint32(80) {
			rb.Add(wire.NackSegment, item(at+i, 0), item(at+i, v.oti.MaxBlockLen-1))
		}
	}
	return a.codec.AppendNack(b, &wire.Nack{Feedback: a.feedback(v), Requests: rb.Requests()})
}

// data returns a message like the sender's.
func (a *Attacker) data(v *victim) wire.Data {
	m := wire.Data{Sender: v.sender, Flags: wire.FlagFile, FEC: v.oti.EncodingID, Object: v.object, HasFTI: true, FTI: v.oti}
	m.Sequence = uint16(a.rand.Uint32())
	m.ID = fec.PayloadID{SBN: a.rand.Uint32() >> 18, ESI: uint32(a.rand.IntN(64)), SourceBlockLen: uint16(v.oti.MaxBlockLen)}
	m.Payload = make([]byte, v.oti.SymbolSize)
	return m
}

func forgeFTI(a *Attacker, v *victim, b []byte) ([]byte, error) {
	m := a.data(v)
	m.FTI.TransferLength = a.rand.Uint64() >> (16 + a.rand.IntN(40))
	m.FTI.SymbolSize = uint16(1 + a.rand.IntN(1400))
	m.FTI.MaxBlockLen = uint32(1 + a.rand.IntN(200))
	m.Payload = m.Payload[:min(len(m.Payload), int(m.FTI.SymbolSize))]
	return a.codec.AppendData(b, &m)
}

func forgeBlock(a *Attacker, v *victim, b []byte) ([]byte, error) {
	m := a.data(v)
	m.Source, m.Object = 0x66000001, 1
	m.ID.SBN = a.rand.Uint32() >> 12
	m.FTI.TransferLength = 1 << 36
	return a.codec.AppendData(b, &m)
}

func forgeObject(a *Attacker, v *victim, b []byte) ([]byte, error) {
	m := a.data(v)
	m.Object = wire.TransportID(a.rand.Uint32())
	m.FTI.TransferLength = a.rand.Uint64() >> (16 + a.rand.IntN(40))
	if a.rand.IntN(2) == 0 {
		return a.codec.AppendInfo(b, &wire.Info{
			Sender: m.Sender, Flags: wire.FlagFile | wire.FlagInfo, FEC: m.FEC, Object: m.Object, HasFTI: true, FTI: m.FTI,
			Payload: []byte("../../name\x00size=281474976710655\n"),
		})
	}
	return a.codec.AppendData(b, &m)
}

func forgeStream(a *Attacker, v *victim, b []byte) ([]byte, error) {
	m := a.data(v)
	m.Object += wire.TransportID(a.rand.IntN(100))
	m.Flags = wire.FlagStream
	m.FTI.TransferLength = 8 << 20
	h := wire.StreamHeader{Len: uint16(a.rand.Uint32()), MsgStart: uint16(a.rand.IntN(3)), Offset: a.rand.Uint32()}
	m.Payload = append(h.Append(nil), m.Payload[:1000]...)
	return a.codec.AppendData(b, &m)
}

func forgeSender(a *Attacker, v *victim, b []byte) ([]byte, error) {
	m := a.data(v)
	m.Source, m.InstanceID = a.anybody(), uint16(a.rand.Uint32())
	return a.codec.AppendData(b, &m)
}

func forgeCmd(a *Attacker, v *victim, b []byte) ([]byte, error) {
	s := v.sender
	s.Sequence = uint16(a.rand.Uint32())
	at := fec.PayloadID{SBN: a.rand.Uint32() >> 8, SourceBlockLen: uint16(v.oti.MaxBlockLen)}
	switch a.rand.IntN(5) {
	case 0:
		return a.codec.AppendSquelch(b, &wire.Squelch{Sender: s, FEC: v.oti.EncodingID, Object: v.object + 1, ID: at, Invalid: wire.TransportIDList{}.Append(v.object + 2)})
	case 1:
		return a.codec.AppendEOT(b, &wire.EOT{Sender: s})
	case 2:
		s.GRTT = 255
		return a.codec.AppendCC(b, &wire.CC{Sender: s, CCSequence: v.cc.CCSequence + 1, SendTime: v.cc.SendTime, HasRate: true, Rate: 1})
	case 3:
		var rb wire.RequestBuilder
		rb.Reset(nil, 1400, a.codec)
		all := wire.Item{FEC: v.oti.EncodingID, Object: v.object}
		rb.Add(wire.NackObject, all, all)
		return a.codec.AppendRepairAdv(b, &wire.RepairAdv{Sender: s, Flags: wire.RepairAdvLimit, Requests: rb.Requests()})
	}
	return a.codec.AppendFlush(b, &wire.Flush{Sender: s, FEC: v.oti.EncodingID, Object: v.object + wire.TransportID(a.rand.IntN(3)), ID: at, AckingNodes: wire.NodeList{}.Append(wire.NodeAny)})
}

func forgeCommand(a *Attacker, v *victim, b []byte) ([]byte, error) {
	s := v.sender
	s.Sequence = uint16(a.rand.Uint32())
	if a.rand.IntN(4) == 0 { // what a sender may is counted for each
		s.Source = a.anybody()
	}
	if a.rand.IntN(2) == 0 {
		payload := make([]byte, 8+a.rand.IntN(1300))
		binary.BigEndian.PutUint64(payload, a.rand.Uint64())
		return a.codec.AppendApplication(b, &wire.Application{Sender: s, HasNumber: a.rand.IntN(2) == 0, Number: uint16(a.rand.Uint32()), Payload: payload})
	}
	nodes := wire.NodeList{}.Append(wire.NodeAny)
	for _, id := range v.receivers {
		nodes = nodes.Append(id)
	}
	t := wire.AckApplication + wire.AckType(a.rand.IntN(240))
	return a.codec.AppendAckReq(b, &wire.AckReq{Sender: s, AckType: t, AckID: uint8(a.rand.Uint32()), AckingNodes: nodes})
}

func forgeAck(a *Attacker, v *victim, b []byte) ([]byte, error) {
	m := wire.Ack{Feedback: a.feedback(v), AckType: wire.AckCC}
	m.Source = a.somebody(v)
	if a.rand.IntN(2) == 0 {
		m.GRTTResponse.Sec -= uint32(a.rand.IntN(20)) // so late that the round trip takes seconds
		return a.codec.AppendAck(b, &m)
	}
	m.AckType = wire.AckFlush
	blocks := (v.oti.TransferLength + uint64(v.oti.SymbolSize)*uint64(v.oti.MaxBlockLen) - 1) / (uint64(v.oti.SymbolSize) * uint64(v.oti.MaxBlockLen))
	if blocks > 0 {
		blocks--
	}
	m.Payload, _ = a.codec.AppendFlushAck(nil, &wire.FlushAck{FEC: v.oti.EncodingID, Object: v.object, ID: fec.PayloadID{SBN: uint32(blocks), ESI: uint32(a.rand.IntN(64))}})
	return a.codec.AppendAck(b, &m)
}

func forgeSlow(a *Attacker, v *victim, b []byte) ([]byte, error) {
	m := wire.Ack{Feedback: a.feedback(v), AckType: wire.AckCC}
	m.Source = 0x66000000 | wire.NodeID(a.rand.IntN(4)) // they must be heard more than once
	m.CC.Rate, m.CC.Loss = wire.QuantizeRate(1000), 60000
	m.HasDelivery = true
	m.Delivery = wire.Delivery{Packets: uint32(v.cc.CCSequence), Time: uint32(time.Since(time.Unix(0, 0)).Microseconds())}
	return a.codec.AppendAck(b, &m)
}

func forgeGarbage(a *Attacker, v *victim, b []byte) ([]byte, error) {
	all := []forger{forgeNack, forgeFTI, forgeStream, forgeCmd, forgeAck}
	b, err := all[a.rand.IntN(len(all))](a, v, b)
	for range 1 + a.rand.IntN(8) {
		if len(b) > 1 {
			b[1+a.rand.IntN(len(b)-1)] ^= byte(1 << a.rand.IntN(8))
		}
	}
	return b[:a.rand.IntN(len(b)+1)], err
}
