package mcast

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// These tests run Diagnose in network namespaces and need root, but for the first.

func TestDiagnoseErrors(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	bg := context.Background()
	addr := netip.MustParseAddr
	for _, tt := range []struct {
		ctx  context.Context
		cfg  DiagnoseConfig
		want error
	}{
		{bg, DiagnoseConfig{Interface: "nosuch0"}, ErrNoInterface},
		{bg, DiagnoseConfig{Channel: group.Channel{Group: addr("ff02::7%nosuch0")}}, ErrNoInterface},
		{bg, DiagnoseConfig{Channel: group.Channel{Group: addr("ff02::7")}}, ErrInterfaceRequired},
		{bg, DiagnoseConfig{Channel: group.Channel{Group: addr("192.0.2.1")}}, ErrNotMulticast},
		{bg, DiagnoseConfig{Channel: group.Channel{Source: addr("192.0.2.1")}}, ErrNotMulticast},
		{bg, DiagnoseConfig{Channel: group.Channel{Group: addr("232.1.2.3"), Source: addr("::1")}}, ErrBadSource},
		{cancelled, DiagnoseConfig{}, context.Canceled},
	} {
		found, err := DiagnoseWith(tt.ctx, tt.cfg)
		var oe *OpError
		if !errors.Is(err, tt.want) || !errors.As(err, &oe) || oe.Op != "diagnose" || found != nil {
			t.Errorf("%+v: %v, %v; want %v", tt.cfg, found, err, tt.want)
		}
	}
}

// All is well: packets arrive and a querier of the newest version is heard.
func TestDiagnoseWell(t *testing.T) {
	t.Parallel()
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			a, b := pair(t)
			is4 := f.name == "IPv4"
			a.query(t, "va", is4, map[bool]int{true: 3, false: 2}[is4])
			a.stream(t, f.group+":5004", Interface("va"))
			ch := channel(t, strings.Trim(f.group, "[]"))
			found := b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "vb", Port: 5004, Wait: short})
			found.want(t, "interface:info", "send-address:info", "traffic:info", "querier:info", "limits:info", "ttl:info", "offload:info",
				"interface-offload:info", "udp-counters:info", "interface-counters:info",
				"-blocked", "-no-traffic", "-igmp-old-querier", "-mld-old-querier", "-no-querier", "-no-route", "-rp-filter-drops", "-not-checked", "-socket-drops", "-several-queriers")
			for _, d := range found {
				if d.Severity == Problem {
					t.Errorf("problem: %+v", d)
				}
			}
			if m := found.message("querier"); !strings.Contains(m, "asks every 2m5s") {
				t.Error(m)
			}
			// The port is found out by itself, and the interface by route.
			b.ip(t, map[bool]string{true: "route add default dev vb", false: "-6 route add default dev vb"}[is4])
			found = b.diagnose(t, DiagnoseConfig{Channel: ch, Wait: short})
			found.want(t, "traffic:info", "route:info", "-blocked")
			if m := found.message("traffic"); !strings.Contains(m, "port 5004") {
				t.Error(m)
			}
			b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "vb", Port: 5005, Wait: short}).want(t, "other-port:warning", "-traffic", "-blocked")
			src := channel(t, f.addr(f.receiver, 1).String()+"@"+ch.String()) // the wrong one
			b.diagnose(t, DiagnoseConfig{Channel: src, Interface: "vb", Port: 5004, Wait: short}).want(t, "other-source:problem", "-traffic", "-blocked")
		})
	}
}

// Nothing is sent, and nobody asks.
func TestDiagnoseQuiet(t *testing.T) {
	t.Parallel()
	_, b := pair(t)
	for _, g := range []string{"239.255.3.1", "ff15::3:1"} {
		found := b.diagnose(t, DiagnoseConfig{Channel: channel(t, g), Interface: "vb", Port: 5004, Wait: quick})
		found.want(t, "no-traffic:warning", "no-querier:warning", "-querier", "-blocked")
	}
	// On the host as a whole nothing is joined, and so nothing asked.
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	var found findings
	b.do(t, func() { found, _ = Diagnose(ctx, group.Channel{}, "") })
	found.want(t, "querier-not-heard:info", "igmp-version:info", "mld-version:info", "no-route:warning", "route:info", "-no-querier", "-no-traffic", "-traffic")
	b.diagnose(t, DiagnoseConfig{Channel: channel(t, "224.0.0.77"), Interface: "vb", Port: 5004, Wait: quick}).want(t, "querier-not-heard:info", "-no-querier", "-ttl")
}

