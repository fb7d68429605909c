package core_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

func TestRFC5740_5_4_1_AggregationThenRepairsBeforeNewData(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(4, core.ObjectSpec{Info: []byte("info")})
	x.take(1 + 2*4)
	x.nack(another, "0/1/4")
	x.wait(grtt)
	x.nack(theReceiver, "0i 0/0/4") // does not prolong it
	x.expect("DATA 0/2/0")          // new data goes on meanwhile
	x.wait(multiple(kFactor) - 1)
	x.expect("DATA 0/2/1")
	x.wait(1)
	x.expect("INFO 0 REPAIR", "DATA 0/0/4 REPAIR", "DATA 0/1/4 REPAIR", "DATA 0/2/2")
}

func TestRFC5740_5_4_1_HoldoffOfOneGRTT(t *testing.T) {
	begin := func() *txRig {
		x := newSender(t, nil)
		x.enqueue(5, core.ObjectSpec{})
		x.take(4 * 4)
		x.nack(theReceiver, "0/1/4 0/1/5 0/3/4")
		x.wait(multiple(kFactor + 1))
		x.expect("DATA 0/1/4 REPAIR")
		x.wait(grtt - 1)
		return x
	}
	x := begin()
	x.nack(another, "0/0/4 0/2/4") // block 0 is past, block 2 still ahead
	x.expect("DATA 0/1/5 REPAIR", "DATA 0/2/4 REPAIR", "DATA 0/3/4 REPAIR", "DATA 0/4/0")
	x.nack(another, "0/0/4")
	x.wait(0)
	if n := x.s.Stats().LateNacks; n != 1 {
		t.Errorf("%d late NACKs, want 1", n)
	}
	x.wait(multiple(kFactor + 2))
	x.expect("DATA 0/4/1")

	x = begin()
	x.wait(1) // it is over
	x.take(2)
	x.nack(another, "0/0/4")
	x.expect("DATA 0/4/0")
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/4 REPAIR", "DATA 0/4/1")
}

func TestRFC5740_5_4_1_UnsentContentIsNotRepaired(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(3, core.ObjectSpec{})
	x.enqueue(1, core.ObjectSpec{Info: []byte("info")})
	x.take(4)
	x.nack(theReceiver, "0/1 0/2/4 1i 1/0/4 7")
	x.nack(theReceiver, "1 2")
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/1/0", "DATA 0/1/1", "DATA 0/1/2", "DATA 0/1/3", "DATA 0/2/0", "DATA 0/2/1", "DATA 0/2/2", "DATA 0/2/3",
		"INFO 1", "DATA 1/0/0", "DATA 1/0/1", "DATA 1/0/2", "DATA 1/0/3", "FLUSH 1/0/3")

	x = newSender(t, nil)
	x.enqueue(2, core.ObjectSpec{})
	x.take(4)
	x.nack(theReceiver, "0") // what was sent of it is
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/0 REPAIR EXPLICIT", "DATA 0/0/1 REPAIR EXPLICIT", "DATA 0/0/2 REPAIR EXPLICIT", "DATA 0/0/3 REPAIR EXPLICIT", "DATA 0/1/0")
}

func TestRFC5740_5_4_2_MostErasuresDecide(t *testing.T) {
	x := newSender(t, func(c *core.SenderConfig) { c.Parity = 6 })
	x.enqueue(3, core.ObjectSpec{})
	x.take(4)
	x.nack(theReceiver, "0/0/4")
	x.nack(another, "0/0/4 0/0/5 0/0/6")
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/4 REPAIR", "DATA 0/0/5 REPAIR", "DATA 0/0/6 REPAIR", "DATA 0/1/0")
	// Two lost one of these each, not the same: a fresh one helps both.
	x.wait(grtt)
	x.nack(theReceiver, "0/0/4")
	x.nack(another, "0/0/6")
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/7 REPAIR", "DATA 0/1/1")
}

func TestRFC5740_5_4_2_ExplicitWhenParityIsExhausted(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(3, core.ObjectSpec{})
	x.take(4)
	x.nack(theReceiver, "0/0/4 0/0/5 0/0/6")
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/4 REPAIR", "DATA 0/0/5 REPAIR", "DATA 0/0/6 REPAIR", "DATA 0/1/0")
	x.wait(grtt)
	x.nack(theReceiver, "0/0/4")
	x.nack(another, "0/0/6")
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/4 REPAIR EXPLICIT", "DATA 0/0/6 REPAIR EXPLICIT", "DATA 0/1/1")
}

func TestRFC5740_4_3_1_ErasuresForm(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(3, core.ObjectSpec{})
	x.take(4)
	count := requests(x.first, "0/0/2").Bytes() // two erasures in block 0
	count[0] = byte(wire.Erasures)
	x.hear(&wire.Nack{Feedback: feedback(theReceiver), Requests: wire.Codec{}.Requests(count)}, group)
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/4 REPAIR", "DATA 0/0/5 REPAIR", "DATA 0/1/0")
}

