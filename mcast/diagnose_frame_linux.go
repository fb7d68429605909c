package mcast

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// frameKind is what a packet seen on the wire means to Diagnose.
type frameKind uint8

const (
	frameOther  frameKind = iota
	frameQuery            // of IGMP or MLD
	frameReport           // a report, or a leave
	frameGroup            // UDP to a group
)

// A wireFrame is the part of a packet that Diagnose looks at.
type wireFrame struct {
	kind     frameKind
	src, dst netip.Addr
	version  int           // of IGMP, 1 to 3, or MLD, 1 or 2
	interval time.Duration // between the querier's queries, where they tell, else 0
	port     uint16        // to which UDP goes
	alert    bool          // IPv6 hop limit 1 and a router alert for MLD
}

// IGMP types (RFC 3376 section 4) and ICMPv6 types (RFC 3810 section 5), UDP and
// IPv6 extension headers by their protocol numbers.
const (
	igmpQuery    = 0x11
	igmpReport1  = 0x12
	igmpReport2  = 0x16
	igmpLeave    = 0x17
	igmpReport3  = 0x22
	mldQuery     = 130
	mldReport1   = 131
	mldDone      = 132
	mldReport2   = 143
	protoIGMP    = 2
	protoUDP     = 17
	protoICMPv6  = 58
	headerHop    = 0
	headerRoute  = 43
	headerFrag   = 44
	headerOption = 60
)

// parseFrame reads an IP packet, which may be cut short after its headers. What the
// kernel would not take for a query is not one here either: checksums and, for MLD,
// how it was sent are compared.
func parseFrame(b []byte) (f wireFrame) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if header < 20 || total < header || len(b) < header {
			return f
		}
		f.src, f.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return f // a later fragment
		}
		// Short packets are padded on Ethernet, and the length tells IGMP's version.
		payload := b[header:min(total, len(b))]
		f.transport(b[9], payload, len(payload) == total-header)
	case len(b) >= 40 && b[0]>>4 == 6:
		f.src, f.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		total := int(binary.BigEndian.Uint16(b[4:]))
		payload := b[40:min(40+total, len(b))]
		whole := len(payload) == total
		next := b[6]
		for range 8 { // extension headers
			switch next {
			case headerHop, headerRoute, headerOption, headerFrag:
			default:
				f.transport(next, payload, whole)
				return f
			}
			if len(payload) < 8 {
				return f
			}
			n := 8 + int(payload[1])*8
			if next == headerFrag {
				if n = 8; binary.BigEndian.Uint16(payload[2:])&^7 != 0 {
					return f
				}
			}
			if n > len(payload) {
				return f
			}
			if next == headerHop {
				f.alert = b[7] == 1 && hasMLDAlert(payload[2:n])
			}
			next, payload = payload[0], payload[n:]
		}
	}
	return f
}

func (f *wireFrame) transport(proto byte, b []byte, whole bool) {
	if len(b) < 8 {
		return
	}
	switch is4 := f.src.Is4(); {
	case proto == protoUDP && f.dst.IsMulticast():
		f.kind, f.port = frameGroup, binary.BigEndian.Uint16(b[2:])
	case proto == protoIGMP && is4:
		f.igmp(b, whole)
	case proto == protoICMPv6 && !is4:
		f.mld(b, whole)
	}
}

// igmp tells versions apart as RFC 3376 section 7.1 does.
func (f *wireFrame) igmp(b []byte, whole bool) {
	if whole && fold(0, b) != 0xffff {
		return
	}
	switch b[0] {
	case igmpQuery:
		f.kind = frameQuery
		switch {
		case len(b) >= 12:
			f.version, f.interval = 3, seconds8(b[9])
		case len(b) != 8:
			f.kind = frameOther
		case b[1] == 0:
			f.version = 1
		default:
			f.version = 2
		}
	case igmpReport1:
		f.kind, f.version = frameReport, 1
	case igmpReport2, igmpLeave:
		f.kind, f.version = frameReport, 2
	case igmpReport3:
		f.kind, f.version = frameReport, 3
	}
}

// hasMLDAlert looks for the router alert of MLD (RFC 2711 section 2.1) among the
// options of a hop-by-hop header.
func hasMLDAlert(b []byte) bool {
	for len(b) > 0 {
		if b[0] == 0 { // one byte of padding
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return false
		}
		if b[0] == 5 && b[1] == 2 {
			return b[2] == 0 && b[3] == 0
		}
		b = b[2+int(b[1]):]
	}
	return false
}

// mld tells versions apart as RFC 3810 section 8.1 does. Queries with another hop
// limit than 1, without a router alert or from an address that is not link-local
// are ignored by everyone (section 6.2).
func (f *wireFrame) mld(b []byte, whole bool) {
	if whole {
		pseudo := fold(0, f.src.AsSlice())
		pseudo = fold(pseudo, f.dst.AsSlice())
		if fold(pseudo+uint32(len(b))+protoICMPv6, b) != 0xffff {
			return
		}
	}
	switch b[0] {
	case mldQuery:
		switch {
		case !f.alert || !f.src.IsLinkLocalUnicast():
		case len(b) >= 28:
			f.kind, f.version, f.interval = frameQuery, 2, seconds8(b[25])
		case len(b) == 24:
			f.kind, f.version = frameQuery, 1
		}
	case mldReport1, mldDone:
		f.kind, f.version = frameReport, 1
	case mldReport2:
		f.kind, f.version = frameReport, 2
	}
}

// fold adds b to a sum of 16-bit words and carries over (RFC 1071 section 1).
func fold(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}

// seconds8 reads a Querier's Query Interval Code (RFC 3376 section 4.1.7).
func seconds8(code byte) time.Duration {
	n := int(code)
	if code >= 128 {
		n = (n&15 | 16) << (n>>4&7 + 3)
	}
	return time.Duration(n) * time.Second
}
