package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/alloc"
	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast/group"
)

// Mistakes in alloc are told with what to do, before there is a socket.
func TestAllocMistakes(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"alloc 239.1.1.1", "--scope local"},
		{"alloc --by dhcp", "give madcap, sap"},
		{"alloc --by pool", "--pool 239.255.7.0/24"},
		{"alloc --by random --pool 239.255.7.0/24", "--by pool and --by sap"},
		{"alloc --pool 10.0.0.0/8", "multicast addresses"},
		{"alloc --pool 239.255.255.0/24", "top 256"},
		{"alloc --pool 239.192.0.0/16 --pool 239.192.1.0/24", "overlap"},
		{"alloc --pool 239.192.0.0/16 --scope local", "among 239.192.0.0"},
		{"alloc --by random --scope nowhere", "--scope \"nowhere\": give local"},
		{"alloc --by random --scope site", "ask for realm-local"},
		{"alloc --by random --scope global", "--by ssm"},
		{"alloc --ipv6 --scope 239.255.0.0/16", "is IPv4"},
		{"alloc --by ssm --keep", "nothing to keep"},
		{"alloc --by random --renew", "--lifetime"},
		{"alloc --by random --server 10.0.0.1", "--by madcap"},
		{"alloc --server here", "--server \"here\""},
		{"alloc --count 0", "give 1 or more"},
		{"alloc --count 2 --at-least 3", "in order"},
		{"alloc --by random --lifetime -1s", "positive"},
		{"alloc --by sap --profile slow", "rfc2974"},
		{"alloc --by sap --pool 239.16.1.0/24", "--profile aes67"},
	} {
		code, _, stderr := mcastRun(t, strings.Fields(tt.args)...)
		if code != exitUsage || !strings.Contains(stderr, tt.want) || api.MatchString(stderr) {
			t.Errorf("%s: status %d, %q; want %q", tt.args, code, stderr, tt.want)
		}
	}
}

func TestAllocServers(t *testing.T) {
	for _, tt := range []struct {
		scope string
		ipv6  bool
		want  string
	}{
		{"", false, "239.255.255.254"}, {"local", false, "239.255.255.254"}, {"organization", false, "239.195.255.254"},
		{"239.16.32.0/23", false, "239.16.33.254"}, {"", true, "239.255.255.254"}, {"organization", true, "239.255.255.254"},
		{"ff15::/16", false, "ff15:ffff:ffff:ffff:ffff:ffff:ffff:fffe"}, {"global", false, "239.255.255.254"},
	} {
		r, err := (&allocFlags{by: "madcap", scope: tt.scope, ipv6: tt.ipv6, count: 1}).request()
		if err != nil {
			t.Fatal(err)
		}
		got := serversOf(r)
		if got != netip.MustParseAddr(tt.want) || (madcap.ClientConfig{Group: got}).Validate() != nil {
			t.Errorf("%q, %v: %v, want %s", tt.scope, tt.ipv6, got, tt.want)
		}
	}
}

// A lease is told when it begins, is renewed, and is given back, or is lost.
func TestAllocHolds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags allocFlags
		stay  time.Duration
		want  []string
		fails bool
	}{
		{"renewed", allocFlags{lifetime: time.Hour, renew: true}, 70 * time.Minute, []string{"lease", "renewed", "renewed", "released"}, false},
		{"expired", allocFlags{lifetime: time.Hour}, 2 * time.Hour, []string{"lease", "lost"}, true},
		{"without end", allocFlags{}, 1000 * time.Hour, []string{"lease", "released"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := tt.flags
				f.by, f.count, f.pools = "pool", 2, []string{"239.192.200.0/24"}
				ctx, cancel := context.WithTimeout(t.Context(), tt.stay)
				defer cancel()
				var out, errs strings.Builder
				if err := f.run(ctx, &printer{out: &out, err: &errs, json: true}); (err != nil) != tt.fails {
					t.Error(err)
				}
				var got []string
				for line := range strings.Lines(out.String()) {
					var e struct {
						Event, ID, Expires string
						Addresses          []string
					}
					if err := json.Unmarshal([]byte(line), &e); err != nil {
						t.Fatal(err)
					}
					got = append(got, e.Event)
					if len(e.Addresses) != 2 || e.ID == "" || !alloc.Prefix("239.192.200.0/24").Contains(netip.MustParseAddr(e.Addresses[0])) {
						t.Error(line)
					}
					if starts := e.Event == "lease" || e.Event == "renewed"; (e.Expires != "") != (starts && f.lifetime > 0) {
						t.Error(line)
					}
				}
				if strings.Join(got, " ") != strings.Join(tt.want, " ") {
					t.Errorf("%v\n%s", got, errs.String())
				}
			})
		})
	}
}

func TestAllocScopes(t *testing.T) {
	for name, s := range scopeNames {
		r, err := (&allocFlags{by: "random", scope: name, count: 1, ipv6: true}).request()
		if err != nil || r.Scope != s || r.Family != alloc.IPv6 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	r, err := (&allocFlags{by: "random", scope: "239.16.32.0/23", count: 1}).request()
	if err != nil || r.Zone != group.ZoneOfPrefix(netip.MustParsePrefix("239.16.32.0/23")) {
		t.Errorf("%+v, %v", r, err)
	}
}
