package mld

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/pcap"
)

// tsharkFields are what is compared, by tshark's names. It shows what the
// codes of version 2 stand for.
var tsharkFields = []string{
	"icmpv6.type", "icmpv6.checksum.status", "icmpv6.mld.maximum_response_delay", "icmpv6.mld.maximum_response_code",
	"icmpv6.mld.multicast_address", "icmpv6.mld.flag.s", "icmpv6.mld.flag.qrv", "icmpv6.mld.qqi",
	"icmpv6.mld.nb_sources", "icmpv6.mld.source_address",
	"icmpv6.mldr.nb_mcast_records", "icmpv6.mldr.mar.record_type", "icmpv6.mldr.mar.aux_data_len", "icmpv6.mldr.mar.nb_sources",
	"icmpv6.mldr.mar.multicast_address", "icmpv6.mldr.mar.source_address",
	"ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.opt.router_alert", "_ws.malformed",
}

// tshark has Wireshark's dissector read a capture: the fields of each packet, by
// name.
func tshark(t *testing.T, file string) (packets []map[string]string) {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("tshark is not installed, and MULTICAST_LAB=required")
		}
		t.Skip("tshark is not installed")
	}
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=|", "-E", "aggregator=,"}
	for _, f := range tsharkFields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	for line := range strings.Lines(string(out)) {
		fields := map[string]string{}
		for i, v := range strings.Split(strings.TrimRight(line, "\n"), "|") {
			if v != "" {
				fields[tsharkFields[i]] = v
			}
		}
		packets = append(packets, fields)
	}
	return packets
}

// asTshark returns what tshark should show of a message.
func asTshark(t *testing.T, c captured) map[string]string {
	t.Helper()
	f := map[string]string{}
	set := func(name string, v any) {
		if s := strings.Trim(fmt.Sprint(v), "[]"); s != "" {
			f[name] = strings.ReplaceAll(s, " ", ",")
		}
	}
	set("ipv6.src", c.env.Src)
	set("ipv6.dst", c.env.Dst)
	set("ipv6.hlim", c.env.HopLimit)
	set("icmpv6.checksum.status", 1)
	if c.env.RouterAlert {
		set("ipv6.opt.router_alert", 0)
	}
	typ, _ := TypeOf(c.message)
	set("icmpv6.type", uint8(typ))
	switch typ {
	case TypeQuery:
		var q Query
		if err := Strict.ParseQuery(c.env.Src, c.env.Dst, c.message, &q); err != nil {
			t.Fatal(err)
		}
		set("icmpv6.mld.multicast_address", q.Group)
		if q.Version == 1 {
			set("icmpv6.mld.maximum_response_delay", q.MaxResp().Milliseconds())
			break
		}
		set("icmpv6.mld.maximum_response_code", q.MaxResp().Milliseconds())
		set("icmpv6.mld.flag.s", map[bool]int{true: 1}[q.Suppress])
		set("icmpv6.mld.flag.qrv", q.Robustness)
		set("icmpv6.mld.qqi", int(q.Interval().Seconds()))
		set("icmpv6.mld.nb_sources", q.Sources.Len())
		set("icmpv6.mld.source_address", q.Sources.AppendTo(nil))
	case TypeReport, TypeDone:
		var r Membership
		if err := Strict.ParseMembership(c.env.Src, c.env.Dst, c.message, &r); err != nil {
			t.Fatal(err)
		}
		set("icmpv6.mld.multicast_address", r.Group)
		set("icmpv6.mld.maximum_response_delay", 0)
	default:
		var r Report2
		if err := Strict.ParseReport2(c.env.Src, c.env.Dst, c.message, &r); err != nil {
			t.Fatal(err)
		}
		set("icmpv6.mldr.nb_mcast_records", r.Records.Len())
		var groups, all []netip.Addr
		var types []uint8
		var counts, aux []int
		for rec := range r.Records.All() {
			groups = append(groups, rec.Group)
			types = append(types, uint8(rec.Type))
			counts = append(counts, rec.Sources.Len())
			aux = append(aux, len(rec.Aux)/4)
			all = rec.Sources.AppendTo(all)
		}
		set("icmpv6.mldr.mar.multicast_address", groups)
		set("icmpv6.mldr.mar.record_type", fmt.Sprint(types))
		set("icmpv6.mldr.mar.nb_sources", counts)
		set("icmpv6.mldr.mar.aux_data_len", aux)
		set("icmpv6.mldr.mar.source_address", all)
	}
	return f
}

// compare holds our reading of a capture against tshark's.
func compare(t *testing.T, file string) {
	t.Helper()
	theirs := tshark(t, file)
	ours := capture(t, file)
	if len(ours) != len(theirs) {
		t.Fatalf("%s: we see %d packets, tshark %d", file, len(ours), len(theirs))
	}
	for i := range ours {
		want := theirs[i]
		got := asTshark(t, ours[i])
		for _, f := range tsharkFields {
			if got[f] != want[f] {
				t.Errorf("%s, packet %d: %s is %q, tshark says %q", file, i+1, f, got[f], want[f])
			}
		}
	}
}

func TestTsharkCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		compare(t, file)
	}
}

// TestTsharkOurs has tshark read what we write: the vectors, and queries with many
// codes.
func TestTsharkOurs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ours.pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcap.NewWriter(f, pcap.LinkRaw)
	if err != nil {
		t.Fatal(err)
	}
	write := func(m message) {
		b, err := m.Append(nil, from, to)
		if err == nil {
			b, err = AppendPacket(nil, from, to, b)
		}
		if err == nil {
			err = w.Write(time.Unix(1, 0), b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range vectors {
		if m, ok := v.msg.(*Report2); ok && m.Additional != nil {
			continue // tshark 4.0 takes it for one record more
		}
		write(v.msg)
	}
	for c := range 256 {
		write(&Query{Version: 2, Code: uint16(c * 257), IntervalCode: uint8(255 - c), Robustness: uint8(c % 8), Suppress: c%3 == 0})
		write(&Query{Version: 1, Code: uint16(c * 257)})
	}
	compare(t, file)
}
