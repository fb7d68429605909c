package wire

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTshark has an independent dissector read our messages. Wireshark 4.0 does
// not know everything: it takes the 4-byte payload ID of FEC IDs 2 and 5 for
// something else, does not read EXT_FTI behind it, and shows no node lists. So
// only the fields before these are compared.
func TestTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("tshark is not installed, and MULTICAST_LAB=required")
		}
		t.Skip("tshark is not installed")
	}
	file := t.TempDir() + "/ours.pcap"
	var payloads [][]byte
	for _, tt := range messages {
		b, err := kindNamed(tt.kind).append(tt.codec, nil, tt.msg)
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, b)
	}
	writePcap(t, file, payloads)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(tshark, append([]string{"-n", "-r", file, "-d", "udp.port==6003,norm"}, args...)...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
		}
		return string(out)
	}

	fields := []string{
		"norm.version", "norm.type", "norm.hlen", "norm.sequence", "norm.source_id", "norm.instance_id", "norm.grtt",
		"norm.backoff", "norm.gsize", "norm.flags", "norm.fec_encoding_id", "norm.object_transport_id", "norm.flavor",
		"norm.ccsequence", "norm.cc_sts", "norm.cc_stus", "norm.ack.type", "norm.ack.source", "norm.ack.grtt_sec",
		"norm.nack.server", "norm.nack.grtt_sec", "norm.nack.form", "norm.nack.flags", "norm.nack.length",
	}
	args := []string{"-T", "fields", "-E", "separator=|", "-e", "_ws.malformed"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	lines := strings.Split(strings.TrimRight(run(args...), "\n"), "\n")
	if len(lines) != len(messages) {
		t.Fatalf("%d packets, want %d", len(lines), len(messages))
	}
	for i, tt := range messages {
		values := strings.Split(lines[i], "|")
		if values[0] != "" {
			t.Errorf("%s: %s", tt.name, values[0])
		}
		got := map[string]string{}
		for j, f := range fields {
			if v := values[1+j]; v != "" {
				got[f] = v
			}
		}
		want := sharkFields(tt.msg)
		want["norm.version"] = "1"
		want["norm.hlen"] = fmt.Sprint(payloads[i][1])
		for f, v := range want {
			if got[f] != v {
				t.Errorf("%s: %s is %q, want %q", tt.name, f, got[f], v)
			}
		}
	}

	text := run("-V", "-O", "norm")
	for _, want := range []string{
		"Send Rate: 625000", "CC Sequence: 2571", "CC Loss: 0.0470", "CC RTT: 97", // EXT_RATE, EXT_CC
		"Source Block Number: 16909060", "Source Block Length: 32", "Encoding Symbol ID: 0x00000102", // FEC ID 129
		"Transfer Length: 18838586676582", "FEC Instance ID: 2571", "Encoding Symbol Length: 1024",
		"Maximum Number of Encoding Symbols: 8", "Maximum Source Block Length: 2314", "Payload Offset: 4294967280",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("tshark does not show %q", want)
		}
	}
	// It reads EXT_FTI of FEC ID 5 as if it were laid out like that of 129.
	const known = "Expert Info (Warning/Protocol): FEC Encoding ID < 128, should be zero"
	for line := range strings.Lines(text) {
		for _, bad := range []string{"Malformed", "Expert Info", "Unknown message"} {
			if strings.Contains(line, bad) && !strings.Contains(line, known) {
				t.Errorf("tshark: %s", strings.TrimSpace(line))
			}
		}
	}
}

// sharkFields returns what tshark should show of a message.
func sharkFields(m any) map[string]string {
	f := map[string]string{}
	set := func(name string, v any) { f["norm."+name] = fmt.Sprint(v) }
	common := func(t Type, seq uint16, src NodeID) {
		set("type", uint8(t))
		set("sequence", seq)
		set("source_id", dotted(src))
	}
	sender := func(t Type, s Sender) {
		common(t, s.Sequence, s.Source)
		set("instance_id", s.InstanceID)
		set("backoff", s.Backoff)
		set("gsize", GroupSize(s.GroupSize))
		set("grtt", "0.00526807175189761") // of 0x61, which all have
	}
	object := func(id any, o TransportID) {
		set("fec_encoding_id", id)
		set("object_transport_id", fmt.Sprintf("0x%04x", uint16(o)))
	}
	requests := func(r Requests) {
		for q := range r.All() {
			set("nack.form", uint8(q.Form))
			set("nack.flags", uint8(q.Flags))
			set("nack.length", len(r.Bytes())-4) // there is one in each
			object(uint8(q.First.FEC), q.First.Object)
		}
	}
	switch m := m.(type) {
	case *Data:
		sender(TypeData, m.Sender)
		set("flags", fmt.Sprintf("0x%02x", uint8(m.Flags)))
		object(uint8(m.FEC), m.Object)
	case *Info:
		sender(TypeInfo, m.Sender)
		set("flags", fmt.Sprintf("0x%02x", uint8(m.Flags)))
		object(uint8(m.FEC), m.Object)
	case *Flush:
		sender(TypeCmd, m.Sender)
		set("flavor", uint8(CmdFlush))
		object(uint8(m.FEC), m.Object)
	case *EOT:
		sender(TypeCmd, m.Sender)
		set("flavor", uint8(CmdEOT))
	case *Squelch:
		sender(TypeCmd, m.Sender)
		set("flavor", uint8(CmdSquelch))
		object(uint8(m.FEC), m.Object)
	case *CC:
		sender(TypeCmd, m.Sender)
		set("flavor", uint8(CmdCC))
		set("ccsequence", m.CCSequence)
		set("cc_sts", m.SendTime.Sec)
		set("cc_stus", m.SendTime.Usec)
	case *RepairAdv:
		sender(TypeCmd, m.Sender)
		set("flavor", uint8(CmdRepairAdv))
		set("flags", fmt.Sprintf("0x%02x", m.Flags))
		requests(m.Requests)
	case *AckReq:
		sender(TypeCmd, m.Sender)
		set("flavor", uint8(CmdAckReq))
		set("ack.type", uint8(m.AckType))
	case *Application:
		sender(TypeCmd, m.Sender)
		set("flavor", uint8(CmdApplication))
	case *Nack:
		common(TypeNack, m.Sequence, m.Source)
		set("instance_id", m.InstanceID)
		set("nack.server", dotted(m.Server))
		set("nack.grtt_sec", m.GRTTResponse.Sec)
		requests(m.Requests)
	case *Ack:
		common(TypeAck, m.Sequence, m.Source)
		set("instance_id", m.InstanceID)
		set("ack.source", dotted(m.Server))
		set("ack.grtt_sec", m.GRTTResponse.Sec)
		set("ack.type", uint8(m.AckType))
	case *Report:
		common(TypeReport, m.Sequence, m.Source)
	}
	return f
}

func dotted(n NodeID) string { return fmt.Sprintf("%d.%d.%d.%d", n>>24, n>>16&255, n>>8&255, n&255) }
