package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

func TestPerfectNetwork(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{}, netem.Link{Delay: time.Millisecond}, netem.Link{})
	w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{})
	tx.send(randomBytes(w.sim.Rand("data"), 1_000_000), ObjectSpec{Info: []byte("a name")})
	w.run()
	w.check()
	w.logStats(t)
	if st := tx.Stats(); st.Nacks != 0 || st.Repairs != 0 {
		t.Errorf("%d NACKs and %d repairs without loss", st.Nacks, st.Repairs)
	}
}

func TestLoss(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{}, netem.Link{Delay: time.Millisecond}, netem.Link{})
	for range 4 {
		w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{Loss: 0.05})
	}
	tx.send(randomBytes(w.sim.Rand("data"), 10_000_000), ObjectSpec{Info: []byte("a name"), AckCount: 4})
	w.run()
	w.check()
	w.logStats(t)
}

// With every buffer taken by incomplete blocks, repairs must still find room: once
// a transfer stood still for ever because parity had none.
func TestBuffersFullOfIncompleteBlocks(t *testing.T) {
	w := newWorld(t, 7)
	tx := w.sender(SenderConfig{Rate: 300_000_000}, netem.Link{Delay: 20 * time.Millisecond}, netem.Link{})
	for range 4 {
		w.receiver(ReceiverConfig{BufferBytes: 20 * 64 * 1400}, netem.Link{}, netem.Link{Loss: 0.05})
	}
	tx.send(randomBytes(w.sim.Rand("data"), 10_000_000), ObjectSpec{Info: []byte("a name"), AckCount: 4})
	w.run()
	w.check()
	if w.rx[0].Stats().NoBuffer == 0 {
		t.Error("the buffers were never full: the test does not test what it should")
	}
	w.logStats(t)
}

// With as much parity as source symbols, 16 by default, a receiver cannot tell from EXT_FTI how much
// that is. It once took it for none, and had every loss repaired symbol by symbol.
func TestAsMuchParityAsSource(t *testing.T) {
	w := newWorld(t, 11)
	tx := w.sender(SenderConfig{BlockSize: 16}, netem.Link{Delay: time.Millisecond}, netem.Link{})
	for range 3 {
		w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{Loss: 0.05})
	}
	for range 3 {
		tx.send(randomBytes(w.sim.Rand("data"), 500_000), ObjectSpec{AckCount: 3})
	}
	w.run()
	w.check()
	w.logStats(t)
	if st := w.rx[0].Stats(); st.Malformed > 0 || st.Recovered == 0 {
		t.Errorf("%d symbols refused, %d recovered", st.Malformed, st.Recovered)
	}
	if st := tx.Stats(); st.ExplicitRepairs > st.Repairs/10 {
		t.Errorf("%d of %d repairs were no parity", st.ExplicitRepairs, st.Repairs)
	}
}
