package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// igmpPacket is a message in a packet.
func igmpPacket(t *testing.T, src, dst string, m interface{ MarshalBinary() ([]byte, error) }) *datagram.Packet {
	t.Helper()
	b, err := m.MarshalBinary()
	if err == nil {
		b, err = igmp.AppendPacket(nil, netip.MustParseAddr(src), netip.MustParseAddr(dst), b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &datagram.Packet{Data: b}
}

// The table, and the lines of --json, of the same.
func TestMeter(t *testing.T) {
	var text, lines bytes.Buffer
	now := time.Now()
	for _, out := range []*printer{{out: &text}, {out: &lines, json: true}} {
		m := newMeter(out, now)
		m.board.live = false
		m.show(now.Add(3*time.Second), mcast.Stats{}, false)
		q := igmp.Query{Version: 2}
		q.SetMaxResp(10 * time.Second)
		m.handle(pcap.LinkRaw, igmpPacket(t, "10.0.0.1", "224.0.0.1", &q), false)
		m.handle(pcap.LinkRaw, igmpPacket(t, "10.0.0.2", "239.128.0.251", &igmp.Membership{Type: igmp.TypeReport2, Group: netip.MustParseAddr("239.128.0.251")}), false)
		m.handle(pcap.LinkRaw, igmpPacket(t, "10.0.0.2", "232.1.1.1", &igmp.Membership{Type: igmp.TypeReport2, Group: netip.MustParseAddr("232.1.1.1")}), false)
		var b igmp.ReportBuilder
		b.Reset(nil, 1400)
		for _, g := range []string{"224.1.1.1", "239.129.1.1"} {
			sources := []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")}
			if _, err := b.Add(igmp.ChangeToInclude, netip.MustParseAddr(g), sources); err != nil {
				t.Fatal(err)
			}
		}
		p, err := igmp.AppendPacket(nil, netip.MustParseAddr("10.0.0.3"), igmp.AllV3Routers, b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		m.handle(pcap.LinkRaw, &datagram.Packet{Data: p}, false)
		m.handle(pcap.LinkRaw, &datagram.Packet{Data: []byte("nonsense")}, false)
		m.watch.Advance(now.Add(2 * time.Second))
		m.tell(false)
		m.tell(false) // said already
		m.show(now.Add(2*time.Second), mcast.Stats{Dropped: 4}, true)
	}
	got := regexp.MustCompile(` [0-9]\.[0-9] s\b`).ReplaceAllString(regexp.MustCompile(` +`).ReplaceAllString(text.String(), " "), " N s")
	got = strings.ReplaceAll(got, " \n", "\n")
	want := `no querier heard in N s

no group was reported in N s

0 queries, 0 reports, 0 leaves, 0 other; 0 ignored by all
QUERIER SPEAKS ASKS EVERY ANSWERS IN ROBUSTNESS SEEN QUERIES
10.0.0.1 IGMPv2 ? 10s - N s 1

GROUP REPORTER VERSION FILTER SEEN SHARES MAC WITH NAME
224.1.1.1 10.0.0.3 IGMPv3 INCLUDE {10.9.0.1, 10.9.0.2} N s 232.1.1.1, 239.129.1.1
232.1.1.1 10.0.0.2 IGMPv2 all sources N s 224.1.1.1, 239.129.1.1
239.128.0.251 10.0.0.2 IGMPv2 all sources N s 224.0.0.251 (flooded)
239.129.1.1 10.0.0.3 IGMPv3 INCLUDE {10.9.0.1, 10.9.0.2} N s 224.1.1.1, 232.1.1.1

1 queries, 3 reports, 0 leaves, 0 other; 0 ignored by all
problems: 1 old version in SSM range
4 packets dropped for want of buffer (raise net.core.rmem_max)
WARNING the querier 10.0.0.1 speaks IGMPv2: hosts fall back to it and report no sources
WARNING 10.0.0.2 reported the source-specific group 232.1.1.1 in an old version of IGMP, without sources: routers ignore that
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	events := map[any]int{}
	for line := range strings.Lines(lines.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events[e["event"]]++
	}
	if events["querier"] != 1 || events["group"] != 4 || events["warning"] != 2 || events["traffic"] != 1 || events["summary"] != 1 {
		t.Errorf("%v\n%s", events, &lines)
	}
	for _, want := range []string{
		`"event":"group","group":"239.128.0.251","mode":"exclude","sources":[],"version":2,`, `"mac":"01:00:5e:00:00:fb","aliases":[],"control_alias":"224.0.0.251"`,
		`"event":"warning","code":"old-version-ssm","proto":"igmp","active":true,`, `"problems":{"old version in SSM range":1}`, `"dropped":4`,
		`"event":"querier","proto":"igmp","address":"10.0.0.1","version":2,"elected":true,"max_resp":10,`,
	} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("no %s in\n%s", want, &lines)
		}
	}
}

func TestFilterText(t *testing.T) {
	var sources []netip.Addr
	for i := range 6 {
		sources = append(sources, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	for _, tt := range []struct {
		f    group.Filter
		want string
	}{
		{group.Filter{Mode: group.Exclude}, "all sources"},
		{group.Filter{Mode: group.Exclude, Sources: sources[:1]}, "EXCLUDE {10.0.0.0}"},
		{group.Filter{Sources: sources}, "INCLUDE {10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, and 2 more}"},
	} {
		if got := filterText(tt.f); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// Warnings are told when they come and when they go.
func TestTell(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	m := newMeter(&printer{out: &out, json: true}, now)
	query := func(at time.Duration) {
		m.watch.Handle(now.Add(at), &control.Record{Proto: control.IGMP, Version: 3, Type: control.Query, Src: netip.MustParseAddr("10.0.0.1"),
			Asked: control.Asked{General: true, Interval: 10 * time.Second, Robustness: 2}})
		m.tell(false)
	}
	query(0)
	m.watch.Advance(now.Add(30 * time.Second))
	m.tell(false)
	m.tell(false)
	query(31 * time.Second)
	query(32 * time.Second)
	if n := strings.Count(out.String(), "\n"); n != 2 || strings.Count(out.String(), `"code":"no-querier","proto":"igmp","active":true`) != 1 ||
		strings.Count(out.String(), `"code":"no-querier","proto":"igmp","active":false`) != 1 {
		t.Errorf("%d lines\n%s", n, &out)
	}
}

// What switches are told, in the table.
func TestMeterRegistrations(t *testing.T) {
	var text bytes.Buffer
	now := time.Now()
	m := newMeter(&printer{out: &text}, now)
	m.board.live = false
	m.handle(pcap.LinkRaw, igmpPacket(t, "10.0.0.2", "239.1.2.3", &igmp.Membership{Type: igmp.TypeReport2, Group: netip.MustParseAddr("239.1.2.3")}), false)
	for _, r := range []control.Record{
		{Proto: control.CGMP, Type: control.Join, SrcMAC: igmp.MAC{2, 5: 1}, Groups: []control.Entry{{MAC: igmp.MAC{1, 0, 0x5e, 1, 2, 3}, Mode: control.Join}}},
		{Proto: control.GMRP, Type: control.Join, Detail: "all groups", SrcMAC: igmp.MAC{2, 5: 2}, Groups: []control.Entry{{Mode: "join_empty"}}},
	} {
		m.watch.Handle(now, &r)
	}
	m.show(now.Add(time.Second), mcast.Stats{}, true)
	got := regexp.MustCompile(` +`).ReplaceAllString(text.String(), " ")
	for _, want := range []string{
		"CGMP 02:00:00:00:00:01 01:00:5e:01:02:03 all stations join 1.0 s 239.1.2.3\n", "GMRP 02:00:00:00:00:02 all groups - join empty 1.0 s -\n",
		"CGMP: 1 joins, 0 leaves, 0 other\nGMRP: 1 joins, 0 leaves, 0 other\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
