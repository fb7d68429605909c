package sap

import (
	"container/heap"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

// announced is a session of an announcer.
type announced struct {
	id       uint64
	fn       func() *sdp.Description
	asked    string // what fn said last, and when
	askedAt  time.Time
	fixed    []netip.Addr
	d        *sdp.Description
	key      string // of its origin
	version  string
	hash     uint16
	channels []sdp.Channel
	spots    []*spot
	born     time.Time
	defended time.Time

	// Packets for IPv4 and IPv6 groups: they differ in the originating source.
	data4, data6 []byte
	bye4, bye6   []byte
	origin4      netip.Addr
	origin6      netip.Addr
}

// origin is what packets say of where they come from.
func (s *announced) origin() netip.Addr {
	if s.data4 != nil {
		return s.origin4
	}
	return s.origin6
}

// announce begins a session.
func (e *announcer) announce(wall time.Time, a Announcement) (uint64, error) {
	now := e.tick(wall)
	if len(e.sessions) >= e.cfg.MaxSessions {
		return 0, fmt.Errorf("%w: %d", ErrFull, len(e.sessions))
	}
	d := a.Description
	s := &announced{fn: a.Func, born: now}
	if d == nil && a.Func != nil {
		if d = a.Func(); d != nil {
			s.asked = d.String()
		}
	}
	if d == nil {
		return 0, fmt.Errorf("%w: no description", ErrConfig)
	}
	for _, g := range a.Groups {
		if g = g.Unmap().WithZone(""); !g.IsMulticast() {
			return 0, fmt.Errorf("%w: %v is not multicast", ErrScope, g)
		}
		if g == groupVersion0 {
			return 0, fmt.Errorf("%w: %v is that of SAP version 0 and must not be used; use %v", ErrScope, g, GlobalGroup)
		}
		if !slices.Contains(s.fixed, g) {
			s.fixed = append(s.fixed, g)
		}
	}
	e.nextID++
	s.id = e.nextID
	if err := e.set(s, d.Clone(), now); err != nil {
		return 0, err
	}
	e.sessions[s.id] = s
	return s.id, nil
}

// update changes a session. Its version grows, whatever d says.
func (e *announcer) update(wall time.Time, id uint64, d *sdp.Description) error {
	now := e.tick(wall)
	s := e.sessions[id]
	if s == nil {
		return ErrWithdrawn
	}
	if d == nil {
		return fmt.Errorf("%w: no description", ErrConfig)
	}
	return e.change(s, d.Clone(), now)
}

// ask asks a session's Func, and reports whether it changed the session.
func (e *announcer) ask(s *announced, now time.Time) bool {
	if s.askedAt.Equal(now) {
		return false
	}
	s.askedAt = now
	d := s.fn()
	if d == nil {
		return false
	}
	text := d.String()
	if text == s.asked {
		return false
	}
	first := s.asked == "" && text == s.d.String()
	s.asked = text
	if first {
		return false
	}
	was := s.hash
	if e.change(s, d.Clone(), now) != nil {
		e.stats.Errors++
	}
	return s.hash != was
}

// change gives a session another description, and a greater version if it has not
// got one.
func (e *announcer) change(s *announced, d *sdp.Description, now time.Time) error {
	if d.String() == s.d.String() {
		return nil
	}
	o, ok := d.Origin()
	if ok && o.Key() == s.key && sdp.CompareVersions(o.Version, s.version) <= 0 {
		given := o.Version
		o.Version = s.version
		if given != s.version {
			if err := d.SetOrigin(o); err != nil {
				return err
			}
		}
		if d.String() == s.d.String() {
			return nil // nothing changed but that the version went back
		}
		if err := d.BumpVersion(); err != nil {
			return err
		}
	}
	return e.set(s, d, now)
}

// set makes the packets for a description and puts the session on its lanes. On an
// error nothing has changed.
func (e *announcer) set(s *announced, d *sdp.Description, now time.Time) error {
	o, ok := d.Origin()
	if !ok {
		return fmt.Errorf("%w: the description has no o= line", ErrConfig)
	}
	groups := s.fixed
	if len(groups) == 0 {
		var err error
		if groups, err = GroupsFor(d, e.cfg.Profile, e.cfg.Zones...); err != nil {
			return err
		}
	}
	var lanes []*lane
	next := announced{id: s.id, d: d, key: o.Key(), version: o.Version, channels: d.Channels()}
	for _, g := range groups {
		to := e.lanesTo(g)
		if len(to) == 0 {
			return noPath(g)
		}
		lanes = append(lanes, to...)
		var err error
		if g.Is4() && next.data4 == nil {
			next.data4, next.bye4, next.origin4, err = e.packets(&next, o, true, s.hash)
		} else if g.Is6() && next.data6 == nil {
			next.data6, next.bye6, next.origin6, err = e.packets(&next, o, false, s.hash)
		}
		if err != nil {
			return err
		}
	}
	// The old version is deleted before the new one is announced (RFC 2974
	// section 6). Once: later it could be taken for the new one's.
	kept := s.spots[:0:0]
	for _, sp := range s.spots {
		if slices.Contains(lanes, sp.lane) {
			e.bookBye(sp, now, 1)
			kept = append(kept, sp)
		} else {
			e.leave(sp, now)
		}
	}
	e.forget(s)
	e.disuse(s)
	s.d, s.key, s.version, s.hash, s.channels = d, next.key, next.version, next.hash, next.channels
	s.data4, s.data6, s.bye4, s.bye6, s.origin4, s.origin6 = next.data4, next.data6, next.bye4, next.bye6, next.origin4, next.origin6
	e.use(s)
	for _, b := range [...][]byte{s.data4, s.data6} {
		if b != nil {
			e.digests[maphash.Bytes(e.seed, b)] = s
		}
	}
	s.spots = kept
	for _, l := range lanes {
		i := slices.IndexFunc(s.spots, func(sp *spot) bool { return sp.lane == l })
		if i < 0 {
			sp := &spot{session: s, lane: l, tp: now, tn: now}
			l.own++
			heap.Push(&e.schedule, sp)
			s.spots = append(s.spots, sp)
			i = len(s.spots) - 1
		}
		sp := s.spots[i]
		sp.fresh, sp.current, sp.peers = true, false, nil
		e.moveTo(sp, now)
	}
	return nil
}

// forget takes the session's packets out of those known.
func (e *announcer) forget(s *announced) {
	for _, b := range [...][]byte{s.data4, s.data6} {
		if b != nil {
			delete(e.digests, maphash.Bytes(e.seed, b))
		}
	}
}

// packets makes an announcement and its deletion.
func (e *announcer) packets(s *announced, o sdp.Origin, v4 bool, not uint16) (data, bye []byte, origin netip.Addr, err error) {
	if origin = e.source(o, v4); !origin.IsValid() {
		return nil, nil, origin, fmt.Errorf("%w: give one in Sources, or an address in the o= line", ErrSource)
	}
	text, _ := s.d.MarshalBinary()
	p := Packet{Version: 1, Origin: origin, Payload: text}
	if !e.cfg.NoType {
		p.PayloadType = []byte(TypeSDP)
	}
	if s.hash == 0 {
		s.hash = e.unique(HashOf(text), not)
	}
	p.Hash = s.hash
	del := p
	del.Delete = true
	if !e.cfg.FullDelete {
		del.Payload = []byte("o=" + o.String() + "\r\n") // RFC 2974 section 6
	}
	if e.cfg.Compress {
		p.Compress()
	}
	if data, err = e.sign(&p); err == nil {
		bye, err = e.sign(&del)
	}
	if n := max(len(data), len(bye)); err == nil && n > e.cfg.MaxSize {
		err = fmt.Errorf("%w: %d bytes, at most %d", ErrSize, n, e.cfg.MaxSize)
	}
	return data, bye, origin, err
}

// sign returns the packet with its authentication data (RFC 2974 section 8).
func (e *announcer) sign(p *Packet) ([]byte, error) {
	b, err := p.MarshalBinary()
	if err != nil || e.cfg.Sign == nil {
		return b, err
	}
	a, err := e.cfg.Sign(b)
	if err != nil {
		return nil, err
	}
	if p.Auth, err = a.AppendBinary(nil); err != nil {
		return nil, err
	}
	return p.MarshalBinary()
}

// source returns the originating source for a session.
func (e *announcer) source(o sdp.Origin, v4 bool) netip.Addr {
	for _, a := range e.cfg.Sources {
		if a.Is4() == v4 {
			return a
		}
	}
	if len(e.cfg.Sources) > 0 {
		return e.cfg.Sources[0]
	}
	if a := o.Addr().Unmap().WithZone(""); a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() {
		return a
	}
	return netip.Addr{}
}

// unique returns a hash that no other session of ours has, beginning at h, and not
// the one given.
func (e *announcer) unique(h, not uint16) uint16 {
	taken := func() bool {
		if h == 0 || h == not {
			return true
		}
		for _, s := range e.sessions {
			if s.hash == h {
				return true
			}
		}
		return false
	}
	for range 1 << 16 {
		if !taken() {
			break
		}
		h++
	}
	return h
}
