package mcast

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockLinux is the sockets of a connection on Linux: its own descriptors, because
// package net replaces a multicast bind address by the wildcard. The first one sends
// and receives; see pool for when there are more.
type sockLinux struct {
	cfg     *config
	count   *counters
	members *members // what the first socket accepts
	settings
	local atomic.Pointer[netip.AddrPort]

	rx      receiver // of the first socket
	tx      sender
	reading atomic.Pointer[reading]
	bend    bend
	pool    pool
}

// settings are a socket's options, and what came of setting them.
type settings struct {
	cfg   *config
	caps  Capabilities
	rbuf  int
	clock txClock
}

func openLinux(cfg *config, m *members, count *counters) (*sockLinux, error) {
	s := &sockLinux{cfg: cfg, count: count, members: m, settings: settings{cfg: cfg}}
	fd, err := s.settings.open()
	if err != nil {
		return nil, err
	}
	h, err := newSocket(fd, "udp:"+cfg.group.String(), true)
	if err != nil {
		return nil, err
	}
	if err := s.locate(h); err != nil && cfg.send {
		h.close()
		return nil, err
	}
	s.reading.Store(&reading{h: h})
	s.rx.init(cfg, m, count, s.caps.ReceiveOffload)
	s.tx.init(cfg, count, s.caps.SendOffload)
	s.tx.clock = s.clock
	s.initPool(h)
	return s, nil
}

// open makes a socket with everything set.
func (s *settings) open() (int, error) {
	is4 := s.cfg.group.Addr().Is4()
	fd, err := unix.Socket(socketFamily(is4), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := s.setup(fd, is4); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func socketFamily(is4 bool) int {
	if is4 {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// setup sets all options and binds. Options are set before the bind, so that no
// packet slips in unfiltered.
func (s *settings) setup(fd int, is4 bool) error {
	cfg := s.cfg
	o := options{fd: fd}
	s.caps = Capabilities{Destination: true, Batch: BatchSize}

	if cfg.join {
		// A group's port is shared; a port picked for a sender alone is not.
		o.set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, "SO_REUSEADDR")
	}
	if is4 {
		s.caps.KernelFilter = o.try(unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, bit(cfg.funnel), "IP_MULTICAST_ALL") && !cfg.funnel
		if !cfg.lean || cfg.wildcard() || !s.caps.KernelFilter {
			o.set(unix.IPPROTO_IP, unix.IP_PKTINFO, 1, "IP_PKTINFO")
		}
		s.caps.HopLimit = cfg.tells(FieldHopLimit) && o.try(unix.IPPROTO_IP, unix.IP_RECVTTL, 1, "IP_RECVTTL")
		s.caps.TOS = cfg.tells(FieldTOS) && o.try(unix.IPPROTO_IP, unix.IP_RECVTOS, 1, "IP_RECVTOS")
		o.set(unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, cfg.ttl, "IP_MULTICAST_TTL")
		o.set(unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, bit(cfg.loopback), "IP_MULTICAST_LOOP")
		if cfg.tos != 0 {
			o.set(unix.IPPROTO_IP, unix.IP_TOS, cfg.tos, "IP_TOS")
		}
	} else {
		o.set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1, "IPV6_V6ONLY")
		s.caps.KernelFilter = o.try(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, bit(cfg.funnel), "IPV6_MULTICAST_ALL") && !cfg.funnel
		o.set(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO")
		s.caps.HopLimit = cfg.tells(FieldHopLimit) && o.try(unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT")
		s.caps.TOS = cfg.tells(FieldTOS) && o.try(unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS")
		o.set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, cfg.ttl, "IPV6_MULTICAST_HOPS")
		o.set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, bit(cfg.loopback), "IPV6_MULTICAST_LOOP")
		if cfg.tos != 0 {
			o.set(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, cfg.tos, "IPV6_TCLASS")
		}
	}
	o.multicastIf(cfg)
	s.caps.Timestamps, s.caps.HardwareTimestamps = o.timestamps(cfg)
	s.caps.DropCounter = o.try(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1, "SO_RXQ_OVFL")
	o.buffer(unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, cfg.readBuffer)
	o.buffer(unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, cfg.writeBuffer)
	s.clock = o.pacing(cfg, &s.caps)
	s.caps.SendOffload, s.caps.ReceiveOffload = probeOffload(fd, cfg.offload)
	if o.err == nil {
		o.bind(cfg)
	}
	s.caps.BindGroup = !cfg.wildcard()
	s.caps.WholeFilter = true // since 2.5.68
	// The kernel reports twice what it was asked for: half is its own book-keeping.
	if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
		s.rbuf = n / 2
	}
	return o.err
}

// options sets socket options until one fails, and remembers that.
type options struct {
	fd  int
	err error
}

func (o *options) set(level, opt, value int, name string) {
	if o.err == nil {
		o.err = os.NewSyscallError("setsockopt "+name, unix.SetsockoptInt(o.fd, level, opt, value))
	}
}

// try is set for an option that older or imitated kernels (gVisor) may not have.
func (o *options) try(level, opt, value int, name string) bool {
	if o.err != nil {
		return false
	}
	err := unix.SetsockoptInt(o.fd, level, opt, value)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) && !errors.Is(err, unix.EOPNOTSUPP) {
		o.err = os.NewSyscallError("setsockopt "+name, err)
	}
	return err == nil
}

// buffer asks for a size beyond the system's limit first, which needs
// CAP_NET_ADMIN, then for what the limit allows.
func (o *options) buffer(force, plain, size int) {
	if size > 0 && o.err == nil && unix.SetsockoptInt(o.fd, unix.SOL_SOCKET, force, size) != nil {
		o.set(unix.SOL_SOCKET, plain, size, "buffer size")
	}
}

// multicastIf makes packets to groups leave by the connection's interface.
func (o *options) multicastIf(cfg *config) {
	if o.err != nil {
		return
	}
	if cfg.group.Addr().Is6() {
		o.set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, cfg.link().Index, "IPV6_MULTICAST_IF")
		return
	}
	m := unix.IPMreqn{Ifindex: int32(cfg.link().Index)}
	if cfg.src.IsValid() {
		m.Address = cfg.src.As4()
	}
	o.err = os.NewSyscallError("setsockopt IP_MULTICAST_IF", unix.SetsockoptIPMreqn(o.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &m))
}

