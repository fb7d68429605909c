package mcast

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
)

func spaces(n, size int) []datagram.Packet {
	ps := make([]datagram.Packet, n)
	for i := range ps {
		ps[i].Data = make([]byte, size)
	}
	return ps
}

// read collects datagrams with ReadBatch until it has n, and returns how many
// packets they came in.
func read(t *testing.T, c *Conn, ps []datagram.Packet, n int) (data []string, packets int) {
	t.Helper()
	stop := time.AfterFunc(5*time.Second, func() { c.Close() })
	defer stop.Stop()
	for len(data) < n {
		k, err := c.ReadBatch(ps)
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v", len(data), n, err)
		}
		packets += k
		for i := range ps[:k] {
			p := &ps[i]
			for rest := p.Data; len(rest) > 0; {
				size := len(rest)
				if p.SegSize > 0 {
					size = min(size, p.SegSize)
				}
				data = append(data, string(rest[:size]))
				rest = rest[size:]
			}
		}
	}
	return data, packets
}

func TestReceiveOffload(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.9.2"), onLo)
	if caps := c.Capabilities(); !caps.ReceiveOffload || !caps.SendOffload {
		t.Skip("this kernel has no UDP_SEGMENT or UDP_GRO")
	}
	run := datagram.Packet{Data: make([]byte, 40*1000+10), SegSize: 1000}
	for i := range run.Data {
		run.Data[i] = byte(i / 1000)
	}
	check := func(data []string) {
		t.Helper()
		for i, d := range data {
			if want := string(run.Data[i*1000 : min((i+1)*1000, len(run.Data))]); d != want {
				t.Fatalf("segment %d differs", i)
			}
		}
	}
	large, small := spaces(4, OffloadSpace), spaces(64, 1500)

	// Little space: single datagrams.
	send(t, c, run)
	data, packets := read(t, c, small, 41)
	check(data)
	if packets != 41 {
		t.Errorf("%d packets without offload, want 41", packets)
	}
	// Enough space turns offload on, from the next packet on.
	send(t, c, text("first"))
	read(t, c, large, 1)
	send(t, c, run)
	data, packets = read(t, c, large, 41)
	check(data)
	if packets != 1 {
		t.Errorf("%d packets with offload, want 1", packets)
	}
	// Packets splits them.
	send(t, c, run)
	for i, p := range receive(t, c, 41) {
		if p.SegSize != 0 || len(p.Data) != min(1000, len(run.Data)-i*1000) {
			t.Fatalf("datagram %d has %d bytes, SegSize %d", i, len(p.Data), p.SegSize)
		}
	}
	// It stays on. Less space gets them one by one, none lost.
	send(t, c, run, text("single"))
	data, packets = read(t, c, small, 42)
	check(data[:41])
	if packets != 42 || data[41] != "single" || c.Stats().Truncated != 0 {
		t.Errorf("%d packets, last %.20q, %d truncated; want 42, single, 0", packets, data[41], c.Stats().Truncated)
	}
	// What does not fit into a caller's space is counted, never cut short.
	send(t, c, text("a short one"), run, text("the end"))
	data, _ = read(t, c, spaces(64, 999), 3)
	if data[0] != "a short one" || data[1] != string(run.Data[40000:]) || data[2] != "the end" || c.Stats().Truncated != 40 {
		t.Errorf("got %.20q, %d truncated", data, c.Stats().Truncated)
	}
}

func TestOffloadOff(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.9.3"), onLo, Offload(false))
	if caps := c.Capabilities(); caps.SendOffload || caps.ReceiveOffload {
		t.Errorf("capabilities %+v with offload off", caps)
	}
	send(t, c, datagram.Packet{Data: make([]byte, 5000), SegSize: 100})
	if _, packets := read(t, c, spaces(64, OffloadSpace), 50); packets != 50 {
		t.Errorf("%d packets, want 50", packets)
	}
}