// An old querier takes source-specific joins away.
func TestDiagnoseOldQuerier(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		is4     bool
		version int
		code    string
		any     string
		ssm     string
	}{
		{true, 1, "igmp-old-querier", "239.255.3.1", "10.1.0.1@232.3.3.3"},
		{true, 2, "igmp-old-querier", "239.255.3.1", "10.1.0.1@232.3.3.3"},
		{false, 1, "mld-old-querier", "ff15::3:1", "fd00:1::1@ff35::3:3"},
	} {
		t.Run(fmt.Sprintf("%s %d", tt.code, tt.version), func(t *testing.T) {
			a, b := pair(t)
			a.query(t, "va", tt.is4, tt.version)
			found := b.diagnose(t, DiagnoseConfig{Channel: channel(t, tt.any), Interface: "vb", Wait: short})
			found.want(t, tt.code+":warning", "querier:info")
			if m := found.message(tt.code); !strings.Contains(m, fmt.Sprintf("v%d", tt.version)) {
				t.Error(m)
			}
			found = b.diagnose(t, DiagnoseConfig{Channel: channel(t, tt.ssm), Interface: "vb", Wait: short})
			found.want(t, tt.code+":problem", "querier:info")
		})
	}
}

func TestDiagnoseForcedVersion(t *testing.T) {
	t.Parallel()
	_, b := pair(t)
	b.sysctl(t, "net.ipv4.conf.vb.force_igmp_version", 2)
	b.sysctl(t, "net.ipv6.conf.vb.force_mld_version", 1)
	b.diagnose(t, DiagnoseConfig{Interface: "vb"}).want(t, "igmp-forced:warning", "mld-forced:warning", "-igmp-old-querier", "-igmp-version")
	b.diagnose(t, DiagnoseConfig{Interface: "vb", Channel: channel(t, "10.1.0.1@232.3.3.3")}).want(t, "igmp-forced:problem", "-mld-forced")
	b.diagnose(t, DiagnoseConfig{Interface: "vb", Channel: channel(t, "ff15::1"), Wait: short}).want(t, "mld-forced:warning", "-mld-old-querier")
}

func TestDiagnoseInterface(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	ch := channel(t, "239.255.3.1")
	b.ip(t, "link set vb multicast off")
	b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "vb", Port: 5004, Wait: short}).want(t, "no-multicast-flag:problem", "interface:info", "-join-failed", "-no-route", "-no-traffic")
	b.diagnose(t, DiagnoseConfig{}).want(t, "no-interface:problem")
	b.ip(t, "link set vb multicast on")

	b.ip(t, "addr flush dev vb")
	b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "vb"}).want(t, "no-address:warning", "-send-address", "-no-multicast-flag")
	b.diagnose(t, DiagnoseConfig{Interface: "vb"}).want(t, "no-address:warning", "-no-route")
	b.diagnose(t, DiagnoseConfig{Channel: ch}).want(t, "no-route:problem", "interface:info")

	a.ip(t, "link set va down")
	for range 300 { // the kernel takes its time to notice
		if b.diagnose(t, DiagnoseConfig{Interface: "vb"}).message("no-carrier") != "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.diagnose(t, DiagnoseConfig{Interface: "vb"}).want(t, "no-carrier:problem", "-interface", "-interface-down")
	b.ip(t, "link set vb down")
	b.diagnose(t, DiagnoseConfig{Interface: "vb"}).want(t, "interface-down:problem", "-interface", "-no-carrier")
	b.diagnose(t, DiagnoseConfig{Channel: channel(t, "ff15::1")}).want(t, "no-route:problem", "no-interface:problem")

	// lo does IPv4 within the host, and IPv6 only with a route of its own.
	b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "lo"}).want(t, "loopback:info", "send-address:info", "-no-route", "-no-multicast-flag")
	b.diagnose(t, DiagnoseConfig{Channel: channel(t, "ff15::1"), Interface: "lo"}).want(t, "no-route:problem")
	b.diagnose(t, DiagnoseConfig{Channel: channel(t, "::2@ff35::1"), Interface: "lo"}).want(t, "no-route:warning")
	b.ip(t, "-6 route add local ff00::/8 dev lo table local")
	b.diagnose(t, DiagnoseConfig{Channel: channel(t, "ff15::1"), Interface: "lo"}).want(t, "send-address:info", "-no-route")
}

