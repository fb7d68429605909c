package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

func TestRFC5740_5_3_NackOnlyAtBlockBoundary(t *testing.T) {
	begin := func(t *testing.T, blocks int) *rxRig {
		x := newReceiver(t, 1)
		x.blocks = blocks
		x.data(0, 0, 0, 2, 3)
		x.asks(2 * time.Second) // it knows of the gap, and keeps silent
		return x
	}
	t.Run("next block", func(t *testing.T) {
		x := begin(t, 4)
		x.data(0, 1, 0)
		x.asks(multiple(kFactor), "0/0/4")
	})
	t.Run("next object", func(t *testing.T) {
		x := begin(t, 1)
		x.data(1, 0, 0)
		x.asks(multiple(kFactor), "0/0/4")
	})
	t.Run("INFO of the next object", func(t *testing.T) {
		x := begin(t, 1)
		x.hear(&wire.Info{Sender: x.common, Flags: wire.FlagInfo, FEC: fec.ReedSolomonGF8, Object: 1, HasFTI: true, FTI: x.oti()})
		x.asks(multiple(kFactor), "0/0/4")
	})
	t.Run("FLUSH", func(t *testing.T) {
		x := begin(t, 2)
		x.flush(0, 1)
		x.asks(multiple(kFactor), "0/0/4 0/1")
	})
	t.Run("inactivity", func(t *testing.T) {
		x := newReceiver(t, 1)
		x.data(0, 0, 0, 2, 3)
		x.asks(multiple(2*robust) - 1)
		x.asks(1+multiple(kFactor), "0/0/4 0/1 0/2 0/3")
	})
}

func TestRFC5740_5_3_Inactivity(t *testing.T) {
	t.Run("asked RobustFactor times", func(t *testing.T) {
		x := newReceiver(t, 1)
		x.blocks = 1
		x.data(0, 0, 0, 2, 3)
		all := make([]string, robust)
		for i := range all {
			all[i] = "0/0/4"
		}
		x.asks(2*robust*multiple(2*robust), all...)
		if err := x.aborted(0); !errors.Is(err, core.ErrSenderSilent) {
			t.Errorf("ended with %v, want ErrSenderSilent", err)
		}
	})
	t.Run("rescaled as the advertised GRTT changes", func(t *testing.T) {
		x := newReceiver(t, 1)
		x.data(0, 0, 0, 2, 3)
		x.common.GRTT = wire.QuantizeGRTT(time.Second)
		x.hear(&wire.CC{Sender: x.common, CCSequence: 1})
		x.asks(2*robust*time.Second - time.Millisecond)
		x.asks(8*time.Second, "0/0/4 0/1 0/2 0/3")
	})
	t.Run("at least a second", func(t *testing.T) {
		x := newReceiver(t, 1)
		x.common.GRTT = wire.QuantizeGRTT(time.Millisecond)
		x.data(0, 0, 0, 2, 3)
		x.asks(time.Second - 1)
		x.asks(10*time.Millisecond, "0/0/4 0/1 0/2 0/3")
	})
}

func TestRFC5740_5_3_FirstRequestIsLowestParity(t *testing.T) {
	x := newReceiver(t, 1)
	x.data(0, 0, 0, 3)
	x.data(0, 1, 0)
	x.asks(multiple(kFactor), "0/0/4 0/0/5")
}

func TestRFC5740_5_3_SecondRequestIsRestOfFirst(t *testing.T) {
	for _, c := range []struct {
		arrives int
		want    string
	}{
		{4, "0/0/5"},
		{5, "0/0/4"},
		{6, "0/0/4"}, // parity that somebody else asked for counts too
		{1, "0/0/4"}, // as does a source symbol that was only late
	} {
		x := newReceiver(t, 1)
		x.data(0, 0, 0, 3)
		x.data(0, 1, 0, 1, 2, 3)
		x.asks(multiple(10), "0/0/4 0/0/5") // and the hold-off
		x.data(0, 0, c.arrives)
		x.data(0, 2, 0)
		x.asks(multiple(kFactor), c.want)
	}
}

func TestRFC5740_5_3_MoreErasuresThanParity(t *testing.T) {
	x := newReceiver(t, 1)
	x.k, x.parity = 8, 2
	x.data(0, 0, 1, 6) // six lack: both parity symbols, and of 0, 2-5, 7 the highest
	x.data(0, 1, 0)
	x.asks(multiple(kFactor), "0/0/3 0/0/4 0/0/5 0/0/7 0/0/8 0/0/9")
}

