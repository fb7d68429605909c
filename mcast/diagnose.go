package mcast

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Finding is one thing Diagnose looked at, and what to do about it. Good news
// are findings too, of severity Info, so that silence never means "not looked at".
type Finding struct {
	// Code names what was found, in lower case with hyphens, such as
	// "igmp-old-querier". A code never changes its meaning; new ones are added.
	Code string

	// Severity tells whether multicast works in spite of it.
	Severity Severity

	// Interface is the name of the interface concerned, "" for the whole host.
	Interface string

	// Message says what was found, as part of a sentence.
	Message string

	// Remedy tells what to do, as part of a sentence; "" when there is
	// nothing to do.
	Remedy string
}

// Severity is how much a Finding matters. A larger one matters more.
type Severity uint8

const (
	// Info is a fact, or something that could not be checked.
	Info Severity = iota

	// Warning is what works now, or for some, but may fail or lose packets.
	Warning

	// Problem is what keeps packets from being sent or received.
	Problem
)

// String returns "info", "warning" or "problem".
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Problem:
		return "problem"
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// MarshalText returns String, so that findings can be written as JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// defaultWait is how long Diagnose listens when its context has no deadline.
const defaultWait = 3 * time.Second

// A DiagnoseConfig says what DiagnoseWith looks at. The zero value looks at the
// host and at every interface that is up and does multicast.
type DiagnoseConfig struct {
	// Channel is joined to see whether its packets arrive. The zero Channel
	// joins nothing.
	Channel group.Channel

	// Interface is a name, an index or an address, as for the Interface
	// option. When it is "", the zone of Channel decides, then the route to
	// Channel; without a Channel all interfaces are looked at.
	Interface string

	// Port is where the channel's packets are expected, 1 to 65535. Zero takes
	// the port of the first packet seen, which needs CAP_NET_RAW.
	Port uint16

	// Wait is how long to listen. Zero listens until the context's deadline,
	// or 3 seconds when it has none; negative does not listen or join at all.
	Wait time.Duration
}

// Validate reports what makes c impossible to diagnose whatever the host is like:
// a channel that is none, or a link-local IPv6 group on no interface.
func (c DiagnoseConfig) Validate() error {
	if c.Channel == (group.Channel{}) {
		return nil
	}
	ch := c.Channel.Canonical()
	switch {
	case !ch.Group.IsMulticast():
		return fail(ErrNotMulticast, nil, "give a group from 224.0.0.0/4 or ff00::/8")
	case ch.Validate() != nil:
		return fail(ErrBadSource, nil, "give the address of one sender; %s cannot send to %s", ch.Source, ch.Group)
	case c.Interface == "" && c.Channel.Zone() == "" && ch.Group.Is6() && group.ScopeOf(ch.Group).NeedsZone():
		return fail(ErrInterfaceRequired, nil, "name it with mcast.Interface or as a zone; %s", candidates(false))
	}
	return nil
}

// Diagnose looks for what keeps multicast from working on this host: interfaces,
// routes, filters, limits, buffers, counters, and which queriers and packets are
// heard. ch is joined on the interface to see whether its packets arrive; the zero
// Channel joins nothing. iface is as in [DiagnoseConfig]; "" goes by route, or
// takes every interface when there is no channel.
//
// It listens until ctx's deadline, or for 3 seconds when it has none. Queries come
// every 125 seconds (RFC 3376 section 8.2), so listening that long tells more; with
// a channel, Diagnose also leaves it half a second before the end, which makes a
// querier ask at once who else is there (RFC 3376 section 6.6.3). When ctx ends,
// so does the listening, and what was found by then is returned.
//
// Whatever is wrong with the host is a finding. An error, an [*OpError], is only for
// callers' mistakes: a channel that is none, no such interface. Findings come in the
// order of the checks. Nothing is changed on the host, and nothing is sent but the
// membership reports of joining and leaving. Most is known on Linux; listening on the wire
// needs CAP_NET_RAW. What cannot be checked is said in findings of code
// "not-checked". Diagnose may be called from any goroutine.
func Diagnose(ctx context.Context, ch group.Channel, iface string) ([]Finding, error) {
	return DiagnoseWith(ctx, DiagnoseConfig{Channel: ch, Interface: iface})
}

// DiagnoseWith is Diagnose with more to say.
func DiagnoseWith(ctx context.Context, cfg DiagnoseConfig) ([]Finding, error) {
	err := ctx.Err()
	if err == nil {
		err = cfg.Validate()
	}
	d := &diagnosis{ch: cfg.Channel.Canonical(), port: cfg.Port, wait: cfg.Wait}
	if err == nil {
		err = d.resolve(ctx, cfg)
	}
	if err != nil {
		return nil, opError("diagnose", err, OpError{Channel: cfg.Channel, Interface: cfg.Interface})
	}
	if d.wait == 0 {
		d.wait = defaultWait
		if end, ok := ctx.Deadline(); ok {
			d.wait = time.Until(end)
		}
	}
	d.checkGroup()
	for i := range d.links {
		d.checkInterface(&d.links[i])
		d.checkRoute(ctx, &d.links[i])
	}
	sys := newDiagnoseSystem(d)
	sys.check()
	if d.wait > 0 {
		sys.listen(ctx)
	}
	return d.found, nil
}

// diagnosis is one call of Diagnose. It runs on the caller's goroutine, and so in
// the network namespace of its thread: only reading from sockets goes elsewhere.
type diagnosis struct {
	ch     group.Channel // canonical, or zero
	port   uint16
	wait   time.Duration
	chosen bool // links is one interface, given or by route
	links  []net.Interface
	found  []Finding
}

func (d *diagnosis) add(code string, s Severity, iface, message, remedy string) {
	d.found = append(d.found, Finding{Code: code, Severity: s, Interface: iface, Message: message, Remedy: remedy})
}

func (d *diagnosis) hasChannel() bool { return d.ch.Group.IsValid() }

// wants reports whether an IP version is of interest.
func (d *diagnosis) wants(is4 bool) bool { return !d.hasChannel() || d.ch.Group.Is4() == is4 }

// resolve finds the interfaces to look at. No route to the channel is a finding,
// and then all of them are looked at.
func (d *diagnosis) resolve(ctx context.Context, cfg DiagnoseConfig) error {
	sel := cfg.Interface
	if sel == "" && d.hasChannel() {
		sel = cfg.Channel.Zone()
	}
	if sel != "" {
		ifi, _, err := findInterface(sel)
		if err != nil {
			return err
		}
		d.links, d.chosen = []net.Interface{ifi}, true
		return nil
	}
	if d.hasChannel() {
		ifi, err := interfaceByRoute(ctx, netip.AddrPortFrom(d.ch.Group, probePort))
		if err == nil {
			d.links, d.chosen = []net.Interface{ifi}, true
			d.add("route", Info, ifi.Name, "the route to "+d.ch.Group.String()+" leads here, so programs that name no interface use it", "")
			return nil
		}
		d.noRoute(Problem, d.ch.Group.String())
	}
	return d.allLinks(ctx)
}

func (d *diagnosis) allLinks(ctx context.Context) error {
	ifis, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, ifi := range ifis {
		if ifi.Flags&net.FlagUp != 0 && ifi.Flags&net.FlagMulticast != 0 && len(d.links) < maxLinks {
			d.links = append(d.links, ifi)
		}
	}
	if len(d.links) == 0 {
		d.add("no-interface", Problem, "", "no interface is up and does multicast", "bring one up (ip link set eth0 up multicast on)")
	}
	if !d.hasChannel() {
		d.defaultRoute(ctx)
	}
	return nil
}