func TestRFC5740_5_4_3_Squelch(t *testing.T) {
	x := newSender(t, nil)
	for range 6 {
		x.enqueue(1, core.ObjectSpec{})
	}
	x.enqueue(100, core.ObjectSpec{})
	x.take(6 * 4)
	for _, id := range []int{0, 2, 3, 5} {
		x.s.Cancel(x.now, x.first+wire.TransportID(id))
	}
	x.nack(theReceiver, "3/0/4 5") // the list begins with the lowest of these
	x.nack(another, "5")
	x.expect("SQUELCH 1/0/0 not 3 not 5", "DATA 6/0/0")
	x.nack(another, "5")
	x.nack(theReceiver, "0") // before the window: the whole list, but for it
	x.wait(multiple(2) - 1)
	x.expect("DATA 6/0/1") // at most once in 2*GRTT
	x.wait(1)
	x.expect("SQUELCH 1/0/0 not 2 not 3 not 5", "DATA 6/0/2")
	x.wait(multiple(10))
	x.expect("DATA 6/0/3") // and only if asked
}

func TestRFC5740_5_4_4_RepairAdvForUnicastNacks(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(3, core.ObjectSpec{})
	x.take(8)
	x.nack(theReceiver, "0/0/4")
	x.expect("DATA 0/2/0") // the group has heard that one
	x.hear(&wire.Nack{Feedback: feedback(another), Requests: requests(x.first, "0/0/4 0/0/5")}, "192.0.2.1:6003")
	x.expect("ADV 0/0/4 0/0/5", "DATA 0/2/1")
}

func TestRFC5740_5_4_4_RepairAdvInOrder(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(3, core.ObjectSpec{})
	x.take(8)
	x.hear(&wire.Nack{Feedback: feedback(another), Requests: requests(x.first, "0/0/4 0/1")}, "192.0.2.1:6003")
	x.expect("ADV 0/0/4 0/1", "DATA 0/2/0")
}

func TestRFC5740_5_1_FlushRobustFactorTimes(t *testing.T) {
	for _, interval := range []time.Duration{time.Millisecond, time.Second} {
		x := newSender(t, func(c *core.SenderConfig) { c.FlushInterval = interval })
		x.enqueue(2, core.ObjectSpec{})
		begin := x.now
		check := func() {
			t.Helper()
			all := x.pass(time.Minute, "FLUSH")
			if len(all) != 5 {
				t.Fatalf("%d FLUSH messages, want RobustFactor", len(all))
			}
			for i, m := range all {
				if at := begin.Add(time.Duration(i) * max(interval, multiple(2))); m.text != "FLUSH 0/1/3" || !m.at.Equal(at) {
					t.Errorf("%d: %s after %v, want FLUSH 0/1/3 after %v", i, m.text, m.at.Sub(begin), at.Sub(begin))
				}
			}
		}
		check()
		x.nack(theReceiver, "0/0/4") // and anew behind the repair
		begin = x.now.Add(multiple(kFactor + 1))
		check()
	}
}

func TestRFC5740_5_5_3_WatermarkUntilAllConfirm(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(1, core.ObjectSpec{AckNodes: []wire.NodeID{theReceiver, another}})
	x.enqueue(100, core.ObjectSpec{}) // it does not wait for the end of everything
	x.take(3)
	x.expect("DATA 0/0/3", "FLUSH 0/0/3 ask 2 ask 3", "DATA 1/0/0")
	x.acknowledge(theReceiver, 0, 0, 2) // not the watermark
	x.acknowledge(theReceiver, 1, 0, 3)
	x.wait(multiple(2) - 1)
	x.expect("DATA 1/0/1")
	x.wait(1)
	x.expect("FLUSH 0/0/3 ask 2 ask 3", "DATA 1/0/2")
	x.acknowledge(theReceiver, 0, 0, 3)
	x.wait(multiple(2))
	x.expect("FLUSH 0/0/3 ask 3", "DATA 1/0/3")
	x.nack(another, "0/0/4") // interrupts it until the repair is sent
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/0/4 REPAIR", "FLUSH 0/0/3 ask 3", "DATA 1/1/0")
	x.acknowledge(another, 0, 0, 3)
	x.wait(multiple(2))
	x.expect("DATA 1/1/1")
	x.pass(0, "")
	want := core.SenderEvent{Type: core.ObjectDone, Object: x.first}
	if !slices.Contains(x.events, want) {
		t.Errorf("events %v, want %v among them", x.events, want)
	}
}

func TestRFC5740_4_2_3_2_EOTRobustFactorTimes(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(1, core.ObjectSpec{})
	x.pass(0, "")
	x.s.Shutdown(x.now)
	begin := x.now
	all := x.pass(time.Minute, "EOT")
	if len(all) != 5 || all[4].at.Sub(begin) != multiple(8) {
		t.Errorf("%d EOT messages, the last after %v; want 5 and %v", len(all), all[len(all)-1].at.Sub(begin), multiple(8))
	}
	if last := x.events[len(x.events)-1]; last.Type != core.ShutdownDone {
		t.Errorf("the last event is %v", last)
	}
}

