package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
)

// announcePaths opens a connection for each SAP group on each interface, and returns
// their addresses too. Each group has at least one.
func announcePaths(ctx context.Context, groups []netip.Addr, ifaces []string) (paths []sap.Path, sources []netip.Addr, err error) {
	names, some, err := namesOf(ifaces)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			closePaths(paths)
		}
	}()
	slices.SortFunc(groups, netip.Addr.Compare)
	for _, g := range slices.Compact(groups) {
		n := 0
		var failed error
		for _, name := range names {
			c, err := mcast.Open(ctx, netip.AddrPortFrom(g, sap.Port).String(), onInterfaces(name)...)
			if err != nil {
				failed = err
				if !some {
					return paths, nil, err
				}
				continue
			}
			n++
			p := sap.Path{Conn: c, Group: g, IfIndex: c.Interface().Index}
			if slices.ContainsFunc(paths, func(o sap.Path) bool { return o.Group == p.Group && o.IfIndex == p.IfIndex }) {
				c.Close() // named twice
				continue
			}
			paths = append(paths, p)
			if a := c.LocalAddr().Addr(); a.IsValid() && !slices.Contains(sources, a) {
				sources = append(sources, a)
			}
		}
		if n == 0 {
			return paths, nil, failed
		}
	}
	return paths, sources, nil
}

func closePaths(paths []sap.Path) {
	for _, p := range paths {
		p.Conn.Close()
	}
}

// namesOf returns the interfaces to open connections on, one name each or none for
// that by route. With all some may fail, for want of an IP version.
func namesOf(ifaces []string) (names [][]string, some bool, err error) {
	if len(ifaces) == 0 {
		return [][]string{nil}, false, nil
	}
	for _, name := range ifaces {
		if name != "all" {
			names = append(names, []string{name})
			continue
		}
		some = true
		all, err := net.Interfaces()
		if err != nil {
			return nil, false, err
		}
		for _, i := range all {
			if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 {
				names = append(names, []string{i.Name})
			}
		}
	}
	if len(names) == 0 {
		return nil, false, usageError{errors.New("no interface is up that does multicast; name one with --iface")}
	}
	return names, some, nil
}

// hostAddr returns the address that this host sends a stream from. Nothing is sent.
func hostAddr(ctx context.Context, t group.Target, ifaces []string) (netip.Addr, error) {
	names, some, err := namesOf(ifaces)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, name := range names {
		var c *mcast.Conn
		if c, err = mcast.Dial(ctx, address(t), onInterfaces(name)...); err == nil {
			a := c.LocalAddr().Addr().WithZone("")
			if c.Close(); a.IsValid() {
				return a, nil
			}
			err = fmt.Errorf("%w: the interface has no address of the group's IP version; give it one, or name another with --iface", sap.ErrSource)
		}
		if !some {
			break
		}
	}
	return netip.Addr{}, err
}
