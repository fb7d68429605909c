//go:build linux

package lab_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// joined starts mcast join and waits for its joins.
func joined(t *testing.T, h *netlab.Host, args ...string) *proc {
	t.Helper()
	p := start(t, h, nil, append([]string{"join", "--json", "--iface", netlab.Device, "--interval", "200ms"}, args...)...)
	p.await(t, "ready", 10*time.Second)
	time.Sleep(200 * time.Millisecond) // for the bridge to know
	return p
}

// summary returns what join said of a group in the end.
func summary(t *testing.T, p *proc, group string) event {
	t.Helper()
	for _, e := range p.all("summary") {
		if e.str("group") == group {
			return e
		}
	}
	t.Fatalf("%s: nothing of %s", p.who, group)
	return nil
}

// What join says was lost must be what did not arrive, also under heavy loss.
func TestJoinReportsLoss(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 2})
	if err := l.Receivers[1].Lose(20); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, group, source string }{
		{"IPv4", "239.255.9.1:5001", ""},
		{"IPv4 SSM", "232.9.9.9:5001", l.Sender.IPv4.String()},
		{"IPv6", "[ff15::9:1]:5001", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var args []string
			if c.source != "" {
				args = []string{"--source", c.source}
			}
			a := joined(t, l.Receivers[0], append(args, c.group)...)
			b := joined(t, l.Receivers[1], append(args, c.group)...)
			const packets = 3000
			tx := start(t, l.Sender, nil, "sendtest", "--json", "--iface", netlab.Device, "--pps", "3000", "--count", strconv.Itoa(packets), c.group)
			tx.exit(t, 0, 20*time.Second)
			time.Sleep(300 * time.Millisecond)
			for i, p := range []*proc{a, b} {
				p.interrupt(t)
				p.exit(t, 130, 5*time.Second)
				e := summary(t, p, c.group)
				// The end is said ten times and is not one of the packets.
				got := e.num("packets") - 10
				if i == 1 {
					got = packets - e.num("lost")
				}
				if e.str("kind") != "test" || e["ended"] != true || got+e.num("lost") != packets {
					t.Errorf("%s: %v", p.who, e)
				}
				lost := e.num("lost") / packets
				if i == 0 && lost != 0 || i == 1 && (lost < 0.15 || lost > 0.25) {
					t.Errorf("%s: %.1f %% lost", p.who, 100*lost)
				}
				if ms := 1000 * e.num("latency"); ms <= 0 || ms > 100 || e.num("ttl") != 1 || e.num("duplicates") != 0 {
					t.Errorf("%s: %v", p.who, e)
				}
			}
		})
	}
}

// iperf 2 counts what sendtest sends, and join counts what iperf sends.
func TestIPerf(t *testing.T) {
	need(t, "iperf")
	l := netlab.New(t, netlab.Config{Receivers: 1})
	rx := l.Receivers[0]

	var out strings.Builder
	server := rx.Command("iperf", "-s", "-u", "-B", "239.255.9.2", "-i", "1")
	server.Stdout, server.Stderr = &out, &out
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	tx := start(t, l.Sender, nil, "sendtest", "--json", "--iface", netlab.Device, "--pps", "1000", "--count", "2000", "239.255.9.2")
	tx.exit(t, 0, 20*time.Second)
	time.Sleep(time.Second)
	server.Process.Kill()
	server.Wait()
	m := regexp.MustCompile(`(\d+)/(\d+) \(\d+%\)\s*$`).FindStringSubmatch(out.String())
	// iperf counts the end as a packet, or as two.
	if total, _ := strconv.Atoi(append(m, "", "", "")[2]); m == nil || m[1] != "0" || total < 2000 || total > 2002 {
		t.Errorf("iperf says:\n%s", &out)
	}

	join := joined(t, rx, "239.255.9.3")
	client := l.Sender.Command("iperf", "-c", "239.255.9.3", "-u", "-b", "4M", "-t", "2")
	if text, err := client.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	join.interrupt(t)
	join.exit(t, 130, 5*time.Second)
	if e := summary(t, join, "239.255.9.3:5001"); e.str("kind") != "iperf" || e.num("lost") != 0 || e.num("packets") < 500 {
		t.Errorf("of iperf: %v", e)
	}
}
