package mcast

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// rawSocket is an AF_PACKET socket. Everything the kernel needs pointers to lives in
// it, so that reading and writing allocate nothing.
type rawSocket struct {
	h       *handle
	ifindex int
	set     rawSet
	count   *counters

	rmu    sync.Mutex // guards the reader
	msgs   [BatchSize]mmsghdr
	iovs   [BatchSize]unix.Iovec
	ctls   [BatchSize]control
	info   arrival
	drops  uint32
	many   func(fd uintptr) bool
	ps     []datagram.Packet
	got    int
	rerr   error
	header wire.IP

	dmu      sync.Mutex  // guards what follows
	deadline time.Time   // the user's
	watch    *time.Timer // while the interface is down
	gone     bool        // it was deleted
	closed   bool

	wmu  sync.Mutex // guards the writer
	one  func(fd uintptr) bool
	data []byte
	to   unix.SockaddrLinklayer
	werr error
}

// downCheck is how often an interface that is down is looked for: the kernel tells
// that it went down, but not that it was deleted then.
const downCheck = time.Second

func (s *rawSocket) open(ifi *net.Interface, set rawSet, count *counters) error {
	s.ifindex, s.set, s.count = ifi.Index, set, count
	h, err := openFiltered(set.socketType(), ifi.Index, set.filter(false))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fail(ErrPermission, err, "run as root, or with the capability CAP_NET_RAW (setcap cap_net_raw+ep on the program)")
	}
	if err != nil {
		return err
	}
	err = h.control(func(fd int) error {
		// Without these two Time and Drops are not known, that is all.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		}
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
		for _, m := range set.memberships() {
			m.Ifindex = int32(ifi.Index)
			err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m)
			if err == unix.EINVAL && set.frames() {
				return fail(ErrOption, err, "%s has no Ethernet addresses, and only Ethernet has CGMP and GMRP", ifi.Name)
			}
			if err != nil {
				return os.NewSyscallError("setsockopt PACKET_ADD_MEMBERSHIP", err)
			}
		}
		return nil
	})
	if err != nil {
		h.file.Close()
		return err
	}
	s.h = h
	s.many, s.one = s.tryMany, s.tryOne
	for i := range s.msgs {
		hdr := &s.msgs[i].hdr
		hdr.Iov = &s.iovs[i]
		hdr.SetIovlen(1)
		hdr.Control = &s.ctls[i].b[0]
	}
	return nil
}

func (s *rawSocket) inNamespace(f func() error) error { return s.h.inNamespace(f) }

func (s *rawSocket) setOutgoing(on bool) error {
	return s.h.control(func(fd int) error { return setFilter(fd, s.set.filter(on)) })
}

func (s *rawSocket) read(ps []datagram.Packet) (int, error) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	if len(ps) == 0 {
		return 0, nil
	}
	ps = ps[:min(len(ps), BatchSize)]
	for i := range ps {
		if cap(ps[i].Data) == 0 {
			return 0, fail(ErrNoSpace, nil, "give every packet a Data with some capacity, best the interface's MTU")
		}
	}
	s.ps = ps
	defer func() { s.ps = nil }()
	for {
		s.got, s.rerr = 0, nil
		err := s.h.raw.Read(s.many)
		switch {
		case s.isGone():
			return 0, fail(ErrNoInterface, nil, "it was deleted; open the one that is there now")
		case err != nil:
			return 0, err
		case s.rerr == unix.ENETDOWN: // told once, when it goes down
			s.startWatch()
		case s.got > 0 || s.rerr != nil:
			return s.got, s.rerr
		}
	}
}

// tryMany is run by the poller when the socket may be readable. It returns false to
// wait until it is.
func (s *rawSocket) tryMany(fd uintptr) bool {
	for i := range s.ps {
		data := s.ps[i].Data[:cap(s.ps[i].Data)]
		s.iovs[i].Base = unsafe.SliceData(data)
		s.iovs[i].SetLen(len(data))
		hdr := &s.msgs[i].hdr
		hdr.SetControllen(len(s.ctls[i].b))
		hdr.Flags = 0
	}
	n, errno := retry(unix.SYS_RECVMMSG, fd, unsafe.Pointer(&s.msgs[0]), uintptr(len(s.ps)), unix.MSG_DONTWAIT)
	for i := range s.ps {
		s.iovs[i].Base = nil // the caller's memory
	}
	if errno != 0 {
		s.rerr = errnoErr(errno)
		return errno != unix.EAGAIN
	}
	for i := range s.ps[:n] {
		s.deliver(i)
	}
	return true
}

