package main

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

// Mistakes in madcap serve are told with what to do, before there is a socket.
func TestMadcapMistakes(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"madcap bogus", "there is serve"},
		{"madcap serve", "--iface"},
		{"madcap serve --iface lo", "--pool 239.255.7.0/24"},
		{"madcap serve --iface lo file", "--iface"},
		{"madcap serve --iface lo --pool 10.0.0.0/8", "multicast addresses"},
		{"madcap serve --iface lo --pool 239.255.7.9-239.255.7.1", "multicast addresses"},
		{"madcap serve --iface lo --pool 239.192.7.0/24", "give its scope with --scope"},
		{"madcap serve --iface lo --pool 239.255.7.0/24 --pool 239.255.7.128/25", "overlap"},
		{"madcap serve --iface lo --scope 239.255.0.0/16=: --pool 239.255.7.0/24", "name"},
		{"madcap serve --iface lo --scope ff15::/16 --pool ff15::/16", "more than 2^32"},
		{"madcap serve --iface lo --pool 239.255.7.0/24 --max-lifetime 1s", "at least 1m"},
		{"madcap serve --iface lo --pool 239.255.7.0/24 --extra -1s", "positive"},
		{"madcap serve --iface lo --pool 239.255.7.0/24 --duration -1s", "positive"},
	} {
		code, _, stderr := mcastRun(t, strings.Fields(tt.args)...)
		if code != exitUsage || !strings.Contains(stderr, tt.want) || api.MatchString(stderr) {
			t.Errorf("%s: status %d, %q; want %q", tt.args, code, stderr, tt.want)
		}
	}
}

func TestMadcapConfig(t *testing.T) {
	f := madcapFlags{iface: "lo", lifetime: 1e13, scopes: []string{"239.255.0.0/16=here", "239.192.0.0/14=en:wide: and far", "239.255.0.0/16=de:hier", "239.0.0.0/8"},
		pools: []string{"239.255.7.0/24", "239.192.1.0-239.192.1.9", "239.1.0.0/16"}}
	cfg, err := f.config()
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Scopes) != 3 || cfg.Extra != -1 || cfg.MaxLifetime != 1e13 {
		t.Fatalf("%+v", cfg)
	}
	for i, want := range []struct {
		zone  string
		names int
		pool  string
	}{{"239.255.0.0/16", 2, "239.255.7.0"}, {"239.192.0.0/14", 1, "239.192.1.0"}, {"239.0.0.0/8", 0, "239.1.0.0"}} {
		s := cfg.Scopes[i]
		if s.Zone.Zone != group.ZoneOfPrefix(netip.MustParsePrefix(want.zone)) || len(s.Names) != want.names || len(s.Pools) != 1 || s.Pools[0].First.String() != want.pool {
			t.Errorf("%+v", s)
		}
	}
	if n := cfg.Scopes[0].Names; n[0].Text != "here" || !n[0].Default || n[1].Lang != "de" || n[1].Default || cfg.Scopes[1].Names[0].Text != "wide: and far" {
		t.Errorf("%+v", n)
	}
}

// On lo, to the end, and again with the same file.
func TestMadcapServeOnLo(t *testing.T) {
	db := filepath.Join(t.TempDir(), "leases.db")
	for range 2 {
		code, out, stderr := mcastRun(t, strings.Fields("madcap serve --iface lo --pool 239.255.7.0/24 --duration 200ms --json --db "+db)...)
		if code != 0 || !strings.Contains(out, `"event":"ready"`) || !strings.Contains(out, `"event":"summary"`) || stderr != "" {
			t.Errorf("status %d: %s%s", code, out, stderr)
		}
	}
	code, _, stderr := mcastRun(t, "madcap", "serve", "--iface", "lo", "--pool", "239.255.7.0/24", "--db", filepath.Dir(db))
	if code != exitFailed || stderr == "" {
		t.Errorf("status %d: %s", code, stderr)
	}
}
