package flow

import (
	"bytes"
	"time"

	"github.com/pion/rtp"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A Kind is what a flow seems to carry.
type Kind uint8

const (
	Unknown Kind = iota // or not known yet
	Test                // our own test packets
	IPerf               // iperf 2.1
	RTP                 // RFC 3550
	MPEGTS              // ISO/IEC 13818-1, straight in UDP
	NORM                // RFC 5740
	SAP                 // RFC 2974
	MDNS                // RFC 6762
	SSDP                // UPnP's search
)

var kindNames = [...]string{"?", "test", "iperf", "RTP", "MPEG-TS", "NORM", "SAP", "mDNS", "SSDP"}

// String returns the name as people write it, "?" for Unknown.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "?"
}

const (
	tsPacket = 188 // ISO/IEC 13818-1 section 2.4.3.2
	tsSync   = 0x47

	sapPort  = 9875
	mdnsPort = 5353
	ssdpPort = 1900
)

// A recognizer finds out what a flow is by its packets. RTP and iperf have no mark
// of their own: two packets have to agree.
type recognizer struct {
	kind    Kind
	hint    Kind   // what the last packet looked like
	hintID  uint32 // its RTP SSRC
	hintSeq uint64
	rtp     rtp.Header
}

// A numbered is what one packet says of its place in a stream.
type numbered struct {
	kind  Kind
	bits  int // of seq: 16, 64, or 0 for a packet without a number
	seq   uint64
	id    uint32 // SSRC, node ID or session
	sent  time.Time
	last  bool
	media uint8 // RTP payload type
}

// look reads one packet.
func (r *recognizer) look(b []byte, port uint16, at time.Time) numbered {
	if p, ok := ParseProbe(b); ok {
		r.kind = Test
		return numbered{kind: Test, bits: 64, seq: p.Seq, id: p.Session, sent: p.Sent, last: p.Last}
	}
	if k := byMark(b, port); k != Unknown {
		r.kind = k
		if k == NORM {
			return normNumber(b)
		}
		return numbered{kind: k}
	}
	n := r.guess(b, at)
	if n.kind == Unknown {
		return n
	}
	agrees := n.kind == r.hint && n.id == r.hintID && n.seq-r.hintSeq+100 < 3100 // RFC 3550 appendix A.1
	if n.bits == 16 {
		agrees = n.kind == r.hint && n.id == r.hintID && uint16(n.seq)-uint16(r.hintSeq)+100 < 3100
	}
	r.hint, r.hintID, r.hintSeq = n.kind, n.id, n.seq
	if !agrees && r.kind != n.kind {
		n.kind = Unknown
		return n
	}
	r.kind = n.kind
	return n
}

// byMark recognizes what can be told from one packet.
func byMark(b []byte, port uint16) Kind {
	switch {
	case isTS(b):
		return MPEGTS
	case port == sapPort && len(b) >= 8 && b[0]>>5 <= 1:
		return SAP
	case port == mdnsPort && len(b) >= 12:
		return MDNS
	case port == ssdpPort && (bytes.HasPrefix(b, []byte("NOTIFY ")) || bytes.HasPrefix(b, []byte("M-SEARCH "))):
		return SSDP
	case isNORM(b):
		return NORM
	}
	return Unknown
}

// isTS: every transport packet begins with the sync byte.
func isTS(b []byte) bool {
	if len(b) < tsPacket || len(b)%tsPacket != 0 {
		return false
	}
	for i := 0; i < len(b); i += tsPacket {
		if b[i] != tsSync {
			return false
		}
	}
	return true
}

// isNORM: the header's length, in words, has to fit its type and the packet.
func isNORM(b []byte) bool {
	if len(b) < 16 || b[0]>>4 != wire.Version {
		return false
	}
	t, n := wire.Type(b[0]&15), 4*int(b[1])
	return t >= wire.TypeInfo && t <= wire.TypeAck && n >= 16 && n <= min(256, len(b))
}

// normNumber: all messages of a sender share one numbering; receivers' messages
// have theirs (RFC 5740 section 4.1).
func normNumber(b []byte) numbered {
	h, _ := wire.ParseHeader(b)
	return numbered{kind: NORM, bits: 16, seq: uint64(h.Sequence), id: uint32(h.Source)}
}

// guess reads a packet as what it may be.
func (r *recognizer) guess(b []byte, at time.Time) numbered {
	if len(b) >= 12 && b[0]>>6 == 2 && (b[1]&0x7f < 64 || b[1]&0x7f >= 96) { // 64 to 95 would be RTCP (RFC 5761 section 4)
		if _, err := r.rtp.Unmarshal(b); err == nil {
			return numbered{kind: RTP, bits: 16, seq: uint64(r.rtp.SequenceNumber), id: r.rtp.SSRC, media: r.rtp.PayloadType}
		}
	}
	if p, ok := parseIperfAt(b, at); ok {
		return numbered{kind: IPerf, bits: 64, seq: p.Seq, sent: p.Sent, last: p.Last}
	}
	return numbered{}
}
