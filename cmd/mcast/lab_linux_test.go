package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// A child is mcast, running in the namespace of a host with --json.
type child struct {
	t      *testing.T
	name   string
	signal func(os.Signal) error
	ended  chan struct{}
	code   int
	errs   bytes.Buffer

	mu     sync.Mutex
	events []map[string]any
}

func startIn(t *testing.T, h *netlab.Host, args ...string) *child {
	t.Helper()
	c := &child{t: t, name: h.Name + " " + strings.Join(args, " "), ended: make(chan struct{})}
	cmd := h.Command(os.Args[0], append(args, "--json")...)
	cmd.Env = append(os.Environ(), "MCAST_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = &c.errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.signal = cmd.Process.Signal
	go func() {
		defer close(c.ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			var e map[string]any
			if err := json.Unmarshal(s.Bytes(), &e); err != nil {
				t.Errorf("%s: %v: %s", c.name, err, s.Bytes())
			}
			c.mu.Lock()
			c.events = append(c.events, e)
			c.mu.Unlock()
		}
		cmd.Wait()
		c.code = cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-c.ended
		if t.Failed() {
			t.Logf("%s: %s", c.name, &c.errs)
			for _, e := range c.events[max(0, len(c.events)-40):] {
				t.Log(e)
			}
		}
	})
	return c
}

// await waits for an event, from the nth on, with these fields, written key=value; it
// returns it and its number.
func (c *child) await(from int, want ...string) (map[string]any, int) {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		c.mu.Lock()
		events := c.events
		c.mu.Unlock()
		for i := from; i < len(events); i++ {
			if matches(events[i], want) {
				return events[i], i
			}
		}
		select {
		case <-c.ended:
			c.mu.Lock()
			more := len(c.events) > len(events)
			c.mu.Unlock()
			if !more {
				c.t.Fatalf("%s ended without %v", c.name, want)
			}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: no %v", c.name, want)
		}
	}
}

func matches(e map[string]any, want []string) bool {
	for _, w := range want {
		k, v, _ := strings.Cut(w, "=")
		if b, _ := json.Marshal(e[k]); strings.Trim(string(b), `"`) != v {
			return false
		}
	}
	return true
}

// stop interrupts the child and waits for its end.
func (c *child) stop() {
	c.t.Helper()
	if err := c.signal(syscall.SIGINT); err != nil {
		c.t.Fatal(err)
	}
	<-c.ended
	if c.code != exitInterrupted {
		c.t.Errorf("%s: status %d\n%s", c.name, c.code, &c.errs)
	}
}

func (c *child) seen() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}

// Kernel hosts join and leave, a querier comes and a better one: the monitor on
// another host sees all of it.
func TestMonitorAndQuerier(t *testing.T) {
	lab := netlab.New(t, netlab.Config{Receivers: 2, NoSnooping: true})
	first, host, last := lab.Sender, lab.Receivers[0], lab.Receivers[1]
	if !first.IPv4.Less(last.IPv4) {
		t.Fatalf("%v is not below %v", first.IPv4, last.IPv4)
	}
	dev := netlab.Device
	monitor := startIn(t, first, "monitor", "--iface", dev, "--interval", "100ms")
	monitor.await(0, "event=ready", "iface="+dev)

	// Reports that nobody asked for.
	join := startIn(t, host, "join", "239.5.5.5:5001", "ff15::5:5:5", "192.0.2.7@232.5.5.5:5001", "--iface", dev)
	who := `[{"address":"` + host.IPv4.String() + `"`
	e, _ := monitor.await(0, "event=group", "group=239.5.5.5", "mode=exclude", "sources=[]", "version=3", "mac=01:00:5e:05:05:05")
	if b, _ := json.Marshal(e["reporters"]); !strings.Contains(string(b), who) {
		t.Errorf("%s", b)
	}
	monitor.await(0, "event=group", "group=232.5.5.5", "mode=include", `sources=["192.0.2.7"]`)
	monitor.await(0, "event=group", "group=ff15::5:5:5", "version=2")

	// A querier: the kernel answers it.
	querier := startIn(t, last, "querier", "--iface", dev, "--interval", "2s")
	querier.await(0, "event=querier", "proto=igmp", "active=true", "address="+last.IPv4.String(), "version=3", "interval=2")
	querier.await(0, "event=querier", "proto=mld", "active=true", "version=2")
	querier.await(0, "event=group", "change=added", "group=239.5.5.5", "mode=exclude")
	querier.await(0, "event=group", "change=added", "group=232.5.5.5", "mode=include", `sources=["192.0.2.7"]`)
	querier.await(0, "event=group", "change=added", "group=ff15::5:5:5")
	monitor.await(0, "event=querier", "proto=igmp", "address="+last.IPv4.String(), "version=3", "elected=true", "interval=2", "robustness=2")
	monitor.await(0, "event=querier", "proto=mld", "version=2", "elected=true")

	// One with a lower address, of the old version: the other stands by, and both say
	// what is wrong.
	second := startIn(t, first, "querier", "--iface", dev, "--interval", "2s", "--version", "2", "--ipv4")
	second.await(0, "event=querier", "proto=igmp", "active=true", "address="+first.IPv4.String(), "version=2")
	querier.await(0, "event=querier", "proto=igmp", "active=false", "address="+first.IPv4.String(), "version=2")
	querier.await(0, "event=warning", "code=other-version")
	_, at := monitor.await(0, "event=warning", "code=old-querier", "proto=igmp", "active=true")
	monitor.await(at, "event=querier", "address="+first.IPv4.String(), "elected=true", "version=2")
	monitor.await(at, "event=warning", "code=old-version-ssm", "active=true")
	second.stop()
	if n := second.seen(); n < 3 {
		t.Errorf("%d events", n)
	}
	// It asks again when the other has been silent: 2 × 2 s and half of 2 s.
	_, at = querier.await(0, "event=querier", "proto=igmp", "active=false")
	querier.await(at, "event=querier", "proto=igmp", "active=true")

	// The host leaves.
	from, seen := querier.seen(), monitor.seen()
	join.stop()
	querier.await(from, "event=group", "change=removed", "group=ff15::5:5:5")
	querier.await(from, "event=group", "change=removed", "group=239.5.5.5")
	querier.stop()
	querier.await(0, "event=summary", "proto=igmp")
	monitor.await(seen, "event=traffic")
	monitor.stop()
	e, _ = monitor.await(0, "event=summary")
	if c, _ := e["igmp"].(map[string]any); c["reports"].(float64) < 4 || c["queries"].(float64) < 4 {
		t.Errorf("%v", e)
	}
	monitor.mu.Lock()
	defer monitor.mu.Unlock()
	for _, e := range monitor.events {
		if e["event"] == "warning" && (e["code"] == "two-queriers" || e["code"] == "bad-query" || strings.HasSuffix(e["code"].(string), "storm")) {
			t.Errorf("%v", e)
		}
	}
}
