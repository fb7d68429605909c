package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// addFaults adds what is worse than a bad network: clocks that are wrong by up to 5 %,
// partitions of minutes, receivers killed and started again, full disks. The dice are
// others, so that what was drawn before stays what it is.
func (sc *scenario) addFaults() {
	d := dice{rand.New(rand.NewPCG(sc.seed, 5401))}
	skewed := d.chance(0.25)
	for i := range sc.senders {
		p := &sc.senders[i]
		if skewed {
			p.skew = 0.05 * (2*d.Float64() - 1)
		}
		if d.chance(0.04) {
			p.cutFrom = d.duration(0, 5*time.Second)
			p.cutTo = p.cutFrom + d.duration(time.Second, 2*time.Minute)
		}
	}
	for i := range sc.receivers {
		p := &sc.receivers[i]
		if skewed {
			p.skew = 0.05 * (2*d.Float64() - 1)
		}
		switch x := d.Float64(); {
		case x < 0.06:
			p.killed = p.join + d.duration(time.Millisecond, 5*time.Second)
			p.back = p.killed + d.duration(0, 10*time.Second)
		case x < 0.10:
			p.fullFrom = p.join + d.duration(0, 3*time.Second)
			p.fullTo = p.fullFrom + d.duration(0, 20*time.Second)
		case x < 0.13 && p.cutTo == 0 && p.join == 0:
			p.cutFrom = d.duration(0, 5*time.Second)
			p.cutTo = p.cutFrom + d.duration(15*time.Second, 3*time.Minute)
		}
	}
}

// length is how long it takes until every plan has run.
func (sc *scenario) length() time.Duration {
	end := 25 * time.Second
	for i := range sc.senders {
		end = max(end, sc.senders[i].cutTo+time.Second)
	}
	for i := range sc.receivers {
		p := &sc.receivers[i]
		end = max(end, p.cutTo+time.Second, p.back+time.Second, p.fullTo+time.Second)
	}
	return end
}

// addFaults has a receiver suffer what its plan says.
func (p *receiverPlan) addFaults(n *rxNode) {
	if n.killed = p.killed > 0; n.killed {
		n.w.sim.At(p.killed, n.kill)
		n.w.sim.At(p.back, func() { n.node.SetDown(false) })
	}
	if n.filled = p.fullTo > 0; n.filled {
		n.w.sim.At(p.fullFrom, func() { n.full = true })
		n.w.sim.At(p.fullTo, func() { n.full = false })
	}
}

// kill has the receiver start again on a host that is cut off. What it had stored it has.
func (n *rxNode) kill() {
	cfg := n.cfg
	cfg.Rand = n.w.sim.Rand(n.node.Name + " again")
	r, err := NewReceiver(cfg)
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.earlier, n.objects, n.held = n.objects, map[ObjectKey]*rxCopy{}, nil
	n.Receiver = r
	n.node.SetDown(true)
	n.node.Restart(r)
}

// Datagrams arrive with bits flipped, as a checksum of 16 bits does not always notice: the
// worlds of TestSeeds once more. What arrives may then be wrong, which the digest of a file
// finds out, and not end; but no engine panics, spins or takes more memory than it may. What
// the checksum does notice is a loss like others.
func TestSeedsDamaged(t *testing.T) {
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			sc := newScenario(seed)
			d := dice{rand.New(rand.NewPCG(seed, 768))}
			damage := pick(d, 0.0001, 0.001, 0.01)
			sc.receivers = sc.receivers[:min(len(sc.receivers), 10)]
			for i := range sc.receivers {
				sc.receivers[i].in.Damage = damage
			}
			for i := range sc.senders {
				sc.senders[i].in.Damage = damage
			}
			w := newWorld(t, seed)
			w.damaged = true
			sc.build(w)
			w.pass(30 * time.Second)
			for _, n := range w.tx {
				w.checkHaste(n.node)
			}
			for _, n := range w.rx {
				w.checkReceiver(n)
			}
		})
	}
}

// The first message that a receiver hears of an object says something else than all the
// others: it gives the object up. It once asked for what is not there for ever, and had the
// sender repair as long.
func TestFirstMessageLies(t *testing.T) {
	w := newWorld(t, 1)
	link := netem.Link{Delay: time.Millisecond}
	tx := w.sender(SenderConfig{}, link, link)
	fooled := w.receiver(ReceiverConfig{}, link, link)
	lied := false
	w.sim.Filter = func(from, _ *netem.Node, data []byte) bool {
		if from != tx.node || lied || data[0]&7 != byte(wire.TypeData) {
			return true
		}
		lied = true
		var d wire.Data
		c := wire.Codec{FTI: wire.FTINRL}
		if err := c.ParseData(data, &d); err != nil {
			t.Fatal(err)
		}
		d.FTI.SymbolSize *= 2
		if _, err := c.AppendDataHeader(data[:0], &d); err != nil {
			t.Fatal(err)
		}
		return true
	}
	tx.send(randomBytes(w.sim.Rand("data"), 1_000_000), ObjectSpec{})
	w.pass(5 * time.Second)
	key := tx.objects[0].key
	if o := fooled.objects[key]; !errors.Is(o.err, ErrUnsupported) {
		t.Errorf("ended with %v", o.err)
	}
	before := tx.Stats().Nacks
	if w.pass(5 * time.Second); tx.Stats().Nacks > before {
		t.Error("it is still asked for")
	}
}
