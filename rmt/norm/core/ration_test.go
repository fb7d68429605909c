package core

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A storm has one host ask for everything that was sent, every millisecond, in the name
// of another receiver each time.
func (w *world) storm(s *txNode, d time.Duration) {
	at := wire.Item{FEC: fec.ReedSolomonGF8}
	for n := wire.NodeID(0); d > 0 && !w.over(); d -= time.Millisecond {
		var rb wire.RequestBuilder
		rb.Reset(nil, 1400, wire.Codec{})
		for _, o := range s.Sender.objects {
			from := at
			from.Object = o.id
			to := from
			to.ID.SBN = 1<<24 - 1
			rb.Add(wire.NackBlock, from, to)
		}
		n++
		b, err := wire.Codec{}.AppendNack(nil, &wire.Nack{
			Feedback: wire.Feedback{Source: 1000 + n, Server: s.cfg.NodeID, InstanceID: s.cfg.InstanceID}, Requests: rb.Requests(),
		})
		if err != nil {
			w.t.Fatal(err)
		}
		p := datagram.Packet{Data: b, Src: netip.MustParseAddrPort("192.0.2.66:6003"), Dst: w.sim.Group}
		s.node.Run(func(now time.Time) { s.Handle(now, &p) })
		for _, r := range w.rx {
			r.node.Run(func(now time.Time) { r.Handle(now, &p) })
		}
		w.pass(time.Millisecond)
	}
}

// A host that asks for everything again and again costs the others a tenth of the rate, and some time at the end,
// and keeps none of them from asking for what it does lack.
func TestStormOfRequests(t *testing.T) {
	took := func(storm bool) time.Duration {
		w := newWorld(t, 7)
		s := w.sender(SenderConfig{Rate: 50_000_000, GroupSize: 10}, netem.Link{}, netem.Link{})
		for range 2 {
			w.receiver(ReceiverConfig{}, netem.Link{Delay: time.Millisecond}, netem.Link{Delay: time.Millisecond, Loss: 0.01})
		}
		w.pass(500 * time.Millisecond)
		s.send(randomBytes(rand.New(rand.NewPCG(1, 2)), 20_000_000), ObjectSpec{AckNodes: []wire.NodeID{w.rx[0].cfg.NodeID, w.rx[1].cfg.NodeID}})
		begin := w.now()
		if storm {
			w.storm(s, time.Minute)
		}
		w.run()
		t.Logf("storm %v: %v, %+v", storm, w.now()-begin, s.Stats())
		return w.now() - begin
	}
	calm, stormy := took(false), took(true)
	if stormy > calm*5/4 {
		t.Errorf("%v with a storm, %v without", stormy, calm)
	}
}

// What one host may ask for is bounded by the rate and time, and forgotten hosts leave
// nothing behind.
func TestRation(t *testing.T) {
	s, err := NewSender(SenderConfig{NodeID: 1, Rate: 8 * 1400 * 1000, Rand: rand.New(rand.NewPCG(1, 2))}) // 1,000 symbols a second
	if err != nil {
		t.Fatal(err)
	}
	s.repairs.collectUntil = time.Unix(1<<40, 0) // it is at work
	now := time.Unix(1000, 0)
	host := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }
	s.ration.heard(now, host(1))
	if got := s.ration.of(s, now, host(1)); got != math.MaxInt {
		t.Errorf("the only host may ask for %d symbols", got)
	}
	s.ration.heard(now, host(2))
	asked := 0
	for range 10_000 {
		n := s.ration.of(s, now, host(2))
		s.ration.take(host(2), n)
		asked += n
		now = now.Add(time.Millisecond)
		s.ration.heard(now, host(1))
		s.ration.heard(now, host(2))
	}
	if asked < 1000 || asked > 1200 {
		t.Errorf("one host could ask for %d of 10,000 symbols", asked)
	}
	for i := range uint32(100_000) {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		s.ration.heard(now, a)
		n := s.ration.of(s, now, a)
		s.ration.take(a, n)
		asked += n
		now = now.Add(100 * time.Microsecond)
	}
	if asked > 8000 || len(s.ration.hosts) > rationHosts {
		t.Errorf("all hosts could ask for %d of 10,000 more; %d are remembered", asked, len(s.ration.hosts))
	}
}
