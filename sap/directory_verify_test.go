package sap

import (
	"crypto/ed25519"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

func TestVerify(t *testing.T) {
	auth := func(signer string) []byte {
		b, _ := Auth{Version: 1, Type: AuthCMS, Data: []byte(signer)}.AppendBinary(nil)
		return b
	}
	w := newWorld(t, DirectoryConfig{Verify: func(a Auth, signed []byte) (string, error) {
		if p, err := ParsePacket(signed); err != nil || p.Auth != nil {
			t.Errorf("%+v, %v", p, err)
		}
		if string(a.Data) == "forged" {
			return "", errors.New("no")
		}
		return string(a.Data), nil
	}})
	one, two, del := session("a", 1, "239.255.1.1"), session("a", 2, "239.255.1.1"), "o=- 1097 2 IN IP4 192.0.2.1\r\n"
	w.hear(ad{src: "10.0.0.1", hash: 1, text: one, auth: auth("ann")})
	w.want("added a")
	// Signed by another, not signed, and wrongly signed (RFC 2974 section 5).
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two, auth: auth("bob")})
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two})
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two, auth: auth("forged")})
	w.want("added a, conflict a same origin, added a, conflict a same origin")
	w.hear(ad{src: "10.0.0.1", hash: 1, text: "o=- 1097 1 IN IP4 192.0.2.1\r\n", del: true, auth: auth("forged")})
	w.want("")
	// The same signer, from elsewhere.
	w.hear(ad{src: "10.0.0.9", hash: 2, text: two, auth: auth("ann")})
	w.want("updated a")
	w.hear(ad{src: "10.0.0.9", hash: 2, text: del, del: true, auth: auth("ann")})
	w.wait(deleteGrace)
	w.want("removed a deleted")
	if len(w.e.order) != 2 || w.e.counters().Unverified != 2 {
		t.Errorf("%+v", w.e.counters())
	}
}

// From the announcer's key to the directory's: what was altered on the way is refused, and
// so is a signature put on something else.
func TestSignedAnnouncements(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(t, AnnouncerConfig{Sign: func(b []byte) (Auth, error) {
		return Auth{Version: 1, Type: 15, Data: ed25519.Sign(private, b)}, nil
	}})
	w := newWorld(t, DirectoryConfig{Deletes: DeleteVerified, Verify: func(a Auth, signed []byte) (string, error) {
		if a.Type != 15 || !ed25519.Verify(public, signed, a.Data) {
			return "", errors.New("not by us")
		}
		return "us", nil
	}})
	hear := func(b []byte) {
		w.e.Handle(w.now, &datagram.Packet{Data: b, Src: netip.MustParseAddrPort("192.0.2.1:9"), Dst: netip.AddrPortFrom(LocalGroup, Port)})
	}
	id := s.announce(parse(session("a", 1, "239.255.1.1")))
	s.wait(0)
	hear(s.sent[0].raw)
	w.want("added a")
	if l := w.e.listings()[0]; l.Signer != "us" {
		t.Errorf("%+v", l)
	}
	n := uint64(0)
	for i := range s.sent[0].raw {
		b := slices.Clone(s.sent[0].raw)
		b[i] ^= 1
		hear(b)
		w.now = w.now.Add(time.Second)
		// Without its authentication it is a session of its own, by nobody known.
		if p, err := ParsePacket(b); err == nil && p.Auth != nil {
			n++
		}
	}
	w.e.happens = w.e.happens[:0]
	for _, l := range w.e.listings() {
		if l.Signer != "" && l.Description.String() != session("a", 1, "239.255.1.1") {
			t.Errorf("%+v", l)
		}
	}
	if st := w.e.counters(); st.Unverified < n*9/10 {
		t.Errorf("%d altered, %+v", n, st)
	}
	if err := s.e.withdraw(s.now, id); err != nil {
		t.Fatal(err)
	}
	s.sent = nil
	s.wait(time.Minute)
	for _, p := range s.sent {
		hear(p.raw)
	}
	w.wait(deleteGrace)
	if got := w.events(); got != "removed a deleted" || len(s.sent) != 3 {
		t.Errorf("%s, %d deletions", got, len(s.sent))
	}
}
