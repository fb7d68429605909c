package madcap

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

func BenchmarkParse(b *testing.B) {
	data := vectors[6].encoded() // DISCOVER with everything
	var m Message
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseMessage(data, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// A grant without a disk: REQUEST, store, ACK, and now and then a RELEASE, so that the
// number of leases stays.
func BenchmarkGrant(b *testing.B) {
	s, err := NewServer(noon, ServerConfig{ID: myAddr, Rand: rand.New(rand.NewPCG(1, 2)), ClientRate: -1, Rate: -1, ClientAddresses: -1,
		Scopes: []Scope{{Zone: Zone{Zone: group.OrganizationZone}, Pools: []group.Zone{{First: addr("239.193.0.0"), Last: addr("239.193.255.255")}}}}})
	if err != nil {
		b.Fatal(err)
	}
	p := datagram.Packet{Src: netip.MustParseAddrPort("10.0.0.9:5"), Dst: netip.AddrPortFrom(myAddr, Port)}
	out := datagram.Packet{Data: make([]byte, 0, 1500)}
	now, n := noon, uint32(0)
	say := func(t Type, id uint32) {
		n++
		m := requestFor(ID(binary.BigEndian.AppendUint32(make([]byte, 12), id)), org, nil)
		if m.Type, m.XID = t, n; t == TypeRelease {
			m.Has = OptionsOf(OptionLeaseID)
		}
		p.Data, _ = m.AppendBinary(p.Data[:0])
		s.Handle(now, &p)
		batch := s.Changes()
		s.Committed(now, batch)
		if !s.Transmit(now, &out) || out.Data[1] != byte(TypeAck) {
			b.Fatalf("%x", out.Data)
		}
		for _, ok := s.Event(); ok; _, ok = s.Event() {
		}
		now = now.Add(time.Millisecond)
	}
	const many = 20_000
	id := uint32(0)
	for ; id < many; id++ {
		say(TypeRequest, id)
	}
	b.ReportAllocs()
	for b.Loop() {
		say(TypeRequest, id)
		say(TypeRelease, id-many)
		id++
	}
}
