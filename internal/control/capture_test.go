package control

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/pcap"
)

var captures = []string{
	"igmp/testdata/igmpv1.pcap", "igmp/testdata/igmpv2.pcap", "igmp/testdata/igmpv3.pcap", "igmp/testdata/igmpv3-many.pcap",
	"igmp/testdata/frr-v2.pcap", "igmp/testdata/frr-v3.pcap", "mld/testdata/mldv1.pcap", "mld/testdata/mldv2.pcap",
}

// read hands each packet of a capture to f, with what it is in words.
func read(t testing.TB, name string, f func(r *Record, known bool)) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c, err := pcap.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	var p pcap.Packet
	var frame pcap.Frame
	var r Record
	for {
		if err := c.Next(&p); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if err := pcap.Decode(p.Link, p.Data, &frame); err != nil {
			t.Fatal(err)
		}
		known := d.Describe(&frame, &r)
		r.Time = p.Time
		f(&r, known)
	}
}

// The lines of a few packets, in both forms.
func TestGolden(t *testing.T) {
	lines := map[string][]string{}
	for _, name := range captures {
		read(t, name, func(r *Record, known bool) {
			if !known {
				t.Fatalf("%s: a packet is not known", name)
			}
			w := r.Words()
			w.Time = ""
			b, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			lines[name] = append(lines[name], r.Name()+" "+r.Type+" "+r.Text(), string(b))
		})
	}
	for _, tt := range []struct {
		name   string
		packet int
		text   string
		json   string
	}{
		{captures[0], 0, "IGMPv1 report 239.6.1.1 join",
			`{"event":"packet","proto":"igmp","version":1,"type":"report","src":"10.6.0.1","dst":"239.6.1.1","ttl":1,"groups":[{"group":"239.6.1.1","mode":"join","sources":[]}],"problems":[]}`},
		{captures[0], 2, "IGMPv1 query general, answer within 10s",
			`{"event":"packet","proto":"igmp","version":1,"type":"query","src":"10.6.0.3","dst":"224.0.0.1","ttl":1,"query":{"general":true,"max_resp":10},"groups":[],"problems":[]}`},
		{captures[1], 7, "IGMPv2 leave 239.6.2.2 leave",
			`{"event":"packet","proto":"igmp","version":2,"type":"leave","src":"10.6.0.3","dst":"224.0.0.2","ttl":1,"groups":[{"group":"239.6.2.2","mode":"leave","sources":[]}],"problems":[]}`},
		{captures[2], 10, "IGMPv3 report 239.6.3.3 block {10.6.0.7}; 232.6.3.2 allow {10.6.0.9}",
			`{"event":"packet","proto":"igmp","version":3,"type":"report","src":"10.6.0.1","dst":"224.0.0.22","ttl":1,"groups":[{"group":"239.6.3.3","mode":"block","sources":["10.6.0.7"]},{"group":"232.6.3.2","mode":"allow","sources":["10.6.0.9"]}],"problems":[]}`},
		{captures[5], 7, "IGMPv3 query 232.8.1.1 {192.0.2.7}, answer within 1s, asks every 2m16s, robustness 2",
			`{"event":"packet","proto":"igmp","version":3,"type":"query","src":"10.8.0.1","dst":"232.8.1.1","ttl":1,"query":{"general":false,"max_resp":1,"interval":136,"robustness":2},"groups":[{"group":"232.8.1.1","mode":"query","sources":["192.0.2.7"]}],"problems":[]}`},
		{captures[7], 11, "MLDv2 report ff15::6:1 to_ex {}; ff15::6:3 to_ex {fd06::2}", ""},
	} {
		if got := lines[tt.name][2*tt.packet]; got != tt.text {
			t.Errorf("%s, packet %d:\n got %s\nwant %s", tt.name, tt.packet+1, got, tt.text)
		}
		if got := lines[tt.name][2*tt.packet+1]; got != tt.json && tt.json != "" {
			t.Errorf("%s, packet %d:\n got %s\nwant %s", tt.name, tt.packet+1, got, tt.json)
		}
	}
	all := fmt.Sprint(lines)
	for _, want := range []string{"IGMP mtrace mtrace query", "IGMP mtrace mtrace response", "and 175 more", "! not link-local", "MLDv1 done", "! wrong destination"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is nowhere", want)
		}
	}
}

