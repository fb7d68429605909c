//go:build linux

package membership

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// books returns the filter that pimd has of a group, INCLUDE {} if none, and the
// longest timer of its sources as pimd writes it. In EXCLUDE mode, pimd's only source
// is "*".
func (p pim) books(g netip.Addr) (f group.Filter, timer string, err error) {
	var groups, sources map[string]json.RawMessage
	if err := p.show("show ip igmp groups", &groups); err != nil {
		return f, "", err
	}
	if err := p.show("show ip igmp sources", &sources); err != nil {
		return f, "", err
	}
	var modes struct {
		Groups []struct{ Group, Mode string }
	}
	if raw := groups["d0"]; raw != nil {
		if err := json.Unmarshal(raw, &modes); err != nil {
			return f, "", err
		}
	}
	for _, v := range modes.Groups {
		if v.Group == g.String() && v.Mode == "EXCLUDE" {
			f.Mode = group.Exclude
		}
	}
	var d0 map[string]json.RawMessage
	if raw := sources["d0"]; raw != nil {
		if err := json.Unmarshal(raw, &d0); err != nil {
			return f, "", err
		}
	}
	var one struct {
		Sources []struct{ Source, Timer string }
	}
	if raw := d0[g.String()]; raw != nil {
		if err := json.Unmarshal(raw, &one); err != nil {
			return f, "", err
		}
	}
	whole := false
	for _, s := range one.Sources {
		timer = max(timer, s.Timer)
		if s.Source == "*" {
			whole = true
			continue
		}
		a, err := netip.ParseAddr(s.Source)
		if err != nil {
			return f, "", err
		}
		f.Sources = append(f.Sources, a)
	}
	if whole != (f.Mode == group.Exclude) {
		return f, "", fmt.Errorf("pimd has %v of %v, with the sources %v", f.Mode, g, one.Sources)
	}
	return f.Canonical(), timer, nil
}

// queryInterval changes pimd's, in seconds.
func (p pim) queryInterval(t *testing.T, n int) {
	t.Helper()
	out, err := exec.Command("vtysh", "--vty_socket", p.dir, "-d", "pimd", "-c", "configure terminal", "-c", "interface d0", "-c", "ip igmp query-interval "+strconv.Itoa(n)).CombinedOutput()
	if err != nil {
		t.Fatalf("vtysh: %v: %s", err, out)
	}
}

// A proxy between FRR's pimd, which asks, and the kernel's hosts.
func TestProxyBelowPimd(t *testing.T) {
	t.Parallel()
	required(t, missing())
	f := *families[0]
	f.sent = &record{} // TestMembership does not read this back.

	lower := newBridge(t, 254, "mcast_snooping 0")
	n, upper := newNS(t), newNS(t)
	lower.ip(t, "link add p13 type veth peer name d0 netns "+n.name, "link set p13 addrgenmode none", "link set p13 master br0 up")
	n.ip(t, "link set d0 addrgenmode none", "link set d0 up",
		"link add u0 type veth peer name d0 netns "+upper.name, "link set u0 addrgenmode none", "link set u0 up")
	upper.address(t, "d0", 20)
	n.address(t, "u0", 1)
	one, two := lower.host(t, 22), lower.host(t, 23)
	p := runPim(t, upper)
	f.runProxy(t, n, f.host(1), f.host(13), short)
	eventually(t, 10*time.Second, func() error {
		a, err := p.querier()
		if err == nil && a != f.host(20) {
			err = fmt.Errorf("pimd's querier is %v", a)
		}
		return err
	})

	// Whatever goes away now was left: timers run for 121 s.
	p.queryInterval(t, 60)

	has := func(g netip.Addr, want group.Filter) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			got, _, err := p.books(g)
			if err == nil && !got.Equal(want) {
				err = fmt.Errorf("pimd has %v of %v, want %v", got, g, want)
			}
			return err
		})
	}
	all := one.join(t, f.g, f.exclude())
	first := one.join(t, f.g2, f.include(1))
	has(f.g, f.exclude())
	has(f.g2, f.include(1))
	second := two.join(t, f.g2, f.include(2))
	has(f.g2, f.include(1, 2))
	// A source of the group that is wanted whole stands out when only it is left.
	third := two.join(t, f.g, f.include(3))
	has(f.g, f.exclude())
	all.Close()
	has(f.g, f.include(3))

	start := time.Now()
	first.Close()
	second.Close()
	third.Close()
	has(f.g, group.Filter{})
	has(f.g2, group.Filter{})
	t.Logf("pimd forgot after %v", time.Since(start))

	// Once the proxy has repeated its change, which it does within 1 s, only an answer to
	// pimd's query makes the timers those of the new interval, 5 s.
	one.join(t, f.g2, f.include(1))
	two.join(t, f.g2, f.include(2))
	has(f.g2, f.include(1, 2))
	time.Sleep(1500 * time.Millisecond)
	if _, timer, err := p.books(f.g2); err != nil || timer < "01:30" {
		t.Fatalf("before pimd asks, the timers are at %q (%v)", timer, err)
	}
	p.queryInterval(t, 2)
	eventually(t, 10*time.Second, func() error {
		got, timer, err := p.books(f.g2)
		if err == nil && (!got.Equal(f.include(1, 2)) || timer > "00:05") {
			err = fmt.Errorf("pimd has %v of %v for %s, want an answer to its query", got, f.g2, timer)
		}
		return err
	})
}
