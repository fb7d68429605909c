package mcast

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// sockPortable is the socket of systems other than Linux: over package net, with
// this package's own options and control messages where it has the system's abi and
// golang.org/x/net elsewhere. It moves one packet per system call, through a buffer
// of its own so that a packet longer than the caller's space is noticed everywhere.
// It has no build tag: tests run it on Linux.
type sockPortable struct {
	cfg     *config
	members *members
	count   *counters
	udp     *net.UDPConn
	ip      ipConn
	local   atomic.Pointer[netip.AddrPort]
	caps    Capabilities

	rmu sync.Mutex
	buf []byte
	wmu sync.Mutex
}

// ipConn is what differs between systems and IP versions. An ifindex or hop limit
// of 0 and an invalid dst or src are unknown or not asked for.
type ipConn interface {
	// controls asks for what arrives with each packet and reports what the
	// system agreed to.
	controls() Capabilities
	read(b []byte) (n int, src netip.AddrPort, o origin, err error)
	// sources and interfaces report whether write can choose the source
	// address and the interface.
	sources() bool
	interfaces() bool
	write(b []byte, src netip.Addr, ifindex int, to netip.AddrPort) error

	join(ifi *net.Interface, ch group.Channel) error
	leave(ifi *net.Interface, ch group.Channel) error
	block(ifi *net.Interface, ch group.Channel) error
	unblock(ifi *net.Interface, ch group.Channel) error
	setInterface(ifi *net.Interface) error
	setLoopback(on bool) error
	setHopLimit(n int, unicast bool) error
	hopLimit(unicast bool) (int, error)
	setTOS(n int) error
}

func openPortable(cfg *config, m *members, count *counters) (socket, error) {
	return openPortableOn(systemABI, cfg, m, count)
}

// openPortableOn uses x/net when a is nil.
func openPortableOn(a *abi, cfg *config, m *members, count *counters) (socket, error) {
	if cfg.funnel {
		return nil, fail(unsupported("mcast.Funnel"), nil, "use mcast.MultiGroup")
	}
	network, any := "udp4", netip.IPv4Unspecified()
	if cfg.group.Addr().Is6() {
		network, any = "udp6", netip.IPv6Unspecified()
	}
	at := netip.AddrPortFrom(any, cfg.group.Port())
	lc := net.ListenConfig{Control: shareControl}
	if !cfg.join {
		at, lc.Control = netip.AddrPortFrom(any, 0), nil
	}
	// The setting up does not block, so there is nothing for a context to bound.
	pc, err := lc.ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return nil, err
	}
	s := &sockPortable{cfg: cfg, members: m, count: count, udp: pc.(*net.UDPConn), buf: make([]byte, OffloadSpace)}
	switch is4 := cfg.group.Addr().Is4(); {
	case a != nil:
		s.ip, err = newABIConn(s.udp, a, is4)
	case is4:
		s.ip = newIPv4(s.udp)
	default:
		s.ip = newIPv6(s.udp)
	}
	if err == nil {
		err = s.setup()
	}
	if err != nil {
		s.udp.Close()
		return nil, err
	}
	return s, nil
}

func (s *sockPortable) setup() error {
	cfg := s.cfg
	s.caps = s.ip.controls()
	s.caps.Batch = 1
	if err := s.ip.setInterface(&cfg.ifi); err != nil {
		return err
	}
	if err := s.ip.setLoopback(cfg.loopback); err != nil {
		return err
	}
	if err := s.ip.setHopLimit(cfg.ttl, false); err != nil {
		return err
	}
	if cfg.tos != 0 {
		if err := s.ip.setTOS(cfg.tos); err != nil {
			return err
		}
	}
	// Some systems refuse a size above their limit instead of giving the limit.
	for n := cfg.readBuffer; n >= 64<<10 && s.udp.SetReadBuffer(n) != nil; n /= 2 {
	}
	if cfg.writeBuffer > 0 {
		if err := s.udp.SetWriteBuffer(cfg.writeBuffer); err != nil {
			return err
		}
	}
	from := sendAddr(&cfg.ifi, cfg.group.Addr())
	switch {
	case !cfg.src.IsValid():
	case s.ip.sources():
		from = cfg.src
	case from == cfg.src:
		cfg.src = netip.Addr{} // what the system does by itself
	default:
		return fail(unsupported("sending from a chosen address"), nil, "name the interface by its name; packets then leave from %s", from)
	}
	local := netip.AddrPortFrom(from, s.udp.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	s.local.Store(&local)
	return nil
}

func (s *sockPortable) readBatch(ps []datagram.Packet) (int, error) {
	if len(ps) == 0 {
		return 0, nil
	}
	if cap(ps[0].Data) == 0 {
		return 0, fail(ErrNoSpace, nil, "give every packet a Data with some capacity, best %d bytes", OffloadSpace)
	}
	for {
		p, err := s.read(ps[0].Data[:cap(ps[0].Data)])
		if err != nil {
			return 0, err
		}
		if p.Truncated {
			s.count.truncated.Add(1)
			continue
		}
		ps[0] = p
		return 1, nil
	}
}

// read receives one datagram into b.
func (s *sockPortable) read(b []byte) (datagram.Packet, error) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	for {
		n, src, a, err := s.ip.read(s.buf)
		if err != nil {
			return datagram.Packet{}, err
		}
		if !src.IsValid() {
			continue
		}
		src = netip.AddrPortFrom(src.Addr().Unmap().WithZone(""), src.Port())
		if !a.dst.IsValid() {
			// The system does not say; the group is the best guess.
			a.dst = s.cfg.group.Addr()
		}
		if !s.members.accepts(src.Addr(), a.dst, a.ifindex, !a.dst.IsMulticast() && a.dst != limitedBroadcast) {
			s.count.foreign.Add(1)
			continue
		}
		return datagram.Packet{
			Data: b[:copy(b, s.buf[:n])], Truncated: n > len(b),
			Src: src, Dst: netip.AddrPortFrom(a.dst, s.cfg.group.Port()),
			IfIndex: a.ifindex, HopLimit: a.hopLimit, TOS: a.tos, Time: a.time,
		}, nil
	}
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func (s *sockPortable) writeBatch(ps []datagram.Packet) (int, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	for i := range ps {
		if err := s.writePacket(&ps[i]); err != nil {
			return i, err
		}
	}
	return len(ps), nil
}

func (s *sockPortable) write(b []byte, dst netip.AddrPort) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.writePacket(&datagram.Packet{Data: b, Dst: dst})
}

