//go:build linux

package lab_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/hostile"
	mc "github.com/gomulticast/multicast/mcast"
)

// A host of the network that sends 10,000 forged messages a second of every kind keeps
// two honest receivers from nothing. How much slower it makes them is measured by
// go run ./bench hostile.
func TestHostileNeighbour(t *testing.T) {
	const limit = 200 << 10 // KiB of a process
	l := netlab.New(t, netlab.Config{Receivers: 3})
	file := randomFile(t, 32<<20)
	rs := []*proc{receive(t, l.Receivers[0]), receive(t, l.Receivers[1])}
	ready(t, rs...)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var conn *mc.Conn
	if err := l.Receivers[2].Do(func() (err error) {
		conn, err = mc.Open(ctx, rs[0].all("ready")[0].str("group"), mc.Interface(netlab.Device), mc.Loopback(false))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	attacker := hostile.New(conn, 1)
	over := make(chan string, 1)
	attack, stop := context.WithCancel(ctx)
	go func() {
		n, err := attacker.Attack(attack, conn, "mix", 10_000)
		over <- fmt.Sprintf("%d forged messages, %v", n, err)
	}()
	tx := send(t, l.Sender, "--rate", "200M", "--name", "file.bin", file.path)
	for _, r := range rs {
		var got event
		for end := time.Now().Add(50 * time.Second); got == nil; time.Sleep(20 * time.Millisecond) {
			for _, e := range r.all("done") {
				if e.str("file") == "file.bin" {
					got = e
				}
			}
			if got == nil && time.Now().After(end) {
				t.Fatalf("%s: the file does not come", r.who)
			}
		}
		if got.str("sha256") != file.sum {
			t.Errorf("%s: SHA-256 %s, want %s", r.who, got.str("sha256"), file.sum)
		}
	}
	for _, p := range append(rs, tx) {
		if used := resident(p.cmd.Process.Pid); used > limit {
			t.Errorf("%s has %d KiB, want at most %d", p.who, used, limit)
		} else {
			t.Logf("%s has %d KiB", p.who, used)
		}
	}
	stop()
	t.Log(<-over)
	conn.Close()
	for _, p := range append(rs, tx) {
		select {
		case <-p.ended:
			if p != tx {
				t.Errorf("%s ended", p.who)
			}
		default:
			p.interrupt(t)
		}
	}
}

// resident returns the memory that a process has, in KiB; 0 when it has gone.
func resident(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n
		}
	}
	return 0
}
