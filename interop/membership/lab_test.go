//go:build linux

package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

// required is for what the lab itself needs.
func required(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("MULTICAST_LAB") == "required" {
		t.Fatalf("MULTICAST_LAB=required, but: %v", err)
	}
	t.Skip(err)
}

func missing() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	for _, name := range []string{"ip", "bridge", "tshark"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("no %s here (packages iproute2, tshark)", name)
		}
	}
	return nil
}

// An ns is a network namespace that lasts as long as the test.
type ns struct{ name string }

var made atomic.Uint32

func newNS(t *testing.T) ns {
	t.Helper()
	n := ns{fmt.Sprintf("member-%d-%d", os.Getpid(), made.Add(1))}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		required(t, fmt.Errorf("network namespaces: %v: %s", err, out))
	}
	t.Cleanup(func() {
		pids, _ := exec.Command("ip", "netns", "pids", n.name).Output()
		for _, s := range strings.Fields(string(pids)) {
			if pid, err := strconv.Atoi(s); err == nil && pid != os.Getpid() {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		if out, err := exec.Command("ip", "netns", "del", n.name).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	n.ip(t, "link set lo up")
	return n
}

// ip runs lines of ip commands in the namespace.
func (n ns) ip(t *testing.T, lines ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-n", n.name, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip: %v: %s\n%s", err, out, strings.Join(lines, "\n"))
	}
}

func (n ns) output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("ip", append([]string{"netns", "exec", n.name, name}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return out
}

// sysctl sets what is below /proc/sys.
func (n ns) sysctl(t *testing.T, path, value string) {
	t.Helper()
	n.do(t, func() error { return os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0) })
}

// do runs f in the namespace, on a thread that ends with it. Sockets opened in f stay
// in the namespace.
func (n ns) do(t *testing.T, f func() error) {
	t.Helper()
	errs := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		h, err := os.Open(filepath.Join("/run/netns", n.name))
		if err == nil {
			err = unix.Setns(int(h.Fd()), unix.CLONE_NEWNET)
			h.Close()
		}
		if err == nil {
			err = f()
		}
		errs <- err
	}()
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
}

