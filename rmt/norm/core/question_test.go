package core

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// members returns the node IDs of the world's receivers.
func (w *world) members() (ids []wire.NodeID) {
	for _, n := range w.rx {
		ids = append(ids, n.cfg.NodeID)
	}
	return ids
}

// All answers come in, each once, whatever is lost and doubled on both ways, and the
// receivers' applications are asked once.
func TestAnswers(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed)
		tx := w.sender(SenderConfig{Rate: 20_000_000}, netem.Link{Delay: 2 * time.Millisecond, Jitter: time.Millisecond}, netem.Link{Loss: 0.2, Duplicate: 0.2})
		for i := range 6 {
			n := w.receiver(ReceiverConfig{Unicast: i%2 == 0}, netem.Link{}, netem.Link{Loss: 0.2, Duplicate: 0.2})
			n.answer = func(t wire.AckType, id uint8) (string, time.Duration) {
				return fmt.Sprint(i, t, id), time.Duration(i) * time.Millisecond
			}
		}
		tx.send(randomBytes(w.sim.Rand("data"), 1_000_000), ObjectSpec{AckCount: 6})
		ids := w.members()
		first := tx.ask(QuestionSpec{Type: 16, Nodes: append(ids, ids...)})
		second := tx.ask(QuestionSpec{Type: 255, Nodes: ids[3:]})
		w.run()
		w.pass(2 * time.Second)
		w.check()
		for q, want := range map[QuestionID][]wire.NodeID{first: ids, second: ids[3:]} {
			if err, over := tx.questions[q]; err != nil || !over || len(tx.answers[q]) != len(want) {
				t.Errorf("seed %d: question %d: over %v, %v, %q", seed, q, over, err, tx.answers[q])
			}
		}
		for i, n := range w.rx {
			if got, want := tx.answers[first][n.cfg.NodeID], fmt.Sprint(i, wire.AckType(16), first); got != want {
				t.Errorf("seed %d: receiver %d answers %q, want %q", seed, i, got, want)
			}
			if want := 1 + i/3; n.asked != want {
				t.Errorf("seed %d: receiver %d was asked %d times, want %d", seed, i, n.asked, want)
			}
		}
	}
}

// RFC 5740 section 5.5.3: RobustFactor times, once per 2*GRTT, those who answered left out,
// and whoever does not answer is named.
func TestQuestionsEnd(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{RobustFactor: 5}, netem.Link{Delay: time.Millisecond}, netem.Link{})
	for range 2 {
		w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{})
	}
	w.rx[0].answer = func(wire.AckType, uint8) (string, time.Duration) { return "", 0 }
	w.pass(time.Second) // until the round-trip time is known
	times := w.spy(wire.CmdAckReq)
	listed := map[wire.NodeID]int{}
	before := w.sim.Filter
	w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
		var m wire.AckReq
		if to == w.rx[0].node && (wire.Codec{}).ParseAckReq(data, &m) == nil {
			for i := range m.AckingNodes.Len() {
				listed[m.AckingNodes.At(i)]++
			}
		}
		return before(from, to, data)
	}
	began := w.now()
	q := tx.ask(QuestionSpec{Type: 20, Nodes: []wire.NodeID{1001, 1002, 7777}})
	for len(tx.questions) == 0 {
		w.pass(time.Millisecond)
	}
	took := w.now() - began
	if err := tx.questions[q]; !errors.Is(err, ErrNotAcked) || !strings.Contains(err.Error(), fmt.Sprint([]wire.NodeID{1002, 7777})) {
		t.Errorf("%v", err)
	}
	interval := tx.flushInterval()
	if len(*times) != 5 || listed[1002] != 5 || listed[7777] != 5 || listed[1001] > 2 || took > 7*interval || took < 5*interval {
		t.Errorf("asked at %v from %v on, %v, for %v", *times, began, listed, took)
	}
	for i := range (*times)[1:] {
		if d := (*times)[i+1] - (*times)[i]; d < interval {
			t.Errorf("asked again after %v", d)
		}
	}
	if w.rx[1].asked != 1 {
		t.Errorf("the application that does not answer was asked %d times", w.rx[1].asked)
	}
	n := len(*times)
	w.pass(10 * time.Second)
	if len(*times) != n {
		t.Error("asked on after the end")
	}
}

