package sap

import (
	"hash/maphash"
	"strconv"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/sdp"
)

// Handle implements engine.Engine.
func (e *directory) Handle(wall time.Time, in *datagram.Packet) {
	now := e.clock.at(wall)
	e.stats.Packets++
	if len(in.Data) > e.cfg.MaxPacket {
		e.stats.Bad++
		return
	}
	src := in.Src.Addr().Unmap()
	at := Place{in.Dst.Addr().Unmap().WithZone(""), in.IfIndex}
	w := wire{maphash.Bytes(e.seed, in.Data), src}
	if x := e.wires[w]; x != nil { // nothing new
		e.refresh(x, now, wall, at, src)
		return
	}
	if !e.hosts.take(src, now) {
		e.stats.Limited++
		return
	}
	p, err := ParsePacket(in.Data)
	if err != nil {
		e.stats.Bad++
		return
	}
	if p.Encrypted {
		e.stats.Encrypted++
		return
	}
	a := advert{now: now, wall: wall, at: at, wire: w, head: head{src, p.Origin, p.Hash}, party: party{addr: src}}
	if len(p.Auth) > 0 && e.cfg.Verify != nil && !e.verify(&a, &p, in.Data) {
		e.stats.Unverified++
		return
	}
	if err := e.inflate.Inflate(&p); err != nil {
		e.stats.Bad++
		return
	}
	if !p.IsSDP() {
		e.stats.Foreign++
		return
	}
	a.quirks = p.Quirks()
	if src != p.Origin {
		a.quirks |= QuirkRelayed
	}
	if len(in.Data) > RecommendedSize {
		a.quirks |= QuirkBigPacket
	}
	if a.quirks&^QuirkNoType != 0 {
		e.stats.Quirks++
	}
	a.d, err = sdp.Parse(p.Payload)
	if p.Delete {
		e.deleted(&a) // whether or not it can be read
		return
	}
	if err != nil {
		e.stats.Bad++
		return
	}
	e.announced(&a)
}

// An advert is a packet being handled.
type advert struct {
	now, wall time.Time
	at        Place
	wire      wire
	head      head
	party     party
	quirks    Quirk
	d         *sdp.Description
	text      string
	origin    sdp.Origin
	degen     bool
	channels  []sdp.Channel // see weigh
}

func (e *directory) verify(a *advert, p *Packet, data []byte) bool {
	auth, err := ParseAuth(p.Auth)
	if err != nil {
		return false
	}
	if e.signed, err = AppendSigned(e.signed[:0], data); err != nil {
		return false
	}
	a.party.signer, err = e.cfg.Verify(auth, e.signed)
	return err == nil
}

// key returns what tells the session from others: its origin (RFC 2974 section 5)
// unless that is one that many share. Then it is the sender and the hash.
func (e *directory) key(a *advert) string {
	if a.d != nil {
		var ok bool
		if a.origin, ok = a.d.Origin(); ok && a.origin.Identifies() {
			return a.origin.Key()
		}
	}
	a.degen = true
	if a.head.hash != 0 {
		return a.head.src.String() + " #" + strconv.FormatUint(uint64(a.head.hash), 16)
	}
	return a.head.src.String() + " ?" + strconv.FormatUint(maphash.String(e.seed, a.text), 16)
}
