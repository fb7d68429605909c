package core

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// forge has the sender hear feedback that claims what f says, as if from the group.
func (w *ccWorld) forge(f wire.Feedback) {
	f.Server, f.HasCC = 1, true
	b, err := wire.Codec{}.AppendAck(nil, &wire.Ack{Feedback: f, AckType: wire.AckCC})
	if err != nil {
		w.t.Fatal(err)
	}
	w.out.Run(func(now time.Time) {
		w.tx.Handle(now, &datagram.Packet{Data: b, Src: attacker, Dst: w.sim.Group})
	})
}

// One forged report, or a thousand from as many invented receivers, leaves the rate
// where it is: nobody answers when they are asked. An attacker who hears the probes and
// keeps answering is a slow receiver like any other, and is bound by MinRate.
func TestTFMCCForgedReports(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	const rtt = 20 * time.Millisecond
	cfg := tfmccConfig()
	cfg.MinRate, cfg.MaxRate = 1_000_000, 20_000_000
	w := newCCWorld(t, 1, cfg, netem.Link{Delay: rtt / 4})
	for range 3 {
		w.receiver(netem.Link{Delay: rtt / 2}, netem.Link{Delay: rtt / 4, Loss: 0.0005}, ReceiverConfig{})
	}
	w.send()
	w.pass(20 * time.Second)
	before := w.pass(10 * time.Second)
	lie := func(node wire.NodeID) wire.Feedback {
		f := wire.Feedback{Source: node, CC: wire.CCFeedback{Sequence: w.tx.grtt.sequence, Loss: 65535, Rate: wire.QuantizeRate(10)}}
		f.GRTTResponse = w.tx.grtt.timestamp(w.sim.Now().Add(-rtt))
		return f
	}
	w.forge(lie(66))
	nothing := lie(67)
	nothing.CC.Rate = 0
	w.forge(nothing)
	after := w.pass(5 * time.Second)
	t.Logf("%s Mbit/s, after one forged report %s", mbit(before), mbit(after))
	if after < before/2 {
		t.Errorf("one forged report took the rate from %s to %s Mbit/s", mbit(before), mbit(after))
	}
	for i := range 5000 {
		w.forge(lie(wire.NodeID(10_000 + i)))
		w.pass(time.Millisecond)
	}
	after = w.pass(5 * time.Second)
	t.Logf("after 5,000 %s: %+v", mbit(after), w.tx.Stats().Rate)
	if after < before/2 {
		t.Errorf("invented receivers took the rate from %s to %s Mbit/s", mbit(before), mbit(after))
	}
	// Now one that goes on.
	for range 2000 {
		w.forge(lie(66))
		w.pass(5 * time.Millisecond)
	}
	low := w.pass(50 * time.Millisecond)
	after = w.pass(10 * time.Second)
	w.pass(10 * time.Second)
	again := w.pass(10 * time.Second)
	t.Logf("while one goes on %s, later %s, %s", mbit(low), mbit(after), mbit(again))
	if low*8 < 900_000 {
		t.Errorf("below the floor: %s Mbit/s", mbit(low))
	}
	if again < before/2 {
		t.Errorf("it did not recover: %+v", w.tx.Stats().Rate)
	}
}

// The same against max, which listens to other things: what was delivered.
func TestMaxForgedReports(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	w := newCCWorld(t, 1, SenderConfig{CC: CCMax, MinRate: 1_000_000}, netem.Link{Delay: time.Millisecond, Rate: 100e6, Queue: 1_000_000})
	for range 2 {
		w.receiver(netem.Link{Delay: time.Millisecond}, netem.Link{}, ReceiverConfig{})
	}
	w.send()
	w.pass(2 * time.Second)
	lie := func(node wire.NodeID, d wire.Delivery) {
		f := wire.Feedback{Source: node, HasDelivery: true, Delivery: d, CC: wire.CCFeedback{Sequence: w.tx.grtt.sequence, Rate: 1}}
		f.GRTTResponse = w.tx.grtt.timestamp(w.sim.Now())
		w.forge(f)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		lie(wire.NodeID(10_000+i), wire.Delivery{Packets: rng.Uint32(), Time: rng.Uint32(), Dropped: rng.Uint32()})
		w.pass(time.Millisecond)
	}
	after := w.pass(2 * time.Second)
	t.Logf("after 1,000 invented receivers %s Mbit/s: %+v", mbit(after), w.tx.Stats().Rate)
	if after*8 < 80e6 {
		t.Errorf("%s Mbit/s", mbit(after))
	}
	if len(w.tx.cc.last) > maxDelivered {
		t.Errorf("%d reports kept", len(w.tx.cc.last))
	}
	for i := range 1000 {
		lie(66, wire.Delivery{Packets: uint32(i)})
		w.pass(time.Millisecond)
	}
	low := w.pass(20 * time.Millisecond)
	w.pass(3 * time.Second)
	again := w.pass(2 * time.Second)
	t.Logf("while one goes on %s Mbit/s, later %s", mbit(low), mbit(again))
	if low*8 < 500_000 || again*8 < 80e6 {
		t.Errorf("%s Mbit/s, later %s", mbit(low), mbit(again))
	}
}

