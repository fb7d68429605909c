package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPcapText(t *testing.T) {
	code, out, errs := mcastRun(t, "pcap", "../../igmp/testdata/igmpv1.pcap")
	const want = `    0.000000  IGMPv1  report  10.6.0.1        > 239.6.1.1        239.6.1.1 join
    0.472036  IGMPv1  report  10.6.0.2        > 239.6.1.1        239.6.1.1 join
    1.458144  IGMPv1  query   10.6.0.3        > 224.0.0.1        general, answer within 10s
    3.458452  IGMPv1  query   10.6.0.3        > 224.0.0.1        general, answer within 10s
    3.736027  IGMPv1  report  10.6.0.1        > 239.6.1.1        239.6.1.1 join
5 packets: 5 IGMP
warning  at 1.458144  the querier 10.6.0.3 speaks IGMPv1: hosts fall back to it and report no sources
`
	if code != 0 || out != want || errs != "" {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	code, out, errs = mcastRun(t, "pcap", "../../rmt/norm/wire/testdata/libnorm/rs8cc.pcap")
	if code != 0 || errs != "" || !strings.Contains(out, "  data  ") || !strings.Contains(out, "node 1, sequence") || !strings.Contains(out, " NORM\n") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}

// The keys that scripts rely on.
func TestPcapJSON(t *testing.T) {
	code, out, errs := mcastRun(t, "pcap", "--json", "../../mld/testdata/mldv2.pcap")
	if code != 0 || errs != "" {
		t.Fatalf("status %d\n%s", code, errs)
	}
	n := 0
	types := map[any]int{}
	for line := range strings.Lines(out) {
		n++
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"event", "time", "proto", "version", "type", "src", "dst", "groups", "problems"} {
			if e[k] == nil {
				t.Errorf("no %s: %s", k, line)
			}
		}
		types[e["type"]]++
		for _, g := range e["groups"].([]any) {
			if g := g.(map[string]any); g["group"] == "" || g["mode"] == "" || g["sources"] == nil {
				t.Errorf("%s", line)
			}
		}
	}
	const first = `{"event":"packet","time":"2026-`
	if n != 63 || types["query"] == 0 || types["report"] == 0 || !strings.HasPrefix(out, first) || !strings.Contains(out, `"problems":["not link-local"]`) {
		t.Errorf("%d lines, types %v\n%s", n, types, out)
	}
}

// Damaged captures are read as far as that goes, and are status 1.
func TestPcapDamaged(t *testing.T) {
	whole, err := os.ReadFile("../../igmp/testdata/igmpv2.pcap")
	if err != nil {
		t.Fatal(err)
	}
	unknown := bytes.Clone(whole)
	unknown[20] = 200
	huge := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(huge[24+8:], 1<<30)
	dir := t.TempDir()
	for _, tt := range []struct {
		name  string
		data  []byte
		want  string
		lines int
	}{
		{"cut", whole[:len(whole)-5], "it ends in the middle, after 11 packets", 11},
		{"empty", nil, "no magic number", 0},
		{"text", []byte("this is not a capture, but some text"), "not a capture", 0},
		{"link", unknown, "unknown link type", 0},
		{"huge", huge, "over the bounds", 0},
	} {
		file := filepath.Join(dir, tt.name)
		if err := os.WriteFile(file, tt.data, 0o644); err != nil {
			t.Fatal(err)
		}
		code, out, errs := mcastRun(t, "pcap", file)
		if n := strings.Count(out, "  IGMPv"); code != exitFailed || !strings.Contains(errs, tt.want) || n != tt.lines || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %d packets\n%s%s", tt.name, code, n, out, errs)
		}
		code, out, errs = mcastRun(t, "pcap", "--json", file)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var last errorEvent
		if json.Unmarshal([]byte(lines[len(lines)-1]), &last) != nil || last.Event != "error" || last.File != file || !strings.Contains(last.Error, tt.want) || code != exitFailed || errs != "" {
			t.Errorf("%s: status %d\n%s%s", tt.name, code, out, errs)
		}
	}
}

// A capture in the other format, and by standard input, is the same.
func TestPcapFormats(t *testing.T) {
	const name = "../../mld/testdata/mldv1.pcap"
	_, want, _ := mcastRun(t, "pcap", "--json", name)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	check := func(how string, data []byte) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "pcap", "--json", "-")
		cmd.Env = append(os.Environ(), "MCAST_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0")
		cmd.Stdin = bytes.NewReader(data)
		if out, err := cmd.Output(); err != nil || string(out) != want || want == "" {
			t.Errorf("%s: %v\n%s", how, err, out)
		}
	}
	check("pcap", data)
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("tshark is not installed, and MULTICAST_LAB=required")
		}
		t.Skip("tshark is not installed")
	}
	ng := filepath.Join(t.TempDir(), "x.pcapng")
	if out, err := exec.Command(program, "-r", name, "-F", "pcapng", "-w", ng).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if data, err = os.ReadFile(ng); err != nil {
		t.Fatal(err)
	}
	check("pcapng", data)
}

// What is no control traffic is counted.
func TestPcapNothing(t *testing.T) {
	whole, err := os.ReadFile("../../igmp/testdata/igmpv2.pcap")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "none.pcap")
	if err := os.WriteFile(file, whole[:24], 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := mcastRun(t, "pcap", file); code != 0 || out != "the capture is empty\n" || errs != "" {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	var stdin, stdout bytes.Buffer
	stdin.Write(whole)
	p := player{out: &printer{out: &stdout}, number: map[string]int{}}
	if err := p.play(t.Context(), &stdin); err != nil || p.packets != 12 || strings.Count(stdout.String(), "\n") != 12 {
		t.Errorf("%v, %d packets\n%s", err, p.packets, &stdout)
	}
}
