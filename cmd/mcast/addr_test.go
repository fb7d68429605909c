package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// addrOutput runs mcast addr in this process.
func addrOutput(t *testing.T, f addrFlags, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if f.purpose == "" {
		f.purpose = "inspect"
	}
	if err := f.run(args, &out); err != nil {
		t.Fatalf("mcast addr %q: %v", args, err)
	}
	return out.String()
}

func TestAddrText(t *testing.T) {
	want := `224.0.10.8
  name      DLSw Groups
  kind      ad-hoc, AD-HOC Block I
  scope     global
  Ethernet  01:00:5e:00:0a:08
  aliases   224.128.10.8 225.0.10.8 225.128.10.8 226.0.10.8
            226.128.10.8 227.0.10.8 227.128.10.8 228.0.10.8
            228.128.10.8 229.0.10.8 229.128.10.8 230.0.10.8
            230.128.10.8 231.0.10.8 231.128.10.8 232.0.10.8
            232.128.10.8 233.0.10.8 233.128.10.8 234.0.10.8
            234.128.10.8 235.0.10.8 235.128.10.8 236.0.10.8
            236.128.10.8 237.0.10.8 237.128.10.8 238.0.10.8
            238.128.10.8 239.0.10.8 239.128.10.8
  lint      assigned: AD-HOC Block I is assigned by IANA only (RFC 5771 section 6); this one: DLSw Groups

AS2497
  kind    as
  AS      2497
  groups  233.9.193.0/24
`
	if got := addrOutput(t, addrFlags{}, "224.0.10.8", "AS2497"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	got := addrOutput(t, addrFlags{}, "rtp://[2400::1]@[ff7e:240:2001:67c:2d50:0:545f:5800]:5004")
	want = `rtp://[2400::1]@[ff7e:240:2001:67c:2d50:0:545f:5800]:5004
  address   ff7e:240:2001:67c:2d50:0:545f:5800
  kind      embedded-rp
  scope     global
  source    2400::1
  port      5004
  flags     RPT
  group ID  545f5800, permanent-id
  prefix    2001:67c:2d50::/64
  RP        2001:67c:2d50::2
  Ethernet  33:33:54:5f:58:00
  aliases   ff**:*:*:*:*:*:545f:5800
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestAddrJSON is the contract with scripts: one object per argument, these keys,
// these values.
func TestAddrJSON(t *testing.T) {
	always := map[string]any{"event": "addr"}
	for _, tt := range []struct {
		arg    string
		want   map[string]any
		absent string // keys, between spaces
		lint   string // codes, between spaces
	}{
		{"232.1.2.3", map[string]any{"address": "232.1.2.3", "kind": "ssm", "scope": "global", "mac": "01:00:5e:01:02:03", "ssm": true, "ssm_part": "local"},
			"glop_as unicast_prefix rp name source port", ""},
		{"239.128.0.251", map[string]any{"address": "239.128.0.251", "kind": "admin-scoped", "scope": "administratively-scoped", "mac": "01:00:5e:00:00:fb", "ssm": false},
			"name", "l2-control-alias"},
		{"233.9.193.7", map[string]any{"kind": "glop", "glop_as": 2497.0}, "unicast_prefix rp", ""},
		{"234.198.51.10", map[string]any{"kind": "unicast-prefix", "unicast_prefix": "198.51.10.0/24"}, "glop_as rp", ""},
		{"ff3e:30:2001:db8:1:0:8000:1", map[string]any{"kind": "unicast-prefix", "unicast_prefix": "2001:db8:1::/48", "flags": "PT", "group_id": "80000001", "group_id_class": "dynamic"},
			"rp block", "documentation"},
		{"ff7e:140:2001:db8:beef:feed::1234", map[string]any{"kind": "embedded-rp", "rp": "2001:db8:beef:feed::1", "unicast_prefix": "2001:db8:beef:feed::/64"},
			"", "group-id documentation"},
		{"ff32:ff:a12:34ff:fe56:7890:8000:1", map[string]any{"kind": "link-scoped", "link_local": "fe80::a12:34ff:fe56:7890"}, "rp unicast_prefix", ""},
		{"224.0.0.251", map[string]any{"name": "mDNS", "kind": "local-control", "scope": "link-local", "block": "Local Network Control Block"}, "", ""},
		{"ff02::1%eth0", map[string]any{"address": "ff02::1%eth0", "name": "all nodes"}, "", ""},
		{"10.77.0.1@232.1.2.3:5004", map[string]any{"address": "232.1.2.3", "source": "10.77.0.1", "port": 5004.0,
			"urd": "http://HOST:659/PATH?group=232.1.2.3&source=10.77.0.1"}, "scheme", ""},
		{"udp://@239.1.1.1:1234", map[string]any{"address": "239.1.1.1", "scheme": "udp", "port": 1234.0}, "source", ""},
		{"http://h:659/p?group=232.1.2.3&source=10.77.0.1", map[string]any{"address": "232.1.2.3", "scheme": "http", "source": "10.77.0.1"}, "port", ""},
		{"192.0.2.1", map[string]any{"address": "192.0.2.1", "kind": "not-multicast"}, "mac aliases ssm scope", "not-multicast"},
		{"4037::1:800:200e:8c6c", map[string]any{"kind": "not-multicast", "solicited_node": "ff02::1:ff0e:8c6c"}, "group_prefix", "not-multicast"},
		{"fe80::a12:34ff:fe56:7890", map[string]any{"group_prefix": "ff32:ff:a12:34ff:fe56:7890::/96"}, "", "not-multicast"},
		{"AS2497", map[string]any{"kind": "as", "glop_as": 2497.0, "group_prefix": "233.9.193.0/24"}, "address lint", ""},
		{"5662", map[string]any{"group_prefix": "233.22.30.0/24"}, "", ""},
		{"as0.64511", map[string]any{"group_prefix": "233.251.255.0/24"}, "", ""},
		{"192.0.2.0/24", map[string]any{"kind": "prefix", "group_prefix": "234.192.0.2/32", "unicast_prefix": "192.0.2.0/24"}, "address lint", ""},
		{"2001:db8:1::/48", map[string]any{"group_prefix": "ff3e:30:2001:db8:1::/96", "ssm_prefix": "ff3e::/96", "scope": "global"}, "rp_prefix", ""},
		{"2001:db8::3/32", map[string]any{"rp_prefix": "ff7e:320:2001:db8::/96"}, "", ""},
		{"fd00:1::/48", map[string]any{"group_prefix": "ff38:30:fd00:1::/96", "scope": "organization-local"}, "", ""},
		{"233.9.193.0/24", map[string]any{"address": "233.9.193.0", "last": "233.9.193.255", "kind": "glop", "glop_as": 2497.0}, "lint mac", ""},
		{"224.0.0.0/4", map[string]any{"kind": "multicast"}, "scope", ""},
		{"01:00:5e:01:5e:00", map[string]any{"kind": "mac", "mac": "01:00:5e:01:5e:00"}, "address lint", ""},
		{"33-33-80-00-00-01", map[string]any{"mac": "33:33:80:00:00:01"}, "", ""},
	} {
		out := addrOutput(t, addrFlags{json: true}, tt.arg)
		var got map[string]any
		if err := json.Unmarshal([]byte(out), &got); err != nil || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v in %q", tt.arg, err, out)
			continue
		}
		maps.Copy(tt.want, always)
		tt.want["input"] = tt.arg
		for k, v := range tt.want {
			if got[k] != v {
				t.Errorf("%s: %s is %v, want %v", tt.arg, k, got[k], v)
			}
		}
		for k := range strings.FieldsSeq(tt.absent) {
			if v, ok := got[k]; ok {
				t.Errorf("%s: %s is there: %v", tt.arg, k, v)
			}
		}
		var codes []string
		lint, _ := got["lint"].([]any)
		for _, f := range lint {
			finding := f.(map[string]any)
			codes = append(codes, finding["code"].(string))
			if len(finding) != 2 || finding["message"] == "" {
				t.Errorf("%s: finding %v", tt.arg, finding)
			}
		}
		if strings.Join(codes, " ") != tt.lint {
			t.Errorf("%s: lint %q, want %q", tt.arg, codes, tt.lint)
		}
		if _, isAddr := got["mac"]; isAddr && got["kind"] != "mac" && lint == nil {
			t.Errorf("%s: lint is no list", tt.arg)
		}
	}
}

func TestAddrLists(t *testing.T) {
	var e addrEvent
	for _, tt := range []struct {
		arg     string
		aliases int
		groups  int
	}{
		{"239.1.2.3", 31, 0}, {"ff15::8000:1", 1, 0}, {"01:00:5e:01:5e:00", 0, 32}, {"33:33:80:00:00:01", 0, 1},
	} {
		e = addrEvent{}
		if err := json.Unmarshal([]byte(addrOutput(t, addrFlags{json: true}, tt.arg)), &e); err != nil || len(e.Aliases) != tt.aliases || len(e.Groups) != tt.groups {
			t.Errorf("%s: %v, %d aliases, %d groups", tt.arg, err, len(e.Aliases), len(e.Groups))
		}
		if slices.Contains(e.Aliases, tt.arg) {
			t.Errorf("%s is its own alias", tt.arg)
		}
	}
	// A name may have several addresses; each is a line.
	lines := strings.Split(strings.TrimSpace(addrOutput(t, addrFlags{json: true}, "mdns", "232.1.2.3")), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"224.0.0.251"`) || !strings.Contains(lines[1], `"any_scope":true`) || !strings.Contains(lines[2], `"232.1.2.3"`) {
		t.Errorf("%q", lines)
	}
}