// writePacket sends the datagrams of one packet.
func (s *sockPortable) writePacket(p *datagram.Packet) error {
	dst := p.Dst
	if !dst.IsValid() {
		dst = s.cfg.group
	}
	to := dst.Addr().Unmap()
	src := p.Src.Addr().Unmap()
	if to.Is4() != s.cfg.group.Addr().Is4() || src.IsValid() && src.Is4() != to.Is4() {
		return fail(ErrFamily, nil, "send to %s from a connection of its own", dst)
	}
	if !src.IsValid() && to.IsMulticast() {
		src = s.cfg.src
	}
	if p.HopLimit > 0 || p.TOS != 0 || p.IfIndex != 0 {
		undo, err := s.adjust(p, to)
		if err == nil {
			err = s.writeTo(p, src, dst.Port(), to)
		}
		return errors.Join(err, undo())
	}
	return s.writeTo(p, src, dst.Port(), to)
}

// writeTo sends the datagrams of one packet with the socket as it is.
func (s *sockPortable) writeTo(p *datagram.Packet, src netip.Addr, port uint16, to netip.Addr) error {
	ifindex := p.IfIndex
	if ifindex == 0 && src.IsValid() && (to.IsMulticast() || src.IsLinkLocalUnicast()) {
		ifindex = s.cfg.link().Index // every link has its own link-local addresses
	}
	if to.Zone() == "" && to.Is6() && (to.IsLinkLocalUnicast() || group.ScopeOf(to).NeedsZone()) {
		to = to.WithZone(s.zone(p.IfIndex))
	}
	dst := netip.AddrPortFrom(to, port)
	size := len(p.Data)
	if p.SegSize > 0 && p.SegSize < size {
		size = p.SegSize
	}
	rest := p.Data
	for {
		n := min(size, len(rest))
		if err := s.send(rest[:n], src, ifindex, dst); err != nil {
			return err
		}
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
	}
}

// send waits a little while the interface's queue is full, which BSD systems tell
// with ENOBUFS where Linux blocks.
func (s *sockPortable) send(b []byte, src netip.Addr, ifindex int, to netip.AddrPort) error {
	for try := 0; ; try++ {
		err := s.ip.write(b, src, ifindex, to)
		if err == nil || !isQueueFull(err) || try == queueWaits {
			return err
		}
		time.Sleep(queueWait)
	}
}

// adjust changes the socket's settings for one packet that asks for its own, and
// returns how to change them back. Few systems have control messages for all of
// them; this works on every one, and is not for the common case.
func (s *sockPortable) adjust(p *datagram.Packet, to netip.Addr) (undo func() error, err error) {
	var undos []func() error
	undo = func() error {
		var errs []error
		for _, f := range undos {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	if p.HopLimit > 0 {
		unicast := !to.IsMulticast()
		old, err := s.ip.hopLimit(unicast)
		if err != nil {
			return undo, err
		}
		undos = append(undos, func() error { return s.ip.setHopLimit(old, unicast) })
		if err := s.ip.setHopLimit(p.HopLimit, unicast); err != nil {
			return undo, err
		}
	}
	if p.TOS != 0 {
		undos = append(undos, func() error { return s.ip.setTOS(s.cfg.tos) })
		if err := s.ip.setTOS(s.cfg.marked(p.TOS)); err != nil {
			return undo, err
		}
	}
	if p.IfIndex != 0 && p.IfIndex != s.cfg.link().Index && to.IsMulticast() && !s.ip.interfaces() {
		ifi, err := net.InterfaceByIndex(p.IfIndex)
		if err != nil {
			return undo, fail(ErrNoInterface, nil, "no interface has the packet's IfIndex %d", p.IfIndex)
		}
		undos = append(undos, func() error { return s.ip.setInterface(s.cfg.link()) })
		if err := s.ip.setInterface(ifi); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

func (s *sockPortable) zone(ifindex int) string {
	if ifindex != 0 && ifindex != s.cfg.link().Index {
		if ifi, err := net.InterfaceByIndex(ifindex); err == nil {
			return ifi.Name
		}
	}
	return s.cfg.link().Name
}

func (s *sockPortable) localAddr() netip.AddrPort          { return *s.local.Load() }
func (s *sockPortable) capabilities() Capabilities         { return s.caps }
func (s *sockPortable) setCoalescing(time.Duration, int)   {}
func (s *sockPortable) setReadDeadline(t time.Time) error  { return s.udp.SetReadDeadline(t) }
func (s *sockPortable) setWriteDeadline(t time.Time) error { return s.udp.SetWriteDeadline(t) }
func (s *sockPortable) close() error                       { return s.udp.Close() }

func (s *sockPortable) syscallConn() (syscall.RawConn, error) { return s.udp.SyscallConn() }

func (s *sockPortable) readBuffer() int {
	raw, err := s.udp.SyscallConn()
	if err != nil {
		return 0
	}
	return readBufferSize(raw)
}
