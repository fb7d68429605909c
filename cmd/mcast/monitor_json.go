package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

// The lines of --json. Times are in seconds.
type (
	querierEvent struct {
		Event      string  `json:"event"` // "querier"
		Proto      string  `json:"proto"`
		Address    string  `json:"address"`
		Version    int     `json:"version"`
		Elected    bool    `json:"elected"`
		Interval   float64 `json:"interval,omitempty"`      // as it says
		Seen       float64 `json:"interval_seen,omitempty"` // between its last two queries
		Robustness int     `json:"robustness,omitempty"`
		MaxResp    float64 `json:"max_resp"`
		Age        float64 `json:"age"` // since its last General Query
		Queries    uint64  `json:"queries"`
	}
	groupEvent struct {
		Event     string          `json:"event"` // "group"
		Group     string          `json:"group"`
		Name      string          `json:"name,omitempty"`
		Mode      string          `json:"mode"` // "include" or "exclude"
		Sources   []netip.Addr    `json:"sources"`
		Version   int             `json:"version"`
		Age       float64         `json:"age"` // since the last report
		Stale     bool            `json:"stale,omitempty"`
		MAC       string          `json:"mac"`
		Aliases   []netip.Addr    `json:"aliases"` // groups reported with the same MAC
		Control   string          `json:"control_alias,omitempty"`
		Reporters []reporterEvent `json:"reporters"`
	}
	reporterEvent struct {
		Address string       `json:"address"`
		Version int          `json:"version"`
		Mode    string       `json:"mode"`
		Sources []netip.Addr `json:"sources"`
		Age     float64      `json:"age"`
		Reports uint64       `json:"reports"`
	}
	registrationEvent struct {
		Event   string       `json:"event"` // "registration"
		Proto   string       `json:"proto"` // "cgmp" or "gmrp"
		From    string       `json:"from"`
		Group   string       `json:"group"`  // a MAC; zero for all groups
		Groups  []netip.Addr `json:"groups"` // reported, with that MAC
		Mode    string       `json:"mode"`
		Detail  string       `json:"detail,omitempty"`
		Station string       `json:"station,omitempty"` // of CGMP; zero for all
		Age     float64      `json:"age"`
		Frames  uint64       `json:"frames"`
	}
	warningEvent struct {
		Event   string `json:"event"` // "warning"
		Code    string `json:"code"`
		Proto   string `json:"proto,omitempty"`
		Active  bool   `json:"active"` // false when it is over
		Message string `json:"message"`
	}
	trafficEvent struct {
		Event    string            `json:"event"` // "traffic"; "summary" when it is the last
		Groups   int               `json:"groups"`
		Hosts    int               `json:"hosts"`
		Igmp     trafficCounts     `json:"igmp"`
		Mld      trafficCounts     `json:"mld"`
		Cgmp     *frameCounts      `json:"cgmp,omitempty"` // if there were any
		Gmrp     *frameCounts      `json:"gmrp,omitempty"`
		Problems map[string]uint64 `json:"problems"`
		Refused  uint64            `json:"refused"` // for want of room
		Dropped  uint64            `json:"dropped"`
	}
	trafficCounts struct {
		Queries uint64 `json:"queries"`
		Reports uint64 `json:"reports"`
		Leaves  uint64 `json:"leaves"`
		Other   uint64 `json:"other"`
		Ignored uint64 `json:"ignored"` // hosts and routers do not act on these
	}
	frameCounts struct {
		Joins   uint64 `json:"joins"`
		Leaves  uint64 `json:"leaves"`
		Other   uint64 `json:"other"`
		Ignored uint64 `json:"ignored"` // could not be read
	}
)

// lines writes the state as JSON.
func (m *meter) lines(now time.Time, queriers []control.Querier, groups []control.Group, s mcast.Stats, final bool) {
	for i := range queriers {
		q := &queriers[i]
		m.out.event(querierEvent{"querier", q.Proto, q.Addr.String(), q.Version, q.Elected, q.Interval.Seconds(), q.Seen.Seconds(), q.Robustness,
			q.MaxResp.Seconds(), now.Sub(q.Last).Seconds(), q.General + q.Specific}, "")
	}
	hosts := make(map[netip.Addr]bool)
	for i := range groups {
		g := &groups[i]
		name, _ := group.WellKnown(g.Addr)
		e := groupEvent{Event: "group", Group: g.Addr.String(), Name: name, Mode: strings.ToLower(g.Filter.Mode.String()), Sources: list(g.Filter.Sources),
			Version: g.Version, Age: now.Sub(g.Last).Seconds(), Stale: g.Stale, MAC: macText(g.Addr), Aliases: list(g.Aliases)}
		if g.Control.IsValid() {
			e.Control = g.Control.String()
		}
		for _, r := range g.Reporters {
			hosts[r.Addr] = true
			e.Reporters = append(e.Reporters, reporterEvent{r.Addr.String(), r.Version, strings.ToLower(r.Filter.Mode.String()), list(r.Filter.Sources),
				now.Sub(r.Last).Seconds(), r.Reports})
		}
		m.out.event(e, "")
	}
	for _, r := range m.watch.Registrations() {
		e := registrationEvent{"registration", r.Proto, r.From.String(), r.Group.String(), list(r.Groups), r.Mode, r.Detail, "", now.Sub(r.Last).Seconds(), r.Frames}
		if r.Proto == control.CGMP {
			e.Station = r.Station.String()
		}
		m.out.event(e, "")
	}
	kind := "traffic"
	if final {
		kind = "summary"
	}
	m.out.event(trafficEvent{kind, len(groups), len(hosts), trafficOf(m.watch.Counts(control.IGMP)), trafficOf(m.watch.Counts(control.MLD)),
		framesOf(m.watch.RegistrationCounts(control.CGMP)), framesOf(m.watch.RegistrationCounts(control.GMRP)), m.watch.Problems(), m.watch.Refused(), s.Dropped}, "")
}

func trafficOf(c control.Counts) trafficCounts {
	return trafficCounts{c.Queries, c.Reports, c.Leaves, c.Other, c.Refused}
}

func framesOf(c control.RegistrationCounts) *frameCounts {
	if c == (control.RegistrationCounts{}) {
		return nil
	}
	return &frameCounts{c.Joins, c.Leaves, c.Other, c.Refused}
}

// list makes null an empty list.
func list(a []netip.Addr) []netip.Addr {
	if a == nil {
		return []netip.Addr{}
	}
	return a
}

func macText(g netip.Addr) string {
	b := group.MAC(g)
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}