// One forged answer must not make the group wait ten seconds for everything. Before,
// it took the round-trip time to MaxGRTT.
func TestForgedRoundTrip(t *testing.T) {
	t.Parallel()
	w := newCCWorld(t, 1, SenderConfig{}, netem.Link{Delay: time.Millisecond})
	w.receiver(netem.Link{Delay: time.Millisecond}, netem.Link{}, ReceiverConfig{})
	w.send()
	w.pass(5 * time.Second)
	before := w.tx.Stats().GRTT
	f := wire.Feedback{Source: 66, CC: wire.CCFeedback{Sequence: w.tx.grtt.sequence}}
	f.GRTTResponse = w.tx.grtt.timestamp(w.sim.Now().Add(-9 * time.Second))
	w.forge(f)
	after := w.tx.Stats().GRTT
	t.Logf("%v, after one forged answer %v", before, after)
	if after > before*maxGrowth*11/10 { // as the wire can say it
		t.Errorf("one forged answer took the round-trip time from %v to %v", before, after)
	}
}

// A receiver whose way is much longer than assumed is believed when it says so twice,
// and what was sent to it does not count as done before it could ask.
func TestLongWay(t *testing.T) {
	t.Parallel()
	const rtt = 1200 * time.Millisecond
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{GRTT: 10 * time.Millisecond, AckTimeout: time.Minute}, netem.Link{Delay: rtt / 2}, netem.Link{})
	w.receiver(ReceiverConfig{}, netem.Link{Delay: rtt / 2}, netem.Link{Loss: 0.05})
	tx.send(randomBytes(w.sim.Rand("data"), 300_000), ObjectSpec{Info: []byte("a name")})
	w.run()
	w.check()
	if st := tx.Stats(); st.Repairs == 0 || st.GRTT < rtt {
		t.Errorf("%d repairs, GRTT %v", st.Repairs, st.GRTT)
	}
	for _, o := range tx.objects {
		if !o.done || o.err != nil {
			t.Errorf("%v: done %v, %v", o.key, o.done, o.err)
		}
		if c := w.rx[0].objects[o.key]; c == nil || !c.done {
			t.Errorf("%v counts as done, and is not there", o.key)
		}
	}
}

// FuzzFeedback has a sender with congestion control hear any feedback at any time.
func FuzzFeedback(f *testing.F) {
	seed := make([]byte, 1, 400)
	for i := range 20 {
		seed = append(seed, byte(i%3), byte(i), byte(i), 200, 100, 8, 0, 10, byte(i), 5, 0, 1)
	}
	f.Add(seed)
	f.Add(append([]byte{1}, seed[1:]...))
	f.Fuzz(hearAnything)
}

// hearAnything is one run of FuzzFeedback.
func hearAnything(t *testing.T, in []byte) {
	if len(in) == 0 {
		return
	}
	cfg := SenderConfig{CC: CCTFMCC + CongestionControl(in[0]&1), GRTT: 10 * time.Millisecond, MinRate: 100_000, MaxRate: 5_000_000, MaxNodes: 16}
	w := newCCWorld(t, 1, cfg, netem.Link{})
	w.send()
	in = in[1:min(len(in), 1+12*20)]
	for ; len(in) >= 12; in = in[12:] {
		w.pass(time.Duration(in[0]&0x3f) * time.Millisecond)
		g := wire.Feedback{
			Source: 10 + wire.NodeID(in[1]), HasDelivery: in[0]&0x80 != 0,
			CC: wire.CCFeedback{
				Sequence: w.tx.grtt.sequence - uint16(in[2]&0x0f), Flags: in[3], RTT: in[4],
				Loss: uint16(in[5])<<8 | uint16(in[6]), Rate: uint16(in[7])<<8 | uint16(in[8]), Reserved: uint16(in[9]),
			},
			Delivery: wire.Delivery{Packets: uint32(in[9]) << (in[10] & 31), Time: uint32(in[10]) << (in[11] & 31), Dropped: uint32(in[11])},
		}
		if in[2]&0x80 == 0 {
			g.GRTTResponse = w.tx.grtt.timestamp(w.sim.Now().Add(-time.Duration(in[2]&0x70) * time.Millisecond))
		}
		w.forge(g)
		if r := w.tx.Stats().Rate; r.Rate < 99_999 || r.Rate > 5_000_001 {
			t.Fatalf("%+v", r)
		}
		if len(w.tx.cc.last) > maxDelivered || len(w.tx.cc.suspects) > maxSuspects || len(w.tx.nodes.order) > 16 {
			t.Fatalf("%d reports, %d suspects, %d nodes", len(w.tx.cc.last), len(w.tx.cc.suspects), len(w.tx.nodes.order))
		}
	}
	if w.out.Hasty > 2 {
		t.Fatalf("it asks to be called at once %d times", w.out.Hasty)
	}
}
