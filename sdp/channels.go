package sdp

import (
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Channel is one thing to join to receive a media: a group, the sender wanted, and
// the port.
type Channel struct {
	Group  netip.Addr // the multicast address
	Source netip.Addr // the sender, or the zero Addr for any

	Port uint16 // UDP port of the media

	// RTCP is the port that RTCP is multicast to on the same group, Port itself
	// if the two share it, or 0 for media without RTCP.
	RTCP uint16

	// RTP is set for media in RTP packets.
	RTP bool

	// TTL is what the c= line tells of the sender, 0 when it tells nothing.
	TTL uint8

	// Media is the place of its m= line among the media, from 0.
	Media int

	// Except has the senders of a source filter that excludes: Source is then
	// zero, and packets from these are not wanted.
	Except []netip.Addr
}

// Channel returns the group and the source.
func (c Channel) Channel() group.Channel { return group.Channel{Group: c.Group, Source: c.Source} }

// String returns Target as text: "rtp://192.0.2.10@232.1.2.3:5004".
func (c Channel) String() string { return c.Target().String() }

// Target returns the channel with its port and rtp or udp as scheme, which is what
// people write, players open and the commands take. mcast.Open takes the group and port,
// and mcast.Source the source.
func (c Channel) Target() group.Target {
	t := group.Target{Scheme: "udp", Channel: c.Channel(), Port: c.Port}
	if c.RTP {
		t.Scheme = "rtp"
	}
	return t
}

// ChannelOptions says what Channels cannot know. The zero value is what Channels
// uses.
type ChannelOptions struct {
	// Source is the sender to take for groups in the source-specific range
	// that have no source filter. VLC announces such: the sender of the
	// announcement, or the address in the o= line, is then a good guess.
	Source netip.Addr

	// Lookup returns the addresses of a host name, in c= lines and source
	// filters. Without it names are passed over.
	Lookup func(name string) []netip.Addr
}

// Channels returns what to join, in the order of the media: for each multicast media
// with a port, each of its groups and ports, from each of the senders in its source
// filter. A filter of the media replaces those of the session, and one that names the
// group those for all. Groups without a filter are for any sender. There are at most
// MaxChannels.
//
// Unicast media and those with port 0 give none. Nor does a group whose filter only
// has names or senders of the other IP version: to join it for any sender would be
// what the filter forbids. A text with thousands of groups and senders, made to be
// slow, gives the first of its channels only.
func (d *Description) Channels() []Channel { return d.ChannelsWith(ChannelOptions{}) }

// ChannelsWith is Channels with more knowledge.
func (d *Description) ChannelsWith(o ChannelOptions) []Channel {
	g := gatherer{d: d, opt: o, above: d.Session().ownFilters(nil)}
	for i := range d.media {
		if !g.media(i) {
			break
		}
	}
	return g.found
}

// A gatherer puts channels together.
type gatherer struct {
	d       *Description
	opt     ChannelOptions
	found   []Channel
	above   []SourceFilter // filters of the session
	own     []SourceFilter // and of the media
	filters []SourceFilter // those that count
	session []Connection
	asked   bool // for the session's connections
	lookups int
	work    int
}

// maxWork bounds the comparisons made for one description, so that one with thousands
// of senders and groups, made to be slow, costs some milliseconds and not seconds. None
// that means well comes near.
const maxWork = 1 << 18

// media adds the channels of one m= line, and reports whether there is room for more.
func (g *gatherer) media(i int) bool {
	m, _ := g.d.MediaAt(i)
	if m.Port == 0 {
		return true
	}
	g.own = m.ownFilters(g.own[:0])
	if g.filters = g.own; len(g.own) == 0 {
		g.filters = g.above
	}
	rtcp, fixed := m.rtcpPort()
	ports, step := m.ports()
	port := func(n int) (uint16, uint16) {
		p := int(m.Port) + min(n, ports-1)*step
		switch {
		case fixed || rtcp == 0:
			return uint16(p), rtcp
		case rtcp == m.Port:
			return uint16(p), uint16(p)
		case p == 65535:
			return uint16(p), 0
		}
		return uint16(p), uint16(p + 1)
	}
	n, own := 0, false
	for _, l := range m.Lines() {
		if l.typ != 'c' {
			continue
		}
		c, bad := parseConnection(l.Value())
		if bad.dead {
			continue
		}
		own = true
		if !g.connection(c, &m, &n, port) {
			return false
		}
	}
	if !own {
		if !g.asked {
			g.session, g.asked = g.d.Session().Connections(), true
		}
		for _, c := range g.session {
			if !g.connection(c, &m, &n, port) {
				return false
			}
		}
	}
	// One group with several ports has its streams there, one to a port; of
	// several groups each has the port of its place (RFC 8866 section 5.14).
	if n == 1 && ports > 1 {
		last := len(g.found)
		first := last
		for first > 0 && g.found[first-1].Media == i {
			first--
		}
		for k := 1; k < ports; k++ {
			for _, ch := range g.found[first:last] {
				if ch.Port, ch.RTCP = port(k); !g.add(ch) {
					return false
				}
			}
		}
	}
	return true
}

// connection adds the channels of one c= line. n counts the groups so far.
func (g *gatherer) connection(c Connection, m *Media, n *int, port func(int) (uint16, uint16)) bool {
	ch := Channel{TTL: c.TTL, Media: m.level, RTP: m.RTP()}
	name := ""
	if !c.Addr.IsValid() {
		name = c.Host
		for _, a := range g.lookup(c.Host) {
			if a = a.Unmap(); a.IsMulticast() && addrType(a) == c.AddrType {
				c.Addr = a
				break
			}
		}
	}
	for a := range c.Groups() {
		ch.Group = a
		ch.Port, ch.RTCP = port(*n)
		*n++
		if !g.sources(ch, name) {
			return false
		}
	}
	return true
}

// sources adds a channel once for each sender wanted. The group was told by name, if
// that is not empty.
func (g *gatherer) sources(ch Channel, name string) bool {
	if g.work += 2 * len(g.filters); g.work > maxWork {
		return false
	}
	best, exact := -1, false
	for i, f := range g.filters {
		if covers, named := f.covers(ch.Group, name); covers && (best < 0 || named && !exact) {
			best, exact = i, named
		}
	}
	if best < 0 {
		if s := g.opt.Source.Unmap(); group.IsSSM(ch.Group) && addrType(s) == addrType(ch.Group) && s.IsValid() {
			ch.Source = s
		}
		return g.add(ch)
	}
	// There may be only one, but two for one group are more likely meant to
	// add up.
	exclude, first := g.filters[best].Exclude, len(g.found)
	for _, f := range g.filters {
		if covers, named := f.covers(ch.Group, name); !covers || named != exact || f.Exclude != exclude {
			continue
		}
		for host, a := range f.AllSources() {
			if a.IsValid() {
				if !g.source(&ch, first, exclude, a) {
					return false
				}
				continue
			}
			for _, a := range g.lookup(host) {
				if !g.source(&ch, first, exclude, a) {
					return false
				}
			}
		}
	}
	if exclude {
		return g.add(ch)
	}
	return true
}

// source adds a channel for a sender, or the sender to those that are not wanted.
func (g *gatherer) source(ch *Channel, first int, exclude bool, a netip.Addr) bool {
	if g.work += 1 + len(g.found) - first; g.work > maxWork {
		return false
	}
	one := *ch
	one.Source = a.Unmap()
	if one.Channel().Validate() != nil {
		return true
	}
	if exclude {
		ch.Except = append(ch.Except, one.Source)
		return true
	}
	for _, have := range g.found[first:] {
		if have.Source == one.Source {
			return true
		}
	}
	return g.add(one)
}

func (g *gatherer) add(ch Channel) bool {
	if len(g.found) >= MaxChannels {
		return false
	}
	g.found = append(g.found, ch)
	return true
}

// lookup asks the caller for the addresses of a name. A hostile description may have
// many names, so there is a bound.
func (g *gatherer) lookup(name string) []netip.Addr {
	if g.opt.Lookup == nil || g.lookups >= MaxGroups {
		return nil
	}
	g.lookups++
	return g.opt.Lookup(name)
}
