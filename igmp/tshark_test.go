package igmp

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

// tsharkFields are what is compared, by tshark's names.
var tsharkFields = []string{
	"igmp.type", "igmp.version", "igmp.checksum.status", "igmp.max_resp", "igmp.maddr", "igmp.s", "igmp.qrv", "igmp.qqic",
	"igmp.num_src", "igmp.saddr", "igmp.num_grp_recs", "igmp.record_type", "igmp.aux_data_len",
	"ip.src", "ip.dst", "ip.ttl", "ip.opt.type", "ip.checksum.status", "_ws.malformed",
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
	args := []string{"-n", "-o", "ip.check_checksum:TRUE", "-r", file, "-T", "fields", "-E", "separator=|", "-E", "aggregator=,"}
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

// asTshark returns what tshark should show of a message. It shows Max Resp Time of
// all but version 1, in tenths; QQIC as the code it is; addresses of records behind
// each other.
func asTshark(t *testing.T, c captured) map[string]string {
	t.Helper()
	f := map[string]string{}
	set := func(name string, v any) {
		if s := strings.Trim(fmt.Sprint(v), "[]"); s != "" {
			f[name] = strings.ReplaceAll(s, " ", ",")
		}
	}
	set("ip.src", c.env.Src)
	set("ip.dst", c.env.Dst)
	set("ip.ttl", c.env.HopLimit)
	set("ip.checksum.status", 1)
	set("igmp.checksum.status", 1)
	if c.env.RouterAlert {
		set("ip.opt.type", 148)
	}
	typ, _ := TypeOf(c.message)
	set("igmp.type", fmt.Sprintf("0x%02x", uint8(typ)))
	switch typ {
	case TypeQuery:
		var q Query
		if err := Strict.ParseQuery(c.message, &q); err != nil {
			t.Fatal(err)
		}
		set("igmp.version", q.Version)
		set("igmp.maddr", q.Group)
		if q.Version > 1 {
			set("igmp.max_resp", int(q.MaxResp()/(time.Second/10)))
		}
		if q.Version == 3 {
			set("igmp.s", map[bool]int{true: 1}[q.Suppress])
			set("igmp.qrv", q.Robustness)
			set("igmp.qqic", q.IntervalCode)
			set("igmp.num_src", q.Sources.Len())
			set("igmp.saddr", q.Sources.AppendTo(nil))
		}
	case TypeReport1, TypeReport2, TypeLeave:
		var r Membership
		if err := Strict.ParseMembership(c.message, &r); err != nil {
			t.Fatal(err)
		}
		set("igmp.maddr", r.Group)
		set("igmp.version", 1)
		if typ != TypeReport1 {
			set("igmp.version", 2)
			set("igmp.max_resp", 0)
		}
	case TypeReport3:
		var r Report3
		if err := Strict.ParseReport3(c.message, &r); err != nil {
			t.Fatal(err)
		}
		set("igmp.version", 3)
		set("igmp.num_grp_recs", r.Records.Len())
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
		set("igmp.maddr", groups)
		set("igmp.record_type", fmt.Sprint(types))
		set("igmp.num_src", counts)
		set("igmp.aux_data_len", aux)
		set("igmp.saddr", all)
	default:
		delete(f, "igmp.version")
		f["igmp.maddr"] = "0.0.0.0" // of the mtrace in frr-v3
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

// TestTsharkOurs has tshark read what we write: the vectors, and queries with all
// codes there are.
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
		b, err := m.AppendBinary(nil)
		if err == nil {
			b, err = AppendPacket(nil, addr("192.0.2.9"), AllSystems, b)
		}
		if err == nil {
			err = w.Write(time.Unix(1, 0), b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range vectors {
		if m, ok := v.msg.(*Membership); ok && m.Additional != nil {
			continue // tshark 4.0 sums up 8 bytes; RFC 2236 section 2.5 wants all
		}
		write(v.msg)
	}
	for c := range 256 {
		write(&Query{Version: 3, Code: uint8(c), IntervalCode: uint8(255 - c), Robustness: uint8(c % 8), Suppress: c%3 == 0})
		if c > 0 {
			write(&Query{Version: 2, Code: uint8(c)})
		}
	}
	compare(t, file)
}

// TestTsharkSwitch has tshark read the frames of CGMP and GMRP that are in our
// tests: there is no capture of ours, for nothing here speaks them.
func TestTsharkSwitch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "switch.pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcap.NewWriter(f, pcap.LinkEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range []struct {
		dst  MAC
		body []byte
	}{{CGMPAddr, unhex(cgmpFrame)}, {GMRPAddr, unhex(gmrpFrame)}} {
		b := append(frame.dst[:], 2, 0, 0, 0, 0, 1, 0, byte(len(frame.body)))
		if err := w.Write(time.Unix(1, 0), append(b, frame.body...)); err != nil {
			t.Fatal(err)
		}
	}
	defer func(fields []string) { tsharkFields = fields }(tsharkFields)
	tsharkFields = []string{
		"cgmp.version", "cgmp.type", "cgmp.count", "cgmp.gda", "cgmp.usa",
		"gmrp.attribute_type", "gmrp.attribute_event", "gmrp.attribute_value_group_membership", "gmrp.attribute_value_service_requirement",
		"_ws.malformed",
	}
	theirs := tshark(t, file)
	if len(theirs) != 2 {
		t.Fatal(theirs)
	}
	var c CGMP
	if err := ParseCGMP(unhex(cgmpFrame), &c); err != nil {
		t.Fatal(err)
	}
	g0, s0 := c.Entries.At(0)
	g1, s1 := c.Entries.At(1)
	for field, want := range map[string]any{
		"cgmp.version": c.Version, "cgmp.type": uint8(c.Type), "cgmp.count": c.Entries.Len(),
		"cgmp.gda": fmt.Sprint(g0, ",", g1), "cgmp.usa": fmt.Sprint(s0, ",", s1),
	} {
		if got := theirs[0][field]; got != fmt.Sprint(want) {
			t.Errorf("%s is %v, tshark says %q", field, want, got)
		}
	}
	gmrp, err := ParseGMRP(unhex(gmrpFrame))
	if err != nil {
		t.Fatal(err)
	}
	var events, groups, services []string
	for a := range gmrp.All() {
		events = append(events, fmt.Sprint(uint8(a.Event)))
		if a.Service {
			services = append(services, map[bool]string{true: "0x00", false: "0x01"}[a.ForwardAll])
		} else if a.Event != GMRPLeaveAll {
			groups = append(groups, a.Group.String())
		}
	}
	for field, want := range map[string][]string{
		"gmrp.attribute_event":                     events,
		"gmrp.attribute_value_group_membership":    groups,
		"gmrp.attribute_value_service_requirement": services,
	} {
		if got := theirs[1][field]; got != strings.Join(want, ",") {
			t.Errorf("%s is %v, tshark says %q", field, want, got)
		}
	}
	for i := range theirs {
		if m := theirs[i]["_ws.malformed"]; m != "" {
			t.Error(m)
		}
	}
}