func TestDropCounter(t *testing.T) {
	addr := loAddr("239.255.9.4")
	s := mustOpen(t, openSocket, dial, addr, onLo, Offload(false))
	c := mustOpen(t, openSocket, listen, addr, onLo, ReadBuffer(10_000))
	const n = 500
	for range n {
		send(t, s, datagram.Packet{Data: make([]byte, 1000)})
	}
	got := 0
	ps := spaces(64, 1500)
	drain := func() {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		for {
			k, err := c.ReadBatch(ps)
			if err != nil {
				break
			}
			got += k
		}
		c.SetReadDeadline(time.Time{})
	}
	drain()
	// The count comes with the next packet.
	send(t, s, text("x"))
	drain()
	if d := c.Stats().Dropped; d == 0 || int(d)+got != n+1 {
		t.Errorf("%d received and %d dropped of %d", got, d, n+1)
	}
}

// The kernel's counter has 32 bits and wraps; ours does not.
func TestDropCounterWraps(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.9.5"), onLo)
	r := &c.sock.(*sockLinux).rx
	for _, v := range []uint32{1<<32 - 2, 3} {
		b := appendControl(r.ctls[0].b[:0], wordSize, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, binary.NativeEndian.AppendUint32(nil, v))
		r.msgs[0].hdr.SetControllen(len(b))
		r.deliver(spaces(1, 100))
	}
	if d := c.Stats().Dropped; d != 1<<32+3 {
		t.Errorf("dropped %d, want 2^32+3", d)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, tt := range []struct {
		what string
		pick func() []datagram.Packet
		size int
	}{
		{"64 single packets", func() []datagram.Packet {
			ps := spaces(64, 200)
			for i := range ps {
				ps[i].Data = ps[i].Data[:200-i%2] // sizes alternate: no gathering
			}
			return ps
		}, 1500},
		{"64 gathered packets", func() []datagram.Packet { return spaces(64, 200) }, 1500},
		{"a run, received as one", func() []datagram.Packet {
			return []datagram.Packet{{Data: make([]byte, 64*200), SegSize: 200}}
		}, OffloadSpace},
		{"own settings", func() []datagram.Packet {
			ps := spaces(64, 200)
			for i := range ps {
				ps[i].TOS, ps[i].HopLimit = 0xb8, 1+i%2
			}
			return ps
		}, 1500},
	} {
		c := mustOpen(t, openSocket, both, loAddr("239.255.9.6"), onLo)
		out, in := tt.pick(), spaces(64, tt.size)
		if testing.AllocsPerRun(100, func() {
			if n, err := c.WriteBatch(out); n != len(out) || err != nil {
				t.Fatal(n, err)
			}
			for got := 0; got < 64; {
				n, err := c.ReadBatch(in)
				if err != nil {
					t.Fatal(err)
				}
				for i := range in[:n] {
					got += in[i].Segments()
				}
			}
		}) != 0 {
			t.Errorf("%s: allocations per batch, want none", tt.what)
		}
		c.Close()
	}
}

// A reader that really waits in the poller, and Packets, must not allocate per
// packet either.
func TestNoAllocationsWhenParked(t *testing.T) {
	addr := loAddr("239.255.9.7")
	s := mustOpen(t, openSocket, dial, addr, onLo)
	c := mustOpen(t, openSocket, listen, addr, onLo)
	const runs = 200
	ping := make(chan bool)
	go func() {
		out := spaces(1, 100)
		for range ping {
			for range 5 {
				runtime.Gosched()
			}
			s.WriteBatch(out)
		}
	}()
	defer close(ping)
	in := spaces(4, 1500)
	if n := testing.AllocsPerRun(runs, func() {
		ping <- true
		if _, err := c.ReadBatch(in); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per parked read, want 0", n)
	}

	step := make(chan bool)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for _, err := range c.Packets(ctx) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				close(step)
				return
			}
			step <- true
		}
	}()
	burst := datagram.Packet{Data: make([]byte, 60*100), SegSize: 100}
	out := []datagram.Packet{burst}
	if n := testing.AllocsPerRun(runs, func() {
		s.WriteBatch(out)
		for range 60 {
			<-step
		}
	}); n != 0 {
		t.Errorf("%v allocations for 60 packets of Packets", n)
	}
	cancel()
	for range step {
	}
}
