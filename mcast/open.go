package mcast

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/gomulticast/multicast/mcast/group"
)

// Open joins a group and returns a connection that receives from it and sends to
// it. addr is the group and port, "239.255.7.7:5004" or "[ff3e::1234]:5004"; the
// group may have a zone, "[ff02::1%eth0]:5004". Names are not looked up.
//
// With Source the join is source-specific, and groups in 232.0.0.0/8 and
// ff3x::/32 need it. Packets the connection sends itself come back to it while
// Loopback is on, unless Source leaves them out.
//
// ctx bounds the call, not the connection's life.
func Open(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	return open(ctx, "open", addr, opts, config{join: true, send: true})
}

// Listen is Open for a connection that only receives.
func Listen(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	return open(ctx, "listen", addr, opts, config{join: true})
}

// Dial is Open for a connection that only sends: it joins nothing, needs no
// Source, and uses a port of its own that the system picks. With Unicast it also
// receives what is sent to that port, so that it can hear answers.
func Dial(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	return open(ctx, "dial", addr, opts, config{send: true})
}

func open(ctx context.Context, op, addr string, opts []Option, mode config) (*Conn, error) {
	cfg := defaults()
	cfg.join, cfg.send = mode.join, mode.send
	c, err := openConn(ctx, addr, opts, &cfg, openSocket)
	if err != nil {
		e := OpError{Addr: addr, Interface: cfg.ifi.Name, Channel: group.Channel{Group: cfg.group.Addr()}}
		if len(cfg.sources) > 0 {
			e.Channel.Source = cfg.sources[0]
		}
		if cfg.several {
			e.Interface = "" // the cause names them
		}
		return nil, opError(op, err, e)
	}
	return c, nil
}

// openConn does the work of Open with the socket of a given system.
func openConn(ctx context.Context, addr string, opts []Option, cfg *config, socketOf func(*config, *members, *counters) (socket, error)) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	to, err := parseGroup(addr)
	if err != nil {
		return nil, err
	}
	cfg.group = netip.AddrPortFrom(to.Addr().WithZone(""), to.Port())
	for _, o := range opts {
		if err := o(cfg); err != nil {
			return nil, err
		}
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	// The watch begins before interfaces are looked up, so that it misses nothing.
	// Without it the connection works, but follows no interface.
	watch, err := cfg.watch(to.Addr().Is4())
	if err != nil {
		watch = nil
	}
	c, err := openOn(ctx, cfg, to.Addr().Zone(), socketOf)
	if err != nil {
		if watch != nil {
			watch.close()
		}
		return nil, err
	}
	if watch != nil {
		c.watch = watch
		go c.manage()
	}
	return c, nil
}

// openOn opens the socket and joins.
func openOn(ctx context.Context, cfg *config, zone string, socketOf func(*config, *members, *counters) (socket, error)) (*Conn, error) {
	ifis, src, err := cfg.resolveInterfaces(ctx, zone)
	if len(ifis) > 0 {
		cfg.ifi = ifis[0]
	}
	if err != nil {
		return nil, err
	}
	cfg.src = src
	cfg.several = cfg.allIfaces || len(ifis) > 1
	cfg.now = new(atomic.Pointer[net.Interface])
	for i, s := range cfg.sources {
		// The interface is chosen already, so a zone has nothing more to say.
		cfg.sources[i] = s.WithZone("")
	}
	c := &Conn{cfg: *cfg, members: newMembers(cfg.unicast), count: new(counters), want: make(map[netip.Addr]group.Filter)}
	for _, ifi := range ifis {
		c.slots = append(c.slots, newSlot(ifi))
	}
	if c.sock, err = socketOf(&c.cfg, c.members, c.count); err != nil {
		return nil, err
	}
	c.pace = newPacer(&c.cfg, c.sock.capabilities())
	if cfg.join {
		c.mu.Lock()
		err := c.change(cfg.group.Addr(), cfg.filter())
		c.mu.Unlock()
		if err != nil {
			c.Close()
			return nil, explain("join", err)
		}
	}
	return c, nil
}

// parseGroup reads a group and port.
func parseGroup(addr string) (netip.AddrPort, error) {
	const form = `write it as "239.255.7.7:5004" or "[ff3e::1234]:5004"`
	if a, err := netip.ParseAddr(addr); err == nil {
		return netip.AddrPort{}, fail(ErrPort, nil, "give a port between 1 and 65535, as in %q", netip.AddrPortFrom(a, 5004).String())
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, fail(ErrAddress, nil, form)
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fail(ErrAddress, nil, form+"; names are not looked up")
	}
	a = a.Unmap()
	if !a.IsMulticast() {
		return netip.AddrPort{}, fail(ErrNotMulticast, nil, "give a group from 224.0.0.0/4, such as 239.255.7.7, or from ff00::/8; for unicast use package net")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return netip.AddrPort{}, fail(ErrPort, nil, "give a port between 1 and 65535, as in %q", netip.AddrPortFrom(a, 5004).String())
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// check finds options that contradict the address or each other.
func (c *config) check() error {
	if !c.join {
		if len(c.sources) > 0 {
			return fail(ErrOption, nil, "leave mcast.Source out: a connection that only sends has no filter")
		}
		return nil
	}
	if len(c.sources) == 0 {
		return checkChannel(group.Channel{Group: c.group.Addr()}, c.group.Addr(), c.anySSM)
	}
	for i, s := range c.sources {
		if err := checkChannel(group.Channel{Group: c.group.Addr(), Source: s}, c.group.Addr(), c.anySSM); err != nil {
			return err
		}
		if slices.Contains(c.sources[:i], s) {
			return fail(ErrJoined, nil, "give each mcast.Source once; %s is there twice", s)
		}
	}
	return nil
}

// checkChannel reports what forbids to join ch on a connection for groups of
// like's IP version.
func checkChannel(ch group.Channel, like netip.Addr, anySSM bool) error {
	switch {
	case !ch.Group.IsMulticast():
		return fail(ErrNotMulticast, nil, "give a group from 224.0.0.0/4 or ff00::/8")
	case ch.Group.Is4() != like.Is4():
		return fail(ErrFamily, nil, "open another connection: one socket has one IP version")
	case ch.Validate() != nil:
		return fail(ErrBadSource, nil, "give the address of one sender; %s cannot send to %s", ch.Source, ch.Group)
	case ch.AnySource() && group.IsSSM(ch.Group) && !anySSM:
		return fail(ErrNeedSource, nil, "name the sender with mcast.Source, use a group outside 232.0.0.0/8 and ff3x::/32, or pass mcast.AllowAnySourceInSSM()")
	}
	return nil
}
