package mcast

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mld"
)

// frameKind is what a packet seen on the wire means to Diagnose.
type frameKind uint8

const (
	frameOther  frameKind = iota
	frameQuery            // of IGMP or MLD
	frameReport           // a report, or a leave
	frameGroup            // UDP to a group
)

// A wireFrame is the part of a packet that Diagnose looks at.
type wireFrame struct {
	kind     frameKind
	src, dst netip.Addr
	version  int           // of IGMP, 1 to 3, or MLD, 1 or 2
	interval time.Duration // between the querier's queries, where they tell, else 0
	port     uint16        // to which UDP goes
}

// parseFrame reads an IP packet, which may be cut short after its headers. What the
// kernel would not take for a query is not one here either: checksums and, for MLD,
// how it was sent are compared.
func parseFrame(b []byte) (f wireFrame) {
	var p wire.IP
	if len(b) == 0 {
		return f
	}
	parse := wire.ParseIPv6
	if b[0]>>4 == 4 {
		parse = wire.ParseIPv4
	}
	if parse(b, &p) != nil {
		return f
	}
	f.src, f.dst = p.Src, p.Dst
	switch is4 := p.Src.Is4(); {
	case p.Fragment && !p.First:
	case p.Protocol == wire.ProtoUDP && p.Dst.IsMulticast() && len(p.Payload) >= 8:
		f.kind, f.port = frameGroup, binary.BigEndian.Uint16(p.Payload[2:])
	case p.Protocol == wire.ProtoIGMP && is4:
		f.igmp(&p)
	case p.Protocol == wire.ProtoICMPv6 && !is4:
		f.mld(&p)
	}
	return f
}

// is notes what the frame is, unless its message turned out to be bad. Of one that was
// cut short nobody can know.
func (f *wireFrame) is(kind frameKind, version int, err error, p *wire.IP) {
	if err == nil || p.Truncated && kind == frameReport {
		f.kind, f.version = kind, version
	}
}

func (f *wireFrame) igmp(p *wire.IP) {
	switch t, _ := igmp.TypeOf(p.Payload); t {
	case igmp.TypeQuery:
		var q igmp.Query
		err := igmp.Strict.ParseQuery(p.Payload, &q)
		f.is(frameQuery, int(q.Version), err, p)
		f.interval = q.Interval()
	case igmp.TypeReport1, igmp.TypeReport2, igmp.TypeLeave:
		var m igmp.Membership
		version := 2
		if t == igmp.TypeReport1 {
			version = 1
		}
		f.is(frameReport, version, igmp.Strict.ParseMembership(p.Payload, &m), p)
	case igmp.TypeReport3:
		var r igmp.Report3
		f.is(frameReport, 3, igmp.Strict.ParseReport3(p.Payload, &r), p)
	}
}

// mld leaves out queries that everyone ignores because of how they were sent (RFC 3810
// section 6.2); of reports it wants to know in any case.
func (f *wireFrame) mld(p *wire.IP) {
	switch t, _ := mld.TypeOf(p.Payload); t {
	case mld.TypeQuery:
		var q mld.Query
		err := mld.Strict.ParseQuery(p.Src, p.Dst, p.Payload, &q)
		env := mld.Envelope{Src: p.Src, Dst: p.Dst, HopLimit: p.HopLimit, RouterAlert: p.RouterAlert}
		if env.HopLimit == 0 || q.Check(env)&(mld.WrongHopLimit|mld.NoRouterAlert|mld.NotLinkLocal|mld.NoSender) != 0 {
			return
		}
		f.is(frameQuery, int(q.Version), err, p)
		f.interval = q.Interval()
	case mld.TypeReport, mld.TypeDone:
		var m mld.Membership
		f.is(frameReport, 1, mld.Strict.ParseMembership(p.Src, p.Dst, p.Payload, &m), p)
	case mld.TypeReport2:
		var r mld.Report2
		f.is(frameReport, 2, mld.Strict.ParseReport2(p.Src, p.Dst, p.Payload, &r), p)
	}
}
