package mcast

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// origin is what control messages say of a packet.
type origin struct {
	dst      netip.Addr
	ifindex  int
	hopLimit int
	tos      uint8
	time     time.Time
}

// groupReq is struct group_req, or group_source_req when ch has a source (RFC 3678
// section 5.1): the interface index and one or two sockaddr_storage.
func (a *abi) groupReq(ifindex int, ch group.Channel) []byte {
	b := make([]byte, a.groupAt+storageSize, a.groupAt+2*storageSize)
	binary.NativeEndian.PutUint32(b, uint32(ifindex))
	a.putStorage(b[a.groupAt:], ch.Group)
	if !ch.AnySource() {
		b = b[:a.groupAt+2*storageSize]
		a.putStorage(b[a.groupAt+storageSize:], ch.Source)
	}
	return b
}

const storageSize = 128 // of struct sockaddr_storage, on every system

// putStorage writes a sockaddr_in or sockaddr_in6 with port and flow zero.
func (a *abi) putStorage(b []byte, addr netip.Addr) {
	family, size := uint16(afInet), byte(sizeSockIn)
	if addr.Is6() {
		family, size = a.inet6, sizeSockIn6
	}
	if a.lengthByte {
		b[0], b[1] = size, byte(family)
	} else {
		binary.NativeEndian.PutUint16(b, family)
	}
	if addr.Is4() {
		v := addr.As4()
		copy(b[4:], v[:])
		return
	}
	v := addr.As16()
	copy(b[8:], v[:])
}

// outgoing is the value of the option for the interface that packets to groups leave
// by.
func (p *ipABI) outgoing(ifindex int) []byte {
	switch p.ifForm {
	case ifMreqn: // group, address, index
		return binary.NativeEndian.AppendUint32(make([]byte, 8), uint32(ifindex))
	case ifIndexNet:
		return binary.BigEndian.AppendUint32(nil, uint32(ifindex))
	}
	return number(ifindex, 4)
}

// number is the value of an option that is an int or a u_char.
func number(n, size int) []byte {
	if size == 1 {
		return []byte{byte(n)}
	}
	return binary.NativeEndian.AppendUint32(nil, uint32(n))
}

// parse reads control messages. It skips what it does not know and stops at the
// first that does not fit.
func (a *abi) parse(b []byte, o *origin) {
	*o = origin{}
	header := a.cmsgLen + 8 // length, int level, int type
	data := align(header, a.cmsgAlign)
	for len(b) >= header {
		size := uint64(binary.NativeEndian.Uint32(b))
		if a.cmsgLen == 8 {
			size = binary.NativeEndian.Uint64(b)
		}
		if size < uint64(header) || size > uint64(len(b)) {
			return
		}
		n := int(size)
		level := int(int32(binary.NativeEndian.Uint32(b[a.cmsgLen:])))
		typ := int(int32(binary.NativeEndian.Uint32(b[a.cmsgLen+4:])))
		if typ > 0 {
			a.message(o, level, typ, b[min(data, n):n])
		}
		b = b[min(align(n, a.cmsgAlign), len(b)):]
	}
}

// message reads one control message. typ is not 0.
func (a *abi) message(o *origin, level, typ int, d []byte) {
	var p *ipABI
	switch level {
	case a.ip4.level:
		p = &a.ip4
	case a.ip6.level:
		p = &a.ip6
	case a.solSocket:
		if typ == a.timestamp.typ {
			o.time = a.timevalOf(d)
		}
		return
	default:
		return
	}
	switch {
	case typ == p.pktinfo.typ:
		p.readPktinfo(o, d)
	case typ == p.recvDst.typ && len(d) >= 4:
		o.dst = netip.AddrFrom4([4]byte(d[:4]))
	case typ == p.recvIf.typ && len(d) >= 4:
		// struct sockaddr_dl: length, family, index.
		o.ifindex = int(binary.NativeEndian.Uint16(d[2:]))
	case typ == p.recvHops.typ:
		o.hopLimit = int(octet(d))
	case typ == p.recvTOS.typ:
		o.tos = octet(d)
	}
}

