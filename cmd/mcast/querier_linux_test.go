package main

import (
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/netlab"
)

// A host of another network is ignored, which is told, or heard if asked for; so it is
// when the interface gets an address in that network.
func TestQuerierNetworks(t *testing.T) {
	lab := netlab.New(t, netlab.Config{Receivers: 1, NoSnooping: true})
	host, dev := lab.Receivers[0], netlab.Device
	ip := func(h *netlab.Host, args string) {
		t.Helper()
		if out, err := h.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	ip(host, "-4 addr flush dev "+dev)
	ip(host, "addr add 198.51.100.9/24 dev "+dev)
	ip(host, "route replace 224.0.0.0/4 dev "+dev)
	join := startIn(t, host, "join", "239.7.7.7:5001", "--iface", dev)
	join.await(0, "event=ready")

	strict := startIn(t, lab.Sender, "querier", "--iface", dev, "--ipv4", "--interval", "1s")
	strict.await(0, "event=warning", "code=off-link")
	open := startIn(t, lab.Sender, "querier", "--iface", dev, "--ipv4", "--interval", "1s", "--any-network")
	open.await(0, "event=group", "change=added", "group=239.7.7.7")
	open.stop()
	strict.mu.Lock()
	for _, e := range strict.events {
		if e["event"] == "group" && e["group"] == "239.7.7.7" {
			t.Errorf("%v", e)
		}
	}
	strict.mu.Unlock()
	ip(lab.Sender, "addr add 198.51.100.1/24 dev "+dev)
	strict.await(0, "event=group", "change=added", "group=239.7.7.7")
	strict.stop()
}
