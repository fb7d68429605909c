package mcast

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gomulticast/multicast/mcast/group"
)

// resolveInterface finds the interface to use from the option or, when sel is
// empty, the zone, or else the routing table. src is the address to send from
// when sel was an address.
func resolveInterface(ctx context.Context, sel, zone string, to netip.AddrPort) (ifi net.Interface, src netip.Addr, err error) {
	switch {
	case sel != "":
		ifi, src, err = findInterface(sel)
		if err == nil && zone != "" && zone != ifi.Name && zone != strconv.Itoa(ifi.Index) {
			err = fail(ErrOption, nil, "the group's zone %s and mcast.Interface %s differ; give one of them", zone, sel)
		}
	case zone != "":
		ifi, _, err = findInterface(zone)
	case to.Addr().Is6() && group.ScopeOf(to.Addr()).NeedsZone():
		err = fail(ErrInterfaceRequired, nil, "name it with mcast.Interface or as a zone; %s", candidates(to.Addr().Is4()))
	default:
		ifi, err = interfaceByRoute(ctx, to)
	}
	if err != nil {
		return net.Interface{}, netip.Addr{}, err
	}
	if src.IsValid() && src.Is4() != to.Addr().Is4() {
		// The address served to name the interface; it cannot be sent from.
		src = netip.Addr{}
	}
	if !src.IsValid() && ifi.Flags&net.FlagLoopback != 0 {
		// Left alone, Linux sends from another interface's address, because
		// lo's is valid on the host only; here that is what is wanted.
		src = sendAddr(&ifi, to.Addr())
	}
	// Linux gives lo no MULTICAST flag, yet multicast within the host works on it.
	if ifi.Flags&(net.FlagMulticast|net.FlagLoopback) == 0 {
		return ifi, src, fail(ErrNotMulticastInterface, nil, "switch it on (ip link set %s multicast on) or use another; %s", ifi.Name, candidates(to.Addr().Is4()))
	}
	return ifi, src, nil
}

// resolveInterfaces finds all that the options ask for, the one to send on first.
func (c *config) resolveInterfaces(ctx context.Context, zone string) (ifis []net.Interface, src netip.Addr, err error) {
	switch {
	case c.allIfaces && len(c.ifaces) > 0:
		return nil, src, fail(ErrOption, nil, "give mcast.AllInterfaces or mcast.Interface, not both")
	case (c.allIfaces || len(c.ifaces) > 1) && zone != "":
		return nil, src, fail(ErrOption, nil, "leave the zone %s out of the group: it names one interface, the options several", zone)
	case c.allIfaces:
		ifis, err = c.everyInterface(ctx)
		return ifis, src, err
	}
	sels := c.ifaces
	if len(sels) == 0 {
		sels = []string{""}
	}
	for i, sel := range sels {
		ifi, a, err := resolveInterface(ctx, sel, zone, c.group)
		if i == 0 {
			src = a
		}
		if err != nil {
			return []net.Interface{ifi}, src, err // the one that failed
		}
		if !slices.ContainsFunc(ifis, func(o net.Interface) bool { return o.Index == ifi.Index }) {
			ifis = append(ifis, ifi)
		}
	}
	return ifis, src, nil
}

// everyInterface lists the interfaces that can be joined, the one of the route to
// the group first.
func (c *config) everyInterface(ctx context.Context) ([]net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fail(ErrNoInterface, err, "the interfaces of this host cannot be listed")
	}
	is4 := c.group.Addr().Is4()
	var ifis []net.Interface
	for _, ifi := range all {
		if joinable(ifi.Flags) && slices.ContainsFunc(addrsOf(&ifi), func(a netip.Addr) bool { return a.Is4() == is4 }) {
			ifis = append(ifis, ifi)
		}
	}
	if len(ifis) == 0 {
		return nil, fail(ErrNoInterface, nil, "no interface is up, does multicast and has an address of the group's IP version; %s", candidates(is4))
	}
	slices.SortFunc(ifis, func(a, b net.Interface) int { return a.Index - b.Index })
	if !needsZone(c.group.Addr()) {
		if route, err := interfaceByRoute(ctx, c.group); err == nil {
			i := slices.IndexFunc(ifis, func(o net.Interface) bool { return o.Index == route.Index })
			if i > 0 {
				ifis = append(append([]net.Interface{ifis[i]}, ifis[:i]...), ifis[i+1:]...)
			}
		}
	}
	return ifis, nil
}

