//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Device is the network interface of every host.
const Device = "d0"

// A Config describes a lab. The zero value is one sender and one receiver, nothing
// lost.
type Config struct {
	Receivers int     // default 1
	Loss      float64 // percent, independently at each receiver
	Back      float64 // percent of what comes back to the sender

	// NoSnooping floods groups to all receivers. Default: the bridge snoops on
	// IGMP and MLD, and is the querier.
	NoSnooping bool

	// Direct joins the sender and its one receiver by a single link, without the
	// bridge.
	Direct bool

	// Offload leaves segmentation offload on: a run of datagrams sent as one
	// then crosses the lab, and is lost, as one packet of up to 64 KB. Default
	// off: every hop sees packets of MTU size.
	Offload bool

	// GRO has the receivers' devices gather what comes to them, as the drivers of
	// network cards do unless told not to (generic receive offload; of UDP only for
	// sockets that ask for it). Default off, as it is of veth. What a receiver loses is
	// taken before that, on the bridge. Not with Direct.
	GRO bool

	// Rate limits each receiver's link in bits per second. Default: no limit.
	Rate int64
}

// A Lab is a running network.
type Lab struct {
	Sender    *Host
	Receivers []*Host

	bridge *Host
	hosts  []*Host
	gro    bool // receivers' devices gather: what they lose is taken on the bridge
}

// prefix begins the name of every namespace; the process ID comes next.
const prefix = "netlab-"

var made atomic.Uint32

// Missing says why there can be no lab here, nil if there can.
func Missing() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	for _, name := range []string{"ip", "nft", "ethtool", "tc"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("no %s here (packages iproute2, nftables, ethtool)", name)
		}
	}
	return nil
}

// New builds a lab that lasts as long as the test. Where there can be none the test
// is skipped with the reason, or fails if the environment has MULTICAST_LAB=required.
func New(t testing.TB, cfg Config) *Lab {
	t.Helper()
	if err := Missing(); err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatalf("MULTICAST_LAB=required, but: %v", err)
		}
		t.Skip(err)
	}
	l, err := Build(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Build builds a lab; Close removes it.
func Build(cfg Config) (*Lab, error) {
	sweep()
	l := &Lab{gro: cfg.GRO}
	if err := l.build(cfg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) build(cfg Config) (err error) {
	id := fmt.Sprintf("%s%d-%d-", prefix, os.Getpid(), made.Add(1))
	if cfg.Direct {
		return l.buildDirect(id, cfg)
	}
	if l.bridge, err = l.add(id, "br"); err != nil {
		return err
	}
	bridge := []string{"link set lo up", "link add br0 type bridge mcast_snooping 0"}
	if !cfg.NoSnooping {
		// The kernel's default is IGMPv2 and MLDv1; before such a querier
		// source-specific joins get lost. A querier begins to filter one
		// response interval (here 0.1 s) after it was switched on.
		bridge = []string{"link set lo up", "link add br0 type bridge mcast_snooping 1 mcast_igmp_version 3 mcast_mld_version 2" +
			" mcast_query_response_interval 10 mcast_startup_query_interval 100 mcast_query_use_ifaddr 1",
			"link set br0 type bridge mcast_querier 1"}
	}
	if err := l.bridge.ip(append(bridge, "addr add 10.77.0.254/24 dev br0", "link set br0 up")...); err != nil {
		return err
	}
	if l.Sender, err = l.add(id, "snd"); err == nil {
		err = l.plug(l.Sender, 1, cfg)
	}
	for i := 1; i <= max(cfg.Receivers, 1) && err == nil; i++ {
		var h *Host
		if h, err = l.add(id, fmt.Sprintf("r%d", i)); err == nil {
			l.Receivers = append(l.Receivers, h)
			err = l.plug(h, 10+i, cfg)
		}
	}
	if err == nil {
		err = l.Lose(cfg.Loss)
	}
	if err == nil {
		err = l.Sender.Lose(cfg.Back)
	}
	if err == nil {
		err = l.awaitCarrier(l.hosts[1:])
	}
	return err
}

// buildDirect builds the lab that has no bridge.
func (l *Lab) buildDirect(id string, cfg Config) (err error) {
	if l.Sender, err = l.add(id, "snd"); err != nil {
		return err
	}
	r, err := l.add(id, "r1")
	if err != nil {
		return err
	}
	l.Receivers = []*Host{r}
	if err := l.Sender.ip("link add " + Device + " mtu 1500 type veth peer name " + Device + " mtu 1500 netns " + r.ns); err != nil {
		return err
	}
	if err := errors.Join(l.Sender.configure(1, cfg), r.configure(11, cfg)); err != nil {
		return err
	}
	if err := errors.Join(l.Sender.Lose(cfg.Back), r.Lose(cfg.Loss)); err != nil {
		return err
	}
	return l.awaitCarrier(l.hosts)
}

// add makes a host without a link.
func (l *Lab) add(id, role string) (*Host, error) {
	h := &Host{Name: role, ns: id + role}
	if err := command("ip", "netns", "add", h.ns); err != nil {
		return nil, err
	}
	l.hosts = append(l.hosts, h)
	return h, h.start()
}

// plug connects a host to the bridge, as number in the networks.
func (l *Lab) plug(h *Host, number int, cfg Config) error {
	port := h.Name + "p"
	if err := l.bridge.ip("link add "+port+" mtu 1500 type veth peer name "+Device+" mtu 1500 netns "+h.ns,
		"link set "+port+" master br0 up"); err != nil {
		return err
	}
	if err := h.configure(number, cfg); err != nil {
		return err
	}
	if !cfg.Offload {
		if err := l.bridge.noOffload(port); err != nil {
			return err
		}
	}
	if cfg.GRO && h != l.Sender {
		if err := h.run("ethtool", "-K", Device, "gro", "on"); err != nil {
			return err
		}
	}
	if cfg.Rate > 0 && h != l.Sender {
		return l.bridge.run("tc", "qdisc", "add", "dev", port, "root", "tbf", "rate", strconv.FormatInt(cfg.Rate, 10)+"bit", "burst", "256k", "limit", "1m")
	}
	return nil
}

// configure gives a host that has a link its addresses and routes.
func (h *Host) configure(number int, cfg Config) error {
	h.IPv4 = netip.AddrFrom4([4]byte{10, 77, 0, byte(number)})
	h.IPv6 = netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 15: byte(number)})
	if err := h.ip("link set lo up",
		fmt.Sprintf("addr add %v/24 brd 10.77.0.255 dev %s", h.IPv4, Device),
		fmt.Sprintf("addr add %v/64 dev %s nodad", h.IPv6, Device),
		"link set "+Device+" up",
		"route add 224.0.0.0/4 dev "+Device,
		"route add 255.255.255.255/32 dev "+Device, // some find each other by broadcast
		"route add multicast ff00::/8 dev "+Device); err != nil || cfg.Offload {
		return err
	}
	return h.noOffload(Device)
}

