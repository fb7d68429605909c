package mcast

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// judgeTraffic compares what crossed the wire with what reached a socket.
func (s *diagnoseSystem) judgeTraffic(ifi *net.Interface, listened time.Duration) {
	d, t := s.d, &s.traffic
	if !s.joined() {
		return // join-failed or no-multicast-flag says why
	}
	var got int64
	var first netip.AddrPort
	for _, e := range t.ears {
		if n := e.heard(); n > 0 {
			got, first, t.port = got+n, e.from, e.conn.Group().Port()
		}
	}
	what := fmt.Sprintf("%s port %d", d.ch, t.port)
	if t.port == 0 {
		what = d.ch.String()
	}
	within := listened.Round(100 * time.Millisecond)
	switch {
	case got > 0:
		d.add("traffic", Info, ifi.Name, fmt.Sprintf("%s of %s arrived within %v, the first from %s", plural(int(got), "packet", "packets"), what, within, first.Addr()), "")
	case t.wire > 0:
		s.judgeSilence(ifi, what)
		return
	case t.others != 0 && d.port != 0:
		d.add("other-port", Warning, ifi.Name, fmt.Sprintf("packets to %s go to port %d, not to %d", d.ch.Group, t.others, d.port), "use the port that the sender uses")
	case t.port != 0 && d.port == 0:
		d.add("traffic", Info, ifi.Name, "a single packet of "+what+" was seen, too few to tell whether sockets get them", "listen longer, or give the port")
	case !s.tapped && d.port == 0:
		d.add("not-checked", Info, ifi.Name, "whether packets of "+what+" arrive is not known without a port", "give the port")
	case t.own > 0:
		d.add("no-traffic", Warning, ifi.Name, fmt.Sprintf("only this host sends to %s: nothing arrived from others within %v, and its own packets are not looped back", what, within), remedyNoTraffic)
	case !s.tapped:
		d.add("no-traffic", Warning, ifi.Name, fmt.Sprintf("no packet of %s reached a socket within %v", what, within), remedyNoTraffic+"; and look at this host's firewall")
	default:
		d.add("no-traffic", Warning, ifi.Name, fmt.Sprintf("no packet of %s arrived within %v", what, within), remedyNoTraffic)
	}
}

// judgeSilence finds out why packets that are on the wire reach no socket.
func (s *diagnoseSystem) judgeSilence(ifi *net.Interface, what string) {
	d, t := s.d, &s.traffic
	var from []string
	for a := range t.sources {
		from = append(from, a.String())
	}
	slices.Sort(from)
	all := strings.Join(from, ", ")
	if _, ok := t.sources[d.ch.Source]; !d.ch.AnySource() && !ok {
		d.add("other-source", Problem, ifi.Name, fmt.Sprintf("packets to %s come from %s, not from %s", d.ch.Group, all, d.ch.Source), "name the sender that there is, or check that the one wanted sends")
		return
	}
	told, passes := s.told("rp-filter-drops", ifi.Name), false
	for a := range t.sources {
		if !d.ch.AnySource() && a != d.ch.Source {
			continue
		}
		why := s.reversePath(ifi, a)
		passes = passes || why == ""
		if why != "" && !told {
			told = true
			d.add("rp-filter-drops", Problem, ifi.Name, why+", so reverse-path filtering drops its packets: they are on the wire, but none reached a socket", remedyRPF(ifi.Name, a))
		}
	}
	if passes {
		d.add("blocked", Problem, ifi.Name, fmt.Sprintf("%s of %s from %s came in on the wire, but none reached a socket: it looks like a firewall on this host", plural(int(t.wire), "packet", "packets"), what, all),
			fmt.Sprintf("look at the input rules (nft list ruleset, iptables -L -v) and accept UDP port %d to %s", t.port, d.ch.Group))
	}
}

func (s *diagnoseSystem) told(code, iface string) bool {
	return slices.ContainsFunc(s.d.found, func(f Finding) bool { return f.Code == code && f.Interface == iface })
}

