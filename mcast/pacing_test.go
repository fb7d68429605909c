//go:build linux

package mcast

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A tapeSocket records what is written to it and when.
type tapeSocket struct {
	packetSocket
	start time.Time
	wrote []taped
}

type taped struct {
	at       time.Duration
	packets  int
	segments int
	bytes    int
}

func (s *tapeSocket) writeBatch(ps []datagram.Packet) (int, error) {
	w := taped{at: time.Since(s.start), packets: len(ps)}
	for i := range ps {
		w.segments += ps[i].Segments()
		w.bytes += len(ps[i].Data)
	}
	s.wrote = append(s.wrote, w)
	return len(ps), nil
}

// pacedBy returns a pacer of a connection with an option, and what it writes to.
func pacedBy(t *testing.T, caps Capabilities, o Option) (*pacer, *tapeSocket) {
	t.Helper()
	cfg := defaults()
	cfg.group = netip.MustParseAddrPort("239.1.2.3:5004")
	if err := o(&cfg); err != nil {
		t.Fatal(err)
	}
	return newPacer(&cfg, caps), &tapeSocket{start: time.Now()}
}

func TestPacerRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 10e6
		for _, tt := range []struct {
			what  string
			ps    []datagram.Packet
			burst int // most bytes at once, headers included
		}{
			{"singles", spaces(1000, 1000), 5000 + 1028},
			{"small singles", spaces(3000, 100), 5000 + 128},
			{"runs of 60", []datagram.Packet{{Data: make([]byte, 60_000), SegSize: 1000}, {Data: make([]byte, 60_000), SegSize: 1000}}, 5000 + 1028},
			{"runs of 3", []datagram.Packet{{Data: make([]byte, 3000), SegSize: 1000}, {Data: make([]byte, 3000), SegSize: 1000}, {Data: make([]byte, 3000), SegSize: 1000}}, 5000 + 3*1028},
			{"datagrams longer than a burst", spaces(5, 20_000), 5000 + 20_028},
		} {
			w, s := pacedBy(t, Capabilities{}, Pacing(rate))
			if n, err := w.write(s, tt.ps); n != len(tt.ps) || err != nil {
				t.Fatalf("%s: %d, %v", tt.what, n, err)
			}
			sum, want := 0, 0
			for _, x := range s.wrote {
				size := x.bytes + 28*x.segments
				if size > tt.burst {
					t.Errorf("%s: %d bytes at once, want at most %d", tt.what, size, tt.burst)
				}
				sum += size
			}
			for i := range tt.ps {
				want += w.size(&tt.ps[i])
			}
			// All but the last burst, and what could be saved up before.
			least := time.Duration(float64(sum-tt.burst) * 8 / rate * 1e9)
			took := s.wrote[len(s.wrote)-1].at
			if sum != want || took < least-4*time.Millisecond || took > least+20*time.Millisecond {
				t.Errorf("%s: %d bytes in %v, want %d in about %v", tt.what, sum, took, want, least)
			}
		}
	})
}

func TestPacerTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pacedBy(t, Capabilities{}, TransmitTimes())
		ps := spaces(7, 10)
		ms := func(n int) time.Time { return s.start.Add(time.Duration(n) * time.Millisecond) }
		ps[1].Time, ps[2].Time, ps[3].Time = ms(5), ms(5), ms(3) // the last does not overtake
		ps[4].Time, ps[6].Time = ms(9), ms(-9)
		if n, err := w.write(s, ps); n != 7 || err != nil {
			t.Fatal(n, err)
		}
		want := []taped{{0, 1, 1, 10}, {5e6, 3, 3, 30}, {9e6, 3, 3, 30}}
		if len(s.wrote) != 3 || s.wrote[0] != want[0] || s.wrote[1] != want[1] || s.wrote[2] != want[2] {
			t.Errorf("wrote %v, want %v", s.wrote, want)
		}
		// A kernel that keeps the times itself gets them a little ahead.
		w, s = pacedBy(t, Capabilities{KernelTransmitTime: true}, TransmitTimes())
		ps = spaces(2, 10)
		ps[0].Time, ps[1].Time = ms(50), s.start.Add(time.Second)
		if n, err := w.write(s, ps); n != 2 || err != nil || len(s.wrote) != 2 || s.wrote[0].at != 0 || s.wrote[1].at != time.Second-kernelLead {
			t.Errorf("%d, %v, %v", n, err, s.wrote)
		}
	})
}

