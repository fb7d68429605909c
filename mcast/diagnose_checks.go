package mcast

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/gomulticast/multicast/mcast/group"
)

// The checks that work on every system.

const (
	// maxLinks bounds how many interfaces one Diagnose looks at.
	maxLinks = 256

	// probePort is used where a port is needed but does not matter.
	probePort = 5004
)

// Groups for documentation (RFC 6676), to ask for the route to groups in general.
var (
	anyGroup4 = netip.MustParseAddr("233.252.0.1")
	anyGroup6 = netip.MustParseAddr("ff0e::db8:0:1")
)

// addError makes a finding of an error with a remedy.
func (d *diagnosis) addError(code string, s Severity, iface string, err error) {
	e := OpError{Err: err}
	if !errors.As(err, new(*OpError)) {
		err = opError("diagnose", err, OpError{})
	}
	var oe *OpError
	if errors.As(err, &oe) {
		e = *oe
	}
	d.add(code, s, iface, e.Err.Error(), e.Remedy)
}

// defaultRoute tells where packets to groups go when a program names no interface.
func (d *diagnosis) defaultRoute(ctx context.Context) {
	for _, v := range []struct {
		name string
		to   netip.Addr
		none Severity
	}{{"IPv4", anyGroup4, Warning}, {"IPv6", anyGroup6, Info}} {
		ifi, err := interfaceByRoute(ctx, netip.AddrPortFrom(v.to, probePort))
		if err != nil {
			d.noRoute(v.none, v.name+" groups in general")
			continue
		}
		d.add("route", Info, ifi.Name, "programs that name no interface send to and join "+v.name+" groups here", "")
	}
}

func (d *diagnosis) noRoute(s Severity, to string) {
	d.add("no-route", s, "", "no route leads to "+to+", so programs that name no interface fail",
		"name an interface in every program, or add a default route or one to the group (ip route add ... dev eth0)")
}

// checkGroup says what the channel's address alone tells.
func (d *diagnosis) checkGroup() {
	if !d.hasChannel() {
		return
	}
	g := d.ch.Group
	if d.ch.AnySource() && group.IsSSM(g) {
		d.add("no-source", Problem, "", g.String()+" is in the source-specific range, where routers forward nothing without a source (RFC 4607 section 1)",
			"name the sender, as source@"+g.String()+", or use a group outside 232.0.0.0/8 and ff3x::/32")
	}
	if scope := group.ScopeOf(g); scope > group.LinkLocal {
		d.add("ttl", Info, "", fmt.Sprintf("the scope of %s is %s, but packets are sent with a TTL or hop limit of 1 by default and do not leave the local network", g, scope),
			"to pass routers, let the sender set a larger one (mcast.TTL)")
	}
	d.lintGroup()
}

// checkInterface looks at flags and addresses.
func (d *diagnosis) checkInterface(ifi *net.Interface) {
	name, lo := ifi.Name, ifi.Flags&net.FlagLoopback != 0
	switch {
	case ifi.Flags&net.FlagUp == 0:
		d.add("interface-down", Problem, name, name+" is down", "bring it up (ip link set "+name+" up)")
	case ifi.Flags&net.FlagRunning == 0:
		d.add("no-carrier", Problem, name, name+" is up but has no link", "plug in the cable, or bring up the other end")
	default:
		d.add("interface", Info, name, describe(ifi), "")
	}
	switch {
	case ifi.Flags&net.FlagMulticast != 0:
	case lo:
		d.add("loopback", Info, name, name+" has no MULTICAST flag: programs on this host reach each other over it when they name it, other hosts are never reached", "name another interface to reach other hosts")
	default:
		d.add("no-multicast-flag", Problem, name, name+" has no MULTICAST flag: joins seem to succeed, but nothing is sent or received", "switch it on (ip link set "+name+" multicast on)")
	}
	var has4, has6 bool
	for _, a := range addrsOf(ifi) {
		has4, has6 = has4 || a.Is4(), has6 || a.Is6()
	}
	for _, v := range []struct {
		is4, has bool
		name     string
	}{{true, has4, "IPv4"}, {false, has6, "IPv6"}} {
		if d.hasChannel() && d.wants(v.is4) && !v.has || !has4 && !has6 && v.is4 && !d.hasChannel() {
			d.add("no-address", Warning, name, name+" has no "+v.name+" address: receivers ignore what is sent from it, and switches and routers may ignore its joins", "give it an address (ip addr add ... dev "+name+")")
		}
	}
}

// describe is one line about an interface, with at most four addresses.
func describe(ifi *net.Interface) string {
	var as []string
	for _, a := range addrsOf(ifi) {
		if len(as) == 4 {
			as = append(as, "...")
			break
		}
		as = append(as, a.String())
	}
	s := fmt.Sprintf("%s is up, MTU %d", ifi.Name, ifi.MTU)
	if len(as) > 0 {
		s += ", " + strings.Join(as, ", ")
	}
	return s
}

// checkRoute finds out whether the channel can be sent to on the interface, and
// whether a program that does not name the interface would use another one.
func (d *diagnosis) checkRoute(ctx context.Context, ifi *net.Interface) {
	if !d.hasChannel() || !d.chosen || ifi.Flags&net.FlagUp == 0 || ctx.Err() != nil {
		return
	}
	to := netip.AddrPortFrom(d.ch.Group, probePort)
	c, err := Dial(ctx, to.String(), Interface(ifi.Name))
	switch {
	case err == nil:
		if a := c.LocalAddr().Addr(); !a.IsUnspecified() { // else no-address says it
			d.add("send-address", Info, ifi.Name, fmt.Sprintf("packets to %s are sent from %s", d.ch.Group, a), "")
		}
		c.Close()
	case errors.Is(err, ErrNotMulticastInterface): // told already
	case d.ch.AnySource():
		d.addError("no-route", Problem, ifi.Name, err)
	default:
		// A channel with a source is mostly received from.
		d.addError("no-route", Warning, ifi.Name, err)
	}
	if group.ScopeOf(d.ch.Group).NeedsZone() {
		return
	}
	if other, err := interfaceByRoute(ctx, to); err == nil && other.Index != ifi.Index {
		d.add("route-elsewhere", Info, ifi.Name, "the route to "+d.ch.Group.String()+" leads to "+other.Name+", so programs that name no interface use that one", "name "+ifi.Name+" in every program")
	}
}

// lintGroup says what is remarkable about the group's number, for a receiver.
func (d *diagnosis) lintGroup() {
	for _, f := range group.Lint(d.ch.Group, group.Use{Purpose: group.Receive, Source: d.ch.Source}) {
		if f.Code != group.CodeSSMSource { // told already, with a remedy
			d.add("group-"+string(f.Code), Warning, "", d.ch.Group.String()+": "+f.Message, "")
		}
	}
}
