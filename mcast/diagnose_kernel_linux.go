package mcast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// The kernel's settings: filters, versions, limits, buffers.

// checkReversePath looks at rp_filter, which silently drops what comes from a
// source that is not routed back the same way (RFC 3704 section 2). There is none
// for IPv6.
func (s *diagnoseSystem) checkReversePath(ifi *net.Interface) {
	d := s.d
	if !d.wants(true) || ifi.Flags&net.FlagLoopback != 0 {
		return
	}
	mode, ok := sysctlMax("ipv4", ifi.Name, "rp_filter")
	if !ok {
		d.add("not-checked", Info, ifi.Name, "reverse-path filtering is not checked, because /proc/sys cannot be read", "")
		return
	}
	s.strict[ifi.Name] = mode
	if d.hasChannel() && !d.ch.AnySource() && mode != 0 {
		if why := s.reversePath(ifi, d.ch.Source); why != "" {
			d.add("rp-filter-drops", Problem, ifi.Name, why+", so reverse-path filtering (rp_filter "+fmt.Sprint(mode)+") drops its packets silently", remedyRPF(ifi.Name, d.ch.Source))
			return
		}
		d.add("rp-filter", Info, ifi.Name, fmt.Sprintf("the route to %s leads to %s, as reverse-path filtering (rp_filter %d) wants", d.ch.Source, ifi.Name, mode), "")
		return
	}
	switch mode {
	case 1:
		d.add("rp-filter", Info, ifi.Name, "reverse-path filtering is strict (rp_filter 1): packets are dropped silently unless the route to their source leads to "+ifi.Name, "")
	case 2:
		d.add("rp-filter", Info, ifi.Name, "reverse-path filtering is loose (rp_filter 2): packets are dropped silently only when there is no route to their source", "")
	default:
		d.add("rp-filter", Info, ifi.Name, "reverse-path filtering is off (rp_filter 0)", "")
	}
}

func remedyRPF(iface string, source netip.Addr) string {
	return fmt.Sprintf("add a route to the source (ip route add %s dev %s), or relax the filter (sysctl net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.%s.rp_filter=0)", source, iface, iface)
}

// reversePath says why rp_filter drops packets of a source, "" when it does not. It
// knows rp_filter of the interface from checkReversePath.
func (s *diagnoseSystem) reversePath(ifi *net.Interface, source netip.Addr) string {
	if !source.Is4() || source.IsUnspecified() {
		return ""
	}
	mode := s.strict[ifi.Name]
	out, err := routeOf(source)
	switch {
	case mode == 0:
		return ""
	case errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH):
		return "there is no route to " + source.String()
	case err != nil || out == 0 || out == ifi.Index || mode == 2:
		return ""
	}
	to := fmt.Sprintf("interface %d", out)
	if o, err := net.InterfaceByIndex(out); err == nil {
		to = o.Name
	}
	return "the route to " + source.String() + " leads to " + to + " and not to " + ifi.Name
}

// checkVersions tells which IGMP the kernel speaks. An old querier, heard in the
// last minutes, holds it to its version (RFC 3376 section 7.2.1); what version of
// MLD it is in the kernel does not tell, see noteReport.
func (s *diagnoseSystem) checkVersions(ifi *net.Interface) {
	d := s.d
	if ifi.Flags&net.FlagLoopback != 0 {
		return
	}
	dev, ok := s.igmp[ifi.Name]
	if d.wants(true) && ok {
		forced, _ := sysctlMax("ipv4", ifi.Name, "force_igmp_version")
		switch {
		case forced == 1 || forced == 2:
			d.add("igmp-forced", s.oldSeverity(), ifi.Name, fmt.Sprintf("the kernel is told to speak IGMPv%d, which cannot name sources", forced), "let it choose (sysctl net.ipv4.conf.all.force_igmp_version=0 net.ipv4.conf."+ifi.Name+".force_igmp_version=0)")
		case dev.version < 3:
			d.add("igmp-old-querier", s.oldSeverity(), ifi.Name, fmt.Sprintf("the kernel speaks IGMPv%d because a querier of that version was heard: joins name no source, so source-specific multicast does not pass routers and switches", dev.version), "set the querier, a router or switch, to IGMPv3, or find out who sends such queries")
		default:
			d.add("igmp-version", Info, ifi.Name, fmt.Sprintf("the kernel speaks IGMPv3; %s joined here", plural(dev.groups, "group is", "groups are")), "")
		}
	}
	if dev, ok := s.igmp6[ifi.Name]; d.wants(false) && ok {
		if s.forcedMLD(ifi.Name) {
			d.add("mld-forced", s.oldSeverity(), ifi.Name, "the kernel is told to speak MLDv1, which cannot name sources", "let it choose (sysctl net.ipv6.conf.all.force_mld_version=0 net.ipv6.conf."+ifi.Name+".force_mld_version=0)")
		} else {
			d.add("mld-version", Info, ifi.Name, fmt.Sprintf("the kernel speaks MLDv2 unless an older querier is heard; %s joined here", plural(dev.groups, "IPv6 group is", "IPv6 groups are")), "")
		}
	}
}

