//go:build linux

package membership

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mld"
)

// TestMain has all subtests run at the same time, whatever the number of processors:
// they do not work, they wait.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	os.Exit(m.Run())
}

// TestMembership runs all tests at the same time, since they mostly wait, and has
// tshark read what the engines sent meanwhile.
func TestMembership(t *testing.T) {
	required(t, missing())
	t.Run("peers", func(t *testing.T) {
		for _, f := range families {
			for name, test := range map[string]func(*testing.T, *family){
				"host and bridge": hostAndBridge, "router and hosts": routerAndHosts, "old hosts": oldHosts,
				"election won": electionWon, "election lost": electionLost, "proxy": proxied, "snooper": snooped,
			} {
				t.Run(f.name+" "+name, func(t *testing.T) {
					t.Parallel()
					test(t, f)
				})
			}
		}
		t.Run("IGMP pimd", func(t *testing.T) {
			t.Parallel()
			pimd(t, families[0])
		})
		t.Run("IGMP pimd's hellos", func(t *testing.T) {
			t.Parallel()
			pimHellos(t, families[0])
		})
	})
	for _, f := range families {
		readBack(t, f)
	}
}

// quick makes the bridge ask at once, and remove what nobody answers for after 0.4 s.
const quick = "mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 10 mcast_startup_query_interval 100 mcast_last_member_interval 20"

// What our host wants stands in the bridge's table, source by source.
func hostAndBridge(t *testing.T, f *family) {
	b := newBridge(t, 254, quick)
	h := f.runHost(t, b.host(t, 1), f.host(1))
	for _, want := range []group.Filter{
		f.include(1, 2), f.include(2, 3), f.include(3), f.exclude(), f.exclude(1), f.exclude(1, 4), f.exclude(4), f.include(5), {},
		f.exclude(7), f.include(7, 8),
	} {
		if err := h.SetFilter(f.g, want); err != nil {
			t.Fatal(err)
		}
		b.knows(t, 1, f.g, want)
	}
	if err := h.SetFilter(f.g2, f.include(1)); err != nil {
		t.Fatal(err)
	}
	b.knows(t, 1, f.g2, f.include(1))
	// The goodbye of all groups, and the port is forgotten.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	b.knows(t, 1, f.g, group.Filter{})
	b.knows(t, 1, f.g2, group.Filter{})
}

var short = timers{4 * time.Second, time.Second, 200 * time.Millisecond}

// leaveTime is the last member query time of short: two queries (RFC 3376 section
// 8.10), and slack for a busy machine.
const (
	leaveTime = 400 * time.Millisecond
	slack     = 3 * time.Second
)

// What programs want of the kernel arrives at our querier, and what they leave is gone
// after it has asked.
func routerAndHosts(t *testing.T, f *family) {
	b := newBridge(t, 254, "mcast_snooping 0")
	r := f.runRouter(t, b.host(t, 1), f.host(1), short)
	k := b.host(t, 2)
	if a, us := r.querier(); a != f.host(1) || !us {
		t.Errorf("the querier is %v", a)
	}
	c := k.join(t, f.g, f.include(1))
	r.wants(t, slack, f.g, f.include(1))
	for _, step := range []struct {
		to    group.Filter
		asked bool // before it takes effect
	}{
		{f.include(1, 2), false}, {f.include(2), true}, {f.exclude(2), true}, {f.exclude(2, 3), true}, {f.exclude(), false}, {f.include(4), true},
	} {
		if err := c.SetFilter(f.g, step.to); err != nil {
			t.Fatal(err)
		}
		took := r.wants(t, leaveTime+slack, f.g, step.to)
		t.Logf("%v was known after %v", step.to, took.Round(time.Millisecond))
	}
	again := k.join(t, f.g2, f.include(1, 2))
	r.wants(t, slack, f.g2, f.include(1, 2))
	left := time.Now()
	c.Close()
	again.Close()
	r.wants(t, leaveTime+slack, f.g, group.Filter{})
	r.wants(t, leaveTime+slack, f.g2, group.Filter{})
	eventually(t, slack, func() error {
		e, ok := r.last(igmp.MembershipRemoved, f.g)
		switch took := e.at.Sub(left); {
		case !ok:
			return errors.New("no event")
		case took < leaveTime*9/10:
			t.Errorf("left after %v, though hosts have %v to answer", took, leaveTime)
		}
		return nil
	})
}

// A host of an older version among those of the newest.
func oldHosts(t *testing.T, f *family) {
	for _, v := range f.old {
		t.Run(fmt.Sprint("version ", v), func(t *testing.T) {
			t.Parallel()
			oldHost(t, f, v)
		})
	}
}