// judgeCounts compares the kernel's counters before and after listening. They are
// for the host or the interface as a whole.
func (s *diagnoseSystem) judgeCounts(now kernelCounts, listened time.Duration) {
	d := s.d
	within := listened.Round(100 * time.Millisecond).String()
	grown := func(key string) uint64 { return now.snmp[key] - min(s.before.snmp[key], now.snmp[key]) }

	if n := grown("TcpExt.IPReversePathFilter"); n > 0 && d.wants(true) && !slices.ContainsFunc(d.found, func(f Finding) bool { return f.Code == "rp-filter-drops" }) {
		d.add("rp-filter-drops", Warning, "", fmt.Sprintf("reverse-path filtering dropped %s within %s, of any kind and on any interface", plural(int(n), "packet", "packets"), within),
			"find out whose they are (sysctl net.ipv4.conf.all.log_martians=1, then dmesg), and route their sources to where they come from or relax net.ipv4.conf.*.rp_filter")
	}
	for _, v := range []struct {
		is4          bool
		name, prefix string
	}{{true, "UDP over IPv4", "Udp."}, {false, "UDP over IPv6", "Udp6"}} {
		if !d.wants(v.is4) {
			continue
		}
		full, sums := grown(v.prefix+"RcvbufErrors"), grown(v.prefix+"InCsumErrors")
		if full > 0 {
			d.add("udp-drops", Warning, "", fmt.Sprintf("%s dropped %s within %s because a socket's receive buffer was full", v.name, plural(int(full), "packet", "packets"), within), "let the program read faster or ask for a larger buffer (mcast.ReadBuffer)")
		}
		if sums > 0 {
			d.add("udp-checksums", Warning, "", fmt.Sprintf("%s dropped %s within %s because the checksum was wrong", v.name, plural(int(sums), "packet", "packets"), within), "suspect the sender's checksum offload (ethtool -K eth0 tx off there), or a device between")
		}
		if full+sums == 0 {
			d.add("udp-counters", Info, "", fmt.Sprintf("%s dropped nothing within %s; since the start %d packets for full buffers, %d for bad checksums", v.name, within, now.snmp[v.prefix+"RcvbufErrors"], now.snmp[v.prefix+"InCsumErrors"]), "")
		}
	}
	for i := range d.links {
		judgeDevice(d, d.links[i].Name, s.before.devs, now.devs, within)
	}
	judgeSockets(d, s.before.sockets, now.sockets)
}

// judgeDevice looks at the receive counters of an interface.
func judgeDevice(d *diagnosis, name string, before, now map[string]devCounters, within string) {
	b, ok1 := before[name]
	n, ok2 := now[name]
	if !ok1 || !ok2 {
		return
	}
	broken := n.errs + n.fifo + n.frame - min(b.errs+b.fifo+b.frame, n.errs+n.fifo+n.frame)
	drop := n.drop - min(b.drop, n.drop)
	switch {
	case broken > 0:
		d.add("interface-drops", Warning, name, fmt.Sprintf("%s lost %s to receive errors or a full ring within %s", name, plural(int(broken), "packet", "packets"), within), "look at ethtool -S "+name+", and enlarge the ring (ethtool -G "+name+" rx ...)")
	case drop > 0:
		// The kernel also counts here what no program wants, such as LLDP.
		d.add("interface-drops", Info, name, fmt.Sprintf("%s dropped %s within %s, for want of room or because nobody wanted them", name, plural(int(drop), "packet", "packets"), within), "")
	default:
		d.add("interface-counters", Info, name, fmt.Sprintf("%s lost nothing within %s; since the start %d receive errors, %d drops", name, within, n.errs+n.fifo+n.frame, n.drop), "")
	}
}

// maxSockets bounds how many sockets are told about.
const maxSockets = 8

// judgeSockets tells of sockets, of any program, that lost packets: those that can
// hear the channel or, without one, those bound to any group.
func judgeSockets(d *diagnosis, before, now []udpSocket) {
	n := 0
	for _, u := range now {
		a := u.local.Addr()
		if d.hasChannel() {
			bound := a == d.ch.Group && (d.port == 0 || d.port == u.local.Port())
			if !bound && (!a.IsUnspecified() || d.port != u.local.Port()) {
				continue
			}
		} else if !a.IsMulticast() {
			continue
		}
		if n++; n > maxSockets {
			return
		}
		grew := ", none of them now"
		i := slices.IndexFunc(before, func(b udpSocket) bool { return b.inode == u.inode })
		if i < 0 || before[i].drops < u.drops {
			grew = ", and is losing more"
		}
		d.add("socket-drops", Warning, "", fmt.Sprintf("a program's socket bound to %s (inode %s) has lost %s to a full receive buffer%s", u.local, u.inode, plural(int(u.drops), "packet", "packets"), grew),
			"let the program read faster or ask for a larger buffer (mcast.ReadBuffer); ss -uneap shows whose socket it is")
	}
}