// forcedMLD reports whether MLDv1 is set; unlike elsewhere the setting for all
// interfaces wins.
func (s *diagnoseSystem) forcedMLD(iface string) bool {
	forced, _ := sysctl("ipv6/conf/all/force_mld_version")
	if forced == 0 {
		forced, _ = sysctl("ipv6/conf/" + iface + "/force_mld_version")
	}
	return forced == 1
}

// oldSeverity is how bad it is that joins name no source.
func (s *diagnoseSystem) oldSeverity() Severity {
	if d := s.d; d.hasChannel() && (!d.ch.AnySource() || group.IsSSM(d.ch.Group)) {
		return Problem
	}
	return Warning
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// A kernelLimit is a setting of the kernel that bounds what a socket can join.
type kernelLimit struct {
	name   string // below net, with slashes
	is4    bool
	normal int
	text   string
}

var kernelLimits = []kernelLimit{
	{"ipv4/igmp_max_memberships", true, 20, "IPv4 groups on one socket"},
	{"ipv4/igmp_max_msf", true, 10, "sources of one IPv4 group"},
	{"ipv6/mld_max_msf", false, 64, "sources of one IPv6 group"},
	{"core/optmem_max", false, 20480, "bytes of memory for one socket's IPv6 groups"},
}

func (s *diagnoseSystem) checkLimits() {
	limitFindings(s.d, sysctl)
}

// limitFindings judges the limits that get knows.
func limitFindings(d *diagnosis, get func(string) (int, bool)) {
	var texts []string
	for _, l := range kernelLimits {
		n, ok := get(l.name)
		if !ok || !d.wants(l.is4) {
			continue
		}
		name := "net." + strings.ReplaceAll(l.name, "/", ".")
		if n < l.normal {
			d.add("low-limit", Warning, "", fmt.Sprintf("the kernel allows only %d %s (%s), less than the usual %d", n, l.text, name, l.normal), fmt.Sprintf("raise it (sysctl %s=%d)", name, l.normal))
			continue
		}
		texts = append(texts, fmt.Sprintf("%d %s (%s)", n, l.text, name))
	}
	if len(texts) > 0 {
		d.add("limits", Info, "", "the kernel allows "+strings.Join(texts, ", "), "")
	}
}

// checkBuffer asks for the receive buffer that Open asks for.
func (s *diagnoseSystem) checkBuffer() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	o := options{fd: fd}
	o.buffer(unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, defaultReadBuffer)
	got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if o.err == nil && err == nil {
		most, _ := sysctl("core/rmem_max")
		bufferFinding(s.d, got/2, most)
	}
}

// bufferFinding judges what the kernel gave of defaultReadBuffer, in bytes; most is
// net.core.rmem_max, 0 when not known.
func bufferFinding(d *diagnosis, got, most int) {
	if got < defaultReadBuffer {
		d.add("buffer-clamped", Warning, "", fmt.Sprintf("sockets get a receive buffer of %d KiB instead of %d KiB: bursts overflow it", got>>10, defaultReadBuffer>>10),
			fmt.Sprintf("allow more (sysctl net.core.rmem_max=%d), or give the program CAP_NET_ADMIN", defaultReadBuffer))
		return
	}
	text := fmt.Sprintf("sockets get the receive buffer they ask for, %d KiB", defaultReadBuffer>>10)
	if most > 0 && most < defaultReadBuffer {
		text += fmt.Sprintf(", by privilege: without CAP_NET_ADMIN it would be %d KiB (net.core.rmem_max)", most>>10)
	}
	d.add("buffer", Info, "", text, "")
}

// checkKernelOffload tells whether the kernel moves several datagrams at once.
func (s *diagnoseSystem) checkKernelOffload() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	send, receive := probeOffload(fd, offloadOn)
	major, minor, patch := kernelVersion()
	offloadFinding(s.d, send, receive, major, minor, patch)
}

func offloadFinding(d *diagnosis, send, receive bool, major, minor, patch int) {
	switch {
	case send && corruptsSegments(major, minor, patch):
		d.add("offload-corrupts", Warning, "", fmt.Sprintf("Linux %d.%d.%d damages packets sent with segmentation offload on some network cards, so mcast does not use it", major, minor, patch),
			"update the kernel to 7.1.5 or later")
	case send && receive:
		d.add("offload", Info, "", "the kernel segments (UDP_SEGMENT) and coalesces (UDP_GRO) datagrams", "")
	default:
		d.add("no-offload", Info, "", fmt.Sprintf("the kernel lacks some offload (segmenting: %t, coalescing: %t): packets cost more time", send, receive), "a kernel from 5.12 on has both")
	}
}