func TestRFC5740_5_3_WholeBlocks(t *testing.T) {
	x := newReceiver(t, 1)
	x.data(0, 0, 0, 1, 2, 3)
	x.data(0, 3, 0)
	x.asks(multiple(kFactor), "0/1 0/2")
}

func TestRFC5740_5_3_Info(t *testing.T) {
	x := newReceiver(t, 1)
	x.flags = wire.FlagInfo
	x.data(0, 0, 0, 1, 2, 3)
	x.data(0, 1, 0)
	x.asks(multiple(kFactor), "0i")
}

func TestRFC5740_5_3_WholeObject(t *testing.T) {
	x := newReceiver(t, 1)
	x.blocks = 1
	x.data(0, 0, 0, 1, 2, 3)
	x.data(3, 0, 0)
	x.asks(multiple(kFactor), "1 2")
}

func TestRFC5740_5_3_BackoffWithinKTimesGRTT(t *testing.T) {
	var early, late int
	for seed := range uint64(100) {
		x := newReceiver(t, seed)
		x.data(0, 0, 0)
		x.data(0, 1, 0)
		begin := x.now
		out := x.pass(multiple(kFactor))
		if len(out) != 1 {
			t.Fatalf("seed %d: %d messages within K*GRTT, want 1", seed, len(out))
		}
		if out[0].at.Sub(begin) < multiple(kFactor)/2 {
			early++
		} else {
			late++
		}
	}
	if early == 0 || late <= early { // truncated exponential: most wait, a few lead
		t.Errorf("%d early and %d late", early, late)
	}
}

func TestRFC5740_5_3_HoldoffOfKPlus2TimesGRTT(t *testing.T) {
	x := newReceiver(t, 1)
	x.data(0, 0, 0, 1, 2)
	x.data(0, 1, 0, 1, 2, 3)
	said := x.pass(multiple(kFactor))
	x.pass(said[0].at.Add(multiple(kFactor+2)).Sub(x.now) - 1)
	x.data(0, 2, 0, 1, 2, 3) // a boundary just before its end does not count
	x.asks(time.Second)
	x.data(0, 3, 0) // one behind it does
	x.asks(multiple(kFactor), "0/0/4")
}

// needy returns a receiver in its back-off that lacks two symbols of block 0.
func needy(t *testing.T) *rxRig {
	t.Helper()
	x := newReceiver(t, 1)
	x.data(0, 0, 0, 3)
	x.data(0, 1, 0, 1, 2, 3)
	return x
}

func TestRFC5740_5_3_Suppression(t *testing.T) {
	for _, c := range []struct{ others, want string }{
		{"0/0/4 0/0/5", ""},       // the same
		{"0/0/4 0/0/5 0/0/6", ""}, // more
		{"0/0", ""},
		{"0", ""},
		{"0/0/4", "0/0/4 0/0/5"}, // less
		{"0/0/5 0/0/6", "0/0/4 0/0/5"},
		{"0/1/4 0/1/5", "0/0/4 0/0/5"}, // something else
		{"0i", "0/0/4 0/0/5"},
	} {
		x, y := needy(t), needy(t)
		x.overhear(another, c.others)
		y.hear(&wire.RepairAdv{Sender: y.common, Requests: requests(0, c.others)})
		var want []string
		if c.want != "" {
			want = append(want, c.want)
		}
		t.Run("NACK "+c.others, func(t *testing.T) { x.t = t; x.asks(time.Second, want...) })
		t.Run("REPAIR_ADV "+c.others, func(t *testing.T) { y.t = t; y.asks(time.Second, want...) })
	}
	t.Run("only for the hold-off", func(t *testing.T) {
		x := needy(t)
		x.overhear(another, "0/0")
		x.asks(multiple(2*kFactor + 2))
		x.data(0, 2, 0) // and the repair did not come
		x.asks(multiple(kFactor), "0/0/4 0/0/5")
	})
	t.Run("two others together", func(t *testing.T) {
		x := needy(t)
		x.overhear(another, "0/0/4")
		x.overhear(another+1, "0/0/5")
		x.asks(time.Second)
	})
}