// readPktinfo reads struct in_pktinfo or in6_pktinfo.
func (p *ipABI) readPktinfo(o *origin, d []byte) {
	index := binary.NativeEndian.Uint32
	switch {
	case p.level == ipv6Level && len(d) >= sizePktinfo6:
		o.dst, o.ifindex = netip.AddrFrom16([16]byte(d[:16])), int(index(d[16:]))
	case p.level == ipv6Level:
	case p.pktinfoForm == addrIndex && len(d) >= 8:
		o.dst, o.ifindex = netip.AddrFrom4([4]byte(d[:4])), int(index(d[4:]))
	case p.pktinfoForm == indexLocalAddr && len(d) >= 12:
		o.ifindex, o.dst = int(index(d)), netip.AddrFrom4([4]byte(d[8:12]))
	}
}

// octet reads a value that is an int on some systems and a u_char on others.
func octet(d []byte) uint8 {
	switch {
	case len(d) >= 4:
		return uint8(binary.NativeEndian.Uint32(d))
	case len(d) >= 1:
		return d[0]
	}
	return 0
}

// timevalOf reads struct timeval.
func (a *abi) timevalOf(d []byte) time.Time {
	if len(d) < a.timeval[0]+a.timeval[1] || len(d) == 0 {
		return time.Time{}
	}
	return time.Unix(integer(d, a.timeval[0]), 1000*integer(d[a.timeval[0]:], a.timeval[1]))
}

func integer(d []byte, size int) int64 {
	if size == 8 {
		return int64(binary.NativeEndian.Uint64(d))
	}
	return int64(int32(binary.NativeEndian.Uint32(d)))
}

// appendMessage appends one control message to b, padded for the next.
func (a *abi) appendMessage(b []byte, level, typ int, data []byte) []byte {
	header := align(a.cmsgLen+8, a.cmsgAlign)
	n := header + len(data)
	at := len(b)
	b = append(b, make([]byte, align(n, a.cmsgAlign))...)
	m := b[at:]
	if a.cmsgLen == 8 {
		binary.NativeEndian.PutUint64(m, uint64(n))
	} else {
		binary.NativeEndian.PutUint32(m, uint32(n))
	}
	binary.NativeEndian.PutUint32(m[a.cmsgLen:], uint32(level))
	binary.NativeEndian.PutUint32(m[a.cmsgLen+4:], uint32(typ))
	copy(m[header:], data)
	return b
}

// appendSource appends the control message that says which address and interface a
// packet leaves by. Src may be invalid and ifindex 0, where p can send the other.
func (a *abi) appendSource(b []byte, p *ipABI, src netip.Addr, ifindex int) []byte {
	var d [sizePktinfo6]byte
	if !p.sendInterface {
		ifindex = 0
	}
	if !src.IsValid() && ifindex == 0 {
		return b
	}
	if p.level == ipv6Level {
		if src.IsValid() {
			v := src.As16()
			copy(d[:], v[:])
		}
		binary.NativeEndian.PutUint32(d[16:], uint32(ifindex))
		return a.appendMessage(b, p.level, p.pktinfo.typ, d[:])
	}
	var v [4]byte
	if src.IsValid() {
		v = src.As4()
	}
	switch {
	case p.sourceAddr != 0:
		return a.appendMessage(b, p.level, p.sourceAddr, v[:])
	case p.pktinfoForm == addrIndex:
		copy(d[:], v[:])
		binary.NativeEndian.PutUint32(d[4:], uint32(ifindex))
		return a.appendMessage(b, p.level, p.pktinfo.typ, d[:8])
	}
	binary.NativeEndian.PutUint32(d[:], uint32(ifindex))
	copy(d[4:], v[:]) // ipi_spec_dst
	return a.appendMessage(b, p.level, p.pktinfo.typ, d[:12])
}

func align(n, word int) int { return (n + word - 1) &^ (word - 1) }
