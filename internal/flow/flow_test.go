package flow

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

var t0 = time.Unix(1_700_000_000, 123_456_789)

func TestProbe(t *testing.T) {
	for _, p := range []Probe{
		{Session: 7, Seq: 1, Sent: t0},
		{Session: 1<<32 - 1, Seq: 1 << 40, Sent: t0, Last: true},
	} {
		for _, size := range []int{0, ProbeSize, 1400} {
			b := AppendProbe([]byte("x"), p, size)[1:]
			if len(b) != max(size, ProbeSize) {
				t.Errorf("%d bytes, want %d", len(b), size)
			}
			got, ok := ParseProbe(b)
			if !ok || got.Session != p.Session || got.Seq != p.Seq || !got.Sent.Equal(p.Sent) || got.Last != p.Last {
				t.Errorf("%+v, %v; want %+v", got, ok, p)
			}
			// iperf reads microseconds, from the first 40 bytes.
			if got, ok := parseIperfAt(b, p.Sent); !ok || got.Seq != p.Seq || got.Last != p.Last || p.Sent.Sub(got.Sent) != 789 {
				t.Errorf("as iperf: %+v, %v", got, ok)
			}
			for n := range ProbeSize {
				if _, ok := ParseProbe(b[:n]); ok {
					t.Errorf("%d bytes are enough", n)
				}
			}
		}
	}
	// The layout of iperf 2.1: id, seconds, microseconds, id's upper half.
	b := AppendProbe(nil, Probe{Session: 0x01020304, Seq: 0x1_0000_0002, Sent: t0}, 0)
	const want = "00000002" + "6553f100" + "0001e240" + "00000001" + "000000000000000000000000000000000000000000000000" +
		"6d63617374657374" + "01020304" + "17979cfe3d85cd15"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
}

// The counts must be those of a plain list of the numbers.
func TestSequenceAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var s Sequence
		seen := map[uint64]bool{}
		var highest, dup, reordered uint64
		first := rng.Uint64N(1 << 20)
		pending := []uint64{}
		for n := first; n < first+3000; n++ {
			if n > first && rng.IntN(10) == 0 {
				continue // lost
			}
			pending = append(pending, n)
			if rng.IntN(20) == 0 {
				pending = append(pending, n)
			}
		}
		for i := range pending { // shuffled a little, but the first stays
			if j := i + rng.IntN(8); i > 0 && j < len(pending) {
				pending[i], pending[j] = pending[j], pending[i]
			}
		}
		bits16 := seed%2 == 1
		for _, n := range pending {
			switch {
			case seen[n]:
				dup++
			case n < highest:
				reordered++
			}
			seen[n] = true
			highest = max(highest, n)
			if bits16 {
				s.Add16(uint16(n))
			} else {
				s.Add(n)
			}
		}
		lost := highest - first + 1 - uint64(len(seen))
		if s.Received != uint64(len(seen)) || s.Lost != lost || s.Duplicates != dup || s.Reordered != reordered || s.Restarts != 0 {
			t.Fatalf("seed %d: %+v; want received %d, lost %d, duplicates %d, reordered %d", seed, s, len(seen), lost, dup, reordered)
		}
	}
}

func TestSequenceRestart(t *testing.T) {
	var s Sequence
	for _, n := range []uint64{1 << 40, 1<<40 + 1, 5, 1<<40 + 2, 9, 10, 11} {
		s.Add(n)
	}
	if s.Restarts != 1 || s.Lost != 0 || s.Received != 6 {
		t.Errorf("%+v; want one restart, nothing lost, 5 ignored", s)
	}
	s = Sequence{}
	for _, n := range []uint16{65535, 0, 2, 1, 1} {
		s.Add16(n)
	}
	if s.Received != 4 || s.Lost != 0 || s.Reordered != 1 || s.Duplicates != 1 {
		t.Errorf("over the wrap: %+v", s)
	}
}

func packet(data []byte, port uint16) *datagram.Packet {
	return &datagram.Packet{Data: data, Src: netip.MustParseAddrPort("192.0.2.1:4000"), Time: t0,
		Dst: netip.AddrPortFrom(netip.MustParseAddr("233.252.0.1"), port), HopLimit: 5}
}

func rtpPacket(ssrc uint32, seq uint16, payload []byte) []byte {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 33, SequenceNumber: seq, SSRC: ssrc}, Payload: payload}
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