func (o *options) bind(cfg *config) {
	at := cfg.group
	if cfg.wildcard() {
		any := netip.IPv4Unspecified()
		if at.Addr().Is6() {
			any = netip.IPv6Unspecified()
		}
		at = netip.AddrPortFrom(any, at.Port())
		if !cfg.join {
			at = netip.AddrPortFrom(any, 0)
		}
	}
	o.err = os.NewSyscallError("bind", unix.Bind(o.fd, sockaddr(at, cfg.link().Index)))
}

// locate asks the kernel which address packets to the group will be sent from, by
// connecting a second socket, which sends nothing. It finds out at Open that
// sending cannot work.
func (s *sockLinux) locate(h *handle) error {
	var sa unix.Sockaddr
	if err := h.control(func(fd int) (err error) {
		sa, err = unix.Getsockname(fd)
		return os.NewSyscallError("getsockname", err)
	}); err != nil {
		return err
	}
	local := netip.AddrPortFrom(s.cfg.src, addrPort(sa).Port())
	err := h.inNamespace(func() error {
		fd, err := unix.Socket(socketFamily(s.cfg.group.Addr().Is4()), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		o := options{fd: fd}
		o.multicastIf(s.cfg)
		if o.err != nil {
			return o.err
		}
		if err := unix.Connect(fd, sockaddr(s.cfg.group, s.cfg.link().Index)); err != nil {
			return s.noRoute(os.NewSyscallError("connect", err))
		}
		if sa, err := unix.Getsockname(fd); err == nil && !local.Addr().IsValid() {
			local = netip.AddrPortFrom(addrPort(sa).Addr(), local.Port())
		}
		return nil
	})
	if err == nil || s.local.Load() == nil {
		s.local.Store(&local)
	}
	return err
}

func (s *sockLinux) noRoute(err error) error {
	ifi := s.cfg.link()
	switch {
	case ifi.Flags&net.FlagUp == 0:
		return fail(ErrNoRoute, err, "%s is down; bring it up (ip link set %s up)", ifi.Name, ifi.Name)
	case ifi.Flags&net.FlagLoopback != 0 && s.cfg.group.Addr().Is6():
		// The kernel makes ff00::/8 routes for interfaces with the MULTICAST
		// flag only, and lo has none. One of type multicast is accepted too,
		// but then packets vanish; it has to be local.
		return fail(ErrNoRoute, err, "IPv6 multicast within the host needs a route (ip -6 route add local ff00::/8 dev %s table local); or use IPv4", ifi.Name)
	case errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EHOSTUNREACH):
		return fail(ErrNoRoute, err, "check that %s has an address of the group's IP version; %s", ifi.Name, candidates(s.cfg.group.Addr().Is4()))
	}
	return err
}

func (s *sockLinux) localAddr() netip.AddrPort { return *s.local.Load() }
func (s *sockLinux) readBuffer() int           { return s.rbuf }

func (s *sockLinux) capabilities() Capabilities {
	c := s.caps
	c.SendOffload = s.tx.offloads.Load()
	return c
}

// wordSize is the size of a C long: it decides padding in the kernel's structs.
const wordSize = int(unsafe.Sizeof(uintptr(0)))

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
