package mld

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// Errors of engines.
var (
	ErrConfig   = gmp.ErrConfig   // a setting makes no sense
	ErrFamily   = gmp.ErrFamily   // a group is not IPv6
	ErrSSM      = gmp.ErrSSM      // a source-specific group without sources (RFC 4604 section 2.1)
	ErrLimit    = gmp.ErrLimit    // MaxGroups, MaxSockets or MaxSources
	ErrShutdown = gmp.ErrShutdown // the listener has said goodbye
)

// Timers are the timers and counters of RFC 3810 section 9. Zero fields take the
// default in their comment. Times that messages carry are rounded down to what they
// can carry.
type Timers struct {
	// Robustness is how many times a thing is said; the protocol survives one
	// loss less. 1 to 255, default 2 (section 9.1).
	Robustness int

	// QueryInterval is between general queries, 1 s to 31,744 s. Default 125 s
	// (section 9.2).
	QueryInterval time.Duration

	// QueryResponse is how long nodes may take to answer a general query, at
	// most QueryInterval. Default 10 s (section 9.3).
	QueryResponse time.Duration

	// StartupInterval is between the first general queries. Default a quarter
	// of QueryInterval (section 9.6).
	StartupInterval time.Duration

	// StartupCount is how many of them there are. Default Robustness (section
	// 9.7).
	StartupCount int

	// LastMember is the last listener query interval: between specific queries,
	// and how long nodes may take to answer one. Default 1 s (section 9.8).
	LastMember time.Duration

	// LastMemberCount is how many specific queries are sent, the last listener
	// query count. Default Robustness
	// (section 9.9).
	LastMemberCount int

	// Unsolicited is the time in which a node of version 2 repeats a change of
	// its state. Default 1 s (section 9.11).
	Unsolicited time.Duration

	// MaxQueryInterval is the longest query interval believed of others, the
	// longest time they give for answers, and the longest that a switch believes
	// a router's hello: else a forged query can silence a querier, or hold a host
	// in an old mode, for days. Default one hour. The RFCs know no such limit.
	MaxQueryInterval time.Duration
}

// Limits bound what a Router, or a Snooper for each port, keeps for others. Zero
// fields take the default in their comment. What is there stays: at a limit it is
// the new that does not get in. A source that finds no room in an any-source group
// makes all its senders wanted, so that nobody misses what he asked for.
type Limits struct {
	MaxGroups      int // default 4,096; 1,024 for a Snooper's port
	MaxSources     int // of a group; default 1,024
	MaxAllSources  int // of all groups; default 65,536; 16,384 for a Snooper's port
	MaxHostGroups  int // that one address may have brought in; default a quarter of MaxGroups
	MaxHostSources int // likewise; default a quarter of MaxAllSources
	MaxTracked     int // hosts in groups, and their sources, when tracked; default MaxAllSources
}

// PacketStats counts the packets that did not get as far as the protocol.
type PacketStats struct {
	Malformed   uint64 // no whole IPv6 packet, or no message that Strict accepts
	BadChecksum uint64 // of the message
	Refused     uint64 // by the policy
	Other       uint64 // messages of other types, or of other protocols
	Unsendable  uint64 // messages of this engine that could not be written; should be 0
}

// A codec stands between an engine, which knows decoded messages, and whole IP
// packets. Its room for a message is reused, and no larger than the longest packet.
type codec struct {
	policy  Violations
	routers bool // advertisements and PIM hellos count too
	stats   PacketStats

	in      gmp.Message
	sources []netip.Addr
	query   Query
	old     Membership
	report  Report2

	out  gmp.Message
	list Sources
	body []byte
	pack ReportBuilder
}

func newCodec(policy, standard Violations) codec {
	if policy == 0 {
		policy = standard
	}
	return codec{policy: policy}
}

// read returns the message in a packet, which is valid until the next call, or nil if
// there is none to act on, and then it has counted why.
func (c *codec) read(p *datagram.Packet) *gmp.Message {
	env, b, err := ParsePacket(p.Data)
	if err == nil {
		c.in = gmp.Message{IfIndex: p.IfIndex, Src: env.Src, Dst: env.Dst, Records: c.in.Records}
		err = c.parse(b, env)
	} else if c.routers && errors.Is(err, ErrProtocol) {
		err = c.parsePIM(p)
	}
	switch {
	case err == nil:
		return &c.in
	case errors.Is(err, errRefused):
		c.stats.Refused++
	case errors.Is(err, ErrChecksum):
		c.stats.BadChecksum++
	case errors.Is(err, ErrType), errors.Is(err, ErrProtocol), errors.Is(err, ErrIPVersion):
		c.stats.Other++
	default:
		c.stats.Malformed++
	}
	return nil
}

var errRefused = errors.New("refused by the policy")

// refuses compares what a message breaks with the policy.
func (c *codec) refuses(v Violations) error {
	if v&c.policy != 0 {
		return errRefused
	}
	return nil
}