// raw opens an interface for one family.
func (n ns) raw(t *testing.T, f *family, dev string) (c *mcast.RawConn) {
	t.Helper()
	n.do(t, func() (err error) {
		c, err = mcast.OpenRaw(context.Background(), dev, f.raw)
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// A bridge is a namespace with the bridge br0, and hosts behind its ports.
type bridge struct{ ns }

// newBridge makes a bridge with more settings. Number is that of its addresses.
func newBridge(t *testing.T, number int, settings string) bridge {
	t.Helper()
	b := bridge{newNS(t)}
	b.ip(t, "link add br0 type bridge mcast_igmp_version 3 mcast_mld_version 2 mcast_query_use_ifaddr 1 "+settings,
		"link set br0 addrgenmode none", fmt.Sprintf("addr add 10.77.0.%d/24 dev br0", number), "link set br0 up",
		fmt.Sprintf("addr add fe80::%x/64 dev br0 nodad", number))
	return b
}

// host plugs a namespace with the interface d0 into port p<number>. Its addresses are
// 10.77.0.<number> and fe80::<number>.
func (b bridge) host(t *testing.T, number int) ns {
	t.Helper()
	n := newNS(t)
	b.ip(t, fmt.Sprintf("link add p%d type veth peer name d0 netns %s", number, n.name), fmt.Sprintf("link set p%d addrgenmode none", number), fmt.Sprintf("link set p%d master br0 up", number))
	n.address(t, "d0", number)
	return n
}

// address gives an interface its addresses and waits until it can be used.
func (n ns) address(t *testing.T, dev string, number int) {
	t.Helper()
	n.ip(t, "link set "+dev+" addrgenmode none", fmt.Sprintf("addr add 10.77.0.%d/24 dev %s", number, dev), "link set "+dev+" up",
		fmt.Sprintf("addr add fe80::%x/64 dev %s nodad", number, dev), "route add 224.0.0.0/4 dev "+dev)
	eventually(t, 5*time.Second, func() error {
		out := n.output(t, "ip", "-6", "route", "show", "table", "local", "dev", dev)
		if !strings.Contains(string(out), "ff00::/8") || !strings.Contains(string(out), "fe80::") {
			return errors.New("no IPv6 yet")
		}
		return nil
	})
}

// mdb returns what a bridge knows of a group behind a port: INCLUDE {} if that is
// nothing.
func (b bridge) mdb(t *testing.T, port int, g netip.Addr) group.Filter {
	t.Helper()
	var all []struct {
		MDB []struct {
			Port, Grp, Src string
			FilterMode     string                            `json:"filter_mode"`
			SourceList     []struct{ Address, Timer string } `json:"source_list"`
		}
	}
	out := b.output(t, "bridge", "-d", "-s", "-j", "mdb", "show", "dev", "br0")
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var f group.Filter
	for _, m := range all {
		for _, e := range m.MDB {
			if e.Port != fmt.Sprintf("p%d", port) || e.Grp != g.String() || e.Src != "" {
				continue
			}
			if e.FilterMode == "exclude" {
				f.Mode = group.Exclude
			}
			for _, s := range e.SourceList {
				// In EXCLUDE mode those whose timers run are wanted.
				if timer, err := strconv.ParseFloat(s.Timer, 64); err == nil && (timer == 0) == (f.Mode == group.Exclude) {
					f.Sources = append(f.Sources, netip.MustParseAddr(s.Address))
				}
			}
		}
	}
	return f.Canonical()
}

// routers returns the ports behind which a bridge has heard routers.
func (b bridge) routers(t *testing.T) string {
	t.Helper()
	var all []struct {
		Router map[string][]struct{ Port string }
	}
	out := b.output(t, "bridge", "-d", "-j", "mdb", "show", "dev", "br0")
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ports := []string{}
	for _, a := range all {
		for _, r := range a.Router["br0"] {
			ports = append(ports, r.Port)
		}
	}
	return fmt.Sprint(ports)
}

// eventually waits until f has no error to return.
func eventually(t *testing.T, d time.Duration, f func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := f()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > d {
			t.Fatalf("after %v: %v", d, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// knows waits until a bridge knows that of a group.
func (b bridge) knows(t *testing.T, port int, g netip.Addr, want group.Filter) {
	t.Helper()
	eventually(t, 5*time.Second, func() error {
		if got := b.mdb(t, port, g); !got.Equal(want) {
			return fmt.Errorf("the bridge has %v of %v behind p%d, want %v", got, g, port, want)
		}
		return nil
	})
}

// join is a program on the host that wants a group, through the kernel.
func (n ns) join(t *testing.T, g netip.Addr, f group.Filter) (c *mcast.Conn) {
	t.Helper()
	n.do(t, func() (err error) {
		opts := []mcast.Option{mcast.Interface("d0")}
		if f.Mode == group.Include {
			for _, s := range f.Sources {
				opts = append(opts, mcast.Source(s.String()))
			}
		}
		c, err = mcast.Listen(context.Background(), netip.AddrPortFrom(g, 5004).String(), opts...)
		if err == nil && f.Mode == group.Exclude && len(f.Sources) > 0 {
			err = c.SetFilter(g, f)
		}
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// exclude and include are filters by the numbers of sources.
func (f *family) exclude(n ...int) group.Filter {
	return group.Filter{Mode: group.Exclude, Sources: f.sources(n)}
}

func (f *family) include(n ...int) group.Filter { return group.Filter{Sources: f.sources(n)} }

func (f *family) sources(n []int) (l []netip.Addr) {
	for _, i := range n {
		l = append(l, netip.MustParseAddr(fmt.Sprintf(f.source, i)))
	}
	slices.SortFunc(l, netip.Addr.Compare)
	return l
}
