package core

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
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
// worlds of TestSeeds once more. Content may then be wrong, which the digest of a file
// finds out; but no engine panics, spins, takes more memory than it may, and every sender comes
// to an end.
func TestSeedsDamaged(t *testing.T) {
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			sc := newScenario(seed)
			d := dice{rand.New(rand.NewPCG(seed, 768))}
			damage := pick(d, 0.001, 0.01, 0.05)
			for i := range sc.receivers {
				p := &sc.receivers[i]
				p.in.Damage = damage
			}
			for i := range sc.senders {
				sc.senders[i].in.Damage = damage
			}
			w := newWorld(t, seed)
			w.damaged = true
			sc.build(w)
			w.pass(sc.length())
			for !w.sent() {
				if w.now() > 24*time.Hour {
					w.dump()
					t.Fatal("a sender is not done")
				}
				w.pass(time.Second)
			}
			for _, n := range w.tx {
				w.checkHaste(n.node)
			}
			for _, n := range w.rx {
				w.checkReceiver(n)
			}
		})
	}
}

// sent reports whether every sender is done with every object.
func (w *world) sent() bool {
	for _, n := range w.tx {
		if len(n.waiting) > 0 && !n.gone {
			return false
		}
		for _, o := range n.objects {
			if !o.done && !o.abandoned {
				return false
			}
		}
	}
	return true
}
