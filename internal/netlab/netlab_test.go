//go:build linux

package netlab

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const groups = "239.77.0.1 ff15::77:1"

// listen joins both groups at a host; packets counts what arrives until silence.
func listen(t *testing.T, h *Host, group string) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	if err := h.Do(func() (err error) {
		ifi, err := net.InterfaceByName(Device)
		if err == nil {
			c, err = net.ListenMulticastUDP("udp", ifi, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(group), 7000)))
		}
		if err == nil {
			err = c.SetReadBuffer(4 << 20)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func count(c *net.UDPConn) (n int) {
	buf := make([]byte, 2000)
	for {
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := c.Read(buf); err != nil {
			return n
		}
		n++
	}
}

func send(t *testing.T, h *Host, group string, n int) {
	t.Helper()
	if err := h.Do(func() error {
		c, err := net.Dial("udp", net.JoinHostPort(group, "7000"))
		if err != nil {
			return err
		}
		defer c.Close()
		for i := range n {
			if _, err := c.Write(make([]byte, 1000)); err != nil {
				return err
			}
			if i%100 == 99 {
				time.Sleep(time.Millisecond)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestPacketsPass(t *testing.T) {
	for _, cfg := range []Config{{Receivers: 3}, {Receivers: 3, NoSnooping: true}, {Receivers: 3, Offload: true, Rate: 1e9}} {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			l := New(t, cfg)
			for group := range strings.FieldsSeq(groups) {
				before := make([]Counters, len(l.Receivers))
				var conns []*net.UDPConn
				for i, h := range l.Receivers[:2] {
					conns = append(conns, listen(t, h, group))
					before[i], _ = h.Counters()
				}
				time.Sleep(150 * time.Millisecond)
				bystander := l.Receivers[2]
				was, _ := bystander.Counters()
				send(t, l.Sender, group, 100)
				for i, c := range conns {
					if n := count(c); n != 100 {
						t.Errorf("%s: receiver %d got %d packets of 100", group, i+1, n)
					}
					after, err := l.Receivers[i].Counters()
					if d := after.Sub(before[i]); err != nil || d.RxPackets < 100 || d.RxBytes < 100*1000 || d.RcvbufErrors != 0 {
						t.Errorf("%s: receiver %d counts %+v, %v", group, i+1, d, err)
					}
				}
				// Who did not join is spared by snooping alone.
				is, err := bystander.Counters()
				if n := is.Sub(was).RxPackets; err != nil || n >= 100 != cfg.NoSnooping {
					t.Errorf("%s: %d packets at a host that did not join, %v", group, n, err)
				}
			}
		})
	}
}

func TestDirect(t *testing.T) {
	l := New(t, Config{Direct: true, Offload: true})
	for group := range strings.FieldsSeq(groups) {
		c := listen(t, l.Receivers[0], group)
		time.Sleep(20 * time.Millisecond)
		send(t, l.Sender, group, 100)
		if n := count(c); n != 100 {
			t.Errorf("%s: got %d packets of 100", group, n)
		}
	}
}

func TestLoss(t *testing.T) {
	l := New(t, Config{Receivers: 2, Loss: 10, Back: 20})
	const n = 10_000
	for group := range strings.FieldsSeq(groups) {
		conns := []*net.UDPConn{listen(t, l.Receivers[0], group), listen(t, l.Receivers[1], group), listen(t, l.Sender, group)}
		time.Sleep(50 * time.Millisecond)
		got := make([]int, 3)
		counted := make(chan bool)
		check := func(who int, want float64) {
			sigma := math.Sqrt(n * want / 100 * (1 - want/100))
			if lost := float64(n - got[who]); math.Abs(lost-n*want/100) > 5*sigma {
				t.Errorf("%s: receiver %d lost %v of %d, want about %v %%", group, who+1, lost, n, want)
			}
		}
		countAll := func(who ...int) {
			for _, i := range who {
				go func() { got[i] = count(conns[i]); counted <- true }()
			}
		}
		countAll(0, 1)
		send(t, l.Sender, group, n)
		<-counted
		<-counted
		check(0, 10)
		check(1, 10)
		conns[2].SetReadDeadline(time.Now())
		count(conns[2]) // its own
		countAll(2)
		send(t, l.Receivers[0], group, n)
		<-counted
		check(2, 20)
	}
	if err := l.Receivers[0].Lose(0); err != nil {
		t.Fatal(err)
	}
	c := listen(t, l.Receivers[0], "239.77.0.2")
	time.Sleep(50 * time.Millisecond)
	send(t, l.Sender, "239.77.0.2", 1000)
	if n := count(c); n != 1000 {
		t.Errorf("got %d packets of 1000 with loss switched off", n)
	}
}

// What receivers that gather lose is taken before, datagram by datagram.
func TestLossBeforeGRO(t *testing.T) {
	l := New(t, Config{Receivers: 2, Loss: 10, GRO: true})
	const n = 10_000
	check := func(want float64) {
		t.Helper()
		var conns []*net.UDPConn
		for _, h := range l.Receivers {
			conns = append(conns, listen(t, h, "239.77.0.3"))
		}
		time.Sleep(50 * time.Millisecond)
		got := make(chan int)
		for _, c := range conns {
			go func() { got <- count(c) }()
		}
		send(t, l.Sender, "239.77.0.3", n)
		sigma := math.Sqrt(n * want / 100 * (1 - want/100))
		for range conns {
			if lost := float64(n - <-got); math.Abs(lost-n*want/100) > 5*sigma {
				t.Errorf("a receiver lost %v of %d, want about %v %%", lost, n, want)
			}
		}
		for _, c := range conns {
			c.Close()
		}
	}
	check(10)
	if err := l.Lose(0); err != nil {
		t.Fatal(err)
	}
	check(0)
	out, err := l.Receivers[0].Command("ethtool", "-k", Device).Output()
	if err != nil || !strings.Contains(string(out), "generic-receive-offload: on") {
		t.Errorf("%v, %s", err, out)
	}
}

func TestTwoAtOnce(t *testing.T) {
	a, b := New(t, Config{}), New(t, Config{})
	ca, cb := listen(t, a.Receivers[0], "239.77.0.1"), listen(t, b.Receivers[0], "239.77.0.1")
	time.Sleep(50 * time.Millisecond)
	send(t, a.Sender, "239.77.0.1", 10)
	if n := count(ca); n != 10 {
		t.Errorf("got %d packets of 10", n)
	}
	if n := count(cb); n != 0 {
		t.Errorf("%d packets in the other lab", n)
	}
}

func TestCommandAndClose(t *testing.T) {
	if err := Missing(); err != nil {
		New(t, Config{}) // skips
	}
	l, err := Build(Config{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Receivers[0].Command("ip", "-br", "addr", "show", "dev", Device).Output()
	if err != nil || !strings.Contains(string(out), "10.77.0.11/24") || !strings.Contains(string(out), "fd77::b/64") {
		t.Errorf("%s, %v", out, err)
	}
	sleep := l.Sender.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := sleep.Wait(); err == nil || sleep.ProcessState.ExitCode() != -1 {
		t.Errorf("sleep ended with %v", err)
	}
	if out, _ := exec.Command("ip", "netns", "list").Output(); strings.Contains(string(out), l.Sender.ns) {
		t.Errorf("still there: %s", out)
	}
	if _, err := l.Sender.Counters(); err == nil {
		t.Error("counters of a closed lab")
	}
}

// A lab whose process died is removed by the next.
func TestSweep(t *testing.T) {
	New(t, Config{}) // skips if need be
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s%d-1-snd", prefix, dead.ProcessState.Pid())
	if err := command("ip", "netns", "add", name); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat("/run/netns/" + name); err == nil {
		t.Errorf("%s is still there", name)
	}
}

func TestDoLeavesThreadsAlone(t *testing.T) {
	l := New(t, Config{})
	link := func() string { s, _ := os.Readlink("/proc/thread-self/ns/net"); return s }
	home := link()
	for range 50 {
		var there string
		if err := l.Sender.Do(func() error { there = link(); return nil }); err != nil || there == home {
			t.Fatalf("in %s, home is %s: %v", there, home, err)
		}
		if link() != home {
			t.Fatalf("thread %d was left in another namespace", unix.Gettid())
		}
	}
	if s, _ := os.Readlink("/proc/self/ns/net"); s != home {
		t.Error("the main thread is in another namespace")
	}
}
