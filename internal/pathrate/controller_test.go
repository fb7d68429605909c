package pathrate

import (
	"fmt"
	"testing"
	"time"
)

var origin = time.Unix(1000, 0)

// A path to one receiver without a queue: what is above its capacity is lost.
type model struct {
	node     uint32
	capacity float64
	loss     float64
	rtt      time.Duration
	room     bool // a queue instead of loss
	queue    float64
	drops    uint64
}

const packet = 1460

// step lets a probe interval pass, at the rate the controller says, and reports it.
func (m *model) step(c *Controller, now time.Time, rate float64) time.Time {
	d := c.Interval()
	end := now.Add(d)
	sent := max(rate*d.Seconds()/packet, 1)
	got := min(sent, m.capacity*d.Seconds()/packet)
	in := d
	if m.room {
		// What the capacity does not take waits: the second probe comes later.
		before := m.queue
		m.queue = max(m.queue+(rate-m.capacity)*d.Seconds(), 0)
		in += time.Duration((m.queue - before) / m.capacity * float64(time.Second))
		got = sent
	}
	s := Sample{
		Node: m.node, From: now, To: end, Sent: uint64(sent + 0.5), SentBytes: uint64(sent * packet),
		Received: uint64(got*(1-m.loss) + 0.5), ReceivedIn: in, Dropped: m.drops,
		RTT: m.rtt + time.Duration(m.queue/m.capacity*float64(time.Second)),
	}
	c.Sample(end.Add(m.rtt), &s)
	c.Advance(end.Add(m.rtt), true)
	return end
}

func TestFindsTheCapacity(t *testing.T) {
	for _, m := range []*model{
		{capacity: 12_500_000, rtt: time.Millisecond},
		{capacity: 12_500_000, rtt: time.Millisecond, loss: 0.1},
		{capacity: 12_500_000, rtt: time.Millisecond, loss: 0.3},
		{capacity: 12_500_000, rtt: time.Millisecond, room: true},
		{capacity: 12_500_000, rtt: 50 * time.Millisecond, room: true, loss: 0.05},
		{capacity: 250_000_000, rtt: time.Millisecond, room: true},
		{capacity: 1_000_000, rtt: 10 * time.Millisecond},
	} {
		c, now := New(Config{}), origin
		for now.Sub(origin) < 10*time.Second {
			now = m.step(c, now, c.Rate())
		}
		var mean, n float64
		for now.Sub(origin) < 15*time.Second {
			now = m.step(c, now, c.Rate())
			mean += c.Rate()
			n++
		}
		mean /= n
		t.Logf("%+v: %.0f on average, %+v", *m, mean, c.Status())
		if mean < 0.85*m.capacity || mean > 1.1*m.capacity {
			t.Errorf("%+v: %.0f bytes/s on average", *m, mean)
		}
	}
}

// Loss that is there all at once and has nothing to do with the rate is taken for that.
func TestLossComesAndGoes(t *testing.T) {
	m := &model{capacity: 1e12, rtt: time.Millisecond}
	c, now := New(Config{MaxRate: 50e6}), origin
	for i, loss := range []float64{0, 0.2, 0.02, 0.3, 0} {
		m.loss = loss
		for end := now.Add(3 * time.Second); now.Before(end); {
			now = m.step(c, now, c.Rate())
		}
		if c.Rate() < 35e6 {
			t.Errorf("%d: %.0f bytes/s at a loss of %v: %+v", i, c.Rate(), loss, c.Status())
		}
	}
}

// A receiver that drops packets itself is a reason to go slower, however few.
func TestReceiverWithoutRoom(t *testing.T) {
	m := &model{capacity: 1e12, rtt: time.Millisecond}
	c, now := New(Config{MaxRate: 50e6}), origin
	for range 500 {
		now = m.step(c, now, c.Rate())
	}
	before, lowest := c.Rate(), c.Rate()
	m.drops = 1
	for range 20 {
		now = m.step(c, now, c.Rate())
		lowest = min(lowest, c.Rate())
	}
	if lowest > 0.8*before || c.Status().Last != "a receiver has no room" {
		t.Errorf("from %.0f to %.0f: %+v", before, c.Rate(), c.Status())
	}
}

// A sender that cannot keep up does not let the rate run away from what it does.
func TestShortSender(t *testing.T) {
	m := &model{capacity: 1e12, rtt: time.Millisecond}
	c, now := New(Config{}), origin
	for range 2000 {
		now = m.step(c, now, min(c.Rate(), 40e6))
	}
	if r := c.Rate(); r < 40e6 || r > 130e6 {
		t.Errorf("%.0f bytes/s for a sender that makes 40,000,000", r)
	}
}

