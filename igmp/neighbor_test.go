package igmp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// packetOf is a message in a packet of a protocol.
func packetOf(t *testing.T, protocol uint8, src, dst netip.Addr, m []byte) []byte {
	t.Helper()
	b, err := AppendPacket(nil, src, dst, seal(slices.Clone(m), 0))
	if err != nil {
		t.Fatal(err)
	}
	b[9], b[10], b[11] = protocol, 0, 0
	sum := wire.Checksum(b[:HeaderLen])
	b[10], b[11] = byte(sum>>8), byte(sum)
	return b
}

// RFC 4541 section 2.1.1, 1a: a switch finds routers by what they send besides queries.
func TestSnooperNeighbors(t *testing.T) {
	hello, mrd := []byte{0x20, 0, 0, 0, 0, 1, 0, 2, 0, 105}, []byte{0x30, 20, 0, 0, 0, 125, 0, 2}
	good := packetOf(t, gmp.ProtoPIM, routerA, AllPIMRouters, hello)
	ttl, sum := slices.Clone(good), slices.Clone(good)
	ttl[8] = 4
	ttl[10], ttl[11] = 0, 0
	s := wire.Checksum(ttl[:HeaderLen])
	ttl[10], ttl[11] = byte(s>>8), byte(s)
	sum[len(sum)-1]++
	for _, tt := range []struct {
		name string
		b    []byte
		hold time.Duration
		want PacketStats
	}{
		{"PIM hello", good, 105 * time.Second, PacketStats{}},
		{"advertisement", packetOf(t, 2, routerA, AllSnoopers, mrd), 61500 * time.Millisecond, PacketStats{}},
		{"PIM hello with TTL 4", ttl, 0, PacketStats{Refused: 1}},
		{"PIM hello, checksum", sum, 0, PacketStats{BadChecksum: 1}},
		{"PIM hello to another group", packetOf(t, gmp.ProtoPIM, routerA, AllRouters, hello), 0, PacketStats{Other: 1}},
		{"PIM join", packetOf(t, gmp.ProtoPIM, routerA, AllPIMRouters, []byte{0x23, 0, 0, 0}), 0, PacketStats{Other: 1}},
		{"PIM cut short", good[:len(good)-1], 0, PacketStats{Malformed: 1}},
		{"advertisement to another group", packetOf(t, 2, routerA, AllSystems, mrd), 0, PacketStats{Other: 1}},
		{"advertisement cut short", packetOf(t, 2, routerA, AllSnoopers, mrd[:4]), 0, PacketStats{Malformed: 1}},
		{"solicitation", packetOf(t, 2, hostA, AllRouters, []byte{0x31, 0, 0, 0}), 0, PacketStats{Other: 1}},
		{"termination", packetOf(t, 2, routerA, AllSnoopers, []byte{0x32, 0, 0, 0}), 0, PacketStats{Other: 1}},
		{"UDP", packetOf(t, 17, routerA, AllPIMRouters, hello), 0, PacketStats{Other: 1}},
	} {
		s, err := NewSnooper(dawn, SnooperConfig{Ports: []int{1, 2, 3}})
		if err != nil {
			t.Fatal(err)
		}
		p := datagram.Packet{Data: tt.b, IfIndex: 2}
		s.Handle(dawn, &p)
		if got := s.Stats(); got.Packets != tt.want || (got.Neighbors == 1) != (tt.hold > 0) {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if next := s.Next(); tt.hold > 0 && (!next.Equal(dawn.Add(tt.hold)) || !slices.Equal(s.RouterPorts(nil), []int{2})) {
			t.Errorf("%s: router ports %v until %v", tt.name, s.RouterPorts(nil), next)
		}
		if out := s.Relay(nil, &p); !slices.Equal(out, []int{1, 3}) {
			t.Errorf("%s goes to %v", tt.name, out)
		}
		// No other engine takes notice.
		r := newRouter(t, RouterConfig{})
		if r.Handle(dawn, &p); tt.hold > 0 && r.Stats().Packets.Other != 1 {
			t.Errorf("%s: router %+v", tt.name, r.Stats().Packets)
		}
	}
}