func TestRFC5740_5_3_NoSuppressionByForeignNack(t *testing.T) {
	for name, f := range map[string]wire.Feedback{
		"another sender's": {Source: another, Server: theSender + 10, InstanceID: theInstance},
		"another run's":    {Source: another, Server: theSender, InstanceID: theInstance + 1},
		"its own echo":     {Source: theReceiver, Server: theSender, InstanceID: theInstance},
	} {
		x := needy(t)
		x.hear(&wire.Nack{Feedback: f, Requests: requests(0, "0/0/4 0/0/5")})
		t.Run(name, func(t *testing.T) { x.t = t; x.asks(time.Second, "0/0/4 0/0/5") })
	}
}

func TestRFC5740_5_3_NothingAheadOfTheSender(t *testing.T) {
	begin := func() *rxRig {
		x := newReceiver(t, 1)
		x.data(0, 0, 0, 3)
		x.data(0, 1, 0, 1, 2)
		x.data(0, 2, 0) // the back-off begins
		return x
	}
	x := begin()
	x.data(0, 0, 4) // the sender has gone back to the earliest need
	x.asks(multiple(kFactor))
	x = begin()
	x.data(0, 1, 5) // it has gone back to block 1, past block 0
	x.asks(multiple(kFactor), "0/0/4 0/0/5")
}

func TestRFC5740_5_2_RepairDoesNotJoin(t *testing.T) {
	x := newReceiver(t, 1)
	x.data(0, 0, 4)
	x.data(0, 1, 4, 5)
	x.data(0, 2, 4)
	x.asks(time.Minute)
	if len(x.events) > 0 {
		t.Errorf("joined at a repair: %+v", x.events)
	}
	x.data(1, 0, 0)
	x.data(1, 1, 0)
	x.asks(multiple(kFactor), "1/0/4 1/0/5 1/0/6") // nothing of object 0
}

func TestRFC5740_4_2_1_NewInstanceDropsOldState(t *testing.T) {
	x := newReceiver(t, 1)
	x.data(0, 0, 0)
	x.data(0, 1, 0) // a NACK is due
	x.common.InstanceID++
	x.data(5, 0, 0, 1, 2)
	x.asks(time.Second)
	if err := x.aborted(0); !errors.Is(err, core.ErrSenderRestarted) {
		t.Errorf("ended with %v, want ErrSenderRestarted", err)
	}
	x.data(5, 1, 0)
	for _, s := range x.pass(multiple(kFactor)) {
		if s.nack != "5/0/4" || s.InstanceID != theInstance+1 || s.Server != theSender || s.Source != theReceiver {
			t.Errorf("said %+v", s)
		}
	}
	if n := x.r.Stats().Nacks; n != 1 {
		t.Errorf("%d NACKs, want 1", n)
	}
}

func TestRFC5740_4_2_3_3_SquelchEndsObjects(t *testing.T) {
	x := newReceiver(t, 1)
	x.blocks = 1
	for o := range 5 {
		x.data(o, 0, 0, 3)
	}
	m := wire.Squelch{Sender: x.common, FEC: fec.ReedSolomonGF8, Object: 1}
	m.Invalid = m.Invalid.Append(3)
	x.hear(&m)
	x.asks(multiple(10)) // it was about object 0
	x.data(5, 0, 0)
	x.asks(multiple(kFactor), "1/0/4 1/0/5 2/0/4 2/0/5 4/0/4 4/0/5")
	for o := range 5 {
		if err := x.aborted(o); errors.Is(err, core.ErrPurged) != (o == 0 || o == 3) {
			t.Errorf("object %d ended with %v", o, err)
		}
	}
}

func TestRFC5740_4_2_3_2_EOTEndsAll(t *testing.T) {
	x := newReceiver(t, 1)
	x.data(0, 0, 0)
	x.hear(&wire.EOT{Sender: x.common})
	x.asks(10 * time.Minute)
	if err := x.aborted(0); !errors.Is(err, core.ErrSenderGone) {
		t.Errorf("ended with %v, want ErrSenderGone", err)
	}
	if !x.r.Idle(x.now) {
		t.Error("it still waits for the sender")
	}
}

func TestRFC5740_5_4_4_LimitedRepairAdv(t *testing.T) {
	x := newReceiver(t, 1)
	x.data(0, 0, 0, 3)
	x.data(0, 2, 0)
	x.hear(&wire.RepairAdv{Sender: x.common, Flags: wire.RepairAdvLimit, Requests: requests(0, "0/0/4 0/0/5")})
	x.asks(multiple(kFactor)) // block 1 lies behind what fitted
}