// A program that names no interface may use another than the one looked at.
func TestDiagnoseRouteElsewhere(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	link(t, a, b, "va2", "vb2", 2)
	b.ip(t, "route add 224.0.0.0/4 dev vb2")
	b.diagnose(t, DiagnoseConfig{Channel: channel(t, "239.255.3.1"), Interface: "vb"}).want(t, "route-elsewhere:info", "send-address:info")
	b.diagnose(t, DiagnoseConfig{Channel: channel(t, "239.255.3.1"), Interface: "vb2"}).want(t, "-route-elsewhere")
}

func TestDiagnoseReversePath(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	a.ip(t, "addr add 203.0.113.9/32 dev va")
	near := channel(t, "10.1.0.1@232.3.3.3")
	far := channel(t, "203.0.113.9@232.3.3.3")
	c := a.conn(t, Dial, "232.3.3.3:5004", Interface("va"))
	every(t, func() {
		c.WriteBatch([]datagram.Packet{{Data: []byte("x"), Src: netip.MustParseAddrPort("203.0.113.9:0")}})
	})
	look := func(ch group.Channel, wait time.Duration) findings {
		return b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "vb", Port: 5004, Wait: wait})
	}
	b.sysctl(t, "net.ipv4.conf.all.rp_filter", 0)
	look(far, short).want(t, "rp-filter:info", "traffic:info", "-rp-filter-drops")
	b.sysctl(t, "net.ipv4.conf.vb.rp_filter", 2) // loose, but there is no route at all
	look(far, -1).want(t, "rp-filter-drops:problem")
	b.ip(t, "route add 203.0.113.0/24 dev lo")
	look(far, short).want(t, "rp-filter:info", "traffic:info", "-rp-filter-drops")
	b.sysctl(t, "net.ipv4.conf.all.rp_filter", 1) // but the larger one counts, and that is loose
	look(far, -1).want(t, "-rp-filter-drops")
	b.sysctl(t, "net.ipv4.conf.vb.rp_filter", 0)
	look(near, -1).want(t, "rp-filter:info", "-rp-filter-drops")
	found := look(far, short)
	found.want(t, "rp-filter-drops:problem", "-traffic", "-blocked", "-no-traffic")
	if m := found.message("rp-filter-drops"); !strings.Contains(m, "leads to lo") {
		t.Error(m)
	}
	// Any source: it is the packets on the wire that tell.
	found = look(group.Channel{Group: far.Group}, short)
	found.want(t, "rp-filter:info", "rp-filter-drops:problem", "-traffic", "-blocked")
	// No channel at all: the counter tells.
	b.conn(t, Listen, "232.3.3.3:5004", Interface("vb"), AllowAnySourceInSSM())
	b.diagnose(t, DiagnoseConfig{Interface: "vb", Wait: short}).want(t, "rp-filter-drops:warning")
}

// Packets are on the wire, yet no socket gets them.
func TestDiagnoseBlocked(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft")
	}
	a, b := pair(t)
	for _, f := range families[:2] {
		a.stream(t, f.group+":5004", Interface("va"))
	}
	look := func(port uint16, code string) {
		t.Helper()
		for _, f := range families[:2] {
			found := b.diagnose(t, DiagnoseConfig{Channel: channel(t, strings.Trim(f.group, "[]")), Interface: "vb", Port: port, Wait: short})
			found.want(t, code, "-no-traffic")
		}
	}
	look(5004, "-blocked")
	b.run(t, "nft", "add table inet fw; add chain inet fw in { type filter hook input priority 0; }; add rule inet fw in udp dport 5004 drop")
	look(5004, "blocked:problem")
	look(0, "blocked:problem")
}

func TestDiagnoseDrops(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	for _, f := range families[:2] {
		// Nobody reads from it.
		b.conn(t, Listen, f.group+":5004", Interface("vb"), ReadBuffer(2304))
		s := a.conn(t, Dial, f.group+":5004", Interface("va"))
		for range 50 {
			send(t, s, text("x"))
		}
		ch := channel(t, strings.Trim(f.group, "[]"))
		found := b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "vb", Port: 5004, Wait: 50 * time.Millisecond})
		found.want(t, "socket-drops:warning", "-udp-drops")
		if m := found.message("socket-drops"); !strings.Contains(m, "none of them now") {
			t.Error(m)
		}
		b.diagnose(t, DiagnoseConfig{Channel: ch, Interface: "vb", Port: 5005, Wait: 50 * time.Millisecond}).want(t, "-socket-drops")
		every(t, func() { s.WriteBatch([]datagram.Packet{text("x")}) })
		found = b.diagnose(t, DiagnoseConfig{Interface: "vb", Wait: short})
		found.want(t, "socket-drops:warning", "udp-drops:warning")
	}
}