func oldHost(t *testing.T, f *family, version uint8) {
	b := newBridge(t, 254, "mcast_snooping 0")
	tm := timers{2 * time.Second, 500 * time.Millisecond, 200 * time.Millisecond}
	r := f.runRouter(t, b.host(t, 1), f.host(1), tm)
	young := b.host(t, 2).join(t, f.g, f.include(1))
	r.wants(t, slack, f.g, f.include(1))
	k := b.host(t, 3)
	k.sysctl(t, f.force, fmt.Sprint(version))
	old := k.join(t, f.g, group.Filter{Mode: group.Exclude})
	r.wants(t, slack, f.g, f.exclude())
	if got := r.version(f.g); got != version {
		t.Errorf("with a host of version %d the group is in version %d", version, got)
	}
	eventually(t, slack, func() error {
		if e, ok := r.last(igmp.OldHost, f.g); !ok || e.version != version || e.addr != f.host(3) {
			return fmt.Errorf("told of an old host: %t, %+v", ok, e)
		}
		return nil
	})
	old.Close()
	// IGMPv1 has no leave: its hosts are forgotten after a group membership interval
	// (RFC 3376 section 8.4). So long lasts the mode in any case.
	gmi := 2*tm.query + tm.response
	eventually(t, gmi+slack, func() error {
		if got := r.version(f.g); got != f.newest {
			return fmt.Errorf("still in version %d", got)
		}
		return nil
	})
	r.wants(t, gmi+slack, f.g, f.include(1))
	young.Close()
	r.wants(t, slack, f.g, group.Filter{})
}

// fast lets the bridge ask every second.
const fast = quick + " mcast_query_interval 100"

// The bridge has the higher address and falls silent.
func electionWon(t *testing.T, f *family) {
	b := newBridge(t, 254, fast)
	n := b.host(t, 1)
	ear := n.raw(t, f, "d0")
	heard := func(d time.Duration) (queries int) {
		end := time.Now().Add(d)
		ear.SetReadDeadline(end)
		for {
			ps := []datagram.Packet{{Data: make([]byte, 1500)}}
			if _, err := ear.ReadBatch(ps); err != nil {
				return queries
			}
			if f.isQuery(ps[0].Data) {
				queries++
			}
		}
	}
	if heard(1500*time.Millisecond) == 0 {
		t.Fatal("the bridge does not ask")
	}
	r := f.runRouter(t, n, f.host(1), timers{2 * time.Second, 500 * time.Millisecond, 200 * time.Millisecond})
	time.Sleep(200 * time.Millisecond)
	heard(10 * time.Millisecond)
	if n := heard(2500 * time.Millisecond); n > 0 {
		t.Errorf("the bridge asked %d times although ours has the lower address", n)
	}
	if a, us := r.querier(); !us || a != f.host(1) {
		t.Errorf("the querier is %v", a)
	}
	if _, ok := r.last(igmp.QuerierLost, netip.Addr{}); ok {
		t.Error("ours gave way")
	}
}

func (f *family) isQuery(b []byte) bool {
	if f.is4 {
		_, m, err := igmp.ParsePacket(b)
		typ, _ := igmp.TypeOf(m)
		return err == nil && typ == igmp.TypeQuery
	}
	_, m, err := mld.ParsePacket(b)
	typ, _ := mld.TypeOf(m)
	return err == nil && typ == mld.TypeQuery
}

// The bridge has the lower address; when it stops, ours takes over after the other
// querier present interval.
func electionLost(t *testing.T, f *family) {
	b := newBridge(t, 1, fast)
	r := f.runRouter(t, b.host(t, 9), f.host(9), timers{2 * time.Second, 500 * time.Millisecond, 200 * time.Millisecond})
	eventually(t, 4*time.Second, func() error {
		if a, us := r.querier(); us || a != f.host(1) {
			return fmt.Errorf("the querier is %v", a)
		}
		if e, ok := r.last(igmp.QuerierLost, netip.Addr{}); !ok || e.addr != f.host(1) || e.version != f.newest {
			return fmt.Errorf("told: %t, %+v", ok, e)
		}
		return nil
	})
	b.ip(t, "link set br0 type bridge mcast_querier 0")
	took := eventually(t, 10*time.Second, func() error {
		if a, us := r.querier(); !us {
			return fmt.Errorf("the querier is still %v", a)
		}
		return nil
	})
	// From its last query, at most 1 s before: 2 times the 1 s it told, and 0.25 s.
	if took < time.Second {
		t.Errorf("took over after %v", took)
	}
}

