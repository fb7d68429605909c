package control

import (
	"errors"
	"strings"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/pcap"
)

// describeCGMP reads a frame of routers to switches.
func describeCGMP(f *pcap.Frame, r *Record) bool {
	var c igmp.CGMP
	err := igmp.ParseCGMP(f.Payload, &c)
	if errors.Is(err, igmp.ErrType) || err != nil && igmp.MAC(f.DstMAC) != igmp.CGMPAddr {
		return false
	}
	r.Proto, r.Type = CGMP, Other
	r.failed(err, true)
	if err != nil {
		return true
	}
	r.Version = int(c.Version)
	switch c.Type {
	case igmp.CGMPJoin:
		r.Type = Join
	case igmp.CGMPLeave:
		r.Type = Leave
	default:
		r.Detail = c.Type.String()
	}
	for i := range c.Entries.Len() {
		group, station := c.Entries.At(i)
		r.add(Entry{MAC: group, Station: station, Mode: r.Type})
	}
	return true
}

// describeGMRP reads a frame of stations to switches. It is a join or a leave if all
// that it declares is.
func describeGMRP(f *pcap.Frame, r *Record) bool {
	if igmp.MAC(f.DstMAC) != igmp.GMRPAddr {
		return false
	}
	g, err := igmp.ParseGMRP(f.Payload)
	if errors.Is(err, igmp.ErrType) {
		return false
	}
	r.Proto, r.Type = GMRP, ""
	r.failed(err, true)
	for a := range g.All() {
		e := Entry{MAC: a.Group, Mode: strings.ReplaceAll(a.Event.String(), " ", "_")}
		if a.Service {
			if r.Detail = "unregistered groups"; a.ForwardAll {
				r.Detail = "all groups"
			}
		}
		r.add(e)
		t := Other
		switch a.Event {
		case igmp.GMRPJoinEmpty, igmp.GMRPJoinIn:
			t = Join
		case igmp.GMRPLeaveEmpty, igmp.GMRPLeaveIn, igmp.GMRPLeaveAll:
			t = Leave
		}
		if r.Type != "" && r.Type != t {
			t = Other
		}
		r.Type = t
	}
	if r.Type == "" {
		r.Type = Other
	}
	return true
}