// parse fills c.in.
func (c *codec) parse(b []byte, env Envelope) error {
	m := &c.in
	m.Records = m.Records[:0]
	switch t, _ := TypeOf(b); t {
	case TypeQuery:
		q := &c.query
		if err := Strict.ParseQuery(env.Src, env.Dst, b, q); err != nil {
			return err
		}
		m.Kind, m.Generation, m.Group = gmp.KindQuery, generation(q.Version), q.Group
		m.MaxResp = q.MaxResp()
		m.Suppress, m.QRV, m.Interval = q.Suppress, q.Robustness, q.Interval()
		c.sources = q.Sources.AppendTo(c.sources[:0])
		m.Sources = c.sources
		return c.refuses(q.Check(env))
	case TypeReport, TypeDone:
		r := &c.old
		if err := Strict.ParseMembership(env.Src, env.Dst, b, r); err != nil {
			return err
		}
		m.Kind, m.Generation, m.Group = gmp.KindReport, gmp.V2, r.Group
		if t == TypeDone {
			m.Kind = gmp.KindLeave
		}
		return c.refuses(r.Check(env))
	case TypeReport2:
		r := &c.report
		if err := Strict.ParseReport2(env.Src, env.Dst, b, r); err != nil {
			return err
		}
		m.Kind, m.Generation = gmp.KindStateReport, gmp.V3
		c.sources = c.sources[:0]
		for rec := range r.Records.All() {
			n := len(c.sources)
			c.sources = rec.Sources.AppendTo(c.sources)
			m.Records = append(m.Records, gmp.Record{Type: gmp.RecordType(rec.Type), Group: rec.Group, Sources: c.sources[n:len(c.sources):len(c.sources)]})
		}
		return c.refuses(r.Check(env))
	case TypeRouterAdvertisement:
		switch {
		case !c.routers || env.Dst != AllSnoopers:
			return ErrType
		case len(b) < 8:
			return fail(t.String(), "length", io.ErrUnexpectedEOF)
		case !sumOK(env.Src, env.Dst, b):
			return ErrChecksum
		}
		m.Kind, m.MaxResp = gmp.KindRouter, gmp.AdvertisedHold(b[1])
		return c.refuses(env.check() &^ NoRouterAlert)
	default:
		return ErrType
	}
}

// parsePIM fills c.in from a PIM hello.
func (c *codec) parsePIM(p *datagram.Packet) error {
	var ip wire.IP
	if err := wire.ParseIPv6(p.Data, &ip); err != nil {
		return err
	}
	b, err := ip.Whole(gmp.ProtoPIM)
	if err != nil {
		return err
	}
	hold, ok := gmp.PIMHello(b)
	switch {
	case !ok || ip.Dst != AllPIMRouters:
		return ErrType
	case wire.Sum6(ip.Src, ip.Dst, gmp.ProtoPIM, b) != 0xffff:
		return ErrChecksum
	}
	env := Envelope{Src: ip.Src, Dst: ip.Dst, HopLimit: ip.HopLimit}
	c.in = gmp.Message{Kind: gmp.KindRouter, IfIndex: p.IfIndex, Src: env.Src, Dst: env.Dst, MaxResp: hold, Records: c.in.Records[:0]}
	return c.refuses(env.check() &^ NoRouterAlert)
}

// write makes a packet of an engine's message.
func (c *codec) write(p *datagram.Packet, m *gmp.Message) bool {
	err := c.append(m)
	if err == nil {
		p.Data, err = AppendPacket(p.Data[:0], m.Src, m.Dst, c.body)
	}
	if err != nil {
		c.stats.Unsendable++
		return false
	}
	p.Src, p.Dst = netip.AddrPortFrom(m.Src, 0), netip.AddrPortFrom(m.Dst, 0)
	p.IfIndex, p.HopLimit, p.TOS, p.SegSize = m.IfIndex, int(p.Data[7]), p.Data[0]<<4|p.Data[1]>>4, 0
	return true
}

// append writes the message into c.body.
func (c *codec) append(m *gmp.Message) (err error) {
	switch m.Kind {
	case gmp.KindQuery:
		q := &c.query
		*q = Query{Version: versionOf(m.Generation), Group: m.Group, Suppress: m.Suppress, Robustness: m.QRV}
		q.SetMaxResp(m.MaxResp)
		q.SetInterval(m.Interval)
		if c.list, err = c.list[:0].Append(m.Sources...); err != nil {
			return err
		}
		q.Sources = c.list
		c.body, err = q.Append(c.body[:0], m.Src, m.Dst)
	case gmp.KindReport, gmp.KindLeave:
		r := Membership{Type: TypeReport, Group: m.Group}
		if m.Kind == gmp.KindLeave {
			r.Type = TypeDone
		}
		c.body, err = r.Append(c.body[:0], m.Src, m.Dst)
	case gmp.KindStateReport:
		c.pack.Reset(c.body[:0], 0xffff-HeaderLen)
		for i := range m.Records {
			r := &m.Records[i]
			n, err := c.pack.Add(RecordType(r.Type), r.Group, r.Sources)
			if err != nil || n < len(r.Sources) {
				return fmt.Errorf("record %d: %w", i, errors.Join(err, ErrFull))
			}
		}
		c.body = c.pack.Bytes(m.Src, m.Dst)
	default:
		return ErrType
	}
	return err
}

// checkVersion is for versions in configurations, where 0 is the newest.
func checkVersion(v uint8) error {
	if v > 2 {
		return fmt.Errorf("%w: there is no MLD version %d", ErrConfig, v)
	}
	return nil
}

// generation is the engines' number of a version: they count with IGMP, which has one
// more. 0 is the newest for them too.
func generation(v uint8) gmp.Generation {
	if v == 0 {
		return 0
	}
	return gmp.Generation(v + 1)
}

// versionOf is the version that the engines' number means.
func versionOf(g gmp.Generation) uint8 {
	if g == 0 {
		return 0
	}
	return uint8(g - 1)
}