// An application may take its time, if the sender has it.
func TestSlowAnswer(t *testing.T) {
	w := newWorld(t, 2)
	tx := w.sender(SenderConfig{}, netem.Link{Delay: time.Millisecond}, netem.Link{Loss: 0.3})
	rx := w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{Loss: 0.3})
	rx.answer = func(wire.AckType, uint8) (string, time.Duration) { return "done", 9 * time.Second }
	w.pass(time.Second)
	times := w.spy(wire.CmdAckReq)
	q := tx.ask(QuestionSpec{Type: 20, Nodes: w.members(), Timeout: 20 * time.Second})
	w.pass(19 * time.Second)
	if err, over := tx.questions[q]; err != nil || !over || tx.answers[q][1001] != "done" || rx.asked != 1 {
		t.Errorf("over %v, %v, %q, asked %d times", over, err, tx.answers[q], rx.asked)
	}
	if len(*times) > 50 {
		t.Errorf("asked %d times in vain", len(*times))
	}
	// Without that the question is over before, and the answer comes too late.
	q = tx.ask(QuestionSpec{Type: 20, Nodes: w.members()})
	w.pass(20 * time.Second)
	if err, over := tx.questions[q]; !errors.Is(err, ErrNotAcked) || !over || len(tx.answers[q]) > 0 {
		t.Errorf("over %v, %v, %q", over, err, tx.answers[q])
	}
}

// On a path much longer than assumed, answers are waited for until it is known.
func TestAnswersFromAfar(t *testing.T) {
	w := newWorld(t, 5)
	tx := w.sender(SenderConfig{}, netem.Link{Delay: 600 * time.Millisecond}, netem.Link{})
	w.receiver(ReceiverConfig{}, netem.Link{Delay: 600 * time.Millisecond}, netem.Link{}).answer = func(wire.AckType, uint8) (string, time.Duration) { return "here", 0 }
	q := tx.ask(QuestionSpec{Type: 20, Nodes: w.members()})
	w.pass(5 * time.Second)
	if err, over := tx.questions[q]; err != nil || !over || tx.answers[q][1001] != "here" {
		t.Errorf("over %v, %v, %q", over, err, tx.answers[q])
	}
}

// More receivers than a message has room for take turns.
func TestQuestionToMany(t *testing.T) {
	w := newWorld(t, 3)
	tx := w.sender(SenderConfig{SegmentSize: 64}, netem.Link{Delay: time.Millisecond}, netem.Link{Loss: 0.1})
	for range 100 {
		w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{Loss: 0.1}).answer = func(wire.AckType, uint8) (string, time.Duration) { return "yes", 0 }
	}
	q := tx.ask(QuestionSpec{Type: 20, Nodes: w.members()})
	w.pass(10 * time.Second)
	if err, over := tx.questions[q]; err != nil || !over || len(tx.answers[q]) != 100 {
		t.Errorf("over %v, %v, %d answers", over, err, len(tx.answers[q]))
	}
	w.check()
}

// Those who do not answer make room for others when they were asked as often as the rest.
func TestQuestionToManyWhoAreGone(t *testing.T) {
	w := newWorld(t, 6)
	tx := w.sender(SenderConfig{SegmentSize: 64}, netem.Link{}, netem.Link{})
	w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{}).answer = func(wire.AckType, uint8) (string, time.Duration) { return "yes", 0 }
	w.pass(time.Second)
	times := w.spy(wire.CmdAckReq)
	nodes := w.members()
	for i := range wire.NodeID(39) { // before it in the list
		nodes = append(nodes, 500+i)
	}
	q := tx.ask(QuestionSpec{Type: 20, Nodes: nodes})
	w.pass(5 * time.Second)
	if err, over := tx.questions[q]; !errors.Is(err, ErrNotAcked) || !over || tx.answers[q][1001] != "yes" {
		t.Errorf("over %v, %v, %q", over, err, tx.answers[q])
	}
	if n := len(*times); n < 20*39/16 || n > 20*40/16+3 {
		t.Errorf("asked %d times", n)
	}
}

