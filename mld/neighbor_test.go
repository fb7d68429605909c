package mld

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// plainPacket is a message in a packet of a protocol, without options.
func plainPacket(protocol uint8, src, dst netip.Addr, m []byte) []byte {
	m = slices.Clone(m)
	sum := ^wire.Sum6(src, dst, protocol, m)
	m[2], m[3] = byte(sum>>8), byte(sum)
	s, d := src.As16(), dst.As16()
	b := append([]byte{0x60, 0, 0, 0, 0, byte(len(m)), protocol, 1}, s[:]...)
	return append(append(b, d[:]...), m...)
}

// RFC 4541 sections 2.1.1, 1a, and 3: a switch finds routers by what they send besides
// queries.
func TestSnooperNeighbors(t *testing.T) {
	hello, mrd := []byte{0x20, 0, 0, 0, 0, 1, 0, 2, 0, 105}, []byte{151, 20, 0, 0, 0, 125, 0, 2}
	good := plainPacket(gmp.ProtoPIM, routerA, AllPIMRouters, hello)
	hops, sum := slices.Clone(good), slices.Clone(good)
	hops[7] = 4
	sum[len(sum)-1]++
	for _, tt := range []struct {
		name string
		b    []byte
		hold time.Duration
		want PacketStats
	}{
		{"PIM hello", good, 105 * time.Second, PacketStats{}},
		{"advertisement", plainPacket(58, routerA, AllSnoopers, mrd), 61500 * time.Millisecond, PacketStats{}},
		{"PIM hello with hop limit 4", hops, 0, PacketStats{Refused: 1}},
		{"PIM hello, checksum", sum, 0, PacketStats{BadChecksum: 1}},
		{"PIM hello from afar", plainPacket(gmp.ProtoPIM, source, AllPIMRouters, hello), 0, PacketStats{Refused: 1}},
		{"PIM hello to another group", plainPacket(gmp.ProtoPIM, routerA, AllRouters, hello), 0, PacketStats{Other: 1}},
		{"PIM join", plainPacket(gmp.ProtoPIM, routerA, AllPIMRouters, []byte{0x23, 0, 0, 0}), 0, PacketStats{Other: 1}},
		{"PIM cut short", good[:len(good)-1], 0, PacketStats{Malformed: 1}},
		{"advertisement from afar", plainPacket(58, source, AllSnoopers, mrd), 0, PacketStats{Refused: 1}},
		{"advertisement to another group", plainPacket(58, routerA, AllNodes, mrd), 0, PacketStats{Other: 1}},
		{"advertisement cut short", plainPacket(58, routerA, AllSnoopers, mrd[:4]), 0, PacketStats{Malformed: 1}},
		{"solicitation", plainPacket(58, hostA, AllRouters, []byte{152, 0, 0, 0}), 0, PacketStats{Other: 1}},
		{"termination", plainPacket(58, routerA, AllSnoopers, []byte{153, 0, 0, 0}), 0, PacketStats{Other: 1}},
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
