package mcast

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// Queriers: who asks on a link who listens to what, in which version. Without one,
// switches that snoop forget who does.

// linkFamily is one IP version on one interface.
type linkFamily struct {
	ifindex int
	is4     bool
}

// heardMembership is what was heard of IGMP or MLD.
type heardMembership struct {
	queries  int
	querier  netip.Addr    // of the last query
	second   netip.Addr    // another one
	version  int           // of the last query
	oldest   int           // of any query
	at       time.Time     // of the last query
	interval time.Duration // which it told
	own      bool          // it was sent by this host
	reported int           // version of the kernel's last report, 0 when none was seen
}

// at returns what was heard, which is empty when nothing was.
func (s *diagnoseSystem) at(ifindex int, is4 bool) heardMembership {
	if h := s.heard[linkFamily{ifindex, is4}]; h != nil {
		return *h
	}
	return heardMembership{}
}

// entry is for interfaces that are looked at only; others on the host do not count.
func (s *diagnoseSystem) entry(ifindex int, is4 bool) *heardMembership {
	if !slices.ContainsFunc(s.d.links, func(i net.Interface) bool { return i.Index == ifindex }) {
		return nil
	}
	k := linkFamily{ifindex, is4}
	if s.heard[k] == nil {
		s.heard[k] = new(heardMembership)
	}
	return s.heard[k]
}

func (s *diagnoseSystem) noteQuery(f wireFrame, ifindex int, out bool) {
	h := s.entry(ifindex, f.src.Is4())
	if h == nil {
		return
	}
	if h.queries > 0 && h.querier != f.src {
		h.second = h.querier
	}
	if h.queries == 0 || f.version < h.oldest {
		h.oldest = f.version
	}
	h.queries++
	h.querier, h.version, h.interval, h.own, h.at = f.src, f.version, f.interval, out, time.Now()
}

// noteReport learns the version the kernel is in from what it sends.
func (s *diagnoseSystem) noteReport(f wireFrame, ifindex int, out bool) {
	if out && s.ownAddr(ifindex, f.src) {
		if h := s.entry(ifindex, f.src.Is4()); h != nil {
			h.reported = f.version
		}
	}
}

// ownAddr reports whether a report comes from the interface itself and was not
// forwarded by a bridge. Before it has an address, the kernel reports from none.
func (s *diagnoseSystem) ownAddr(ifindex int, a netip.Addr) bool {
	i := slices.IndexFunc(s.d.links, func(i net.Interface) bool { return i.Index == ifindex })
	return i >= 0 && (a.IsUnspecified() || slices.Contains(addrsOf(&s.d.links[i]), a))
}

// judgeQueriers tells about one interface after listening.
func (s *diagnoseSystem) judgeQueriers(ifi *net.Interface, listened time.Duration) {
	if ifi.Flags&net.FlagLoopback != 0 {
		return
	}
	if s.d.wants(true) {
		s.judgeOldIGMP(ifi)
		s.judgeQuerier(ifi, true, listened)
	}
	if s.d.wants(false) {
		s.judgeOldMLD(ifi)
		s.judgeQuerier(ifi, false, listened)
	}
}

// judgeOldIGMP looks again, for an old querier heard since checkVersions.
func (s *diagnoseSystem) judgeOldIGMP(ifi *net.Interface) {
	forced, _ := sysctlMax("ipv4", ifi.Name, "force_igmp_version")
	if s.igmp[ifi.Name].version == 3 && forced == 0 {
		if now := parseIGMP(procNet("igmp"))[ifi.Name]; now.version > 0 && now.version < 3 {
			s.oldQuerier("igmp-old-querier", "IGMP", now.version, 3, ifi, s.at(ifi.Index, true))
		}
	}
}

func (s *diagnoseSystem) judgeOldMLD(ifi *net.Interface) {
	h := s.at(ifi.Index, false)
	if h.oldest == 1 && !h.own || h.reported == 1 && !s.forcedMLD(ifi.Name) {
		s.oldQuerier("mld-old-querier", "MLD", 1, 2, ifi, h)
	}
}

func (s *diagnoseSystem) oldQuerier(code, name string, version, want int, ifi *net.Interface, h heardMembership) {
	who := "a querier"
	if h.queries > 0 && h.version == version {
		who = "the querier " + h.querier.String()
	}
	s.d.add(code, s.oldSeverity(), ifi.Name, fmt.Sprintf("the kernel speaks %sv%d because %s of that version was heard: joins name no source, so source-specific multicast does not pass routers and switches", name, version, who),
		fmt.Sprintf("set the querier, a router or switch, to %sv%d, or find out who sends such queries", name, want))
}

