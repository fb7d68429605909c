package madcap

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/internal/wire"
)

// tsharkFields are what is compared, by the names in doc/madcap.lua.
var tsharkFields = []string{
	"version", "type", "family", "xid", "option", "option.length", "option.data", "lease_time", "min_lease_time", "start_time",
	"current_time", "retry_time", "max_start_time", "server", "server6", "server.family", "lease_id", "lease_id.type", "scope",
	"scope6", "request", "count.min", "count", "language", "scopes", "scope.last", "scope.last6", "scope.ttl", "scope.names",
	"scope.name.default", "scope.name.language", "scope.name", "range.first", "range.first6", "range.count",
	"feature.supported", "feature.requested", "feature.required", "error", "error.option", "error.time", "error.feature",
	"nesting.scopes", "nesting.row", "malformed", "unknown",
}

// tshark has doc/madcap.lua read messages: the fields of each, by name.
func tshark(t *testing.T, messages [][]byte) (all []map[string]string) {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("tshark is not installed, and MULTICAST_LAB=required")
		}
		t.Skip("tshark is not installed")
	}
	file := filepath.Join(t.TempDir(), "madcap.pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcap.NewWriter(f, pcap.LinkRaw)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range messages {
		udp := binary.BigEndian.AppendUint16(nil, 40000)
		udp = binary.BigEndian.AppendUint16(udp, Port)
		udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(m)))
		udp = append(append(udp, 0, 0), m...)
		ip := make([]byte, 20)
		ip[0], ip[8], ip[9] = 0x45, 16, 17
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(udp)))
		copy(ip[12:], []byte{10, 0, 0, 9, 239, 255, 255, 254})
		binary.BigEndian.PutUint16(ip[10:], wire.Checksum(ip))
		if err := w.Write(noon.Add(time.Duration(i)*time.Second), append(ip, udp...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-X", "lua_script:../doc/madcap.lua", "-r", file, "-T", "fields", "-E", "separator=|", "-E", "aggregator=,"}
	for _, f := range tsharkFields {
		args = append(args, "-e", "madcap."+f)
	}
	cmd := exec.Command(program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || strings.Contains(stderr.String(), "Lua") {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	for line := range strings.Lines(string(out)) {
		fields := map[string]string{}
		for i, v := range strings.Split(strings.TrimRight(line, "\n"), "|") {
			if v != "" {
				fields[tsharkFields[i]] = v
			}
		}
		all = append(all, fields)
	}
	return all
}

// asTshark returns what the dissector should show of a message that we could parse.
func asTshark(t *testing.T, b []byte) map[string]string {
	t.Helper()
	var m Message
	if err := ParseMessage(b, &m); err != nil {
		t.Fatal(err)
	}
	f := map[string]string{}
	add := func(name string, v any) {
		if f[name] != "" {
			f[name] += ","
		}
		f[name] += fmt.Sprint(v)
	}
	family := func(name string, a netip.Addr) {
		if !a.Is4() {
			name += "6"
		}
		add(name, a)
	}
	add("version", 0)
	add("type", uint8(m.Type))
	add("family", uint16(m.Family))
	add("xid", fmt.Sprintf("0x%08x", m.XID))
	for field := b[headerSize:]; ; {
		o, data, rest, ok := nextOption(field)
		if !ok {
			break
		}
		field = rest
		add("option", uint16(o))
		add("option.length", len(data))
		if int(o) >= numOptions {
			if len(data) > 0 {
				add("option.data", hex.EncodeToString(data))
			}
			add("unknown", 1)
			continue
		}
		// tshark puts all values of a field into one column.
		when := func(name string) { add(name, tsharkTime(data)) }
		switch o {
		case OptionLeaseTime:
			add("lease_time", uint64(m.LeaseTime.Seconds()))
		case OptionMinLeaseTime:
			add("min_lease_time", uint64(m.MinLeaseTime.Seconds()))
		case OptionStartTime:
			when("start_time")
		case OptionCurrentTime:
			when("current_time")
		case OptionRetryTime:
			when("retry_time")
		case OptionMaxStartTime:
			when("max_start_time")
		case OptionServerID:
			add("server.family", binary.BigEndian.Uint16(data))
			if m.ServerID.IsValid() {
				family("server", m.ServerID)
			}
		case OptionLeaseID:
			add("lease_id", hex.EncodeToString(m.LeaseID))
			add("lease_id.type", m.LeaseID[0])
		case OptionScope:
			family("scope", m.Scope)
		case OptionRequestList:
			for i := range m.RequestList.Len() {
				add("request", uint16(m.RequestList.At(i)))
			}
		case OptionCount:
			add("count.min", m.MinCount)
			add("count", m.Count)
		case OptionLanguage:
			add("language", string(m.Language))
		case OptionScopeList:
			add("scopes", m.Scopes.Len())
			for e := range m.Scopes.All() {
				family("scope", e.First)
				family("scope.last", e.Last)
				add("scope.ttl", e.TTL)
				add("scope.names", len(e.Names()))
				for _, n := range e.Names() {
					add("scope.name.default", map[bool]int{true: 1}[n.Default])
					add("scope.name.language", n.Lang)
					add("scope.name", n.Text)
				}
			}
		case OptionRanges:
			for r := range m.Ranges.All() {
				family("range.first", r.First)
				add("range.count", r.Count)
			}
		case OptionFeatures:
			for name, fs := range map[string]Features{"supported": m.Features.Supported(), "requested": m.Features.Requested(), "required": m.Features.Required()} {
				for i := range fs.Len() {
					add("feature."+name, uint16(fs.At(i)))
				}
			}
		case OptionError:
			add("error", uint16(m.Error.Code))
			if m.Error.Code <= InvalidRequest {
				add("error.option", uint16(m.Error.Option()))
			}
			if _, ok := m.Error.Time(); ok {
				add("error.time", tsharkTime(m.Error.Extra))
			}
			for i := range m.Error.Features().Len() {
				add("error.feature", uint16(m.Error.Features().At(i)))
			}
		case OptionNesting:
			add("nesting.scopes", data[0])
			n := int(data[0])
			for i := range n {
				if w := rowSize(n); w > 0 {
					add("nesting.row", hex.EncodeToString(data[1+i*w:1+(i+1)*w]))
				}
			}
		}
	}
	return f
}

// tsharkTime writes a time as tshark does.
func tsharkTime(d []byte) string {
	return time.Unix(int64(binary.BigEndian.Uint32(d)), 0).UTC().Format("Jan _2, 2006 15:04:05.000000000 UTC")
}

// A second reading of every message and option, by a dissector in another language.
func TestTsharkReadsTheSame(t *testing.T) {
	var messages [][]byte
	for _, v := range vectors {
		messages = append(messages, v.encoded())
	}
	got := tshark(t, messages)
	if len(got) != len(messages) {
		t.Fatalf("%d messages of %d", len(got), len(messages))
	}
	seen := map[string]bool{}
	for i, b := range messages {
		want := asTshark(t, b)
		for _, f := range tsharkFields {
			if got[i][f] != want[f] {
				t.Errorf("%s: madcap.%s is %q, want %q", vectors[i].name, f, got[i][f], want[f])
			}
			seen[f] = seen[f] || want[f] != ""
		}
	}
	for _, f := range tsharkFields {
		if !seen[f] && f != "malformed" {
			t.Errorf("nothing has madcap.%s", f)
		}
	}
}

// What we call malformed, the dissector does; what is no message it leaves alone.
func TestTsharkSeesWhatIsWrong(t *testing.T) {
	wrong := [][]byte{
		message(IPv4, "0003", "00", "0001", "000000"),
		message(IPv4, "0003", ""),
		message(IPv4, "0003", "00", "0002", "00010a00"),
		message(IPv4, "0003", "00", "0004", "ff050000000000000000000000000000"),
		message(IPv4, "0003", "00", "0005", "000900"),
		message(IPv4, "0003", "00", "0007", "00050004"),
		message(IPv4, "0003", "00", "0009", "01efff0000efff"),
		message(IPv4, "0003", "00", "0009", "0000"),
		message(IPv4, "0003", "00", "000a", "efff0001"),
		message(IPv4, "0003", "00", "000c", "00000000"),
		message(IPv4, "0003", "00", "0010", "00"),
		message(IPv4, "0003", "00", "0003", "00"),
		append(message(IPv4, "0003", "00"), 0, 9, 0, 0),
		message(IPv4, "0003", "00")[:14],
	}
	for i, f := range tshark(t, wrong) {
		var m Message
		if err := ParseMessage(wrong[i], &m); err == nil || f["malformed"] == "" {
			t.Errorf("%x: %v, and %q by tshark", wrong[i], err, f["malformed"])
		}
	}
	for i, f := range tshark(t, [][]byte{{1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, message(IPv4)[:11]}) {
		if len(f) > 0 {
			t.Errorf("%d: %v", i, f)
		}
	}
}
