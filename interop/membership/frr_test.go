//go:build linux

package membership

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

// frrDir is where Debian's package frr has its daemons.
const frrDir = "/usr/lib/frr"

// A pim is FRR's pimd, with IGMP on d0 of a namespace.
type pim struct{ dir string }

// runPim starts pimd, PIM and a quick IGMP on d0. It skips the test where FRR is not
// installed.
func runPim(t *testing.T, n ns) pim {
	t.Helper()
	return runPimAs(t, n, "interface d0\n ip pim\n ip igmp\n ip igmp query-max-response-time 10\n ip igmp query-interval 2\n ip igmp last-member-query-interval 2\n")
}

// runPimAs starts pimd with a configuration.
func runPimAs(t *testing.T, n ns, config string) pim {
	t.Helper()
	for _, name := range []string{filepath.Join(frrDir, "zebra"), filepath.Join(frrDir, "pimd"), "vtysh"} {
		if _, err := exec.LookPath(name); err != nil {
			required(t, fmt.Errorf("package frr is not installed: %w", err))
		}
	}
	account, err := user.Lookup("frr")
	if err != nil {
		required(t, err)
	}
	// The daemons give up root.
	dir, err := os.MkdirTemp("", "frr")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	p := pim{dir}
	t.Cleanup(func() {
		for _, name := range []string{"pimd", "zebra"} {
			if b, err := os.ReadFile(p.file(name + ".pid")); err == nil {
				exec.Command("kill", strings.TrimSpace(string(b))).Run()
			}
		}
		os.RemoveAll(dir)
	})
	for name, text := range map[string]string{"zebra.conf": "", "pimd.conf": config} {
		if err := os.WriteFile(p.file(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"zebra", "pimd"} {
		n.output(t, filepath.Join(frrDir, name), "-d", "-f", p.file(name+".conf"), "-i", p.file(name+".pid"), "-z", p.file("zserv.sock"), "--vty_socket", dir, "-A", "127.0.0.1", "-P", "0")
	}
	return p
}

func (p pim) file(name string) string { return filepath.Join(p.dir, name) }

// show runs a command of pimd and reads what it answers.
func (p pim) show(command string, v any) error {
	out, err := exec.Command("vtysh", "--vty_socket", p.dir, "-d", "pimd", "-c", command+" json").Output()
	if err != nil {
		return fmt.Errorf("vtysh: %w: %s", err, out)
	}
	return json.Unmarshal(out, v)
}

// querier returns the querier that pimd knows on d0.
func (p pim) querier() (netip.Addr, error) {
	var v map[string]struct{ QuerierIP string }
	if err := p.show("show ip igmp interface d0", &v); err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(v["d0"].QuerierIP)
}

// sources returns what pimd forwards of a group.
func (p pim) sources(g netip.Addr) (f group.Filter, err error) {
	var v map[string]json.RawMessage
	if err := p.show("show ip igmp sources", &v); err != nil {
		return f, err
	}
	var groups map[string]json.RawMessage
	if raw := v["d0"]; raw == nil || json.Unmarshal(raw, &groups) != nil || groups[g.String()] == nil {
		return f, nil
	}
	var one struct {
		Sources []struct{ Source, Timer string }
	}
	if err := json.Unmarshal(groups[g.String()], &one); err != nil {
		return f, err
	}
	for _, s := range one.Sources {
		f.Sources = append(f.Sources, netip.MustParseAddr(s.Source))
	}
	return f.Canonical(), nil
}

// Election both ways, and our host in pimd's books.
func pimd(t *testing.T, f *family) {
	b := newBridge(t, 254, "mcast_snooping 0")
	other := b.host(t, 20)
	p := runPim(t, other)
	tm := timers{2 * time.Second, 500 * time.Millisecond, 200 * time.Millisecond}
	high := f.runRouter(t, b.host(t, 30), f.host(30), tm)
	eventually(t, 15*time.Second, func() error {
		e, ok := high.last(igmp.QuerierLost, netip.Addr{})
		if a, us := high.querier(); us || a != f.host(20) || !ok || e.addr != f.host(20) {
			return fmt.Errorf("the querier is %v (%t, %+v)", a, ok, e)
		}
		return nil
	})

	h := f.runHost(t, b.host(t, 5), f.host(5))
	for _, want := range []group.Filter{f.include(1), f.include(1, 2), f.include(2), {}} {
		if err := h.SetFilter(f.g2, want); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, func() error {
			got, err := p.sources(f.g2)
			if err == nil && !got.Equal(want) {
				err = fmt.Errorf("pimd has %v, want %v", got, want)
			}
			return err
		})
		// The silent router has learned the same.
		high.wants(t, slack, f.g2, want)
	}

	f.runRouter(t, b.host(t, 10), f.host(10), tm)
	eventually(t, 10*time.Second, func() error {
		a, err := p.querier()
		if err == nil && a != f.host(10) {
			err = errors.New("pimd's querier is " + a.String())
		}
		return err
	})
	eventually(t, 10*time.Second, func() error {
		if a, _ := high.querier(); a != f.host(10) {
			return fmt.Errorf("the silent router's querier is %v", a)
		}
		return nil
	})
}

// A switch knows the router behind a port by pimd's hellos alone, as long as they come.
func pimHellos(t *testing.T, f *family) {
	b := newBridge(t, 254, "mcast_snooping 0")
	router := b.host(t, 1)
	b.host(t, 2)
	s := f.newSnooper(t, 1, 2)
	for port := 1; port <= 2; port++ {
		var c *mcast.RawConn
		b.do(t, func() (err error) {
			c, err = mcast.OpenRaw(t.Context(), fmt.Sprintf("p%d", port), mcast.RawIGMP, mcast.RawPIM)
			return err
		})
		t.Cleanup(func() { c.Close() })
		go s.listen(c, port)
	}
	p := runPimAs(t, router, "interface d0\n ip pim\n ip pim hello 1 4\n")
	routers := func(want string) time.Duration {
		return eventually(t, 20*time.Second, func() error {
			if got := fmt.Sprint(s.routers()); got != want {
				return fmt.Errorf("routers are behind %s, want %s", got, want)
			}
			return nil
		})
	}
	routers("[1]")
	pid, err := os.ReadFile(p.file("pimd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("kill", strings.TrimSpace(string(pid))).Run(); err != nil {
		t.Fatal(err)
	}
	// Its goodbye is not believed.
	if took := routers("[]"); took < time.Second {
		t.Errorf("forgotten after %v, with a hold time of 4 s", took)
	}
}
