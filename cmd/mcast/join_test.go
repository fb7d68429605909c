package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/flow"
	"github.com/gomulticast/multicast/mcast"
)

func TestJoinTargets(t *testing.T) {
	ts, err := joinTargets([]string{"239.1.1.254+3", "rtp://239.2.2.2", "[ff15::1]:5001", "192.0.2.1@232.1.1.1:5001"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range ts {
		for _, ch := range x.channels {
			got = append(got, netip.AddrPortFrom(ch.Group, x.port).String()+" "+ch.Source.String())
		}
	}
	want := []string{
		"239.1.1.254:5001 invalid IP", "239.1.1.255:5001 invalid IP", "239.1.2.0:5001 invalid IP", "232.1.1.1:5001 192.0.2.1",
		"239.2.2.2:5004 invalid IP", "[ff15::1]:5001 invalid IP",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || len(ts) != 3 {
		t.Errorf("%d connections:\n%s", len(ts), strings.Join(got, "\n"))
	}
	ts, err = joinTargets([]string{"232.1.1.1"}, []string{"192.0.2.1", "192.0.2.2"})
	if err != nil || len(ts) != 1 || len(ts[0].channels) != 2 {
		t.Errorf("%+v, %v", ts, err)
	}
}

// A sender and a listener in this process, on lo.
func TestSendtestAndJoin(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	to, lo := testGroup(), onLoopback(t)
	const packets = 200
	var heard bytes.Buffer
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		f := joinFlags{ifaces: []string{lo}, interval: 50 * time.Millisecond, count: packets, json: true}
		done <- f.run(ctx, []string{to}, &printer{out: &heard, json: true})
	}()
	// The listener may join late; what it missed before is not lost.
	var sent bytes.Buffer
	sctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		f := sendtestFlags{to: to, iface: lo, ttl: 0, size: 100, pps: 1000, json: true}
		if err := f.run(sctx, &printer{out: &sent, json: true}, false); err != nil {
			t.Error(err)
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	stop()
	<-ended
	var last map[string]any
	for line := range strings.Lines(heard.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if e["event"] == "summary" {
			last = e
		}
	}
	if last == nil || last["group"] != to || last["kind"] != "test" || last["packets"].(float64) < packets || last["lost"] != 0.0 ||
		last["latency"].(float64) <= 0 || last["bytes"].(float64) != 100*last["packets"].(float64) {
		t.Errorf("%v\n%s", last, &heard)
	}
	if !regexp.MustCompile(`(?m)^{"event":"sent","packets":\d+,"bytes":\d+00,"seconds":[0-9.]+}$`).Match(sent.Bytes()) {
		t.Errorf("sender: %s", &sent)
	}
}

func TestBoard(t *testing.T) {
	var out bytes.Buffer
	g := netip.MustParseAddrPort("239.1.1.1:5004")
	b := newBoard(&printer{out: &out}, g)
	b.live = false
	t0 := b.started
	b.show(t0.Add(time.Second), nil, 0, mcast.Stats{}, false)
	b.show(t0.Add(6*time.Second), nil, 0, mcast.Stats{}, false)
	f := flow.Flow{Group: g, Source: netip.MustParseAddrPort("192.0.2.1:4000"), Kind: flow.RTP, Media: 33, Packets: 300, Bytes: 300_000, HopLimit: 5,
		Sequence: flow.Sequence{Received: 300, Lost: 7, Reordered: 2, Duplicates: 1}, First: t0.Add(6 * time.Second), Last: t0.Add(8 * time.Second)}
	b.show(t0.Add(8*time.Second), []flow.Flow{f}, 0, mcast.Stats{Dropped: 9}, false)
	b.show(t0.Add(8*time.Second), []flow.Flow{f}, 3, mcast.Stats{}, true)
	text := regexp.MustCompile(` +`).ReplaceAllString(out.String(), " ")
	want := `no packet in 1 s
no packet in 6 s; mcast doctor 239.1.1.1:5004 looks for reasons
GROUP SOURCE CARRIES PACKETS PKT/S BITRATE LOST LATE TWICE DELAY JITTER TTL
239.1.1.1:5004 192.0.2.1:4000 RTP 33 300 150 1 Mbit/s 7 2 1 - - 5
packets not shown: 9 dropped for want of buffer (raise net.core.rmem_max)
in all:
GROUP SOURCE CARRIES PACKETS PKT/S BITRATE LOST LATE TWICE DELAY JITTER TTL
239.1.1.1:5004 192.0.2.1:4000 RTP 33 300 150 1 Mbit/s 7 2 1 - - 5
packets not shown: 3 of more senders than are kept
`
	if text != want {
		t.Errorf("got\n%s", text)
	}
}
