package tfmcc

import (
	"testing"
	"time"
)

// A rig is a sender, probed every 100 ms and always busy.
type rig struct {
	s   *Sender
	now time.Time
	seq uint16
}

func newRig(cfg Config) *rig {
	x := &rig{s: NewSender(cfg), now: origin}
	x.s.SetGRTT(100 * time.Millisecond)
	x.s.SetBusy(x.now, true)
	x.probe()
	return x
}

func (x *rig) probe() {
	x.now = x.now.Add(100 * time.Millisecond)
	x.seq++
	x.s.Probed(x.now, x.seq)
	x.s.Advance(x.now)
}

func (x *rig) report(f Feedback) {
	f.Sequence = x.seq
	if f.RTT == 0 {
		f.RTT = 100 * time.Millisecond
	}
	f.Told = f.RTT
	x.s.Feedback(x.now, &f)
}

// settle has one receiver report the same for some rounds.
func (x *rig) settle(n int, f Feedback) {
	for range n {
		x.probe()
		x.report(f)
	}
}

func lossy(node uint32, loss float64) Feedback {
	return Feedback{Node: node, Loss: loss, Rate: Throughput(1428, 100*time.Millisecond, loss)}
}

func TestSlowStartDoublesAndStops(t *testing.T) {
	x := newRig(Config{})
	x.settle(2, Feedback{Node: 1, Rate: 1e6, Start: true})
	before := x.s.Rate()
	x.settle(1, Feedback{Node: 1, Rate: 1e6, Start: true})
	if got := x.s.Rate(); got <= before || got > 2*before {
		t.Errorf("from %.0f to %.0f in a round", before, got)
	}
	x.settle(10, Feedback{Node: 1, Rate: 1e6, Start: true})
	if x.s.Rate() != 1e6 || x.s.Status().Phase != SlowStart {
		t.Errorf("%v; want what the receiver reports", x.s.Status())
	}
	x.settle(3, lossy(1, 0.01))
	if st := x.s.Status(); st.Phase != Limited || !near(x.s.Rate(), Throughput(1428, 100*time.Millisecond, 0.01)) {
		t.Errorf("%v after the first loss", st)
	}
}

func near(a, b float64) bool { return a > 0.95*b && a < 1.05*b }

func TestIncreaseOfAPacketARoundTrip(t *testing.T) {
	x := newRig(Config{})
	x.settle(5, lossy(1, 0.05))
	x.settle(3, lossy(1, 0.001))
	before := x.s.Rate()
	x.settle(10, lossy(1, 0.001))
	if got, want := x.s.Rate()-before, 10*1428/0.1; !near(got, want) {
		t.Errorf("%.0f more in 10 round trips, want %.0f", got, want)
	}
}

func TestOneReportChangesNothing(t *testing.T) {
	x := newRig(Config{})
	x.settle(5, Feedback{Node: 1, Rate: 1e6, Start: true})
	before := x.s.Rate()
	x.probe()
	x.report(lossy(66, 1))
	x.report(Feedback{Node: 1, Rate: 1e6, Start: true})
	if x.s.Rate() < before {
		t.Errorf("from %.0f to %.0f by a stranger", before, x.s.Rate())
	}
	list := x.s.AppendList(nil, 32)
	if len(list) != 2 || !list[0].CLR || list[0].Node != 1 || !list[1].PLR || list[1].Node != 66 {
		t.Errorf("listed %+v; want the CLR, then the stranger as PLR", list)
	}
	x.probe()
	x.report(lossy(66, 1))
	if got := x.s.Rate(); got > before/2 || got < before/4.1 {
		t.Errorf("from %.0f to %.0f; want it believed now, and no less than a quarter in a round trip", before, got)
	}
}

func TestLeave(t *testing.T) {
	x := newRig(Config{})
	for range 5 {
		x.probe()
		x.report(lossy(1, 0.001))
		x.report(lossy(2, 0.05))
	}
	if x.s.Status().Limiting != 2 {
		t.Fatalf("%v", x.s.Status())
	}
	bye := lossy(2, 0.05)
	bye.Leave = true
	x.report(bye)
	if x.s.Status().Limiting != 1 {
		t.Errorf("%v; receiver 2 has left", x.s.Status())
	}
}

