package mcast

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

const (
	maxSegments = 64  // of one offloaded message: UDP_MAX_SEGMENTS of older kernels
	maxIovs     = 256 // of one sendmmsg: pieces that offloaded messages are gathered from
)

// sender writes batches with sendmmsg. Everything the kernel needs pointers to
// lives in it, so that writing allocates nothing.
type sender struct {
	mu    sync.Mutex
	cfg   *config
	count *counters

	msgs  [BatchSize]mmsghdr
	ends  [BatchSize]cursor // where each message's data ends
	segs  [BatchSize]int    // its segment size when it has several, else 0
	iovs  [maxIovs]unix.Iovec
	names [BatchSize]name
	ctls  [BatchSize]control
	built int // messages built
	niov  int // iovs used by them

	// offload is whether the kernel can segment, segments what it may be asked
	// to on the connection's own interface, elsewhere the same for interfaces
	// that packets chose and that refused something.
	offload   bool
	offloads  atomic.Bool // the outcome for the own interface, for Capabilities
	segments  segmentLimit
	elsewhere map[int]segmentLimit

	clock  txClock   // transmit times, when the kernel keeps them
	clocks int64     // what it read, in ns,
	when   time.Time // at this time

	single [1]datagram.Packet // for writeOne

	// Arguments and results of call, which is made once: a closure passed to
	// RawConn.Write escapes. sendmmsg is the system call, replaced in tests.
	call     func(fd uintptr) bool
	sendmmsg func(fd uintptr, msgs []mmsghdr) (int, syscall.Errno)
	from     int // first message to send
	sent     int
	errno    syscall.Errno
}

// A cursor is a place in the packets of a batch: a packet and a byte of it.
type cursor struct{ pkt, off int }

// A segmentLimit is what an interface turned out to segment: nothing at all, or datagrams
// of a certain size, which its MTU decides.
type segmentLimit struct {
	off     bool
	longest int
}

func (s *sender) init(cfg *config, count *counters, offload bool) {
	s.cfg, s.count = cfg, count
	s.offload = offload
	s.offloads.Store(offload)
	s.segments = s.atMost()
	s.sendmmsg = sysSendmmsg
	s.call = s.try
}

// atMost returns what the connection's own interface should segment.
func (s *sender) atMost() segmentLimit {
	l := segmentLimit{longest: datagram.MaxSize}
	if mtu := s.cfg.link().MTU; mtu > 0 {
		// The kernel refuses to segment into what would then be fragmented.
		header := 20 + 8
		if s.cfg.group.Addr().Is6() {
			header = 40 + 8
		}
		l.longest = min(l.longest, mtu-header)
	}
	return l
}

// renew says that the socket is a new one, on an interface that may be another.
func (s *sender) renew(clock txClock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clock
	s.setLimit(0, s.atMost())
}

// limitOf returns what may be asked of the interface a packet chose, 0 for the
// connection's own.
func (s *sender) limitOf(ifindex int) segmentLimit {
	if ifindex == 0 {
		return s.segments
	}
	if len(s.elsewhere) > 0 {
		if l, ok := s.elsewhere[ifindex]; ok {
			return l
		}
	}
	return segmentLimit{longest: datagram.MaxSize}
}

// setLimit remembers what an interface refused.
func (s *sender) setLimit(ifindex int, l segmentLimit) {
	if ifindex == 0 {
		s.segments = l
		s.offloads.Store(s.offload && !l.off)
		return
	}
	if s.elsewhere == nil {
		s.elsewhere = make(map[int]segmentLimit)
	}
	s.elsewhere[ifindex] = l
}

func sysSendmmsg(fd uintptr, msgs []mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// try is run by the poller when the socket may be writable. It returns false to
// wait until it is.
func (s *sender) try(fd uintptr) bool {
	for {
		s.sent, s.errno = s.sendmmsg(fd, s.msgs[s.from:s.built])
		switch s.errno {
		case unix.EAGAIN:
			return false
		case unix.EINTR:
		default:
			return true
		}
	}
}

func (s *sender) write(raw syscall.RawConn, ps []datagram.Packet) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send(raw, ps)
}

// writeOne sends one datagram.
func (s *sender) writeOne(raw syscall.RawConn, b []byte, dst netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single[0].Data, s.single[0].Dst = b, dst
	_, err := s.send(raw, s.single[:])
	s.single[0].Data = nil
	return err
}

