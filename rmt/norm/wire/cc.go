package wire

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// Congestion control flags of a receiver, in CC node lists and in EXT_CC (RFC
// 5740 section 4.2.3.4).
const (
	CCFlagCLR   uint8 = 0x01 // the current limiting receiver
	CCFlagPLR   uint8 = 0x02 // a potential limiting receiver
	CCFlagRTT   uint8 = 0x04 // the receiver's RTT is measured
	CCFlagStart uint8 = 0x08 // slow start: no loss yet, rate is as measured
	CCFlagLeave uint8 = 0x10 // the receiver is about to leave
)

const (
	ccBase    = 24 // base header of CMD(CC) in bytes
	ccNodeLen = 8
)

// CC is a NORM_CMD(CC) message: a probe for round-trip times and congestion
// control feedback (RFC 5740 section 4.2.3.4).
type CC struct {
	Sender
	Reserved   uint8 // MUST be 0; NRL's implementation has a private 0x01
	CCSequence uint16
	SendTime   Timestamp

	// HasRate says that the message carries EXT_RATE, which obliges receivers
	// to give feedback, and Rate what it says, as QuantizeRate gives it.
	HasRate bool
	Rate    uint16

	Nodes CCNodeList
}

// ParseCC parses a NORM_CMD(CC) message; m.Nodes aliases b.
func (c Codec) ParseCC(b []byte, m *CC) error {
	h, s, err := openCmd(b, CmdCC, ccBase)
	if err != nil {
		return err
	}
	*m = CC{
		Sender:     s,
		Reserved:   b[13],
		CCSequence: binary.BigEndian.Uint16(b[14:]),
		SendTime:   parseTimestamp(b[16:]),
	}
	for x := extensions(b[ccBase:h.HeaderLen]); len(x) > 0; {
		het, ext, ok := x.next()
		if !ok {
			return fail("CMD(CC)", "header extension", ErrExtension)
		}
		if het == extRate {
			m.HasRate, m.Rate = true, binary.BigEndian.Uint16(ext[2:])
		}
	}
	m.Nodes, err = list(b, &h, ccNodeLen, "CMD(CC)", "cc_node_list")
	return err
}

// AppendCC appends a NORM_CMD(CC) message.
func (c Codec) AppendCC(dst []byte, m *CC) ([]byte, error) {
	if err := m.check("CMD(CC)"); err != nil {
		return dst, err
	}
	hdr := ccBase
	if m.HasRate {
		hdr += 4
	}
	dst = m.append(dst, TypeCmd, hdr, byte(CmdCC), m.Reserved, m.CCSequence)
	dst = m.SendTime.append(dst)
	if m.HasRate {
		dst = append(dst, extRate, 0, byte(m.Rate>>8), byte(m.Rate))
	}
	return append(dst, m.Nodes...), nil
}

// A CCNode is an entry of a cc_node_list (RFC 5740 section 4.2.3.4).
type CCNode struct {
	Node  NodeID
	Flags uint8  // CCFlagCLR and so on
	RTT   uint8  // as QuantizeGRTT gives it; valid if Flags has CCFlagRTT
	Rate  uint16 // as QuantizeRate gives it; 0 MUST be ignored (section 5.5.2.1)
}

// A CCNodeList is a cc_node_list as it is on the wire. A nil CCNodeList is empty.
type CCNodeList []byte

// Len returns the number of nodes.
func (l CCNodeList) Len() int { return len(l) / ccNodeLen }

// At returns node i, 0 to Len()-1.
func (l CCNodeList) At(i int) CCNode {
	b := l[ccNodeLen*i:]
	return CCNode{
		Node:  NodeID(binary.BigEndian.Uint32(b)),
		Flags: b[4],
		RTT:   b[5],
		Rate:  binary.BigEndian.Uint16(b[6:]),
	}
}

// Append returns l with node n behind.
func (l CCNodeList) Append(n CCNode) CCNodeList {
	return append(binary.BigEndian.AppendUint32(l, uint32(n.Node)), n.Flags, n.RTT, byte(n.Rate>>8), byte(n.Rate))
}

// All returns an iterator over the nodes.
func (l CCNodeList) All() iter.Seq[CCNode] {
	return func(yield func(CCNode) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *CC) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendCC(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *CC) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *CC) UnmarshalBinary(b []byte) error { return Codec{}.ParseCC(bytes.Clone(b), m) }
