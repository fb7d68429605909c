package core

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// spy notes when each message of a command type leaves the world's sender, as the first
// receiver's link is offered it.
func (w *world) spy(t wire.CmdType) *[]time.Duration {
	times := new([]time.Duration)
	before, to := w.sim.Filter, w.rx[0].node
	w.sim.Filter = func(from, n *netem.Node, data []byte) bool {
		if got, err := wire.ParseCmdType(data); err == nil && got == t && n == to {
			*times = append(*times, w.now())
		}
		return before(from, n, data)
	}
	return times
}

// Every receiver is told of every robust command once, whatever is lost and doubled, also
// of two that say the same; and the data beside them arrives.
func TestCommandsAreToldOnce(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed)
		cc := []CongestionControl{CCNone, CCTFMCC, CCMax}[seed%3]
		tx := w.sender(SenderConfig{Rate: 20_000_000, CC: cc, MinRate: 10_000_000}, netem.Link{Delay: 2 * time.Millisecond, Jitter: 3 * time.Millisecond}, netem.Link{})
		for range 5 {
			w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{Loss: 0.2, Duplicate: 0.2})
		}
		tx.send(randomBytes(w.sim.Rand("data"), 2_000_000), ObjectSpec{AckCount: 5})
		want := []string{"go", "go", "", strings.Repeat("x", 1400), "go"}
		for i, text := range want {
			w.sim.At(time.Duration(i)*50*time.Millisecond, func() { tx.command(text, true) })
		}
		w.run()
		w.pass(2 * time.Second)
		w.check()
		slices.Sort(want)
		for i, n := range w.rx {
			if slices.Sort(n.told); !slices.Equal(n.told, want) {
				t.Errorf("seed %d: receiver %d is told %.100q", seed, i, n.told)
			}
		}
		if st := tx.Stats(); st.Commands != uint64(20*len(want)) || len(tx.commandsSent) != len(want) {
			t.Errorf("seed %d: %d messages, %d commands sent", seed, st.Commands, len(tx.commandsSent))
		}
	}
}

// RFC 5740 section 4.2.3.7: NORM_ROBUST_FACTOR times, once per 2*GRTT, and before data.
func TestCommandIsRepeatedEveryTwoGRTTs(t *testing.T) {
	w := newWorld(t, 3)
	tx := w.sender(SenderConfig{RobustFactor: 7, GRTT: 100 * time.Millisecond, MinGRTT: 100 * time.Millisecond}, netem.Link{}, netem.Link{})
	rx := w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{})
	times := w.spy(wire.CmdApplication)
	tx.send(randomBytes(w.sim.Rand("data"), 30_000_000), ObjectSpec{AckCount: 1})
	w.pass(500 * time.Millisecond)
	began := w.now()
	tx.command("go", true)
	w.pass(3 * time.Second)
	tx.command("once", false)
	w.pass(100 * time.Millisecond)
	w.run()
	w.check()
	if len(*times) != 8 || (*times)[0]-began > time.Millisecond {
		t.Fatalf("sent at %v, begun at %v", *times, began)
	}
	two := 2 * tx.grtt.advertised()
	for i, at := range (*times)[:7] {
		if want := began + time.Duration(i)*two; at < want || at > want+5*time.Millisecond {
			t.Errorf("copy %d at %v, want %v", i, at, want)
		}
	}
	if !slices.Equal(rx.told, []string{"go", "once"}) {
		t.Errorf("told %q", rx.told)
	}
}

// At a rate at which a few segments fill two GRTTs, repeats leave most of it to data.
func TestCommandsLeaveRoomForData(t *testing.T) {
	w := newWorld(t, 4)
	tx := w.sender(SenderConfig{Rate: 256_000}, netem.Link{}, netem.Link{})
	w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{})
	times := w.spy(wire.CmdApplication)
	tx.send(randomBytes(w.sim.Rand("data"), 300_000), ObjectSpec{AckCount: 1})
	for i := range maxCommands {
		tx.command(strings.Repeat("x", 1399)+string(rune('a'+i)), true)
	}
	w.pass(8 * time.Second)
	if n := tx.Stats().DataPackets; n < 110 { // of 175 in that time
		t.Errorf("%d packets of data in 8 s, beside %d of commands", n, len(*times))
	}
	if len(*times) < 30 {
		t.Errorf("%d of commands", len(*times))
	}
	w.run()
	w.check()
}