// A sender that cannot keep up is seldom held back to see what a lower rate does: it finds
// nothing, and where nothing is lost there is nothing to find.
func TestShortSenderIsLeftAlone(t *testing.T) {
	for _, loss := range []float64{0, 0.05} {
		m := &model{capacity: 1e12, rtt: time.Millisecond, loss: loss}
		c, now := New(Config{}), origin
		held := 0
		for range 2500 { // 10 s
			before := c.phase
			now = m.step(c, now, min(c.Rate(), 40e6))
			if c.phase == Ease && before != Ease {
				held++
			}
		}
		if most := int(loss * 1000); held > most {
			t.Errorf("held back %d times in 10 s with a loss of %v, want at most %d", held, loss, most)
		}
	}
}

// What is lost because of the rate is found out also when the sender cannot reach the rate.
func TestShortSenderStillFindsLoss(t *testing.T) {
	m := &model{capacity: 30e6, rtt: time.Millisecond}
	c, now := New(Config{}), origin
	for range 1000 {
		now = m.step(c, now, min(c.Rate(), 40e6))
	}
	mean := 0.0
	for range 1000 {
		now = m.step(c, now, min(c.Rate(), 40e6))
		mean += min(c.Rate(), 40e6) / 1000
	}
	if mean > 33e6 {
		t.Errorf("%.0f bytes/s into a path of 30,000,000: %+v", mean, c.Status())
	}
}

func TestSilenceHalves(t *testing.T) {
	m := &model{capacity: 12_500_000, rtt: time.Millisecond}
	c, now := New(Config{}), origin
	for range 1000 {
		now = m.step(c, now, c.Rate())
	}
	for range 2000 {
		now = now.Add(10 * time.Millisecond)
		c.Advance(now, true)
	}
	if c.Rate() != 125_000 || !c.Next().IsZero() {
		t.Errorf("%.0f bytes/s after 20 s of silence, next %v", c.Rate(), c.Next())
	}
	for range 2000 {
		now = m.step(c, now, c.Rate())
	}
	if c.Rate() < 9_000_000 {
		t.Errorf("%.0f bytes/s when it is heard again", c.Rate())
	}
}

// A receiver that pauses is not sent to at full rate, and gets it again when it is back.
func TestPause(t *testing.T) {
	m := &model{capacity: 125_000_000, rtt: time.Millisecond}
	c, now := New(Config{}), origin
	for range 1000 {
		now = m.step(c, now, c.Rate())
	}
	before := c.Rate()
	for range 6 {
		now = now.Add(10 * time.Millisecond)
		c.Advance(now, true)
	}
	if c.Rate() > 0.4*before {
		t.Errorf("%.0f bytes/s after 60 ms of silence, and %.0f before", c.Rate(), before)
	}
	m.step(c, now, c.Rate())
	if c.Rate() < 0.7*before {
		t.Errorf("%.0f bytes/s when it is heard again, and %.0f before", c.Rate(), before)
	}
}

// Nobody may make it spin, panic or keep more than it should.
func TestNonsense(t *testing.T) {
	c, now := New(Config{}), origin
	for i := range 10_000 {
		now = now.Add(time.Millisecond)
		s := Sample{
			Node: uint32(i * 7919), From: now.Add(-time.Duration(i%50) * time.Millisecond), To: now,
			Sent: uint64(i % 3), SentBytes: uint64(i) << (i % 40), Received: uint64(i) << (i % 50),
			ReceivedIn: time.Duration(i-5000) * time.Second, Dropped: uint64(i % 2), RTT: time.Duration(i % 90_000),
		}
		c.Sample(now, &s)
		c.Advance(now, i%3 > 0)
		if len(c.paths) > maxPaths || !(c.Rate() >= 125_000) {
			t.Fatalf("%d paths, %v bytes/s", len(c.paths), c.Rate())
		}
	}
	if got := c.Slowest(nil, 4); len(got) != 4 {
		t.Errorf("%v", got)
	}
}

func TestSampleDoesNotAllocate(t *testing.T) {
	m := &model{capacity: 12_500_000, rtt: time.Millisecond}
	c, now := New(Config{}), origin
	now = m.step(c, now, c.Rate())
	if n := testing.AllocsPerRun(1000, func() { now = m.step(c, now, c.Rate()) }); n != 0 {
		t.Errorf("%v allocations a sample", n)
	}
}

func Example() {
	c := New(Config{})
	now := time.Unix(0, 0)
	for range 500 {
		// Every 4 ms a receiver tells what came of the last 4 ms: never more
		// than 200 Mbit/s.
		next := now.Add(4 * time.Millisecond)
		sent := c.Rate() * 0.004
		got := min(sent, 25_000_000*0.004)
		c.Sample(next, &Sample{
			Node: 7, From: now, To: next, Sent: uint64(sent / 1000), SentBytes: uint64(sent),
			Received: uint64(got / 1000), ReceivedIn: 4 * time.Millisecond, RTT: time.Millisecond,
		})
		now = next
	}
	fmt.Printf("%.0f Mbit/s, limited by receiver %d\n", c.Status().Capacity*8/1e6, c.Status().Limiting)
	// Output: 200 Mbit/s, limited by receiver 7
}
