package flow

import (
	"encoding/binary"
	"time"
)

// A Probe is a numbered test packet. Its first 40 bytes are those of an iperf 2.1
// datagram (sequence, time in microseconds, and a client header without any flag
// set), so that iperf counts a stream of them as it counts its own; the rest is
// ours.
type Probe struct {
	Session uint32    // random, tells streams of one sender apart
	Seq     uint64    // counts from 1
	Sent    time.Time // by the sender's clock, in nanoseconds
	Last    bool      // the stream ends with it
}

// ProbeSize is the least length of a test packet, in bytes.
const ProbeSize = 60

const probeMagic = "mcastest"

// AppendProbe appends a test packet of size bytes, at least ProbeSize, to b.
func AppendProbe(b []byte, p Probe, size int) []byte {
	b, start := appendIperf(b, p), len(b)
	b = append(b, probeMagic...)
	b = binary.BigEndian.AppendUint32(b, p.Session)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Sent.UnixNano()))
	for len(b)-start < size {
		b = append(b, "0123456789"[(len(b)-start)%10])
	}
	return b
}

func appendIperf(b []byte, p Probe) []byte {
	id := int64(p.Seq)
	if p.Last {
		id = -id
	}
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Sent.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Sent.Nanosecond()/1000))
	b = binary.BigEndian.AppendUint32(b, uint32(id>>32))
	return append(b, make([]byte, 24)...)
}

// ParseProbe reads a test packet.
func ParseProbe(b []byte) (p Probe, ok bool) {
	if len(b) < ProbeSize || string(b[40:48]) != probeMagic {
		return Probe{}, false
	}
	p = parseIperf(b)
	p.Session = binary.BigEndian.Uint32(b[48:])
	p.Sent = time.Unix(0, int64(binary.BigEndian.Uint64(b[52:])))
	return p, p.Seq > 0
}

func parseIperf(b []byte) (p Probe) {
	id := int64(uint64(binary.BigEndian.Uint32(b)) | uint64(binary.BigEndian.Uint32(b[12:]))<<32)
	if p.Last = id < 0; p.Last {
		id = -id
	}
	p.Seq = uint64(id)
	p.Sent = time.Unix(int64(binary.BigEndian.Uint32(b[4:])), int64(binary.BigEndian.Uint32(b[8:]))*1000)
	return p
}

// iperfClock is how far an iperf sender's clock may be from the arrival time. It
// has no magic number: the time is what it is known by.
const iperfClock = 24 * time.Hour

// parseIperfAt reads a datagram that looks like one of iperf 2.1 sent about the
// time at.
func parseIperfAt(b []byte, at time.Time) (Probe, bool) {
	if len(b) < 40 || binary.BigEndian.Uint32(b[8:]) >= 1e6 {
		return Probe{}, false
	}
	p := parseIperf(b)
	off := at.Sub(p.Sent)
	return p, p.Seq > 0 && p.Seq < 1<<48 && off > -iperfClock && off < iperfClock
}