func TestCommandErrors(t *testing.T) {
	w := newWorld(t, 5)
	tx := w.sender(SenderConfig{SegmentSize: 100, MaxNodes: 3}, netem.Link{}, netem.Link{})
	rx := w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{})
	now := netem.Start
	if _, err := tx.Command(now, make([]byte, 101), false); !errors.Is(err, ErrCommand) {
		t.Errorf("too long: %v", err)
	}
	for i, spec := range []QuestionSpec{
		{}, {Type: 16}, {Type: wire.AckFlush, Nodes: []wire.NodeID{1001}}, {Type: 16, Nodes: make([]wire.NodeID, 1)}, {Type: 15, Nodes: []wire.NodeID{1001}},
		{Type: 16, Nodes: []wire.NodeID{wire.NodeAny}}, {Type: 16, Nodes: []wire.NodeID{1, 2, 3, 4}}, {Type: 16, Nodes: []wire.NodeID{1001}, Timeout: -1},
	} {
		if _, err := tx.Ask(now, spec); !errors.Is(err, ErrCommand) {
			t.Errorf("question %d: %v", i, err)
		}
	}
	var ids []CommandID
	for i := range maxCommands {
		ids = append(ids, tx.command(fmt.Sprint(i), true))
	}
	if _, err := tx.Command(now, nil, false); !errors.Is(err, ErrFull) {
		t.Errorf("one more: %v", err)
	}
	tx.node.Run(func(now time.Time) { tx.CancelCommand(now, ids[3]) })
	tx.command("more", true)
	var qs []QuestionID
	for range maxQuestions {
		qs = append(qs, tx.ask(QuestionSpec{Type: 16, Nodes: []wire.NodeID{77}}))
	}
	if _, err := tx.Ask(now, QuestionSpec{Type: 16, Nodes: []wire.NodeID{77}}); !errors.Is(err, ErrFull) {
		t.Errorf("one more question: %v", err)
	}
	tx.node.Run(func(now time.Time) { tx.CancelQuestion(now, qs[3]) })
	tx.node.Run(func(now time.Time) { tx.Shutdown(now) })
	w.pass(time.Second)
	for i, id := range ids {
		if err, over := tx.commandsSent[id]; over == (i == 3) || over && !errors.Is(err, ErrCanceled) {
			t.Errorf("command %d: %v %v", i, over, err)
		}
	}
	for i, id := range qs {
		if err, over := tx.questions[id]; over == (i == 3) || over && !errors.Is(err, ErrCanceled) {
			t.Errorf("question %d: %v %v", i, over, err)
		}
	}
	if _, err := tx.Command(now, nil, false); !errors.Is(err, ErrCommand) {
		t.Errorf("after the end: %v", err)
	}
	if !tx.closed || len(rx.told) > maxCommands+1 {
		t.Errorf("shut down: %v, told %q", tx.closed, rx.told)
	}
}

// A commandRig is a receiver that hears messages of the test's own making.
type commandRig struct {
	*target
	sequence uint16
}

