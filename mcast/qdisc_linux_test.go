package mcast

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// What Linux 6.18 answers about lo and a veth interface with two queues, at whose
// root tc has put mq.
const qdiscDump = `
	94000000 2400 0200 00000000 d530f08a  00000000 01000000 00000000 ffffffff 02000000
	0c000100 6e6f717565756500 05000c00 00000000 30000700 14000100 00000000 00000000 00000000 00000000
	18000300 00000000 00000000 00000000 00000000 00000000
	2c000300 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
	90000000 2400 0200 00000000 d530f08a  00000000 03000000 00003480 ffffffff 01000000
	07000100 6d710000 05000c00 00000000 30000700 14000100 00000000 00000000 00000000 00000000
	18000300 00000000 00000000 00000000 00000000 00000000
	2c000300 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
	b0000000 2400 0200 00000000 d530f08a  00000000 03000000 00000000 02003480 01000000
	0f000100 706669666f5f666173740000 18000200 03000000 01020202 01020000 01010101 01010101 05000c00 00000000
	30000700 14000100 00000000 00000000 00000000 00000000
	18000300 00000000 00000000 00000000 00000000 00000000
	2c000300 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000`

const qdiscDone = `14000000 0300 0200 00000000 d530f08a 00000000`

func TestParseQdiscs(t *testing.T) {
	littleEndian(t)
	const head = 16 + 20
	etf := fmt.Sprintf("%02x000000 2400 0200 00000000 00000000  00000000 04000000 00000180 ffffffff 02000000", head+8+4+4+12) +
		"08000100 65746600 1400 0280 10000100 400d0300 0b000000 01000000"
	for _, tt := range []struct {
		what, b string
		done    bool
		want    []qdisc
	}{
		{"mq", qdiscDump, false, []qdisc{
			{ifindex: 1, parent: rootParent, kind: "noqueue"},
			{ifindex: 3, handle: 0x80340000, parent: rootParent, kind: "mq"},
			{ifindex: 3, parent: 0x80340002, kind: "pfifo_fast"},
		}},
		{"the end", qdiscDone, true, nil},
		{"etf", etf + qdiscDone, true, []qdisc{{ifindex: 4, handle: 0x80010000, parent: rootParent, kind: "etf", clock: unix.CLOCK_TAI, delta: 200 * time.Microsecond}}},
		{"an acknowledgement", `14000000 0200 0000 00000000 00000000 00000000`, true, nil},
		{"too short to hold a discipline", `14000000 2400 0200 00000000 00000000 00000000`, false, nil},
	} {
		got, done, err := parseQdiscs(unhex(t, tt.b), nil)
		if fmt.Sprint(got) != fmt.Sprint(tt.want) || done != tt.done || err != nil {
			t.Errorf("%s: %+v, done %v, %v; want %+v, %v", tt.what, got, done, err, tt.want, tt.done)
		}
	}
	for what, b := range map[string]string{
		"length 0":        `00000000 2400 0200 00000000 00000000 00000000`,
		"length too long": `15000000 2400 0200 00000000 00000000 00000000`,
		"EPERM":           `14000000 0200 0000 00000000 00000000 ffffffff`,
	} {
		if _, _, err := parseQdiscs(unhex(t, b), nil); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	b := unhex(t, qdiscDump)
	for n := range b {
		parseQdiscs(b[:n], nil)
	}
	if got, want := qdiscRequest(), unhex(t, `24000000 2600 0103 00000000 00000000`+strings.Repeat("00", 20)); string(got) != string(want) {
		t.Errorf("request %x, want %x", got, want)
	}
}

func FuzzParseQdiscs(f *testing.F) {
	f.Add(qdiscRequest())
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _, _ := parseQdiscs(b, nil)
		if len(all) > len(b)/(unix.SizeofNlMsghdr+20) {
			t.Errorf("%d disciplines from %d bytes", len(all), len(b))
		}
		rootQdisc(all, 1)
	})
}

func TestRootQdisc(t *testing.T) {
	mq := qdisc{ifindex: 3, handle: 0x80340000, parent: rootParent, kind: "mq"}
	fq := func(n uint32) qdisc { return qdisc{ifindex: 3, parent: 0x80340000 + n, kind: "fq"} }
	other := qdisc{ifindex: 3, parent: 0x80340003, kind: "fq_codel"}
	for want, all := range map[string][]qdisc{
		"":     nil,
		"fq":   {{ifindex: 2, parent: rootParent, kind: "tbf"}, {ifindex: 3, parent: rootParent, kind: "fq"}, {ifindex: 3, parent: 0xfffffff1, kind: "clsact"}},
		"mq":   {mq, fq(1), other, {ifindex: 3, parent: 0xfffffff1, kind: "clsact"}},
		"fq ":  {fq(1), mq, fq(2), {ifindex: 9, parent: 0x80340001, kind: "pfifo"}},
		"fq  ": {{ifindex: 3, parent: rootParent, kind: "mq"}, {ifindex: 3, parent: 1, kind: "fq"}, {ifindex: 3, parent: 2, kind: "fq"}},
		"mq ":  {mq},
	} {
		if got := rootQdisc(all, 3).kind; got != strings.TrimSpace(want) {
			t.Errorf("root of %+v is %q, want %q", all, got, want)
		}
	}
}