// longEnough is how long a link with a querier can be silent: its query interval
// of 125 s and the time it grants for answers (RFC 3376 sections 8.2 and 8.3).
const longEnough = 135 * time.Second

func (s *diagnoseSystem) judgeQuerier(ifi *net.Interface, is4 bool, listened time.Duration) {
	d, h := s.d, s.at(ifi.Index, is4)
	name := protocolName(is4)
	if h.queries > 0 {
		text := fmt.Sprintf("%sv%d querier %s, heard %.1f s ago", name, h.version, h.querier, time.Since(h.at).Seconds())
		if h.own {
			text = fmt.Sprintf("this host itself is the %sv%d querier, as %s", name, h.version, h.querier)
		}
		if h.interval > 0 {
			text += fmt.Sprintf(", asks every %v", h.interval)
		}
		if h.querier.IsUnspecified() {
			text += "; it has no address, and some devices ignore such queries"
		}
		d.add("querier", Info, ifi.Name, text, "")
		if h.second.IsValid() {
			d.add("several-queriers", Warning, ifi.Name, fmt.Sprintf("%s and %s both ask for %s members; only the lower address should", h.second, h.querier, name),
				"if they keep on, look for a switch between them that drops queries, or one that ignores the other's version")
		}
		return
	}
	devs := s.igmp6
	if is4 {
		devs = s.igmp
	}
	if _, ok := devs[ifi.Name]; !ok || s.judgeBridge(ifi, is4) || !s.tapped {
		return // it does not speak this IP version, or all is said
	}
	remedy := "switch on a querier on a router or switch of this network, or on this host's bridge (ip link set br0 type bridge mcast_querier 1)"
	switch {
	case d.hasChannel() && is4 && group.ScopeOf(d.ch.Group) == group.LinkLocal:
		d.add("querier-not-heard", Info, ifi.Name, "no IGMP querier was heard; "+d.ch.Group.String()+" needs none, because 224.0.0.0/24 is never pruned (RFC 4541 section 2.1.2)", "")
	case s.left || listened >= longEnough:
		why := "within " + listened.Round(time.Second).String()
		if s.left {
			why = "and none answered when the group was left"
			if listened < longEnough { // a switch may have kept the leave to itself
				remedy = "listen for 135 s to be sure, then " + remedy
			}
		}
		d.add("no-querier", Warning, ifi.Name, fmt.Sprintf("no %s querier was heard, %s: switches that snoop stop forwarding after about 260 s", name, why), remedy)
	default:
		d.add("querier-not-heard", Info, ifi.Name, fmt.Sprintf("no %s querier was heard within %.1f s, but as a rule queries come every 125 s only", name, listened.Seconds()), "to be sure, listen for 135 s")
	}
}

// judgeBridge tells what a bridge, ifi itself or the one it is a port of, knows. It
// reports whether that settles the matter of the querier.
func (s *diagnoseSystem) judgeBridge(ifi *net.Interface, is4 bool) bool {
	l, br := s.info[ifi.Index], ifi.Name
	if l.kind != "bridge" && l.master != 0 {
		if m, err := net.InterfaceByIndex(l.master); err == nil {
			br = m.Name
		}
		l, _ = linkOf(l.master)
	}
	if l.kind != "bridge" {
		return false
	}
	known, name := l.bridge.querier6, protocolName(is4)
	if is4 {
		known = l.bridge.querier4
	}
	switch {
	case !l.bridge.snooping:
		s.d.add("bridge", Info, ifi.Name, "the bridge "+br+" does not snoop: it sends groups to all of its ports and needs no querier", "")
		return false
	case known.IsValid() && !known.IsUnspecified():
		s.d.add("querier", Info, ifi.Name, fmt.Sprintf("the bridge %s snoops and knows the %s querier %s", br, name, known), "")
		return true
	case l.bridge.querier:
		s.d.add("querier", Info, ifi.Name, "the bridge "+br+" snoops and asks itself", "")
		return true
	}
	// Where a hardware switch would stop forwarding, Linux floods.
	s.d.add("bridge-no-querier", Warning, ifi.Name, fmt.Sprintf("the bridge %s snoops but knows no %s querier: it sends groups to all ports, and switches behind it stop forwarding after about 260 s", br, name),
		"let the bridge ask (ip link set "+br+" type bridge mcast_querier 1), or switch on a querier on a router of this network")
	return true
}

func protocolName(is4 bool) string {
	if is4 {
		return "IGMP"
	}
	return "MLD"
}