func TestRFC5740_5_5_1_FeedbackAdjustsTheTimestamp(t *testing.T) {
	stamp := wire.Timestamp{Sec: 99, Usec: 999_000}
	x := newReceiver(t, 1)
	x.data(0, 0, 0, 1, 2)
	x.data(0, 1, 0, 1, 2)
	if s := x.pass(multiple(10))[0]; !s.GRTTResponse.IsZero() || s.HasCC {
		t.Errorf("answers a probe that never came: %+v", s.Feedback)
	}
	check := func(what string, came time.Time, sequence uint16, s spoken) {
		t.Helper()
		if want := stamp.Add(s.at.Sub(came)); s.GRTTResponse != want || !s.HasCC || s.CC.Sequence != sequence {
			t.Errorf("%s: %+v, want a response of %v to probe %d", what, s.Feedback, want, sequence)
		}
	}
	// Without EXT_RATE a probe waits for a NACK to answer it.
	came := x.now
	x.hear(&wire.CC{Sender: x.common, CCSequence: 65535, SendTime: stamp})
	if out := x.pass(500 * time.Millisecond); len(out) > 0 {
		t.Errorf("said %+v", out)
	}
	x.data(0, 2, 0, 1, 2)
	check("NACK", came, 65535, x.pass(multiple(10))[0])
	// With it, it is answered soon; an older one is not.
	came = x.now
	x.hear(&wire.CC{Sender: x.common, CCSequence: 0, SendTime: stamp, HasRate: true, Rate: wire.QuantizeRate(1e6)})
	x.hear(&wire.CC{Sender: x.common, CCSequence: 65534, SendTime: wire.Timestamp{Sec: 1}, HasRate: true, Rate: wire.QuantizeRate(1e6)})
	out := x.pass(multiple(kFactor))
	if len(out) != 1 || out[0].ack != wire.AckCC {
		t.Fatalf("said %+v, want one ACK(CC)", out)
	}
	check("ACK(CC)", came, 0, out[0])
}

func TestRFC5740_5_5_3_AckWithinOneGRTT(t *testing.T) {
	acks := func(x *rxRig, d time.Duration) (n int) {
		t.Helper()
		want := wire.FlushAck{FEC: fec.ReedSolomonGF8, Object: 1, ID: fec.PayloadID{ESI: 3}}
		for _, s := range x.pass(d) {
			if s.ack == wire.AckFlush {
				if n++; s.echo != want || s.Server != theSender || s.InstanceID != theInstance {
					t.Errorf("echoed %+v, want %+v", s, want)
				}
			}
		}
		return n
	}
	times := make(map[time.Duration]bool)
	for seed := range uint64(20) {
		x := newReceiver(t, seed)
		x.blocks = 1
		x.stored(0)
		x.stored(1)
		x.flush(1, 0, another)
		if n := acks(x, time.Second); n != 0 {
			t.Fatalf("%d ACKs, and it was not asked", n)
		}
		for range 2 { // once for each FLUSH
			begin := x.now
			x.flush(1, 0, another, theReceiver)
			out := x.pass(grtt)
			if len(out) != 1 || out[0].ack != wire.AckFlush {
				t.Fatalf("seed %d: within a GRTT it said %+v, want an ACK(FLUSH)", seed, out)
			}
			times[out[0].at.Sub(begin)] = true
		}
	}
	if len(times) < 30 {
		t.Errorf("only %d different delays of 40", len(times))
	}

	x := newReceiver(t, 1)
	x.blocks = 1
	x.data(0, 0, 0, 1, 2, 3) // complete, but the application has not got it safe
	x.flush(0, 0, theReceiver)
	if n := acks(x, time.Second); n != 0 {
		t.Errorf("%d ACKs, and the object is not stored", n)
	}

	x = newReceiver(t, 1)
	x.blocks = 1
	x.data(0, 0, 0, 1)
	x.stored(1)
	x.flush(1, 0, theReceiver)
	x.asks(time.Second, "0/0/4 0/0/5") // what was before the watermark counts too
	if n := x.r.Stats().Acks; n != 0 {
		t.Errorf("%d ACKs, and it lacks something", n)
	}
	x.stored(0)
	x.flush(1, 0, theReceiver)
	if n := acks(x, time.Second); n != 1 {
		t.Errorf("%d ACKs, want 1", n)
	}
}