func (s *sender) send(raw syscall.RawConn, ps []datagram.Packet) (int, error) {
	defer s.release()
	if s.clock.id != 0 {
		s.clocks, s.when = s.clock.read()
	}
	var at cursor
	var trial trial
	waits := 0
	for at.pkt < len(ps) {
		// built may be 0 only if the first packet cannot be sent at all.
		buildErr := s.build(ps, at)
		if s.built == 0 {
			return at.pkt, buildErr
		}
		for s.from = 0; s.from < s.built; {
			if err := raw.Write(s.call); err != nil {
				return at.pkt, err
			}
			if s.errno == 0 {
				at = s.ends[s.from+s.sent-1]
				s.from += s.sent
				waits = 0
				if trial.on {
					trial.on = false
					s.count.fallbacks.Add(1)
				}
				continue
			}
			// sendmmsg stops at the first message that fails, so that is the
			// one at s.from, and nothing of it was sent.
			seg, ifindex := s.segs[s.from], ps[at.pkt].IfIndex
			l := s.limitOf(ifindex)
			switch {
			case s.errno == unix.ENOBUFS && waits < queueWaits:
				waits++
				time.Sleep(queueWait)
				continue
			case seg > 0 && s.errno == unix.EMSGSIZE && seg <= l.longest:
				l.longest = seg - 1
				s.setLimit(ifindex, l)
				s.count.fallbacks.Add(1)
			case seg > 0 && (s.errno == unix.EIO || s.errno == unix.EINVAL):
				// EIO: the interface cannot checksum. EINVAL: it, or the kernel,
				// cannot segment; or the packet is wrong, which sending it
				// singly will show.
				trial.on, trial.ifindex, trial.before = true, ifindex, l
				l.off = true
				s.setLimit(ifindex, l)
			default:
				if trial.on {
					s.setLimit(trial.ifindex, trial.before)
				}
				return at.pkt, s.errno
			}
			break // build again from at, without offload
		}
	}
	return len(ps), nil
}

// A trial is on while offload was just given up on an interface and nothing has
// been sent since.
type trial struct {
	on      bool
	ifindex int
	before  segmentLimit
}

// release lets go of the caller's memory.
func (s *sender) release() {
	for i := range s.iovs[:s.niov] {
		s.iovs[i].Base = nil
	}
	s.niov = 0
}

// build makes messages from the packets at and after at, until a batch is full. An
// error is about the packet after the last message.
func (s *sender) build(ps []datagram.Packet, at cursor) error {
	s.release()
	s.built = 0
	for at.pkt < len(ps) && s.built < BatchSize && s.niov < maxIovs {
		end, seg := s.gather(ps, at)
		if err := s.address(&ps[at.pkt], seg); err != nil {
			return err
		}
		s.ends[s.built], s.segs[s.built] = end, seg
		s.built++
		at = end
	}
	return nil
}

// gather collects the data of the next message: one datagram, or, with offload,
// as many of equal size and the same metadata as fit, of which the last may be
// shorter. It returns where they end and, for several, their size.
func (s *sender) gather(ps []datagram.Packet, at cursor) (end cursor, seg int) {
	first := &ps[at.pkt]
	size := segment(first)
	h := &s.msgs[s.built].hdr
	h.Iov = &s.iovs[s.niov]
	start := s.niov

	limit := 1
	if s.offload && size > 0 {
		if l := s.limitOf(first.IfIndex); !l.off && size <= l.longest {
			limit = min(maxSegments, datagram.MaxSize/size)
		}
	}
	count := 0
	for {
		p := &ps[at.pkt]
		rest := p.Data[at.off:]
		take := min(len(rest), max(limit-count, 1)*size)
		s.iov(rest[:take])
		n := 1
		if size > 0 {
			n = max((take+size-1)/size, 1)
		}
		count += n
		short := take < n*size
		at.off += take
		if at.off >= len(p.Data) {
			at = cursor{pkt: at.pkt + 1}
		}
		if count >= limit || short || at.off > 0 || at.pkt == len(ps) || s.niov == maxIovs {
			break
		}
		// A run of another size would need a message of its own; a single
		// shorter datagram can be the last of this one.
		next := &ps[at.pkt]
		if !s.sameRoute(first, next) || len(next.Data) == 0 || segment(next) > size ||
			segment(next) < size && next.Segments() > 1 {
			break
		}
	}
	h.SetIovlen(s.niov - start)
	if count == 1 {
		size = 0
	}
	return at, size
}

func (s *sender) iov(b []byte) {
	v := &s.iovs[s.niov]
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
	s.niov++
}

// segment is the size of p's datagrams but for the last.
func segment(p *datagram.Packet) int {
	if p.SegSize > 0 && p.SegSize < len(p.Data) {
		return p.SegSize
	}
	return len(p.Data)
}

func (s *sender) sameRoute(a, b *datagram.Packet) bool {
	return a.Dst == b.Dst && a.Src == b.Src && a.IfIndex == b.IfIndex && a.HopLimit == b.HopLimit && a.TOS == b.TOS &&
		(s.clock.id == 0 || a.Time.Equal(b.Time))
}