// The 8 bits of the ack_id come again: the answer to an earlier question is none to this.
func TestQuestionNumbersComeAgain(t *testing.T) {
	w := newWorld(t, 4)
	tx := w.sender(SenderConfig{}, netem.Link{}, netem.Link{})
	n := 0
	for range 2 {
		w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{}).answer = func(wire.AckType, uint8) (string, time.Duration) {
			n++
			return fmt.Sprint(n), 0
		}
	}
	ids := w.members()
	w.pass(time.Second)
	ask := func(id wire.NodeID) QuestionID {
		q := tx.ask(QuestionSpec{Type: 20, Nodes: []wire.NodeID{id}})
		for range 100 {
			if _, over := tx.questions[q]; !over {
				w.pass(time.Millisecond)
			}
		}
		return q
	}
	first, began := ask(ids[0]), w.now()
	old := tx.answers[first][ids[0]]
	for range 255 {
		ask(ids[1])
	}
	if d := w.now() - began; d > answerKept {
		t.Fatalf("after %v the number alone would do", d)
	}
	again := ask(ids[0])
	if a := tx.answers[again][ids[0]]; again != first || a == old || a == "" || old == "" {
		t.Errorf("question %d is answered %q, %d %q", first, old, again, a)
	}
}

// RFC 5740 section 5.5.3: answers are spread evenly over one GRTT.
func TestAnswersAreSpread(t *testing.T) {
	const grtt = 100 * time.Millisecond
	var waits []time.Duration
	for range 300 {
		x := &commandRig{target: newTarget(t)}
		for range waits {
			x.rx.cfg.Rand.Uint64() // else each would wait as long
		}
		x.hear(grtt, &wire.AckReq{AckType: 16, AckID: 1, AckingNodes: wire.NodeList{}.Append(2)})
		e, ok := x.rx.Event()
		if !ok || e.Type != AckRequested || x.rx.Answer(x.now, e.Key, e.AckType, e.AckID, []byte("a")) != nil {
			t.Fatalf("%+v", e)
		}
		waits = append(waits, x.rx.senders[e.Key.Sender].answers.next().Sub(x.now))
	}
	slices.Sort(waits)
	for i, share := range []int{30, 150, 270} {
		want := time.Duration(float64(grtt) * float64(share) / 300)
		if d := waits[share] - want; d < -15*time.Millisecond || d > 15*time.Millisecond {
			t.Errorf("part %d is %v, want about %v", i, waits[share], want)
		}
	}
	if last := waits[299]; last > wire.GRTT(wire.QuantizeGRTT(grtt)) {
		t.Errorf("the last after %v", last)
	}
}

// A flood of questions costs no memory, is told at a bounded rate, and one host is answered
// no more than 100 times a second, under however many names.
func TestFloodOfQuestions(t *testing.T) {
	x := &commandRig{target: newTarget(t)}
	told, answers := 0, 0
	buf := make([]byte, 0, 2048)
	for i := range 40_000 { // in ten seconds
		m := &wire.AckReq{
			Sender:  wire.Sender{Source: wire.NodeID(100 + i%4), GRTT: uint8(i % 8)},
			AckType: wire.AckType(16 + i%240), AckID: uint8(i / 7), AckingNodes: wire.NodeList{}.Append(2),
		}
		b, _ := m.MarshalBinary()
		x.rx.Handle(x.now, &datagram.Packet{Data: b, Src: attacker})
		for e, ok := x.rx.Event(); ok; e, ok = x.rx.Event() {
			if e.Type == AckRequested {
				told++
				x.rx.Answer(x.now, e.Key, e.AckType, e.AckID, make([]byte, 512))
			}
		}
		x.now = x.now.Add(250 * time.Microsecond)
		x.rx.Advance(x.now)
		for p := (datagram.Packet{Data: buf}); x.rx.Transmit(x.now, &p); p.Data = buf {
			answers++
		}
		if next := x.rx.Next(); !next.IsZero() && !next.After(x.now) {
			t.Fatal("the receiver asks to be called at once")
		}
	}
	if most := 4 * (questionBurst + 10*questionsSecond + 1); told > most || told == 0 {
		t.Errorf("%d told, of at most %d", told, most)
	}
	if answers > 1001 || answers < 500 {
		t.Errorf("%d answers in ten seconds", answers)
	}
	x.check()
}

