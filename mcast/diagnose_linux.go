package mcast

import (
	"context"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// diagnoseSystem is what Diagnose asks Linux.
type diagnoseSystem struct {
	d       *diagnosis
	igmp    map[string]igmpDevice
	igmp6   map[string]igmpDevice
	info    map[int]linkInfo // by interface
	before  kernelCounts
	strict  map[string]int // effective rp_filter, by interface
	heard   map[linkFamily]*heardMembership
	traffic heardTraffic
	tap     *tap
	tapped  bool // the wire could be listened to
	left    bool // a leave of ours was seen on the wire
}

// kernelCounts are the kernel's counters at one moment.
type kernelCounts struct {
	snmp    map[string]uint64 // parseSNMP of all three files
	devs    map[string]devCounters
	sockets []udpSocket
}

// heardTraffic is what was seen of the channel.
type heardTraffic struct {
	wire    int64                // packets to its group and port that came in
	port    uint16               // where they go
	others  uint16               // a port they go to besides that asked for
	own     int64                // sent by this host
	sources map[netip.Addr]int64 // at most maxSources
	ears    []*ear               // sockets that joined
}

// enoughPackets of a group are looked at; it may have a million a second.
const enoughPackets = 10_000

// maxSources bounds how many senders of a group are told apart.
const maxSources = 16

func newDiagnoseSystem(d *diagnosis) *diagnoseSystem {
	return &diagnoseSystem{d: d, info: make(map[int]linkInfo), strict: make(map[string]int), heard: make(map[linkFamily]*heardMembership)}
}

// check makes all checks that need no waiting.
func (s *diagnoseSystem) check() {
	s.igmp, s.igmp6 = parseIGMP(procNet("igmp")), parseIGMP6(procNet("igmp6"))
	if len(s.igmp) == 0 && s.d.wants(true) {
		s.d.add("not-checked", Info, "", "the kernel's version of IGMP is not checked, because /proc/net/igmp cannot be read", "")
	}
	for i := range s.d.links {
		ifi := &s.d.links[i]
		if l, err := linkOf(ifi.Index); err == nil {
			s.info[ifi.Index] = l
		}
		s.checkVRF(ifi)
		s.checkReversePath(ifi)
		s.checkVersions(ifi)
		s.checkOffload(ifi)
	}
	s.checkLimits()
	s.checkKernelOffload()
	s.checkBuffer()
}

// listen joins the channel, watches the wire and the counters, and judges what was
// heard.
func (s *diagnoseSystem) listen(ctx context.Context) {
	d := s.d
	end := time.Now().Add(d.wait)
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	s.before = readCounts()
	started := time.Now()

	var ifi *net.Interface
	index, to := 0, netip.Addr{}
	if d.hasChannel() && d.chosen {
		ifi = &d.links[0]
		index, to = ifi.Index, d.ch.Group
		s.traffic.port = d.port
		// Any port will do to join; the right one is opened when it is known.
		port := d.port
		if port == 0 {
			port = probePort
		}
		s.openEar(limited, ifi, port)
	}
	t, err := openTap(index, to)
	defer t.close()
	s.tap, s.tapped = t, err == nil
	if err != nil {
		d.add("not-checked", Info, "", "queriers, and packets that do not reach a socket, are not seen without the right to listen on the wire",
			"run as root, or with the capability CAP_NET_RAW (setcap cap_net_raw+ep on the program)")
		<-limited.Done()
	} else {
		s.watch(ctx, t, ifi, end)
	}
	s.stopEars()
	listened := time.Since(started)

	for i := range d.links {
		s.judgeQueriers(&d.links[i], listened)
	}
	if ifi != nil {
		s.judgeTraffic(ifi, listened)
	}
	s.judgeCounts(readCounts(), listened)
}

// watch listens on the wire. Shortly before the end it leaves the channel, so that
// a querier that was silent until then asks who else is there.
func (s *diagnoseSystem) watch(ctx context.Context, t *tap, ifi *net.Interface, end time.Time) {
	note := func(f wireFrame, ifindex int, out bool) bool {
		s.note(ctx, ifi, f, ifindex, out)
		return true
	}
	if ifi == nil || !s.joined() {
		t.each(ctx, end, note)
		return
	}
	ask, is4 := min(leaveWait, s.d.wait/3), s.d.ch.Group.Is4()
	t.each(ctx, end.Add(-ask), note)
	s.stopEars()
	if s.at(ifi.Index, is4).queries > 0 {
		return
	}
	// Leaving takes a moment, which must not be taken from the querier.
	t.each(ctx, time.Now().Add(ask), func(f wireFrame, ifindex int, out bool) bool {
		if f.kind == frameReport && f.src.Is4() == is4 && out && s.ownAddr(ifindex, f.src) {
			s.left = true
		}
		if f.kind != frameGroup {
			note(f, ifindex, out)
		}
		return s.at(ifi.Index, is4).queries == 0
	})
}

// leaveWait is how long a querier gets to answer a leave. It does at once; the
// kernel may hold the leave back for a moment.
const leaveWait = 500 * time.Millisecond

func (s *diagnoseSystem) joined() bool { return len(s.traffic.ears) > 0 }

func (s *diagnoseSystem) openEar(ctx context.Context, ifi *net.Interface, port uint16) {
	if e := s.d.openEar(ctx, ifi, port); e != nil {
		s.traffic.ears = append(s.traffic.ears, e)
	}
}

func (s *diagnoseSystem) stopEars() {
	for _, e := range s.traffic.ears {
		e.stop()
	}
}

// note takes down one packet.
func (s *diagnoseSystem) note(ctx context.Context, ifi *net.Interface, f wireFrame, ifindex int, out bool) {
	switch f.kind {
	case frameQuery:
		s.noteQuery(f, ifindex, out)
	case frameReport:
		s.noteReport(f, ifindex, out)
	case frameGroup:
		if ifi != nil && f.dst == s.d.ch.Group {
			s.noteGroup(ctx, ifi, f, out)
		}
	}
}

// noteGroup counts a packet of the channel. The first port seen is the one, if none
// was asked for: a socket is opened for it then and there, and what came before it
// was open does not count.
func (s *diagnoseSystem) noteGroup(ctx context.Context, ifi *net.Interface, f wireFrame, out bool) {
	t := &s.traffic
	switch {
	case t.port == 0:
		t.port = f.port
		if f.port != probePort {
			s.openEar(ctx, ifi, f.port)
			return
		}
	case f.port != t.port:
		t.others = f.port
		return
	}
	if out {
		t.own++
		return
	}
	if t.wire++; t.wire == enoughPackets {
		s.tap.restrict()
	}
	if t.sources == nil {
		t.sources = make(map[netip.Addr]int64)
	}
	if _, ok := t.sources[f.src]; ok || len(t.sources) < maxSources {
		t.sources[f.src]++
	}
}

func readCounts() kernelCounts {
	c := kernelCounts{snmp: make(map[string]uint64), devs: parseNetDev(procNet("dev"))}
	for _, name := range []string{"snmp", "netstat", "snmp6"} {
		for k, v := range parseSNMP(procNet(name)) {
			c.snmp[k] = v
		}
	}
	c.sockets = append(parseUDP(procNet("udp")), parseUDP(procNet("udp6"))...)
	return c
}

// checkVRF tells about interfaces with routes of their own.
func (s *diagnoseSystem) checkVRF(ifi *net.Interface) {
	l := s.info[ifi.Index]
	if l.master == 0 {
		return
	}
	if m, err := linkOf(l.master); err == nil {
		name := ifi.Name
		if v, err := net.InterfaceByIndex(l.master); err == nil {
			name = v.Name
		}
		s.d.below(ifi.Name, name, m)
	}
}

// below tells about an interface that belongs to another, unless that is a bridge or
// bond, which keeps no routes.
func (d *diagnosis) below(ifi, name string, master linkInfo) {
	if master.kind == "vrf" {
		d.add("vrf", Warning, ifi, ifi+" belongs to the VRF "+name+": sockets outside it do not get its packets, unless net.ipv4.udp_l3mdev_accept is 1",
			"run the program in it (ip vrf exec "+name+" ...)")
	}
}

// checkOffload looks at what the network card does for large sends and receives.
func (s *diagnoseSystem) checkOffload(ifi *net.Interface) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	word := map[bool]string{true: "on", false: "off"}
	sum, ok1 := ethtool(fd, ifi.Name, unix.ETHTOOL_GTXCSUM)
	gso, ok2 := ethtool(fd, ifi.Name, unix.ETHTOOL_GGSO)
	gro, ok3 := ethtool(fd, ifi.Name, unix.ETHTOOL_GGRO)
	if !ok1 || !ok2 || !ok3 {
		return
	}
	text := ifi.Name + " has GSO " + word[gso] + ", GRO " + word[gro] + ", transmit checksums " + word[sum]
	remedy := ""
	if !sum {
		text += ": packets are sent one by one, because the kernel refuses segments without"
		remedy = "for more speed switch checksums on (ethtool -K " + ifi.Name + " tx on), if the card can"
	}
	s.d.add("interface-offload", Info, ifi.Name, text, remedy)
}