// address fills in the destination and control messages of the message being
// built. A packet that asks for nothing special gets no control message: some
// virtual network cards are slower, or worse, with one.
func (s *sender) address(p *datagram.Packet, seg int) error {
	dst := p.Dst
	if !dst.IsValid() {
		dst = s.cfg.group
	}
	to := dst.Addr()
	if to.Is4In6() {
		to = to.Unmap()
	}
	is4 := s.cfg.group.Addr().Is4()
	if to.Is4() != is4 {
		return fail(ErrFamily, nil, "send to %s from a connection of its own", dst)
	}
	ifindex := p.IfIndex
	if ifindex == s.cfg.link().Index {
		ifindex = 0 // that is where it goes anyway
	}
	scope := uint32(0)
	if !is4 && (to.IsLinkLocalUnicast() || group.ScopeOf(to).NeedsZone()) {
		n, err := zoneIndex(s.cfg.link(), to.Zone(), p.IfIndex)
		if err != nil {
			return err
		}
		scope = uint32(n)
	}
	i := s.built
	h := &s.msgs[i].hdr
	h.Name = (*byte)(unsafe.Pointer(&s.names[i]))
	h.Namelen = putName(&s.names[i], netip.AddrPortFrom(to, dst.Port()), scope)
	h.Flags = 0

	src := p.Src.Addr()
	if !src.IsValid() && !is4 && to.IsMulticast() {
		// IPv4 has IP_MULTICAST_IF for this; IPv6 has no such option.
		src = s.cfg.src
	}
	if src.IsValid() {
		if src.Is4In6() {
			src = src.Unmap()
		}
		if src.IsLinkLocalUnicast() && !is4 && ifindex == 0 {
			ifindex = s.cfg.link().Index // every link has its own
		}
		if src.Is4() != is4 {
			return fail(ErrFamily, nil, "give a source address of the connection's IP version, not %s", src)
		}
	}
	b := s.ctls[i].b[:0]
	if src.IsValid() || ifindex != 0 {
		b = appendPktinfo(b, is4, src, ifindex)
	}
	var v [4]byte
	if p.HopLimit > 0 {
		binary.NativeEndian.PutUint32(v[:], uint32(p.HopLimit))
		if is4 {
			b = appendControl(b, wordSize, unix.IPPROTO_IP, unix.IP_TTL, v[:])
		} else {
			b = appendControl(b, wordSize, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, v[:])
		}
	}
	if p.TOS != 0 {
		binary.NativeEndian.PutUint32(v[:], uint32(s.cfg.marked(p.TOS)))
		if is4 {
			b = appendControl(b, wordSize, unix.IPPROTO_IP, unix.IP_TOS, v[:])
		} else {
			b = appendControl(b, wordSize, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, v[:])
		}
	}
	if seg > 0 {
		binary.NativeEndian.PutUint16(v[:], uint16(seg))
		b = appendControl(b, wordSize, unix.SOL_UDP, unix.UDP_SEGMENT, v[:2])
	}
	if s.clock.id != 0 {
		if ns := s.clock.departure(p, s.clocks, s.when); ns != 0 {
			var v [8]byte
			binary.NativeEndian.PutUint64(v[:], ns)
			b = appendControl(b, wordSize, unix.SOL_SOCKET, unix.SCM_TXTIME, v[:])
		}
	}
	h.Control = nil
	if len(b) > 0 {
		h.Control = &s.ctls[i].b[0]
	}
	h.SetControllen(len(b))
	return nil
}

func appendPktinfo(b []byte, is4 bool, src netip.Addr, ifindex int) []byte {
	var d [20]byte
	if is4 {
		// struct in_pktinfo: index, source address, destination (ignored).
		binary.NativeEndian.PutUint32(d[:], uint32(ifindex))
		if src.IsValid() {
			a := src.As4()
			copy(d[4:], a[:])
		}
		return appendControl(b, wordSize, unix.IPPROTO_IP, unix.IP_PKTINFO, d[:12])
	}
	if src.IsValid() {
		a := src.As16()
		copy(d[:], a[:])
	}
	binary.NativeEndian.PutUint32(d[16:], uint32(ifindex))
	return appendControl(b, wordSize, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, d[:])
}

// zoneIndex returns the interface index a link-local destination is on: its zone's,
// else the packet's, else the connection's. Only the name of an interface other
// than the connection's has to be looked up.
func zoneIndex(ifi *net.Interface, zone string, ifindex int) (int, error) {
	switch {
	case zone == "" && ifindex != 0:
		return ifindex, nil
	case zone == "" || zone == ifi.Name:
		return ifi.Index, nil
	}
	if n, err := strconv.Atoi(zone); err == nil && n > 0 {
		return n, nil
	}
	other, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fail(ErrNoInterface, nil, "no interface is called %s; use a packet's IfIndex to choose one", zone)
	}
	return other.Index, nil
}
