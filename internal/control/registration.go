package control

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/igmp"
)

// A Registration is what a router told switches of a group, by CGMP, or a station did,
// by GMRP. Switches act on it and not on IGMP, where they know such protocols.
type Registration struct {
	Proto   string
	From    igmp.MAC // who sent the frame
	Group   igmp.MAC // zero: all groups, or a default for groups as Detail says
	Station igmp.MAC // of CGMP: who is in the group; zero: all stations
	Mode    string   // what was said last, as in Entry
	Detail  string   // as in Record
	Last    time.Time
	Frames  uint64

	// Groups are some of those that are reported and have the Ethernet address
	// Group, in ascending order.
	Groups []netip.Addr
}

// RegistrationCounts are frames of CGMP or GMRP; Refused counts those that could not
// be read, which are among the Other too.
type RegistrationCounts struct{ Joins, Leaves, Other, Refused uint64 }

type registrationKey struct {
	proto, detail        string
	from, group, station igmp.MAC
}

// registers returns the counts of a protocol by which switches are told of groups, nil
// for others.
func (w *Watch) registers(proto string) *RegistrationCounts {
	switch proto {
	case CGMP:
		return &w.cgmp
	case GMRP:
		return &w.gmrp
	}
	return nil
}

// register takes a frame.
func (w *Watch) register(c *RegistrationCounts, r *Record) {
	switch r.Type {
	case Join:
		c.Joins++
	case Leave:
		c.Leaves++
	default:
		c.Other++
	}
	if r.Refused {
		c.Refused++
		return
	}
	for i := range r.Groups {
		e := &r.Groups[i]
		k := registrationKey{r.Proto, "", r.SrcMAC, e.MAC, e.Station}
		if e.MAC == (igmp.MAC{}) {
			k.detail = r.Detail
		}
		x := w.registrations[k]
		if x == nil {
			if len(w.registrations) >= w.cfg.Limits.Registrations {
				w.full()
				continue
			}
			x = &Registration{Proto: r.Proto, From: r.SrcMAC, Group: e.MAC, Station: e.Station, Detail: k.detail}
			w.registrations[k] = x
		}
		x.Mode, x.Last = e.Mode, w.now
		x.Frames++
	}
}

// expireRegistrations forgets what was not repeated for a membership's life.
func (w *Watch) expireRegistrations() {
	for k, x := range w.registrations {
		if w.now.Sub(x.Last) >= memory {
			delete(w.registrations, k)
		}
	}
}

// RegistrationCounts returns how many frames of CGMP or GMRP were seen.
func (w *Watch) RegistrationCounts(proto string) RegistrationCounts {
	if c := w.registers(proto); c != nil {
		return *c
	}
	return RegistrationCounts{}
}

// Registrations returns what was told in the last minutes, by protocol, group, sender
// and station.
func (w *Watch) Registrations() []Registration {
	list := make([]Registration, 0, len(w.registrations))
	for _, x := range w.registrations {
		y := *x
		for _, e := range w.macs[x.Group] {
			if len(y.Groups) == maxAliases {
				break
			}
			y.Groups = append(y.Groups, e.addr)
		}
		slices.SortFunc(y.Groups, netip.Addr.Compare)
		list = append(list, y)
	}
	slices.SortFunc(list, func(a, b Registration) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), bytes.Compare(a.Group[:], b.Group[:]), cmp.Compare(a.Detail, b.Detail),
			bytes.Compare(a.From[:], b.From[:]), bytes.Compare(a.Station[:], b.Station[:]))
	})
	return list
}