// joinable reports whether AllInterfaces is about an interface with such flags.
func joinable(f net.Flags) bool {
	return f&net.FlagUp != 0 && f&net.FlagMulticast != 0 && f&net.FlagLoopback == 0
}

// findInterface finds an interface by address, name or index.
func findInterface(sel string) (net.Interface, netip.Addr, error) {
	if a, err := netip.ParseAddr(sel); err == nil {
		ifi, ok := interfaceOf(a)
		if !ok {
			return ifi, a, fail(ErrNoInterface, nil, "no interface has the address %s; %s", sel, candidates(a.Unmap().Is4()))
		}
		return ifi, a.Unmap().WithZone(""), nil
	}
	ifi, err := net.InterfaceByName(sel)
	if err != nil {
		if n, nerr := strconv.Atoi(sel); nerr == nil && n > 0 {
			ifi, err = net.InterfaceByIndex(n)
		}
	}
	if err != nil {
		return net.Interface{}, netip.Addr{}, fail(ErrNoInterface, nil, "no interface is called %s; %s", sel, candidates(true))
	}
	return *ifi, netip.Addr{}, nil
}

// interfaceByRoute asks the kernel which interface packets to the group would
// leave by. Connecting a UDP socket sends nothing.
func interfaceByRoute(ctx context.Context, to netip.AddrPort) (net.Interface, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", to.String())
	if err != nil {
		return net.Interface{}, fail(ErrNoInterface, err, "no route leads to the group, so name an interface with mcast.Interface; %s", candidates(to.Addr().Is4()))
	}
	defer c.Close()
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		if ifi, ok := interfaceOf(a.AddrPort().Addr()); ok {
			return ifi, nil
		}
	}
	return net.Interface{}, fail(ErrNoInterface, nil, "no interface has the address the route gives (%s), so name one with mcast.Interface; %s", c.LocalAddr(), candidates(to.Addr().Is4()))
}

// interfaceOf returns the interface that has an address. A zone must match.
func interfaceOf(a netip.Addr) (net.Interface, bool) {
	a = a.Unmap()
	ifis, err := net.Interfaces()
	if err != nil {
		return net.Interface{}, false
	}
	for _, ifi := range ifis {
		if z := a.Zone(); z != "" && z != ifi.Name && z != strconv.Itoa(ifi.Index) {
			continue
		}
		for _, b := range addrsOf(&ifi) {
			if b == a.WithZone("") {
				return ifi, true
			}
		}
	}
	return net.Interface{}, false
}

func addrsOf(ifi *net.Interface) []netip.Addr {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil
	}
	var as []netip.Addr
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if b, ok := netip.AddrFromSlice(n.IP); ok {
				as = append(as, b.Unmap())
			}
		}
	}
	return as
}

// candidates names the interfaces a caller could choose, for remedies.
func candidates(is4 bool) string {
	ifis, err := net.Interfaces()
	if err != nil {
		return "the interfaces of this host cannot be listed"
	}
	var names []string
	for _, ifi := range ifis {
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&(net.FlagMulticast|net.FlagLoopback) == 0 {
			continue
		}
		name := ifi.Name
		for _, a := range addrsOf(&ifi) {
			if a.Is4() == is4 {
				name += " (" + a.String() + ")"
				break
			}
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "this host has no interface that is up and does multicast"
	}
	return "this host has " + strings.Join(names, ", ")
}

// sendAddr guesses which address of ifi packets to the group are sent from, for
// systems that do not tell.
func sendAddr(ifi *net.Interface, to netip.Addr) netip.Addr {
	var best netip.Addr
	for _, a := range addrsOf(ifi) {
		if a.Is4() != to.Is4() {
			continue
		}
		if a.Is4() || a.IsLinkLocalUnicast() == (group.ScopeOf(to) <= group.LinkLocal) {
			return a
		}
		if !best.IsValid() {
			best = a
		}
	}
	return best
}
