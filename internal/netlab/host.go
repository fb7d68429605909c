//go:build linux

package netlab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A Host is a network namespace with one interface, [Device].
type Host struct {
	Name       string // "snd", "r1", "r2", ...
	IPv4, IPv6 netip.Addr

	ns       string
	counters []*os.File // in the order of counterFiles
}

// Command returns a command that will run in the host's namespace. What still runs
// when the lab is closed is killed.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return h.CommandContext(context.Background(), name, args...)
}

// CommandContext is Command, killed also when ctx ends.
func (h *Host) CommandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.ns, name}, args...)...)
}

// Do runs f in the host's namespace. Sockets opened in f stay in the namespace;
// goroutines started in f are not in it.
func (h *Host) Do(f func() error) error {
	errs := make(chan error, 1)
	go func() {
		// The thread is never unlocked, so that it ends with the goroutine
		// and no other finds itself in the namespace.
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot end: it must stay what it is.
			defer runtime.UnlockOSThread()
			errs <- h.Do(f)
			return
		}
		err := h.enter()
		defer func() { errs <- err }() // also when f ends the goroutine
		if err == nil {
			err = f()
		}
	}()
	return <-errs
}

func (h *Host) enter() error {
	f, err := os.Open(filepath.Join("/run/netns", h.ns))
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
}

// Lose makes the host lose a percentage of the IPv4 and IPv6 packets that come to
// it, in steps of a tenth. Those that the network itself is made of are spared: ARP,
// IGMP, ICMPv6 and with it MLD.
func (h *Host) Lose(percent float64) error {
	return h.lose(lossChain("in", "ingress", Device, percent))
}

// lossChain is a chain of rules that lose a percentage of what passes a device.
func lossChain(name, hook, device string, percent float64) string {
	if percent == 0 {
		return ""
	}
	return fmt.Sprintf(`	chain %s {
		type filter hook %s device "%s" priority 0;
		ip protocol igmp accept
		meta protocol ip6 meta l4proto ipv6-icmp accept
		meta protocol { ip, ip6 } numgen random mod 1000 < %.0f drop
	}
`, name, hook, device, percent*10)
}

// lose replaces the rules by which packets get lost in the namespace.
func (h *Host) lose(chains ...string) error {
	cmd := h.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("add table netdev loss\ndelete table netdev loss\n" +
		"table netdev loss {\n" + strings.Join(chains, "") + "}\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("netlab: nft: %w: %s", err, out)
	}
	return nil
}

// ip runs lines of ip commands in the namespace, all at once.
func (h *Host) ip(lines ...string) error {
	cmd := exec.Command("ip", "-n", h.ns, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("netlab: %s: ip: %w: %s", h.Name, err, out)
	}
	return nil
}

// run runs a program in the namespace and waits for it.
func (h *Host) run(name string, args ...string) error {
	if out, err := h.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("netlab: %s: %s %s: %w: %s", h.Name, name, strings.Join(args, " "), err, out)
	}
	return nil
}
