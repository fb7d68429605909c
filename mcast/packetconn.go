package mcast

import (
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// PacketConn returns the connection as a [net.PacketConn], for programs that take
// one. It shares everything with c: Close closes c, deadlines are c's.
//
// ReadFrom gives *net.UDPAddr and cuts a datagram that is longer than its slice, as
// package net does on Unix. WriteTo takes a *net.UDPAddr or anything whose String is
// an address and port; a nil address is the group. SyscallConn is there too, for
// those who ask for [syscall.Conn].
func (c *Conn) PacketConn() net.PacketConn { return packetConn{c} }

type packetConn struct{ c *Conn }

var _ syscall.Conn = packetConn{}

func (p packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	in, err := p.c.Read(b)
	if err != nil {
		return 0, nil, err
	}
	a := net.UDPAddrFromAddrPort(in.Src)
	if src := in.Src.Addr(); src.Is6() && src.IsLinkLocalUnicast() {
		a.Zone = p.c.zone(in.IfIndex) // an answer needs it
	}
	return len(in.Data), a, nil
}

// zone names an interface, for addresses as package net has them.
func (c *Conn) zone(ifindex int) string {
	if ifi := c.Interface(); ifindex == ifi.Index {
		return ifi.Name
	}
	return strconv.Itoa(ifindex)
}

func (p packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	dst, err := addrPortOf(to)
	if err != nil {
		return 0, p.c.error("write", err)
	}
	return p.c.writeTo(b, dst)
}

// addrPortOf turns an address of package net into a destination.
func addrPortOf(to net.Addr) (dst netip.AddrPort, err error) {
	switch a := to.(type) {
	case nil:
		return dst, nil
	case *net.UDPAddr:
		if a == nil {
			return dst, nil
		}
		dst = a.AddrPort()
	default:
		if dst, err = netip.ParseAddrPort(to.String()); err != nil {
			return dst, fail(ErrAddress, nil, "pass WriteTo a *net.UDPAddr; names are not looked up")
		}
	}
	if !dst.IsValid() {
		return dst, fail(ErrAddress, nil, "pass WriteTo an address with an IP")
	}
	return netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port()), nil
}

func (p packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.c.LocalAddr()) }
func (p packetConn) Close() error        { return p.c.Close() }

func (p packetConn) SetDeadline(t time.Time) error         { return p.c.SetDeadline(t) }
func (p packetConn) SetReadDeadline(t time.Time) error     { return p.c.SetReadDeadline(t) }
func (p packetConn) SetWriteDeadline(t time.Time) error    { return p.c.SetWriteDeadline(t) }
func (p packetConn) SyscallConn() (syscall.RawConn, error) { return p.c.SyscallConn() }