func TestPacerOnlyWhereNeeded(t *testing.T) {
	for _, tt := range []struct {
		caps Capabilities
		o    Option
		want bool
	}{
		{Capabilities{}, Lean(), false},
		{Capabilities{}, Pacing(1e6), true},
		{Capabilities{KernelPacing: true}, Pacing(1e6), false},
		{Capabilities{KernelTransmitTime: true}, TransmitTimes(), true},
	} {
		if w, _ := pacedBy(t, tt.caps, tt.o); (w != nil) != tt.want {
			t.Errorf("with %+v there is a pacer: %v", tt.caps, w != nil)
		}
	}
	for _, rate := range []int64{0, -1} {
		cfg := defaults()
		if err := Pacing(rate)(&cfg); !errors.Is(err, ErrOption) {
			t.Errorf("Pacing(%d): %v", rate, err)
		}
	}
}

// The same over real sockets, with what ends a wait.
func TestPacedConn(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.8.20"), onLo, Pacing(800_000))
		if c.Capabilities().KernelPacing {
			t.Error("lo has no queueing discipline that could pace")
		}
		start := time.Now()
		for range 4 {
			if _, err := c.Write(make([]byte, 2000-28)); err != nil { // 20 ms each
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < 45*time.Millisecond {
			t.Errorf("sent 8,000 bytes at 100,000 a second in %v", d)
		}
		receive(t, c, 4)

		c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		n, err := c.WriteBatch(spaces(5, 60_000))
		wantTimeout(t, "WriteBatch", err)
		if n > 1 {
			t.Errorf("%d packets were taken", n)
		}
		c.SetWriteDeadline(time.Time{})
		time.AfterFunc(10*time.Millisecond, func() { c.SetWriteDeadline(time.Now()) })
		_, err = c.WriteBatch(spaces(5, 60_000))
		wantTimeout(t, "WriteBatch, set later", err)

		c.SetWriteDeadline(time.Time{})
		time.AfterFunc(10*time.Millisecond, func() { c.Close() })
		if _, err := c.WriteBatch(spaces(5, 60_000)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed while paced: %v", err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestTransmitTimesConn(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.8.21"), onLo, TransmitTimes())
		at := time.Now().Add(30 * time.Millisecond)
		send(t, c, text("now"), datagram.Packet{Data: []byte("later"), Time: at})
		if d := time.Since(at); d < 0 {
			t.Errorf("returned %v too early", -d)
		}
		ps := receive(t, c, 2)
		wantData(t, ps, "now", "later")
		if c.Capabilities().Timestamps && (ps[1].Time.Before(at.Add(-time.Millisecond)) || ps[0].Time.After(at)) {
			t.Errorf("arrived at %v and %v, want before and after %v", ps[0].Time, ps[1].Time, at)
		}
		// Without the option the time means nothing.
		d := mustOpen(t, open, both, loAddr("239.255.8.22"), onLo)
		send(t, d, datagram.Packet{Data: []byte("x"), Time: time.Now().Add(time.Hour)})
	})
}

func TestPacedNoAllocations(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.8.23"), onLo, Pacing(1e6), TransmitTimes())
	out, in, b := spaces(3, 200), spaces(8, 1500), make([]byte, 200)
	if n := testing.AllocsPerRun(10, func() {
		out[2].Time = time.Now().Add(time.Millisecond)
		if _, err := c.WriteBatch(out); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < 4; {
			n, err := c.ReadBatch(in)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