func TestDiagnoseLimits(t *testing.T) {
	t.Parallel()
	_, b := pair(t)
	b.sysctl(t, "net.ipv4.igmp_max_memberships", 0)
	found := b.diagnose(t, DiagnoseConfig{Channel: channel(t, "239.255.3.1"), Interface: "vb", Port: 5004, Wait: short})
	found.want(t, "low-limit:warning", "join-failed:problem", "-no-traffic")
	b.sysctl(t, "net.ipv4.igmp_max_memberships", 20)
	found = b.diagnose(t, DiagnoseConfig{Channel: channel(t, "239.255.3.1"), Interface: "vb", Port: 5004, Wait: short})
	found.want(t, "limits:info", "-low-limit", "-join-failed")
	if m := found.message("limits"); !strings.Contains(m, "20 IPv4 groups") {
		t.Error(m)
	}
}

func TestDiagnoseBridge(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	bridge(t, a)
	for _, dev := range []string{"br0", "va"} {
		a.ip(t, "link set br0 type bridge mcast_snooping 1 mcast_querier 0")
		a.diagnose(t, DiagnoseConfig{Interface: dev, Wait: 50 * time.Millisecond}).want(t, "bridge-no-querier:warning", "-querier")
		a.ip(t, "link set br0 type bridge mcast_snooping 0")
		a.diagnose(t, DiagnoseConfig{Interface: dev, Wait: 50 * time.Millisecond}).want(t, "bridge:info", "-bridge-no-querier")
	}
	// A querier that the bridge heard of before.
	a.ip(t, "link set br0 type bridge mcast_snooping 1")
	b.query(t, "vb", true, 2)
	b.query(t, "vb", false, 2)
	time.Sleep(100 * time.Millisecond)
	found := a.diagnose(t, DiagnoseConfig{Interface: "br0", Wait: 10 * time.Millisecond})
	found.want(t, "querier:info", "-bridge-no-querier")
}

// A querier that was silent asks when a group is left.
func TestDiagnoseAsksQuerier(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	bridge(t, a)
	a.ip(t, "link set br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_query_use_ifaddr 1")
	a.diagnose(t, DiagnoseConfig{Interface: "br0", Wait: short}).want(t, "querier:info", "-bridge-no-querier")
	time.Sleep(500 * time.Millisecond) // its first queries are over
	a.ip(t, "link set br0 type bridge mcast_igmp_version 3 mcast_mld_version 2")
	for _, g := range []string{"239.255.3.1", "ff15::3:1", "10.1.0.1@232.3.3.3", "fd00:1::1@ff35::3:3"} {
		found := b.diagnose(t, DiagnoseConfig{Channel: channel(t, g), Interface: "vb", Port: 5004, Wait: quick})
		found.want(t, "querier:info", "-no-querier")
	}
}

// What is tagged belongs to another interface.
func TestDiagnoseVLAN(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	frame := []byte{0x01, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 7, 0x81, 0, 0, 7, 0x08, 0}
	frame = append(frame, igmpPacket(igmp.TypeQuery, 100)...)
	a.frames(t, "va", frame)
	b.diagnose(t, DiagnoseConfig{Interface: "vb", Wait: short}).want(t, "-querier", "querier-not-heard:info", "igmp-version:info", "-igmp-old-querier")
	a.frames(t, "va", append(frame[:12:12], frame[16:]...))
	b.diagnose(t, DiagnoseConfig{Interface: "vb", Wait: short}).want(t, "querier:info")
}

// Without the right to listen on the wire Diagnose says what it cannot know.
func TestDiagnoseUnprivileged(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	a.stream(t, "239.255.3.1:5004", Interface("va"))
	look := func(port uint16) (found findings) {
		b.do(t, func() {
			// Of this thread only, which ends with the function.
			var data [2]unix.CapUserData
			if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
				t.Error(err)
				return
			}
			var err error
			if found, err = DiagnoseWith(context.Background(), DiagnoseConfig{Channel: channel(t, "239.255.3.1"), Interface: "vb", Port: port, Wait: short}); err != nil {
				t.Error(err)
			}
		})
		return found
	}
	look(5004).want(t, "not-checked:info", "traffic:info", "send-address:info", "-no-route", "-join-failed", "-no-querier", "-querier-not-heard")
	look(5005).want(t, "not-checked:info", "no-traffic:warning", "-blocked")
}