// Lose makes each receiver lose a percentage, as [Host.Lose] does.
func (l *Lab) Lose(percent float64) (err error) {
	if !l.gro {
		for _, h := range l.Receivers {
			err = errors.Join(err, h.Lose(percent))
		}
		return err
	}
	chains := make([]string, len(l.Receivers))
	for i, h := range l.Receivers {
		chains[i] = lossChain(h.Name, "egress", h.Name+"p", percent)
	}
	return l.bridge.lose(chains...)
}

// noOffload makes a device pass on packets of MTU size only.
func (h *Host) noOffload(dev string) error {
	return h.run("ethtool", "-K", dev, "tso", "off", "gso", "off", "gro", "off", "tx-udp-segmentation", "off")
}

// awaitCarrier waits until hosts have a link, and with it IPv6.
func (l *Lab) awaitCarrier(hosts []*Host) error {
	for _, h := range hosts {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			out, err := exec.Command("ip", "-n", h.ns, "-6", "route", "show", "table", "all", "dev", Device).Output()
			if err == nil && strings.Contains(string(out), "ff00::/8") && strings.Contains(string(out), h.IPv6.String()) {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("netlab: %s: the link does not come up (%v)", h.Name, err)
			}
		}
	}
	return nil
}

// Close ends what still runs in the lab and removes it.
func (l *Lab) Close() error {
	var errs []error
	for _, h := range l.hosts {
		h.stop()
		errs = append(errs, remove(h.ns))
	}
	l.hosts = nil
	return errors.Join(errs...)
}

// remove kills what runs in a namespace and deletes it.
func remove(ns string) error {
	pids, _ := exec.Command("ip", "netns", "pids", ns).Output()
	for _, s := range strings.Fields(string(pids)) {
		if pid, err := strconv.Atoi(s); err == nil && pid != os.Getpid() {
			if p, err := os.FindProcess(pid); err == nil {
				p.Kill()
			}
		}
	}
	return command("ip", "netns", "del", ns)
}

// sweep removes the labs of processes that ended without doing so.
func sweep() {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, prefix)
		pid, _, _ := strings.Cut(rest, "-")
		if !ours {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			remove(name)
		}
	}
}

func command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("netlab: %s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
