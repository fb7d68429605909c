package core

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// What went wrong once, found by the seeds and told here one by one.

// smallWorld is one sender and some receivers, 10 ms apart.
func smallWorld(t *testing.T, tx SenderConfig, receivers int, rx ReceiverConfig) (*world, *txNode) {
	w := newWorld(t, 1)
	tx.GRTT = 40 * time.Millisecond
	n := w.sender(tx, netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond})
	for range receivers {
		w.receiver(rx, netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond})
	}
	return w, n
}

// A receiver cut off in the middle of a block, for so long that it misses every
// FLUSH, must ask for the rest of the object: it used to know of no need for the
// block it was in, nor for what came after.
func TestCutOffInMidBlock(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{Rate: 1_000_000}, 2, ReceiverConfig{})
	tx.send(randomBytes(w.sim.Rand("data"), 300_000), ObjectSpec{})
	w.sim.At(200*time.Millisecond, func() { w.rx[0].node.SetDown(true) })
	w.sim.At(8*time.Second, func() { w.rx[0].node.SetDown(false) })
	w.pass(8 * time.Second)
	w.run()
	w.check()
}

// The same with nothing but the very first symbol: no block was passed at all.
func TestCutOffAfterOnePacket(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{Rate: 1_000_000}, 1, ReceiverConfig{})
	heard, cut := 0, true
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
		if from == tx.node && cut && (isData(data) || isCmd(data, wire.CmdFlush)) {
			heard++
			return heard == 1
		}
		return true
	}
	tx.send(randomBytes(w.sim.Rand("data"), 30_000), ObjectSpec{})
	w.sim.At(5*time.Second, func() { cut = false })
	w.pass(5 * time.Second)
	w.run()
	w.check()
}

// Streams of which a receiver with little memory had read on past a block that it still
// asked for, and refused when it came: the sender repaired it for ever. The first two gave up
// what was not read for the stream that held most; the others had lost a block's memory to
// another one after its first symbols were read.
func TestReadPastWhatIsAskedFor(t *testing.T) {
	for _, seed := range []uint64{7117, 9580, 8249, 9953} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, seed)
		})
	}
}

// A stream had all the memory, for blocks that could not be read before one that was missing;
// files before it found none for theirs, and so it was never its turn to be asked for.
func TestStuckStreamBehindFiles(t *testing.T) { simulate(t, 1746) }

// Who joins a stream hears packets of earlier blocks late, some after a later block was
// complete: that one was then forgotten to be here, and asked for for ever.
func TestEarlierBlocksAfterJoining(t *testing.T) { simulate(t, 12401) }

// The last block of a stream that was complete, and not read yet, was given up for a block of
// another sender: nobody asked for it again.
func TestCompleteStreamKeepsItsEnd(t *testing.T) { simulate(t, 3899) }

func isData(b []byte) bool { return b[0]&7 == byte(wire.TypeData) }

func isCmd(b []byte, t wire.CmdType) bool {
	got, err := wire.ParseCmdType(b)
	return err == nil && got == t
}

// Objects that arrive before those sent ahead of them are no reason to do without
// the latter.
func TestFirstPacketsOvertaken(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{Rate: -1}, 1, ReceiverConfig{})
	sent := 0
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
		if from == tx.node && isData(data) {
			sent++
		}
		return sent == 0 || sent > 2 // the first two are lost
	}
	for range 5 {
		tx.send([]byte("x"), ObjectSpec{AckCount: 1})
	}
	w.run()
	w.check()
	for _, o := range tx.objects {
		if o.err != nil {
			t.Errorf("%v: %v", o.key, o.err)
		}
	}
}

// The last object called off leaves a gap too, which SQUELCH has to name: receivers
// asked for it for ever.
func TestLastObjectCalledOff(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{Rate: 1_000_000}, 1, ReceiverConfig{})
	tx.send([]byte("x"), ObjectSpec{})
	tx.send(randomBytes(w.sim.Rand("data"), 300_000), ObjectSpec{})
	w.pass(time.Second)
	tx.cancel(tx.objects[1])
	w.run()
	w.check()
	w.checkQuiet()
	if c := w.rx[0].objects[tx.objects[1].key]; c == nil || !errors.Is(c.err, ErrPurged) {
		t.Errorf("the object called off: %+v", c)
	}
}

// Calling off the only object while a FLUSH is due: there was no object for it to
// speak of, and Transmit panicked.
func TestCalledOffWhileFlushing(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{}, 1, ReceiverConfig{})
	tx.send([]byte("x"), ObjectSpec{AckCount: 2})
	w.pass(30 * time.Millisecond)
	tx.flush.due = tx.now
	tx.cancel(tx.objects[0])
	w.run()
	w.checkQuiet()
}

// A packet of the sender's last run that arrives after the first of the new one is
// late, not newer: each change of instance ends all objects.
func TestFormerInstanceComesLate(t *testing.T) {
	a := newTarget(t)
	play := func(m []byte, instance byte) {
		b := slices.Clone(m)
		b[8], b[9] = 0, instance
		a.rx.Handle(a.now, &datagram.Packet{Data: b, Src: senderAddr})
	}
	data := messages()
	play(data[0], 1)
	play(data[0], 2)
	play(data[1], 1) // late
	play(data[1], 2)
	var ended []uint16
	for e, ok := a.rx.Event(); ok; e, ok = a.rx.Event() {
		if e.Type == ObjectAborted {
			ended = append(ended, e.Key.Instance)
		}
	}
	if !slices.Equal(ended, []uint16{1}) {
		t.Errorf("objects of instances %v ended, want that of 1", ended)
	}
}

