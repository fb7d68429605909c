package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

// An object sent again reaches who joined after it was over, and a silent receiver gets in
// the second round what it lost in the first.
func TestRequeue(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{AutoParity: 2}, netem.Link{}, netem.Link{})
	link := netem.Link{Loss: 0.03}
	silent := w.receiver(ReceiverConfig{Silent: true}, link, link)
	data := randomBytes(w.sim.Rand("data"), 500_000)
	tx.send(data, ObjectSpec{Info: []byte("info")})
	tx.send(data[:1], ObjectSpec{})
	w.pass(2 * time.Second)
	late := w.receiver(ReceiverConfig{}, link, link)
	late.late = true
	for range 5 {
		tx.node.Run(func(now time.Time) {
			for _, o := range tx.objects {
				if err := tx.Requeue(now, o.key.Object); err != nil {
					t.Error(err)
				}
			}
		})
		w.pass(2 * time.Second)
	}
	w.run()
	w.check()
	for _, rx := range []*rxNode{silent, late} {
		for _, o := range tx.objects {
			if c := rx.objects[o.key]; c == nil || !c.done {
				t.Errorf("%s does not have %v", rx.node.Name, o.key)
			}
		}
	}
	if silent.node.Sent > 0 {
		t.Errorf("the silent one sent %d packets", silent.node.Sent)
	}
	sent := uint64(len(data)/1400 + 10)
	if n := tx.Stats().Repeated; n < 5*sent || n > 6*sent {
		t.Errorf("%d messages in 5 rounds of %d", n, sent)
	}
	tx.node.Run(func(now time.Time) {
		if tx.Requeue(now, 1) == nil {
			t.Error("sent an unknown object again")
		}
	})
}

// Who joins in the middle of a round gets what was before that with the next one.
func TestRequeueJoinedBetween(t *testing.T) {
	w := newWorld(t, 1)
	link := netem.Link{Delay: time.Millisecond}
	tx := w.sender(SenderConfig{}, link, link)
	for range 3 {
		tx.send(randomBytes(w.sim.Rand("data"), 3000), ObjectSpec{})
		w.pass(time.Second)
	}
	again := func(i int) {
		tx.node.Run(func(now time.Time) {
			if err := tx.Requeue(now, tx.objects[i].key.Object); err != nil {
				t.Error(err)
			}
		})
		w.pass(2 * time.Second)
	}
	again(0)
	late := w.receiver(ReceiverConfig{}, link, link)
	late.late = true
	for _, i := range []int{1, 2, 0} {
		again(i)
	}
	w.run()
	for i, o := range tx.objects {
		if c := late.objects[o.key]; c == nil || !c.done {
			t.Errorf("it does not have object %d", i)
		}
	}
}

// What a receiver says with its acknowledgement reaches the sender.
func TestAckContent(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{}, netem.Link{}, netem.Link{})
	rx := w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{})
	if err := rx.SetAckContent([]byte("position 42")); err != nil {
		t.Fatal(err)
	}
	if rx.SetAckContent(make([]byte, 1000)) == nil {
		t.Error("too much content is no error")
	}
	said := ""
	drain := tx.node.Drain
	tx.node.Drain = func(now time.Time) {
		for _, e := range tx.events.items[tx.events.head:] {
			if e.Type == ObjectAcked {
				said = e.Content
			}
		}
		drain(now)
	}
	tx.send([]byte("data"), ObjectSpec{AckCount: 1})
	w.run()
	w.check()
	if said != "position 42\x00\x00\x00" { // padded on the wire
		t.Errorf("%q", said)
	}
}
