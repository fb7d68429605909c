package mcast

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

var epoch = time.Unix(1000, 0)

// At a steady rate, in bursts of 40, the reader rests as long as it may, but never until the
// buffer is half full, and not where the bursts are further apart.
func TestCoalescerFindsTheTime(t *testing.T) {
	const most = 500 * time.Microsecond
	for _, room := range []int{0, 4 << 20, 208 << 10} {
		for _, perSecond := range []int{20_000, 100_000, 300_000, 1_000_000} {
			var g coalescer
			g.set(most, room)
			ps := make([]datagram.Packet, BatchSize)
			for i := range ps {
				ps[i].Data = make([]byte, 1472)
			}
			var clock, rested time.Duration
			arrived, read, largest := 0, 0, 0
			for range 500 {
				d := g.next(epoch.Add(clock))
				if d > most {
					t.Fatalf("%v", d)
				}
				rested += d
				clock += d
				arrived = int(clock.Seconds()*float64(perSecond)) / 40 * 40
				if d > 0 {
					g.gathered(arrived - read)
				}
				// With none to wait for the next burst.
				for arrived == read {
					arrived = int(clock.Seconds()*float64(perSecond)) / 40 * 40
					clock += time.Microsecond
				}
				largest = max(largest, arrived-read)
				for arrived > read {
					n := min(arrived-read, BatchSize)
					g.came(ps[:n])
					read += n
					clock += time.Duration(n) * 700 * time.Nanosecond
					arrived = int(clock.Seconds()*float64(perSecond)) / 40 * 40
				}
			}
			t.Logf("%d packets/s, buffer %d: at rest %.0f %% of the time, at most %d packets", perSecond, room, 100*rested.Seconds()/clock.Seconds(), largest)
			if room > 0 && largest*packetMemory > room/2 {
				t.Errorf("%d packets/s: %d gathered in a buffer of %d bytes", perSecond, largest, room)
			}
			switch {
			case perSecond == 20_000 && rested > clock/20: // 2 ms between bursts
				t.Errorf("buffer %d: at rest %v of %v, where nothing gathers", room, rested, clock)
			case (perSecond == 100_000 || perSecond == 300_000) && rested < clock/5:
				t.Errorf("%d packets/s, buffer %d: at rest %v of %v", perSecond, room, rested, clock)
			}
		}
	}
}

// Packets that come one by one do not wait, nor does anything before SetCoalescing.
func TestCoalescerLeavesFewAlone(t *testing.T) {
	var g coalescer
	ps := make([]datagram.Packet, 64)
	g.came(ps)
	if d := g.next(epoch); d != 0 {
		t.Errorf("%v while it is off", d)
	}
	g.set(time.Millisecond, 0)
	for i, n := range []int{1, 3, 2, 64, 1, 0} {
		g.came(ps[:n])
		if d := g.next(epoch.Add(time.Duration(i) * 2 * time.Millisecond)); (d > 0) != (n == 64) {
			t.Errorf("%d: %v after %d packets", i, d, n)
		}
	}
	g.came(ps)
	g.set(0, 0)
	if d := g.next(epoch.Add(time.Minute)); d != 0 {
		t.Errorf("%v after it was switched off", d)
	}
}

// A steady stream of single packets gathers too if it is fast, and then costs a wake-up for
// several.
func TestCoalescerSlowStream(t *testing.T) {
	const most = 500 * time.Microsecond
	for gap, want := range map[time.Duration]float64{time.Millisecond: 1, 200 * time.Microsecond: 1, 100 * time.Microsecond: 0.25} {
		var g coalescer
		g.set(most, 0)
		ps := make([]datagram.Packet, BatchSize)
		clock, read, looks := time.Duration(0), 0, 0
		for read < 10_000 {
			d := g.next(epoch.Add(clock))
			clock += d + 5*time.Microsecond
			if d > 0 {
				g.gathered(int(clock/gap) - read)
			}
			if int(clock/gap) == read {
				clock = time.Duration(read+1) * gap // woken by the next
			}
			n := min(int(clock/gap)-read, BatchSize)
			g.came(ps[:n])
			read += n
			looks++
		}
		if got := float64(looks) / float64(read); got > want || want == 1 && got < 0.99 {
			t.Errorf("every %v: looks for %.2f of the packets, want %v", gap, got, want)
		}
	}
}