// deliver fills in packet s.got from message i, which is its own or a later one.
func (s *rawSocket) deliver(i int) {
	m, ps := &s.msgs[i], s.ps
	parseControl(s.ctls[i].b[:min(int(m.hdr.Controllen), len(s.ctls[i].b))], wordSize, &s.info)
	if s.info.hasDrops && s.info.drops != s.drops {
		s.count.dropped.Add(uint64(s.info.drops - s.drops))
		s.drops = s.info.drops
	}
	if m.hdr.Flags&unix.MSG_TRUNC != 0 {
		s.count.truncated.Add(1)
		return
	}
	if i != s.got {
		ps[i].Data, ps[s.got].Data = ps[s.got].Data, ps[i].Data
	}
	p := &ps[s.got]
	s.got++
	b := p.Data[:m.n]
	*p = datagram.Packet{Data: b, IfIndex: s.ifindex, Time: s.info.time, Drops: s.count.dropped.Load()}
	if s.set.frames() {
		return
	}
	var err error
	if ip := &s.header; m.n > 0 && b[0]>>4 == 4 {
		err = wire.ParseIPv4(b, ip)
	} else {
		err = wire.ParseIPv6(b, ip)
	}
	if err != nil {
		return
	}
	p.Data = trimPacket(b)
	p.Src, p.Dst = netip.AddrPortFrom(s.header.Src, 0), netip.AddrPortFrom(s.header.Dst, 0)
	p.HopLimit, p.TOS = int(s.header.HopLimit), s.header.TOS
	s.header.Payload = nil // the caller's memory
}

// trimPacket cuts off what follows an IP packet with a sound header: the padding of
// a small frame.
func trimPacket(b []byte) []byte {
	n := int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 == 6 {
		n = 40 + int(binary.BigEndian.Uint16(b[4:]))
	}
	if n == 0 || n > len(b) {
		return b
	}
	return b[:n]
}

func (s *rawSocket) write(ps []datagram.Packet) (int, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.set.frames() {
		return 0, fail(ErrReceiveOnly, nil, "it only listens to CGMP and GMRP; open another for packets")
	}
	for i := range ps {
		b, size := ps[i].Data, ps[i].SegSize
		for {
			n := len(b)
			if size > 0 {
				n = min(n, size)
			}
			if err := s.send(b[:n]); err != nil {
				return i, err
			}
			if b = b[n:]; len(b) == 0 {
				break
			}
		}
	}
	return len(ps), nil
}

// send sends one packet.
func (s *rawSocket) send(b []byte) error {
	var dst netip.Addr
	proto := uint16(unix.ETH_P_IP)
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		dst = netip.AddrFrom4([4]byte(b[16:20]))
	case len(b) >= 40 && b[0]>>4 == 6:
		dst, proto = netip.AddrFrom16([16]byte(b[24:40])), unix.ETH_P_IPV6
	default:
		return fail(ErrAddress, nil, "make an IP packet of the message with igmp.AppendPacket or mld.AppendPacket")
	}
	if !dst.IsMulticast() {
		return fail(ErrNotMulticast, nil, "the packet is for %v; only groups have an Ethernet address that is known", dst)
	}
	mac := group.MAC(dst)
	s.to.Protocol, s.to.Ifindex, s.to.Halen = bigEndian(proto), s.ifindex, uint8(copy(s.to.Addr[:], mac[:]))
	s.data = b
	err := s.h.raw.Write(s.one)
	s.data = nil
	if err == nil {
		err = s.werr
	}
	switch {
	case errors.Is(err, unix.EMSGSIZE):
		return fail(ErrTooLong, err, "keep packets within the interface's MTU")
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return fail(ErrNoInterface, err, "it was deleted; open the one that is there now")
	}
	return err
}

func (s *rawSocket) tryOne(fd uintptr) bool {
	for {
		switch err := unix.Sendto(int(fd), s.data, unix.MSG_DONTWAIT, &s.to); err {
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			s.werr = err
			return true
		}
	}
}

func (s *rawSocket) setReadDeadline(t time.Time) error {
	s.dmu.Lock()
	defer s.dmu.Unlock()
	s.deadline = t
	if s.gone {
		return nil
	}
	return s.h.file.SetReadDeadline(t)
}

func (s *rawSocket) isGone() bool {
	s.dmu.Lock()
	defer s.dmu.Unlock()
	return s.gone
}

// startWatch looks at once, and then now and then, whether the interface that went
// down is still there.
func (s *rawSocket) startWatch() {
	s.dmu.Lock()
	defer s.dmu.Unlock()
	if s.watch == nil && !s.closed {
		s.watch = time.AfterFunc(downCheck/20, s.look)
	}
}

func (s *rawSocket) look() {
	index, up := -1, false
	err := s.h.control(func(fd int) error {
		// The kernel unbinds the socket from an interface that it deletes.
		sa, err := unix.Getsockname(fd)
		if ll, ok := sa.(*unix.SockaddrLinklayer); ok {
			index = int(int32(ll.Ifindex))
		}
		if err == nil && index > 0 {
			up = interfaceUp(fd, index)
		}
		return err
	})
	s.dmu.Lock()
	defer s.dmu.Unlock()
	switch {
	case err != nil || s.closed:
		s.watch = nil
	case index <= 0:
		s.watch, s.gone = nil, true
		s.h.file.SetReadDeadline(longAgo)
	case up:
		s.watch = nil
	default:
		s.watch.Reset(downCheck)
	}
}

// interfaceUp asks in the socket's namespace.
func interfaceUp(fd, index int) bool {
	req, err := unix.NewIfreq("")
	if err != nil {
		return false
	}
	req.SetUint32(uint32(index))
	if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, req) != nil {
		return false
	}
	return unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req) == nil && req.Uint16()&unix.IFF_UP != 0
}

func (s *rawSocket) close() error {
	s.dmu.Lock()
	s.closed = true
	if s.watch != nil {
		s.watch.Stop()
	}
	s.dmu.Unlock()
	return s.h.file.Close()
}