// With all buffers taken by later blocks that are incomplete, and more holes before
// them than a NACK can name, the former must make room: they are not asked for and
// the others found none.
func TestLaterBlocksYield(t *testing.T) {
	const blocks = 200
	w, tx := smallWorld(t, SenderConfig{SegmentSize: 64, BlockSize: 4, Parity: -1}, 1, ReceiverConfig{MaxNackMessages: 1, BufferBytes: 4 * (256 + 4*64)})
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
		var d wire.Data
		if from != tx.node || (wire.Codec{}).ParseData(data, &d) != nil || d.Flags&wire.FlagRepair != 0 {
			return true
		}
		if d.ID.SBN >= blocks-4 {
			return d.ID.ESI > 0
		}
		return d.ID.SBN%2 == 0
	}
	tx.send(randomBytes(w.sim.Rand("data"), blocks*4*64), ObjectSpec{})
	w.run()
	w.check()
}

// Repairing may take longer than AckTimeout; that is not the receivers' silence.
func TestSlowRepairIsNoSilence(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{Rate: 200_000, AckTimeout: 3 * time.Second}, 1, ReceiverConfig{})
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
		var d wire.Data
		return from != tx.node || (wire.Codec{}).ParseData(data, &d) != nil || d.Flags&wire.FlagRepair != 0 || d.ID.SBN == 0
	}
	tx.send(randomBytes(w.sim.Rand("data"), 500_000), ObjectSpec{AckCount: 1})
	w.run()
	w.check()
	if err := tx.objects[0].err; err != nil {
		t.Error(err)
	}
}

// Whoever is not asked by name can be invented: a thousand acknowledgements out of
// nowhere must not keep the one out that counts.
func TestInventedAcknowledgements(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{MaxNodes: 16}, 1, ReceiverConfig{})
	me := w.rx[0].cfg.NodeID
	w.rx[0].slow = func() time.Duration { return time.Second }
	tx.send([]byte("x"), ObjectSpec{AckNodes: []wire.NodeID{me}})
	w.pass(500 * time.Millisecond)
	o := tx.Sender.objects[0]
	payload, _ := tx.codec.AppendFlushAck(nil, &wire.FlushAck{FEC: 5, Object: o.id, ID: o.last()})
	for i := range wire.NodeID(1000) {
		ack, _ := tx.codec.AppendAck(nil, &wire.Ack{
			Feedback: wire.Feedback{Source: 5000 + i, Server: tx.cfg.NodeID, InstanceID: tx.cfg.InstanceID}, AckType: wire.AckFlush, Payload: payload,
		})
		tx.Handle(tx.now, &datagram.Packet{Data: ack, Src: attacker})
		for _, ok := tx.Event(); ok; _, ok = tx.Event() {
		}
	}
	w.run()
	if err := tx.objects[0].err; err != nil {
		t.Error(err)
	}
}

// Where some of the receivers heard of do not want an object, the number asked for
// needs those that never spoke, because others did so for them.
func TestSilentReceiverConfirms(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{}, 3, ReceiverConfig{})
	for _, rx := range w.rx[:2] {
		rx.refuse = func(ObjectKey) bool { return true }
	}
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
		var a wire.Ack // it answers no probes
		return from != w.rx[2].node || (wire.Codec{}).ParseAck(data, &a) != nil || a.AckType == wire.AckFlush
	}
	w.pass(time.Second)
	tx.send([]byte("x"), ObjectSpec{AckCount: 1})
	w.run()
	if err := tx.objects[0].err; err != nil {
		t.Error(err)
	}
}

// A sender that says goodbye before a receiver knows more of an object than its
// number: there is nothing to end then, and still nothing more to ask for.
func TestGoodbyeBeforeAnythingIsKnown(t *testing.T) {
	w, tx := smallWorld(t, SenderConfig{}, 1, ReceiverConfig{})
	tx.send([]byte("x"), ObjectSpec{})
	w.pass(20 * time.Millisecond)
	w.rx[0].node.SetDown(true)
	tx.send([]byte("y"), ObjectSpec{})
	w.pass(20 * time.Millisecond)
	w.rx[0].node.SetDown(false)
	tx.send([]byte("z"), ObjectSpec{})
	w.pass(15 * time.Millisecond)
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool { return !isCmd(data, wire.CmdSquelch) }
	tx.shutdown()
	w.run()
	w.check()
	w.checkQuiet()
	if n := w.rx[0].Stats().Nacks; n > 3 {
		t.Errorf("%d NACKs", n)
	}
}

// Probes alone are no sign that a sender will still repair: it sends them at rest
// too, and with a long round-trip time more often than the receiver would ask.
func TestProbesDoNotPutOffInactivity(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{GRTT: 2 * time.Second, MinGRTT: 2 * time.Second, Backoff: 1}, netem.Link{Delay: 500 * time.Millisecond}, netem.Link{})
	w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{})
	lossy := true
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
		last := isData(data) && data[len(data)-1] == 0xff
		return !lossy || from != tx.node || !last && !isCmd(data, wire.CmdFlush)
	}
	data := randomBytes(w.sim.Rand("data"), 10_000)
	data[len(data)-1] = 0xff
	tx.send(data, ObjectSpec{})
	w.sim.At(90*time.Second, func() { lossy = false })
	w.pass(90 * time.Second)
	w.run()
	w.check()
	if w.now() > 400*time.Second {
		t.Errorf("it took %v", w.now())
	}
}
