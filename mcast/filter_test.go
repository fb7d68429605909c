package mcast

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestFilterArithmetic(t *testing.T) {
	a := netip.MustParseAddr
	f := include("10.0.0.1", "10.0.0.3")
	if got := withSource(f, a("10.0.0.2")); !got.Equal(include("10.0.0.1", "10.0.0.2", "10.0.0.3")) || len(f.Sources) != 2 {
		t.Errorf("with a source: %v, and the old one %v", got, f)
	}
	if got := withSource(f, a("10.0.0.3")); !got.Equal(f) {
		t.Errorf("with one it has: %v", got)
	}
	if got := withoutSource(f, a("10.0.0.1")); !got.Equal(include("10.0.0.3")) || !f.Equal(include("10.0.0.1", "10.0.0.3")) {
		t.Errorf("without a source: %v, and the old one %v", got, f)
	}
	if got := withoutSource(f, a("10.0.0.9")); !got.Equal(f) {
		t.Errorf("without one it has not: %v", got)
	}
	if got := withoutSource(include("10.0.0.1"), a("10.0.0.1")); !got.IsEmpty() || got.Sources != nil {
		t.Errorf("without its last: %v", got)
	}
	if got := withoutSource(exclude("10.0.0.1"), a("10.0.0.1")); !got.Equal(anySource) {
		t.Errorf("EXCLUDE without its last: %v", got)
	}
	if got := filterOf(group.Channel{Group: a("239.1.1.1"), Source: a("10.0.0.1")}); !got.Equal(include("10.0.0.1")) {
		t.Errorf("of a channel: %v", got)
	}
}

// widens must not miss a sender that becomes wanted.
func TestFilterWidens(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	pick := func() group.Filter {
		f := group.Filter{Mode: group.FilterMode(rnd.IntN(2))}
		for i := range 4 {
			if rnd.IntN(2) == 0 {
				f.Sources = append(f.Sources, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
			}
		}
		return f.Canonical()
	}
	for range 2000 {
		from, to := pick(), pick()
		want := false
		for i := range 6 { // two of them in no list
			s := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			want = want || to.Accepts(s) && !from.Accepts(s)
		}
		if got := widens(from, to); got != want {
			t.Fatalf("widens(%v, %v) = %v", from, to, got)
		}
	}
}

func TestEventStrings(t *testing.T) {
	for k := InterfaceDown; k <= SourceAddressGone; k++ {
		if s := (Event{Kind: k, Interface: "eth0", Index: 2}).String(); s != eventKinds[k]+": eth0 (2)" {
			t.Errorf("%d is %q", k, s)
		}
	}
	e := Event{Kind: JoinFailed, Interface: "eth0", Index: 2, Group: netip.MustParseAddr("239.1.1.1"), Err: ErrNoInterface}
	if s := e.String(); s != "join failed: eth0 (2) 239.1.1.1: no such interface" {
		t.Errorf("%q", s)
	}
	if s := EventKind(99).String() + MembershipState(9).String() + Waiting.String(); s != "EventKind(99)MembershipState(9)waiting" {
		t.Errorf("%q", s)
	}
}