func TestTieGoesToTheLongerWay(t *testing.T) {
	x := newRig(Config{})
	far := lossy(2, 0.01)
	far.RTT, far.Loss = 200*time.Millisecond, 0.0028
	far.Rate = Throughput(1428, far.RTT, far.Loss)
	for range 5 {
		x.probe()
		x.report(lossy(1, 0.01))
		x.report(far)
	}
	if x.s.Status().Limiting != 2 {
		t.Errorf("%v; want the receiver with the longer way", x.s.Status())
	}
}

func TestSilentCLR(t *testing.T) {
	x := newRig(Config{})
	x.settle(20, lossy(1, 0.001))
	before := x.s.Rate()
	for range 6 {
		x.probe()
	}
	if got := x.s.Rate(); got >= before {
		t.Errorf("%.0f after 6 probes without an answer, as before", got)
	}
	for range 40 {
		x.probe()
	}
	if st := x.s.Status(); st.Limiting != 0 {
		t.Errorf("%v; the CLR is long gone", st)
	}
	for range 300 {
		x.probe()
	}
	if x.s.Rate() != 1428 {
		t.Errorf("%.0f bytes/s without any receiver, want the floor", x.s.Rate())
	}
	x.settle(10, Feedback{Node: 3, Rate: 1e6, Start: true})
	if x.s.Rate() < 100_000 {
		t.Errorf("%v; stuck at the floor", x.s.Status())
	}
}

func TestBreakWearsOff(t *testing.T) {
	x := newRig(Config{})
	x.settle(40, Feedback{Node: 1, Rate: 1e6, Start: true})
	x.s.SetBusy(x.now, false)
	for range 100 {
		x.probe()
	}
	if st := x.s.Status(); x.s.Rate() > 50_000 || st.Phase != Idle {
		t.Errorf("%v after a break of 10 s", st)
	}
	if !x.s.Next().IsZero() {
		t.Errorf("%v is scheduled when nothing will happen", x.s.Next())
	}
}

func TestUnknownRoundTrip(t *testing.T) {
	x := newRig(Config{GRTT: 500 * time.Millisecond})
	x.s.SetGRTT(500 * time.Millisecond)
	f := Feedback{Node: 1, Loss: 0, Rate: Throughput(1428, 500*time.Millisecond, 0.01), RTT: 100 * time.Millisecond}
	for range 4 {
		x.probe()
		f.Sequence = x.seq
		x.s.Feedback(x.now, &f)
	}
	// It has reckoned with the group's round-trip time, five times its own.
	if got, want := x.s.clr.rate, Throughput(1428, 100*time.Millisecond, 0.01); !near(got, want) {
		t.Errorf("%.0f, want %.0f", got, want)
	}
}

func TestNodesAreBounded(t *testing.T) {
	x := newRig(Config{})
	x.settle(5, lossy(1, 0.01))
	for i := range uint32(1000) {
		x.report(lossy(100+i, 0.5))
		if i%50 == 0 {
			x.settle(1, lossy(1, 0.01))
		}
		if len(x.s.nodes) > maxNodes {
			t.Fatalf("%d nodes", len(x.s.nodes))
		}
	}
	if x.s.Status().Limiting != 1 {
		t.Errorf("%v", x.s.Status())
	}
}

func TestTimer(t *testing.T) {
	var tm Timer
	wait := func() time.Duration { return time.Second }
	tm.Probe(origin, true, wait)
	if !tm.Ready() {
		t.Error("a named receiver waits")
	}
	tm.Spoke(origin, 4*time.Second)
	tm.Probe(origin.Add(time.Second), false, wait)
	if !tm.Next().IsZero() {
		t.Error("it answers in its hold-off")
	}
	now := origin.Add(5 * time.Second)
	for _, c := range []struct {
		name        string
		mine, other Report
		cancels     bool
	}{
		{"a slower one", Report{Rate: 100}, Report{Rate: 50}, true},
		{"about the same", Report{Rate: 100}, Report{Rate: 105}, true},
		{"a faster one", Report{Rate: 100}, Report{Rate: 200}, false},
		{"one that knows its RTT", Report{Rate: 100}, Report{Rate: 50, RTT: 1}, false},
		{"both know", Report{Rate: 100, RTT: 1}, Report{Rate: 50, RTT: 1}, true},
		{"no rate", Report{Rate: 100}, Report{}, false},
	} {
		var tm Timer
		tm.Probe(now, false, wait)
		tm.Hear(now, c.mine, c.other, time.Second)
		if tm.Next().IsZero() != c.cancels {
			t.Errorf("%s: canceled %v", c.name, !c.cancels)
		}
	}
}