// Wireshark's dissector has to see the same.
func TestTshark(t *testing.T) {
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("tshark is not installed, and MULTICAST_LAB=required")
		}
		t.Skip("tshark is not installed")
	}
	fields := []string{"ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "igmp.version", "igmp.type", "igmp.maddr", "igmp.record_type", "igmp.num_src", "igmp.saddr",
		"icmpv6.type", "icmpv6.mld.multicast_address", "icmpv6.mldr.mar.multicast_address", "icmpv6.mldr.mar.record_type", "icmpv6.mldr.mar.nb_sources",
		"icmpv6.mld.source_address", "icmpv6.mldr.mar.source_address", "icmpv6.mld.flag"}
	for _, name := range captures {
		args := []string{"-n", "-r", filepath.Join("..", "..", name), "-T", "fields", "-E", "separator=|", "-E", "aggregator=,"}
		for _, f := range fields {
			args = append(args, "-e", f)
		}
		out, err := exec.Command(program, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		theirs := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		i := 0
		read(t, name, func(r *Record, _ bool) {
			v := map[string]string{}
			for j, s := range strings.Split(theirs[i], "|") {
				v[fields[j]] = s
			}
			i++
			if want := theirWords(v); want != ourWords(r) {
				t.Errorf("%s, packet %d:\n  ours %s\ntshark %s", name, i, ourWords(r), want)
			}
		})
		if i != len(theirs) {
			t.Errorf("%s: %d packets, tshark has %d", name, i, len(theirs))
		}
	}
}

// ourWords and theirWords write: addresses, type, version, modes, groups, numbers of
// sources, sources.
func ourWords(r *Record) string {
	var modes, groups, counts, sources []string
	for _, e := range r.Groups {
		if r.Type == Query || e.Mode == ModeJoin || e.Mode == ModeLeave {
			e.Mode = ""
		}
		modes, groups = append(modes, e.Mode), append(groups, e.Group.String())
		counts = append(counts, fmt.Sprint(len(e.Sources)))
		for _, s := range e.Sources {
			sources = append(sources, s.String())
		}
	}
	return fmt.Sprintf("%v>%v %s v%d %v %v %v %v", r.Src, r.Dst, r.Type, r.Version, modes, groups, counts, sources)
}

func theirWords(v map[string]string) string {
	split := func(names ...string) (list []string) {
		for _, n := range names {
			if v[n] != "" {
				list = append(list, strings.Split(v[n], ",")...)
			}
		}
		return list
	}
	src, dst := v["ip.src"]+v["ipv6.src"], v["ip.dst"]+v["ipv6.dst"]
	groups := split("igmp.maddr", "icmpv6.mld.multicast_address", "icmpv6.mldr.mar.multicast_address")
	sources := split("igmp.saddr", "icmpv6.mld.source_address", "icmpv6.mldr.mar.source_address")
	version, typ := v["igmp.version"], ""
	mld := v["icmpv6.type"]
	switch v["igmp.type"] + mld {
	case "0x11", "130":
		typ = Query
	case "0x12", "0x16", "0x22", "131", "143":
		typ = Report
	case "0x17":
		typ = Leave
	case "132":
		typ = Done
	case "0x1f", "0x1e":
		typ, version, groups = Mtrace, "0", nil
	}
	switch {
	case mld == "143" || mld == "130" && v["icmpv6.mld.flag"] != "":
		version = "2"
	case mld != "":
		version = "1"
	}
	if typ == Query && (groups[0] == "0.0.0.0" || groups[0] == "::") {
		groups = nil
	}
	modes := make([]string, len(groups))
	for i, m := range split("igmp.record_type", "icmpv6.mldr.mar.record_type") {
		modes[i] = map[string]string{"1": IsIn, "2": IsEx, "3": ToIn, "4": ToEx, "5": Allow, "6": Block}[m]
	}
	counts := split("igmp.num_src", "icmpv6.mldr.mar.nb_sources")
	if len(groups) == 1 && typ == Query { // of MLD it does not show the number
		counts = []string{fmt.Sprint(len(sources))}
	}
	if len(groups) == 0 {
		counts = nil
	} else if counts == nil {
		counts = []string{"0"}
	}
	return fmt.Sprintf("%v>%v %s v%s %v %v %v %v", src, dst, typ, version, modes, groups, counts, sources)
}

// NORM's own captures: all messages, from all senders and receivers.
func TestNORM(t *testing.T) {
	types, nodes := map[string]int{}, map[uint32]bool{}
	files, err := filepath.Glob("../../rmt/norm/wire/testdata/libnorm/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		rel, _ := filepath.Rel("../..", name)
		n := 0
		read(t, rel, func(r *Record, known bool) {
			n++
			if !known || r.Proto != NORM || r.Version != 1 {
				t.Errorf("%s, packet %d: %s %v", rel, n, r.Type, known)
				return
			}
			types[r.Type]++
			nodes[r.Node] = true
			if w := r.Words(); w.Node == nil || !strings.HasSuffix(w.Dst, fmt.Sprintf(":%d", r.DstPort)) || w.Groups == nil {
				t.Errorf("%+v", w)
			}
		})
	}
	for _, want := range []string{"info", "data", "nack", "ack", "cmd(cc)", "cmd(flush)", "cmd(squelch)", "cmd(repair_adv)"} {
		if types[want] == 0 {
			t.Errorf("no %s among %v", want, types)
		}
	}
	if len(nodes) < 2 {
		t.Errorf("nodes %v", nodes)
	}
}

// frame makes a packet from hex with spaces.
func frame(t testing.TB, link pcap.LinkType, s string) *pcap.Frame {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	f := new(pcap.Frame)
	_ = pcap.Decode(link, b, f)
	return f
}
