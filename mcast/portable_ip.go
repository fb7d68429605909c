package mcast

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/gomulticast/multicast/mcast/group"
)

// This file is the sockets of golang.org/x/net, for systems without an abi here.

func udpAddr(a netip.Addr) *net.UDPAddr { return &net.UDPAddr{IP: a.AsSlice()} }

func toAddr(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func fromUDPAddr(a net.Addr) netip.AddrPort {
	if ua, ok := a.(*net.UDPAddr); ok {
		return ua.AddrPort()
	}
	return netip.AddrPort{}
}

type connIPv4 struct{ p *ipv4.PacketConn }

func newIPv4(c *net.UDPConn) connIPv4 { return connIPv4{ipv4.NewPacketConn(c)} }

func (c connIPv4) controls() Capabilities {
	return Capabilities{
		Destination: c.p.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true) == nil,
		HopLimit:    c.p.SetControlMessage(ipv4.FlagTTL, true) == nil,
	}
}

func (c connIPv4) read(b []byte) (int, netip.AddrPort, origin, error) {
	n, cm, src, err := c.p.ReadFrom(b)
	if cm == nil {
		return n, fromUDPAddr(src), origin{}, err
	}
	return n, fromUDPAddr(src), origin{dst: toAddr(cm.Dst), ifindex: cm.IfIndex, hopLimit: cm.TTL}, err
}

// sources: x/net makes an empty message of what the system has no message for.
func (c connIPv4) sources() bool {
	return len((&ipv4.ControlMessage{Src: net.IPv4(127, 0, 0, 1)}).Marshal()) > 0
}

func (c connIPv4) interfaces() bool { return false }

func (c connIPv4) write(b []byte, src netip.Addr, _ int, to netip.AddrPort) error {
	var cm *ipv4.ControlMessage
	if src.IsValid() {
		if !c.sources() {
			return unsupported("a source address per packet")
		}
		cm = &ipv4.ControlMessage{Src: src.AsSlice()}
	}
	_, err := c.p.WriteTo(b, cm, net.UDPAddrFromAddrPort(to))
	return err
}

func (c connIPv4) join(ifi *net.Interface, ch group.Channel) error {
	if ch.AnySource() {
		return c.p.JoinGroup(ifi, udpAddr(ch.Group))
	}
	return c.p.JoinSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv4) leave(ifi *net.Interface, ch group.Channel) error {
	if ch.AnySource() {
		return c.p.LeaveGroup(ifi, udpAddr(ch.Group))
	}
	return c.p.LeaveSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv4) block(ifi *net.Interface, ch group.Channel) error {
	return c.p.ExcludeSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv4) unblock(ifi *net.Interface, ch group.Channel) error {
	return c.p.IncludeSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv4) setInterface(ifi *net.Interface) error { return c.p.SetMulticastInterface(ifi) }
func (c connIPv4) setLoopback(on bool) error             { return c.p.SetMulticastLoopback(on) }
func (c connIPv4) setTOS(n int) error                    { return c.p.SetTOS(n) }

func (c connIPv4) setHopLimit(n int, unicast bool) error {
	if unicast {
		return c.p.SetTTL(n)
	}
	return c.p.SetMulticastTTL(n)
}

func (c connIPv4) hopLimit(unicast bool) (int, error) {
	if unicast {
		return c.p.TTL()
	}
	return c.p.MulticastTTL()
}

type connIPv6 struct{ p *ipv6.PacketConn }

func newIPv6(c *net.UDPConn) connIPv6 { return connIPv6{ipv6.NewPacketConn(c)} }

func (c connIPv6) controls() Capabilities {
	return Capabilities{
		Destination: c.p.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true) == nil,
		HopLimit:    c.p.SetControlMessage(ipv6.FlagHopLimit, true) == nil,
		TOS:         c.p.SetControlMessage(ipv6.FlagTrafficClass, true) == nil,
	}
}

func (c connIPv6) read(b []byte) (int, netip.AddrPort, origin, error) {
	n, cm, src, err := c.p.ReadFrom(b)
	if cm == nil {
		return n, fromUDPAddr(src), origin{}, err
	}
	return n, fromUDPAddr(src), origin{dst: toAddr(cm.Dst), ifindex: cm.IfIndex, hopLimit: cm.HopLimit, tos: uint8(cm.TrafficClass)}, err
}

func (c connIPv6) sources() bool {
	return len((&ipv6.ControlMessage{Src: net.IPv6loopback}).Marshal()) > 0
}

func (c connIPv6) interfaces() bool { return false }

func (c connIPv6) write(b []byte, src netip.Addr, ifindex int, to netip.AddrPort) error {
	var cm *ipv6.ControlMessage
	if src.IsValid() {
		if !c.sources() {
			return unsupported("a source address per packet")
		}
		cm = &ipv6.ControlMessage{Src: src.AsSlice()}
		if src.IsLinkLocalUnicast() {
			cm.IfIndex = ifindex // every link has its own
		}
	}
	_, err := c.p.WriteTo(b, cm, net.UDPAddrFromAddrPort(to))
	return err
}

func (c connIPv6) join(ifi *net.Interface, ch group.Channel) error {
	if ch.AnySource() {
		return c.p.JoinGroup(ifi, udpAddr(ch.Group))
	}
	return c.p.JoinSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv6) leave(ifi *net.Interface, ch group.Channel) error {
	if ch.AnySource() {
		return c.p.LeaveGroup(ifi, udpAddr(ch.Group))
	}
	return c.p.LeaveSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv6) block(ifi *net.Interface, ch group.Channel) error {
	return c.p.ExcludeSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv6) unblock(ifi *net.Interface, ch group.Channel) error {
	return c.p.IncludeSourceSpecificGroup(ifi, udpAddr(ch.Group), udpAddr(ch.Source))
}

func (c connIPv6) setInterface(ifi *net.Interface) error { return c.p.SetMulticastInterface(ifi) }
func (c connIPv6) setLoopback(on bool) error             { return c.p.SetMulticastLoopback(on) }
func (c connIPv6) setTOS(n int) error                    { return c.p.SetTrafficClass(n) }

func (c connIPv6) setHopLimit(n int, unicast bool) error {
	if unicast {
		return c.p.SetHopLimit(n)
	}
	return c.p.SetMulticastHopLimit(n)
}

func (c connIPv6) hopLimit(unicast bool) (int, error) {
	if unicast {
		return c.p.HopLimit()
	}
	return c.p.MulticastHopLimit()
}
