package sap

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

// A clash is one with its session as a number.
type clash struct {
	id uint64
	Clash
}

// compare looks whether a session of somebody else uses a group of ours.
func (e *announcer) compare(now time.Time, src netip.Addr, p *Packet) {
	if len(e.sessions) == 0 {
		return
	}
	if now.Sub(e.second) >= time.Second {
		e.second, e.parses = now, maxParse
	}
	if e.parses == 0 {
		return
	}
	e.parses--
	if p.Encrypted || e.inflate.Inflate(p) != nil || !p.IsSDP() {
		return
	}
	d, err := sdp.Parse(p.Payload)
	if err != nil {
		return
	}
	o, _ := d.Origin()
	key := o.Key()
	var found []clash
	for _, c := range d.Channels() {
		for _, s := range e.users[c.Group] {
			if len(found) >= maxClashes {
				break
			}
			if s.key == key || s.origin() == p.Origin || slices.ContainsFunc(found, func(f clash) bool { return f.id == s.id }) {
				continue
			}
			if slices.ContainsFunc(s.channels, func(d sdp.Channel) bool { return overlap(c, d) }) {
				found = append(found, clash{s.id, Clash{Group: c.Group, Source: src, Description: d}})
			}
		}
	}
	slices.SortFunc(found, func(a, b clash) int { return cmp.Compare(a.id, b.id) })
	for _, c := range found {
		e.clash(now, e.sessions[c.id], c.Clash, p.Origin)
	}
}

// use notes which groups a session uses.
func (e *announcer) use(s *announced) {
	for _, c := range s.channels {
		if all := e.users[c.Group]; !slices.Contains(all, s) {
			e.users[c.Group] = append(all, s)
		}
	}
}

// disuse is the opposite.
func (e *announcer) disuse(s *announced) {
	for _, c := range s.channels {
		all := e.users[c.Group]
		if i := slices.Index(all, s); i >= 0 {
			if all = slices.Delete(all, i, i+1); len(all) == 0 {
				delete(e.users, c.Group)
			} else {
				e.users[c.Group] = all
			}
		}
	}
}

// overlap reports whether two channels get in each other's way: one group, and no
// two senders to tell them apart.
func overlap(a, b sdp.Channel) bool {
	return a.Group == b.Group && (!a.Source.IsValid() || !b.Source.IsValid() || a.Source == b.Source)
}

// clash decides whose the group is: who announced it first has it. A session that
// has been announced for less than an interval may be the younger one; then the lower
// originating source has it.
func (e *announcer) clash(now time.Time, s *announced, c Clash, origin netip.Addr) {
	old := false
	for _, sp := range s.spots {
		old = old || sp.sent > 0 && now.Sub(s.born) > e.interval(sp, now)*4/3
	}
	c.Yield = !old && origin.Compare(s.origin()) < 0
	if !c.Yield && now.Sub(s.defended) >= minDefend {
		s.defended = now
		for _, sp := range s.spots {
			e.stats.Defended++
			sp.fresh = true
			e.moveTo(sp, now)
		}
	}
	if len(e.clashes) < maxClashes {
		e.clashes = append(e.clashes, clash{s.id, c})
	}
}

// minDefend is how long a session is not announced out of its turn again.
const minDefend = 10 * time.Second

// event returns a clash, if there is one.
func (e *announcer) event() (clash, bool) {
	if len(e.clashes) == 0 {
		return clash{}, false
	}
	c := e.clashes[0]
	e.clashes = slices.Delete(e.clashes, 0, 1)
	return c, true
}