// This kernel has no discipline that can pace. It must be seen that it is so, and
// what pacing then does is tested elsewhere.
func TestLabQdiscs(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	for _, kind := range []string{"pfifo", "fq", "etf clockid CLOCK_TAI delta 200000"} {
		if err := ip(append([]string{"netns", "exec", a.name, "tc", "qdisc", "replace", "dev", "va", "root"}, strings.Fields(kind)...)...); err != nil {
			t.Logf("not tested: %v", err)
			continue
		}
		name, _, _ := strings.Cut(kind, " ")
		c := a.open(t, openSocket, dial, "239.255.3.9:5004", Interface("va"), Pacing(1e9), TransmitTimes())
		a.do(t, func() {
			all, err := qdiscs()
			if q := rootQdisc(all, c.Interface().Index); err != nil || q.kind != name {
				t.Errorf("discipline %q, %v; want %q", q.kind, err, name)
			}
		})
		if caps := c.Capabilities(); caps.KernelPacing != (name == "fq") || caps.KernelTransmitTime != (name != "pfifo") {
			t.Errorf("%s: %+v", name, caps)
		}
		r := b.open(t, openSocket, listen, "239.255.3.9:5004", Interface("vb"))
		at := time.Now().Add(20 * time.Millisecond)
		send(t, c, text("now"), datagram.Packet{Data: []byte("later"), Time: at})
		ps := receive(t, r, 2)
		wantData(t, ps, "now", "later")
		if early := at.Sub(ps[1].Time); early > time.Millisecond {
			t.Errorf("%s: arrived %v too early", name, early)
		}
		c.Close()
		r.Close()
	}
}

func TestTxClock(t *testing.T) {
	fq, etf := clockOf(qdisc{kind: "fq"}), clockOf(qdisc{kind: "etf", clock: unix.CLOCK_TAI, delta: time.Millisecond})
	if fq.id != unix.CLOCK_MONOTONIC || etf.id != unix.CLOCK_TAI || clockOf(qdisc{kind: "etf", clock: unix.CLOCK_MONOTONIC}) != (txClock{}) || clockOf(qdisc{kind: "tbf"}) != (txClock{}) {
		t.Errorf("clocks %+v, %+v", fq, etf)
	}
	const base = 1e15
	now := time.Now()
	for _, tt := range []struct {
		clock txClock
		at    time.Time
		want  uint64
	}{
		{fq, time.Time{}, 0},
		{fq, now.Add(-time.Second), 0},
		{fq, now.Add(time.Second), base + 1e9},
		{fq, now.Add(time.Second).Round(0), base + 1e9}, // without Go's monotonic reading
		// etf drops what has no time or comes late.
		{etf, time.Time{}, base + 1.5e6},
		{etf, now.Add(time.Millisecond), base + 1.5e6},
		{etf, now.Add(time.Second), base + 1e9},
	} {
		got := tt.clock.departure(&datagram.Packet{Time: tt.at}, base, now)
		if diff := int64(got - tt.want); diff > 1e6 || diff < -1e6 || (got == 0) != (tt.want == 0) {
			t.Errorf("%+v at %v: %d, want %d", tt.clock, tt.at.Sub(now), got, tt.want)
		}
	}
	if ns, when := fq.read(); ns <= 0 || time.Since(when).Abs() > time.Minute {
		t.Errorf("the clock reads %d at %v", ns, when)
	}
}

// The message that carries the time, and that packets of different times are not
// sent as one.
func TestSenderTransmitTime(t *testing.T) {
	k := &fakeKernel{t: t, most: BatchSize, refuse: accept}
	s := newSender(k, 1500)
	s.clock = clockOf(qdisc{kind: "fq"})
	ps := equalPackets(4, 100)
	at := time.Now().Add(time.Second)
	ps[1].Time, ps[2].Time = at, at
	var times []uint64
	fake := k.sendmmsg
	s.sendmmsg = func(fd uintptr, msgs []mmsghdr) (int, unix.Errno) {
		for i := range msgs {
			times = append(times, transmitTime(t, &msgs[i].hdr))
		}
		return fake(fd, msgs)
	}
	if n, err := s.write(fakeRaw{}, ps); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	ns, now := s.clock.read()
	want := ns + int64(at.Sub(now))
	if len(times) != 3 || times[0] != 0 || times[2] != 0 || time.Duration(int64(times[1])-want).Abs() > 10*time.Millisecond {
		t.Errorf("times %d, want one of three, about %d", times, want)
	}
	compare(t, k.got, wantDatagrams(ps))
}

func transmitTime(t *testing.T, h *unix.Msghdr) uint64 {
	t.Helper()
	if h.Controllen == 0 {
		return 0
	}
	cms, err := unix.ParseSocketControlMessage(bytesOf(h))
	if err != nil {
		t.Fatal(err)
	}
	for _, cm := range cms {
		if cm.Header.Level == unix.SOL_SOCKET && cm.Header.Type == unix.SCM_TXTIME {
			return binary.NativeEndian.Uint64(cm.Data)
		}
	}
	return 0
}