// Answers that nobody asked for, or that are longer than may be, are not told.
func TestForgedAnswers(t *testing.T) {
	a := newTarget(t)
	id, err := a.tx.Ask(a.now, QuestionSpec{Type: 20, Nodes: []wire.NodeID{10, 11}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	a.settle(64)
	ack := func(node wire.NodeID, ackType wire.AckType, ackID uint8, n int) (events []SenderEvent) {
		m := wire.Ack{Feedback: wire.Feedback{Source: node, Server: 1, InstanceID: 7}, AckType: ackType, AckID: ackID, Payload: make([]byte, n)}
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		a.hit(b)
		for e, ok := a.tx.Event(); ok; e, ok = a.tx.Event() {
			if e.Type == Answered || e.Type == QuestionDone {
				events = append(events, e)
			}
		}
		return events
	}
	for range 10 {
		for _, f := range []struct {
			node wire.NodeID
			t    wire.AckType
			id   uint8
			n    int
		}{{99, 20, uint8(id), 5}, {10, 21, uint8(id), 5}, {10, 20, uint8(id) + 1, 5}, {10, 20, uint8(id), 1401}} {
			if e := ack(f.node, f.t, f.id, f.n); len(e) > 0 {
				t.Errorf("%+v: %+v", f, e)
			}
		}
	}
	if e := ack(10, 20, uint8(id), 1400); len(e) != 1 || e[0].Type != Answered || e[0].Node != 10 || len(e[0].Content) != 1400 {
		t.Errorf("%d events for an answer", len(e))
	}
	if e := ack(10, 20, uint8(id), 5); len(e) > 0 {
		t.Errorf("a second answer: %+v", e)
	}
	if e := ack(11, 20, uint8(id), 0); len(e) != 2 || e[0].Type != Answered || e[1].Type != QuestionDone || e[1].Err != nil {
		t.Errorf("%+v for the last answer", e)
	}
}

// What is not for this receiver, not the application's, or comes when it is silent is not
// told; and Answer knows what was asked.
func TestWhatIsNotAsked(t *testing.T) {
	x := &commandRig{target: newTarget(t)}
	me := wire.NodeList{}.Append(2)
	for _, m := range []*wire.AckReq{
		{AckType: 16, AckID: 1, AckingNodes: wire.NodeList{}.Append(3).Append(wire.NodeAny)},
		{AckType: 15, AckID: 1, AckingNodes: me}, {AckType: wire.AckCC, AckID: 1, AckingNodes: me},
	} {
		x.hear(time.Millisecond, m)
	}
	if n := x.events(); len(n) > 0 {
		t.Errorf("events %v", n)
	}
	x.hear(time.Millisecond, &wire.AckReq{AckType: 16, AckID: 1, AckingNodes: me})
	e, _ := x.rx.Event()
	for i, err := range []error{
		x.rx.Answer(x.now, e.Key, 16, 2, nil), x.rx.Answer(x.now, e.Key, 17, 1, nil), x.rx.Answer(x.now, ObjectKey{}, 16, 1, nil),
	} {
		if !errors.Is(err, ErrNotAsked) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := x.rx.Answer(x.now, e.Key, 16, 1, make([]byte, 513)); !errors.Is(err, ErrCommand) {
		t.Errorf("too long: %v", err)
	}
	if err := x.rx.Answer(x.now, e.Key, 16, 1, make([]byte, 512)); err != nil {
		t.Error(err)
	}
	x.rx.cfg.Silent = true
	x.hear(time.Millisecond, &wire.AckReq{AckType: 16, AckID: 5, AckingNodes: me})
	if n := x.events(); len(n) > 0 {
		t.Errorf("events %v of a silent receiver", n)
	}
}