func TestKinds(t *testing.T) {
	ts := make([]byte, 7*188)
	for i := 0; i < len(ts); i += 188 {
		ts[i] = 0x47
	}
	var codec wire.Codec
	cmd, err := codec.AppendFlush(nil, &wire.Flush{})
	if err != nil {
		t.Fatal(err)
	}
	iperf := func(n uint64) []byte { return append(appendIperf(nil, Probe{Seq: n, Sent: t0}), 1, 2, 3) }
	for _, c := range []struct {
		want Kind
		name string
		port uint16
		data [][]byte
	}{
		{RTP, "RTP 33", 5004, [][]byte{rtpPacket(1, 65534, ts), rtpPacket(1, 65535, ts), rtpPacket(1, 1, ts)}},
		{MPEGTS, "MPEG-TS", 1234, [][]byte{ts}},
		{NORM, "NORM 0", 6003, [][]byte{cmd}},
		{Test, "test", 5000, [][]byte{AppendProbe(nil, Probe{Seq: 1, Sent: t0}, 0)}},
		{IPerf, "iperf", 5001, [][]byte{iperf(1), iperf(2)}},
		{SAP, "SAP", 9875, [][]byte{{0x20, 0, 1, 2, 192, 0, 2, 1}}},
		{MDNS, "mDNS", 5353, [][]byte{make([]byte, 12)}},
		{SSDP, "SSDP", 1900, [][]byte{[]byte("NOTIFY * HTTP/1.1\r\n")}},
		{Unknown, "?", 5004, [][]byte{{}, {1}, []byte("text that is nothing"), rtpPacket(1, 5, nil), rtpPacket(2, 5000, nil), rtpPacket(3, 9, nil), iperf(7), make([]byte, 400)}},
	} {
		m := NewMonitor()
		for _, b := range c.data {
			m.Handle(t0, packet(b, c.port))
		}
		fs := m.Flows()
		if len(fs) != 1 || fs[0].Kind != c.want || fs[0].Name() != c.name || fs[0].Packets != uint64(len(c.data)) {
			t.Errorf("%s: %+v", c.name, fs)
		}
		if c.want == RTP && (fs[0].Sequence.Lost != 1 || fs[0].ID != 1) {
			t.Errorf("RTP: %+v", fs[0])
		}
	}
}

func TestDelayAndEnd(t *testing.T) {
	m := NewMonitor()
	for i, d := range []time.Duration{3, 5, 4} {
		p := packet(AppendProbe(nil, Probe{Seq: uint64(i + 1), Sent: t0}, 0), 5000)
		p.Time = t0.Add(d * time.Millisecond)
		m.Handle(t0, p)
	}
	for range 2 { // the end is said twice: five packets were sent
		m.Handle(t0, packet(AppendProbe(nil, Probe{Seq: 6, Sent: t0, Last: true}, 0), 5000))
	}
	f := m.Flows()[0]
	if f.Delay.Min != 3*time.Millisecond || f.Delay.Max != 5*time.Millisecond || f.Delay.Mean() != 4*time.Millisecond ||
		f.Delay.Jitter != 2*time.Millisecond/16+(1*time.Millisecond-2*time.Millisecond/16)/16 {
		t.Errorf("%+v, mean %v", f.Delay, f.Delay.Mean())
	}
	if !f.Ended || f.Sequence.Duplicates != 0 || f.Sequence.Received != 3 || f.Sequence.Lost != 2 || f.Packets != 5 || f.First != t0.Add(3*time.Millisecond) {
		t.Errorf("%+v", f)
	}
	// A new session of the same sender begins anew.
	m.Handle(t0, packet(AppendProbe(nil, Probe{Session: 9, Seq: 500, Sent: t0}, 0), 5000))
	if f := m.Flows()[0]; f.Sequence.Received != 1 || f.Sequence.Restarts != 1 || f.Ended || f.Delay.Count != 1 {
		t.Errorf("second session: %+v", f)
	}
}

func TestRunsAndBounds(t *testing.T) {
	m := NewMonitor()
	p := packet(nil, 5000)
	for i := range 10 {
		p.Data = AppendProbe(p.Data, Probe{Seq: uint64(i + 1), Sent: t0}, 100)
	}
	p.Data, p.SegSize = p.Data[:len(p.Data)-20], 100
	m.Handle(t0, p)
	if f := m.Flows()[0]; f.Packets != 10 || f.Bytes != 980 || f.Sequence.Received != 10 {
		t.Errorf("%+v", f)
	}
	for i := range 2 * MaxFlows {
		q := packet([]byte("x"), uint16(i+1))
		m.Handle(t0, q)
	}
	if n := len(m.Flows()); n != MaxFlows || m.Other != MaxFlows+1 {
		t.Errorf("%d flows, %d others", n, m.Other)
	}
}

func TestHandleAllocates0(t *testing.T) {
	m := NewMonitor()
	ps := []*datagram.Packet{
		packet(AppendProbe(nil, Probe{Seq: 1, Sent: t0}, 0), 1), packet(rtpPacket(1, 1, make([]byte, 100)), 2), packet([]byte("?"), 3),
	}
	for _, p := range ps {
		if n := testing.AllocsPerRun(100, func() { m.Handle(t0, p) }); n != 0 {
			t.Errorf("port %d: %v allocations", p.Dst.Port(), n)
		}
	}
}

func FuzzMonitor(f *testing.F) {
	f.Add(rtpPacket(1, 2, []byte("abc")), uint16(5004), 0)
	f.Add(AppendProbe(nil, Probe{Seq: 1, Sent: t0}, 120), uint16(5000), 60)
	f.Add([]byte{0x11, 4}, uint16(9875), 1)
	f.Fuzz(func(t *testing.T, b []byte, port uint16, seg int) {
		m := NewMonitor()
		for range 3 {
			p := packet(b, port)
			p.SegSize = seg
			m.Handle(t0, p)
		}
		if fs := m.Flows(); len(fs) != 1 || fs[0].Bytes != 3*uint64(len(b)) || fs[0].Name() == "" {
			t.Errorf("%+v", fs)
		}
	})
}