// A proxy between a bridge that asks, and the kernel's hosts.
func proxied(t *testing.T, f *family) {
	b := newBridge(t, 254, quick)
	n := newNS(t)
	b.ip(t, "link add p1 type veth peer name u0 netns "+n.name, "link set p1 addrgenmode none", "link set p1 master br0 up")
	n.address(t, "u0", 1)
	k := newNS(t)
	n.ip(t, "link add d0 type veth peer name d0 netns "+k.name, "link set d0 addrgenmode none", "link set d0 up", "addr add fe80::d/64 dev d0 nodad")
	k.address(t, "d0", 22)
	down := netip.MustParseAddr("10.77.0.13")
	if !f.is4 {
		down = netip.MustParseAddr("fe80::d")
	}
	f.runProxy(t, n, f.host(1), down, short)

	one := k.join(t, f.g, f.include(1))
	b.knows(t, 1, f.g, f.include(1))
	two := k.join(t, f.g, f.include(2))
	b.knows(t, 1, f.g, f.include(1, 2))
	if err := one.SetFilter(f.g, f.exclude(2, 3)); err != nil {
		t.Fatal(err)
	}
	b.knows(t, 1, f.g, f.exclude(3))
	one.Close()
	b.knows(t, 1, f.g, f.include(2))
	two.Close()
	b.knows(t, 1, f.g, group.Filter{})
}

// Our snooper sees what comes in by the ports of a bridge, and has the same table.
func snooped(t *testing.T, f *family) {
	b := newBridge(t, 254, "mcast_snooping 1")
	hosts := []ns{b.host(t, 1), b.host(t, 2), b.host(t, 3)}
	s := f.newSnooper(t, 1, 2, 3)
	for port := 1; port <= 3; port++ {
		c := b.raw(t, f, fmt.Sprintf("p%d", port))
		go s.listen(c, port)
	}
	// A querier of ours behind port 3.
	f.runRouter(t, hosts[2], f.host(3), short)
	// Until it has asked, the bridge sends no report its way, and sources that it never
	// heard of it does not ask for when they are blocked; nor is it known here how long a
	// membership lasts.
	eventually(t, slack, func() error {
		if there, here := b.routers(t), fmt.Sprint(s.routers()); there != "[p3]" || here != "[3]" {
			return fmt.Errorf("the bridge has routers behind %s, ours behind %s", there, here)
		}
		return nil
	})
	same := func(port int, g netip.Addr, want group.Filter) {
		t.Helper()
		b.knows(t, port, g, want)
		// Each port is read by itself: on a busy machine a report may be handled behind
		// the query that followed it, and its sources then live as long as a membership.
		eventually(t, 4*slack, func() error {
			if got := s.filter(port, g); !got.Equal(want) {
				return fmt.Errorf("ours has %v of %v behind port %d, the bridge %v", got, g, port, want)
			}
			return nil
		})
	}
	one := hosts[0].join(t, f.g, f.include(1, 2))
	two := hosts[1].join(t, f.g, f.exclude(2))
	ssm := hosts[1].join(t, f.g2, f.include(3))
	same(1, f.g, f.include(1, 2))
	same(2, f.g, f.exclude(2))
	same(2, f.g2, f.include(3))
	if err := one.SetFilter(f.g, f.include(2, 3)); err != nil {
		t.Fatal(err)
	}
	same(1, f.g, f.include(2, 3))
	two.Close()
	ssm.Close()
	same(2, f.g, group.Filter{})
	same(2, f.g2, group.Filter{})
	if got := s.routers(); fmt.Sprint(got) != "[3]" {
		t.Errorf("routers are behind %v", got)
	}
}

// readBack has tshark read all that our engines of a family sent.
func readBack(t *testing.T, f *family) {
	t.Helper()
	f.sent.mu.Lock()
	defer f.sent.mu.Unlock()
	file, err := os.Create(filepath.Join(t.TempDir(), "sent.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcap.NewWriter(file, pcap.LinkRaw)
	for _, p := range f.sent.packets {
		if err == nil {
			err = w.Write(time.Now(), p)
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	protocol, bad := "igmp", "_ws.malformed || igmp.checksum.status == 0 || ip.checksum.status == 0 || ip.ttl != 1"
	if !f.is4 {
		protocol, bad = "icmpv6.type in {130,131,132,143}", "_ws.malformed || icmpv6.checksum.status == 0 || ipv6.hlim != 1"
	}
	shark := func(filter string) string {
		var stderr bytes.Buffer
		cmd := exec.Command("tshark", "-n", "-o", "ip.check_checksum:TRUE", "-r", file.Name(), "-Y", filter)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark: %v: %s", err, &stderr)
		}
		return string(out)
	}
	if n := strings.Count(shark(protocol), "\n"); n != len(f.sent.packets) || n == 0 {
		t.Errorf("%s: tshark knows %d of %d packets", f.name, n, len(f.sent.packets))
	}
	if out := shark(bad); out != "" {
		t.Errorf("%s: tshark complains about\n%s", f.name, out)
	}
	t.Logf("%s: tshark read %d packets", f.name, len(f.sent.packets))
}