// answer has a receiver answer the probe just sent as if it were so far away, and
// passes on to the next probe, when the probing interval ends.
func (x *txRig) answer(rtts ...time.Duration) {
	x.t.Helper()
	for i, rtt := range rtts {
		f := feedback(theReceiver + wire.NodeID(i))
		f.GRTTResponse = wire.TimestampOf(x.now.Add(-rtt))
		x.hear(&wire.Ack{Feedback: f, AckType: wire.AckCC}, group)
	}
}

func (x *txRig) probe() {
	x.t.Helper()
	if got := x.pass(x.s.Next().Sub(x.now), ""); len(got) != 1 || got[0].text != "CC" {
		x.t.Fatalf("sent %v, want just a probe", got)
	}
}

func (x *txRig) wantGRTT(when string, want time.Duration) {
	x.t.Helper()
	if got, want := x.s.Stats().GRTT, wire.GRTT(wire.QuantizeGRTT(want)); got != want {
		x.t.Errorf("%s: GRTT is %v, want %v", when, got, want)
	}
}

func TestRFC5401_3_7_1_GRTT(t *testing.T) {
	const ms = time.Millisecond
	x := newSender(t, nil)
	x.pass(0, "")
	x.probe()
	x.wantGRTT("without an answer", 100*ms)
	x.answer(20*ms, 30*ms)
	x.wantGRTT("within the first interval", 100*ms)
	x.probe()
	x.wantGRTT("the first interval replaces the guess", 30*ms)
	x.answer(300 * ms)
	x.wantGRTT("up at once", 300*ms)
	x.probe()
	x.wantGRTT("the peak of that interval", 300*ms)
	x.answer(20*ms, 50*ms)
	x.wantGRTT("not down at once", 300*ms)
	x.probe()
	x.wantGRTT("down to 0.9", 270*ms)
	x.answer(265 * ms)
	x.probe()
	x.wantGRTT("not below the peak", 265*ms)
	x.probe()
	x.probe()
	x.wantGRTT("unchanged without feedback", 265*ms)
	x.hear(&wire.Ack{Feedback: feedback(theReceiver), AckType: wire.AckCC}, group)
	x.probe()
	x.wantGRTT("a zero response is none", 265*ms)
}

func TestRFC5740_5_5_1_GRTTNotBelowSegmentTime(t *testing.T) {
	const segmentTime = 500 * time.Millisecond
	x := newSender(t, func(c *core.SenderConfig) { c.Rate = int64(segment * 8 * time.Second / segmentTime) })
	x.enqueue(2, core.ObjectSpec{})
	for _, m := range x.pass(10*time.Second, "") {
		if g := wire.GRTT(m.GRTT); g < segmentTime || g > segmentTime*11/10 {
			t.Fatalf("%s advertises a GRTT of %v at %v a segment", m.text, g, segmentTime)
		}
	}
}

func TestRFC5740_4_1_SequenceOfAllMessages(t *testing.T) {
	x := newSender(t, nil)
	for range 3 {
		x.enqueue(2, core.ObjectSpec{Info: []byte("info"), AckNodes: []wire.NodeID{another}})
	}
	all := x.pass(0, "")
	x.s.Cancel(x.now, x.first)
	x.hear(&wire.Nack{Feedback: feedback(theReceiver), Requests: requests(x.first, "0 1/0/4")}, "192.0.2.1:6003")
	all = append(all, x.pass(10*time.Second, "")...)
	x.s.Shutdown(x.now)
	all = append(all, x.pass(10*time.Second, "")...)
	types := make(map[string]bool)
	for i, m := range all {
		word, _, _ := strings.Cut(m.text, " ")
		types[word] = true
		if m.Sequence != all[0].Sequence+uint16(i) {
			t.Fatalf("message %d, %s, has sequence %d behind %d", i, m.text, m.Sequence, all[i-1].Sequence)
		}
		if m.Source != theSender || m.InstanceID != theInstance || m.Backoff != kFactor {
			t.Fatalf("message %d, %s: %+v", i, m.text, m.Sender)
		}
	}
	if len(types) != 7 {
		t.Errorf("only %v were sent", types)
	}
}

func TestRFC5740_4_3_1_FeedbackForOthersIsIgnored(t *testing.T) {
	x := newSender(t, nil)
	x.enqueue(3, core.ObjectSpec{})
	x.take(4)
	for _, f := range []wire.Feedback{
		{Source: theReceiver, Server: another, InstanceID: theInstance},
		{Source: theReceiver, Server: theSender, InstanceID: theInstance + 1},
		{Source: theSender, Server: theSender, InstanceID: theInstance}, // an echo
	} {
		f.GRTTResponse = wire.TimestampOf(x.now.Add(-time.Second))
		x.hear(&wire.Nack{Feedback: f, Requests: requests(x.first, "0/0/4")}, group)
		x.hear(&wire.Ack{Feedback: f, AckType: wire.AckCC}, group)
	}
	x.wait(multiple(kFactor + 1))
	x.expect("DATA 0/1/0")
	x.wantGRTT("after others' answers", 100*time.Millisecond)
	if s := x.s.Stats(); s.Nacks != 0 || s.Acks != 0 || s.Foreign != 4 || s.Nodes != 0 {
		t.Errorf("counted %+v", s)
	}
}