// --for and --ttl, and a source, decide what lint says.
func TestAddrUse(t *testing.T) {
	for _, tt := range []struct {
		f    addrFlags
		arg  string
		want string
	}{
		{addrFlags{}, "232.1.2.3", ""},
		{addrFlags{purpose: "receive"}, "232.1.2.3", "lint       ssm-source"},
		{addrFlags{purpose: "receive"}, "10.0.0.1@232.1.2.3", ""},
		{addrFlags{purpose: "allocate"}, "239.1.2.3", "admin-unassigned"},
		{addrFlags{purpose: "send", ttl: 64}, "239.255.7.7", "ttl-above-scope"},
		{addrFlags{ttl: 1}, "233.9.193.7", "ttl-below-scope"},
	} {
		out := addrOutput(t, tt.f, tt.arg)
		if !strings.Contains(out, tt.want) || tt.want == "" && strings.Contains(out, "lint") {
			t.Errorf("%s with %+v: want %q in\n%s", tt.arg, tt.f, tt.want, out)
		}
	}
}

func TestAddrMistakes(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"addr", "at least one address"},
		{"addr nobody", "a name as mDNS"},
		{"addr 232.1.2.3 nobody", "rtp://source@group:port"},
		{"addr AS64512", "AD-HOC Block III"},
		{"addr AS65536", "RFC 6034"},
		{"addr AS1.10", "RFC 3306"},
		{"addr AS0", "the AS's own"},
		{"addr 4294967296", "32 bits"},
		{"addr AS1.2.3", "AS1.10"},
		{"addr 10.0.0.0/8", "239.0.0.0/8"},
		{"addr 192.0.2.0/25", "longer than /24"},
		{"addr 2001:db8::/96", "the /64"},
		{"addr ::/0", "ff3x::/96"},
		{"addr ::ffff:1.2.3.0/120", "leave out the ::ffff:"},
		{"addr 02:00:00:00:00:01", "01:00:5e"},
		{"addr 192.0.2.1:5004", "not a multicast address"},
		{"addr 239.1.2.3:0", "1 to 65535"},
		{"addr --ttl 256 239.1.2.3", "from 0 to 255"},
		{"addr --for fun 239.1.2.3", "inspect, receive, send or allocate"},
	} {
		code, out, errs := mcastRun(t, strings.Fields(tt.args)...)
		if code != exitUsage || !strings.Contains(errs, tt.want) || !strings.HasPrefix(errs, "mcast: ") || out != "" {
			t.Errorf("mcast %s: status %d, want 2 and %q\n%s%s", tt.args, code, tt.want, out, errs)
		}
	}
	if code, out, errs := mcastRun(t, "addr", "--json", "AS5662", "239.255.7.7"); code != 0 || errs != "" || strings.Count(out, "\n") != 2 {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}