func (x *commandRig) hear(grtt time.Duration, m any) {
	x.t.Helper()
	x.sequence++
	s := wire.Sender{Sequence: x.sequence, Source: 9, InstanceID: 3, GRTT: wire.QuantizeGRTT(grtt), Backoff: 4}
	var b []byte
	var err error
	switch m := m.(type) {
	case *wire.Application:
		m.Sender = s
		b, err = m.MarshalBinary()
	case *wire.AckReq:
		m.Sender = s
		b, err = m.MarshalBinary()
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.rx.Handle(x.now, &datagram.Packet{Data: b, Src: attacker})
}

// events counts the receiver's events by type.
func (x *commandRig) events() map[ReceiverEventType]int {
	n := map[ReceiverEventType]int{}
	for e, ok := x.rx.Event(); ok; e, ok = x.rx.Event() {
		n[e.Type]++
	}
	return n
}

// NRL's NORM gives its commands no number: copies are known by what they say and when.
func TestCommandsWithoutNumber(t *testing.T) {
	const grtt = 50 * time.Millisecond
	two := wire.GRTT(wire.QuantizeGRTT(grtt)) * 2
	x := &commandRig{target: newTarget(t)}
	say := func(text string, copies int, every time.Duration, lose func(i int) bool) int {
		for i := range copies {
			if lose == nil || !lose(i) {
				x.hear(grtt, &wire.Application{Payload: []byte(text)})
			}
			x.now = x.now.Add(every)
		}
		return x.events()[CommandReceived]
	}
	if n := say("go", 20, two, func(i int) bool { return i%7 > 0 }); n != 1 {
		t.Errorf("of 20 copies, most of them lost, %d were told", n)
	}
	x.now = x.now.Add(8 * two)
	if n := say("go", 1, two, nil); n != 1 {
		t.Errorf("the same somewhat later was told %d times", n)
	}
	if n := say("stop", 20, two, nil); n != 1 {
		t.Errorf("another was told %d times", n)
	}
	// Copies that come late, on a busy machine, or double count as what they are.
	if n := say("late", 20, two*3/2, func(i int) bool { return i%9 == 3 }); n != 1 {
		t.Errorf("of 20 late copies %d were told", n)
	}
	x.now = x.now.Add(8 * two)
	double := 0
	for range 20 {
		double += say("double", 1, 0, nil)
		x.sequence--
		double += say("double", 1, two, nil)
	}
	if double != 1 {
		t.Errorf("of 20 copies that came twice %d were told", double)
	}
	x.now = x.now.Add(8 * two)
	swapped := 0
	for range 10 { // two copies out of order, and the first once more
		x.sequence++
		swapped += say("swapped", 1, 0, nil)
		x.sequence -= 2
		swapped += say("swapped", 1, 0, nil)
		swapped += say("swapped", 1, 2*two, nil)
	}
	if swapped != 1 {
		t.Errorf("of 20 copies out of order and doubled %d were told", swapped)
	}
	// Another command that says the same, right behind the copies of the first.
	if n := say("again", 40, two, func(i int) bool { return i == 7 }); n != 2 {
		t.Errorf("two in a row were told %d times", n)
	}
	// What never ends is told now and then.
	if n := say("tick", 1000, two, nil); n < 1000/23 || n > 1000/20 {
		t.Errorf("of 1000 without end, %d were told", n)
	}
}

// A flood of commands, of one sender and of more than can be, costs no memory and is told
// at a bounded rate.
func TestFloodOfCommands(t *testing.T) {
	x := &commandRig{target: newTarget(t)}
	told := 0
	for i := range 100_000 { // in ten seconds
		x.hear(time.Millisecond, &wire.Application{HasNumber: i%2 == 0, Number: uint16(i), Payload: fmt.Append(nil, i)})
		x.now = x.now.Add(100 * time.Microsecond)
		told += x.events()[CommandReceived]
	}
	if most := commandBurst + 10*commandsSecond + 1; told > most || told < most-10 {
		t.Errorf("%d told, of at most %d", told, most)
	}
	for i := range 100_000 {
		m := &wire.Application{Sender: wire.Sender{Source: wire.NodeID(100 + i), GRTT: 100}, Payload: fmt.Append(nil, i)}
		b, _ := m.MarshalBinary()
		x.hit(b)
		x.events()
	}
	x.check()
	for _, m := range x.rx.order {
		if len(m.commands.told) > commandsKnown || cap(m.commands.told) > 4*commandsKnown {
			t.Errorf("%d commands known, room for %d", len(m.commands.told), cap(m.commands.told))
		}
	}
}

// Several senders' commands do not mix, and of a sender begun anew the numbers begin anew.
func TestCommandsOfSeveralSenders(t *testing.T) {
	w := newWorld(t, 6)
	var cfg SenderConfig
	a := w.sender(cfg, netem.Link{}, netem.Link{})
	b := w.sender(cfg, netem.Link{}, netem.Link{})
	rx := w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{Loss: 0.2})
	a.command("go", true)
	b.command("go", true)
	w.pass(3 * time.Second)
	a.restart(cfg)
	a.commandsSent = map[CommandID]error{}
	a.command("go", true)
	w.pass(3 * time.Second)
	if !slices.Equal(rx.told, []string{"go", "go", "go"}) {
		t.Errorf("told %q", rx.told)
	}
	if n := len(slices.Collect(maps.Keys(a.commandsSent))); n != 1 {
		t.Errorf("%d sent", n)
	}
}
