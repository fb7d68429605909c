package madcap

import (
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// A serverScope is a scope with its pools.
type serverScope struct {
	*Scope
	family Family
	server netip.Addr // the MADCAP Server Multicast Address
	pools  []*pool
	within map[*serverScope]bool // what it nests inside, told or following from that
}

func (s *Server) buildScopes() {
	byID := map[netip.Addr]*serverScope{}
	for i := range s.cfg.Scopes {
		sc := &serverScope{Scope: &s.cfg.Scopes[i], within: map[*serverScope]bool{}}
		sc.family = FamilyOf(sc.First)
		sc.server, _ = sc.Zone.Relative(group.OffsetMADCAP)
		for _, z := range sc.Pools {
			sc.pools = append(sc.pools, newPool(z))
		}
		s.scopes = append(s.scopes, sc)
		byID[sc.First] = sc
	}
	for _, sc := range s.scopes {
		for _, id := range sc.Within {
			if o := byID[id]; o != nil && o != sc {
				sc.within[o] = true
			}
		}
	}
	for range s.scopes { // until nothing more follows
		for _, a := range s.scopes {
			for b := range a.within {
				for c := range b.within {
					if c != a {
						a.within[c] = true
					}
				}
			}
		}
	}
	for _, sc := range s.scopes {
		for _, st := range sc.Static {
			s.take(st.Ranges)
		}
	}
}

// scope returns the scope with an ID.
func (s *Server) scope(id netip.Addr) *serverScope {
	for _, sc := range s.scopes {
		if sc.First == id {
			return sc
		}
	}
	return nil
}

// reservation returns what is kept for an ID.
func (s *Server) reservation(id ID) (*serverScope, []Range) {
	for _, sc := range s.scopes {
		for _, r := range sc.Static {
			if r.ID == id {
				return sc, r.Ranges
			}
		}
	}
	return nil, nil
}

// Groups returns the MADCAP Server Multicast Addresses of the server's scopes, which it
// is to hear (RFC 2730 section 2.10).
func (s *Server) Groups() (all []netip.Addr) { return ServerGroups(s.cfg.Scopes) }

// ServerGroups returns the MADCAP Server Multicast Address of each scope: the one
// before its last (RFC 2730 section 2.10).
func ServerGroups(scopes []Scope) (all []netip.Addr) {
	for _, sc := range scopes {
		if a, ok := sc.Zone.Relative(group.OffsetMADCAP); ok {
			all = append(all, a)
		}
	}
	return all
}

// concerned reports whether the place a multicast request came in at is one where the
// server may answer it (section 2.11): a scope is given out only to those who asked in
// it or in one inside it, and information only in the smallest of a family.
func (s *Server) concerned(r *request) bool {
	if !r.group.IsValid() {
		return r.kind != KindDiscover // which is always multicast
	}
	var at *serverScope
	for _, sc := range s.scopes {
		if sc.server == r.group {
			at = sc
			break
		}
	}
	if at == nil { // the shell joined it; as the local scope
		return r.kind != KindRenew && r.kind != KindRelease
	}
	switch r.kind {
	case KindGetInfo:
		return s.smallest(at)
	case KindDiscover, KindMulticastRequest:
		want := s.scope(r.Scope)
		if want == nil || want == at || want.family != at.family {
			return true // what is wrong, if anything, is not the place
		}
		if len(at.within) > 0 || len(want.within) > 0 {
			return at.within[want]
		}
		for _, sc := range s.scopes { // listed from the smallest on
			if sc == at || sc == want {
				return sc == at
			}
		}
	}
	return false // to be unicast
}

func (s *Server) smallest(at *serverScope) bool {
	for _, sc := range s.scopes {
		if sc.family == at.family {
			return sc == at
		}
	}
	return false
}

// getInfo answers a GETINFO as far as it asks for something that a server has to tell.
func (s *Server) getInfo(r *request) {
	m := s.answer(r, TypeAck)
	if r.RequestList.Has(OptionScopeList) {
		list, err := listScopes(s.cfg.Scopes, r.Family, string(r.Language), !r.Has.Has(OptionLanguage))
		if err == nil && len(list.data) > MaxMessage-2*maxLeaseID-300 { // not all languages then
			list, err = listScopes(s.cfg.Scopes, r.Family, "", false)
		}
		if err == nil {
			m.Scopes, m.Has = list, m.Has.With(OptionScopeList)
		}
		if err == nil && r.RequestList.Has(OptionNesting) && list.Len() > 0 {
			m.Nesting, m.Has = s.nesting(r.Family), m.Has.With(OptionNesting)
		}
	}
	if r.RequestList.Has(OptionCurrentTime) {
		m.CurrentTime, m.Has = r.now, m.Has.With(OptionCurrentTime)
	}
	if r.RequestList.Has(OptionFeatures) && !m.Has.Has(OptionFeatures) {
		m.Features, m.Has = NewFeatureList(s.features, nil, nil), m.Has.With(OptionFeatures)
	}
	s.stats.Infos++
	s.reply(r.place, &m)
}

func (s *Server) nesting(f Family) Nesting {
	var of []*serverScope
	for _, sc := range s.scopes {
		if sc.family == f {
			of = append(of, sc)
		}
	}
	return NewNesting(len(of), func(x, y int) bool { return of[x].within[of[y]] })
}

// ID returns the server's Server Identifier.
func (s *Server) ID() netip.Addr { return s.cfg.ID }
