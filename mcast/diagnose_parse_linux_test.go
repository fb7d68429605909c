package mcast

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mld"

	"github.com/gomulticast/multicast/mcast/group"
)

const igmpText = `Idx	Device    : Count Querier	Group    Users Timer	Reporter
1	lo        :     1      V3
				010000E0     1 0:00000000		0
4	eth0      :     3      V2
				070FFFEF     1 1:00000123		1
				FB0000E0     1 0:00000000		0
				010000E0     1 0:00000000		0
12	averyveryverylo:    21      V1
				010000E0     1 0:00000000		0
`

func TestParseIGMP(t *testing.T) {
	devs := parseIGMP([]byte(igmpText))
	want := map[string]igmpDevice{"lo": {1, 3}, "eth0": {3, 2}, "averyveryverylo": {21, 1}}
	if len(devs) != len(want) {
		t.Errorf("got %v", devs)
	}
	for name, d := range want {
		if devs[name] != d {
			t.Errorf("%s: %v, want %v", name, devs[name], d)
		}
	}
	devs = parseIGMP6([]byte("1    lo              ff020000000000000000000000000001     1 0000000C 0\n" +
		"2    eth0            ff020000000000000000000000000001     1 0000000C 0\n" +
		"2    eth0            ff020000000000000000000000000016     1 00000004 0\n"))
	if devs["lo"].groups != 1 || devs["eth0"].groups != 2 {
		t.Errorf("IPv6: %v", devs)
	}
}

const snmpText = `Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 12
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors
Udp: 1 2 3 4 5 6 7
TcpExt: SyncookiesSent IPReversePathFilter
TcpExt: 0 18446744073709551615
Tcp: A B
Udp: only names
Tcp: -1 9
`

func TestParseSNMP(t *testing.T) {
	m := parseSNMP([]byte(snmpText))
	for k, want := range map[string]uint64{"Udp.RcvbufErrors": 5, "Udp.InCsumErrors": 7, "TcpExt.IPReversePathFilter": 1<<64 - 1, "Ip.DefaultTTL": 64} {
		if m[k] != want {
			t.Errorf("%s = %d, want %d", k, m[k], want)
		}
	}
	if _, ok := m["Tcp.B"]; ok {
		t.Error("numbers not right behind their names were read")
	}
	m = parseSNMP([]byte("Ip6InReceives                   	2\nUdp6RcvbufErrors                	17\n"))
	if m["Udp6RcvbufErrors"] != 17 {
		t.Errorf("snmp6: %v", m)
	}
}

func TestParseNetDev(t *testing.T) {
	devs := parseNetDev([]byte(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 14933262372 1254566    0    0    0     0          0         0 14933262372 1254566    0    0    0     0       0          0
  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
 short: 1 2 3
`))
	if len(devs) != 2 || devs["eth0"] != (devCounters{errs: 3, drop: 4, fifo: 5, frame: 6}) {
		t.Errorf("got %v", devs)
	}
}

func TestParseUDP(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the fixture is from a little-endian machine")
	}
	socks := parseUDP([]byte(`   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 0703FFEF:138C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4242 2 0000000000000000 17
  124: 00000000:138C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4243 2 0000000000000000 0
`))
	if len(socks) != 1 || socks[0] != (udpSocket{netip.MustParseAddrPort("239.255.3.7:5004"), "4242", 17}) {
		t.Errorf("got %v", socks)
	}
	if a, ok := parseHexAddr("000015FF000000000000000001000300:138C"); !ok || a.String() != "[ff15::3:1]:5004" {
		t.Errorf("got %v", a)
	}
	for _, s := range []string{"", ":", "0703FFEF", "0703FFEF:", "0703FF:138C", "x703FFEF:138C", "0703FFEF:1138C"} {
		if a, ok := parseHexAddr(s); ok {
			t.Errorf("%q is %v", s, a)
		}
	}
}

// Raw packets, with an Ethernet padding where there would be one.
func igmpPacket(typ igmp.Type, code byte, rest ...byte) []byte {
	m := append([]byte{byte(typ), code, 0, 0, 0, 0, 0, 0}, rest...)
	binary.BigEndian.PutUint16(m[2:], wire.Checksum(m))
	b, err := igmp.AppendPacket(nil, netip.MustParseAddr("192.0.2.1"), igmp.AllSystems, m)
	if err != nil {
		panic(err)
	}
	return append(b, make([]byte, 10)...)
}

func mldPacket(src string, hops byte, typ mld.Type, n int) []byte {
	m := make([]byte, n)
	m[0] = byte(typ)
	if n >= 26 {
		m[25] = 125
	}
	s := netip.MustParseAddr(src)
	binary.BigEndian.PutUint16(m[2:], ^wire.Sum6(s, mld.AllNodes, wire.ProtoICMPv6, m))
	b, err := mld.AppendPacket(nil, s, mld.AllNodes, m)
	if err != nil {
		panic(err)
	}
	b[7] = hops
	return b
}

func udpPacket(dst string, fragment uint16) []byte {
	b := []byte{0x45, 0, 0, 30, 0, 0, 0, 0, 1, wire.ProtoUDP, 0, 0, 192, 0, 2, 9}
	binary.BigEndian.PutUint16(b[6:], fragment)
	a := netip.MustParseAddr(dst).As4()
	return append(append(b, a[:]...), 0x12, 0x34, 0x13, 0x8c, 0, 10, 0, 0, 'h', 'i')
}

func flip(b []byte, i int) []byte { b[i] ^= 1; return b }

func TestParseFrame(t *testing.T) {
	for _, tt := range []struct {
		name    string
		b       []byte
		kind    frameKind
		version int
	}{
		{"IGMPv1 query", igmpPacket(igmp.TypeQuery, 0), frameQuery, 1},
		{"IGMPv2 query", igmpPacket(igmp.TypeQuery, 100), frameQuery, 2},
		{"IGMPv3 query", igmpPacket(igmp.TypeQuery, 100, 2, 125, 0, 0), frameQuery, 3},
		{"IGMPv3 query, code 0", igmpPacket(igmp.TypeQuery, 0, 2, 125, 0, 0), frameQuery, 3},
		{"no version has 9 bytes", igmpPacket(igmp.TypeQuery, 100, 2), frameOther, 0},
		{"bad checksum", flip(igmpPacket(igmp.TypeQuery, 100), 30), frameOther, 0},
		{"IGMPv1 report", igmpPacket(igmp.TypeReport1, 0), frameReport, 1},
		{"IGMPv2 leave", igmpPacket(igmp.TypeLeave, 0), frameReport, 2},
		{"IGMPv3 report", igmpPacket(igmp.TypeReport3, 0), frameReport, 3},
		{"MLDv1 query", mldPacket("fe80::1", 1, mld.TypeQuery, 24), frameQuery, 1},
		{"MLDv2 query", mldPacket("fe80::1", 1, mld.TypeQuery, 28), frameQuery, 2},
		{"MLD query of 26 bytes", mldPacket("fe80::1", 1, mld.TypeQuery, 26), frameOther, 0},
		{"not link-local", mldPacket("2001:db8::1", 1, mld.TypeQuery, 28), frameOther, 0},
		{"hop limit 2", mldPacket("fe80::1", 2, mld.TypeQuery, 28), frameOther, 0},
		{"no alert", flip(mldPacket("fe80::1", 1, mld.TypeQuery, 28), 42), frameOther, 0},
		{"alert for RSVP", flip(mldPacket("fe80::1", 1, mld.TypeQuery, 28), 45), frameOther, 0},
		{"bad checksum", flip(mldPacket("fe80::1", 1, mld.TypeQuery, 28), 60), frameOther, 0},
		{"MLDv1 done", mldPacket("fe80::1", 1, mld.TypeDone, 24), frameReport, 1},
		{"MLDv2 report", mldPacket("::", 1, mld.TypeReport2, 28), frameReport, 2},
		{"UDP to a group", udpPacket("239.1.2.3", 0), frameGroup, 0},
		{"its first fragment", udpPacket("239.1.2.3", 0x2000), frameGroup, 0},
		{"a later one", udpPacket("239.1.2.3", 3), frameOther, 0},
		{"unicast", udpPacket("192.0.2.1", 0), frameOther, 0},
		{"ARP", []byte{0, 1, 8, 0, 6, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, frameOther, 0},
	} {
		f := parseFrame(tt.b)
		if f.kind != tt.kind || f.version != tt.version {
			t.Errorf("%s: kind %d, version %d; want %d, %d", tt.name, f.kind, f.version, tt.kind, tt.version)
		}
		if f.kind == frameGroup && f.port != 5004 {
			t.Errorf("%s: port %d", tt.name, f.port)
		}
		if f.kind == frameQuery && tt.version == 3 && f.interval != 125*time.Second {
			t.Errorf("%s: interval %v", tt.name, f.interval)
		}
		for n := range tt.b { // must not panic
			parseFrame(tt.b[:n])
		}
	}
}

// The filter of the tap, run in the virtual machine, which has no VLAN tags.
func TestTapFilter(t *testing.T) {
	udp6 := func(dst string) []byte {
		a := netip.MustParseAddr(dst).As16()
		b := append(make([]byte, 24), a[:]...)
		b[0], b[6] = 0x60, wire.ProtoUDP
		return append(b, make([]byte, 8)...)
	}
	arp := make([]byte, 28)
	for _, tt := range []struct {
		name, group string
		b           []byte
		want        bool
	}{
		{"IGMP", "", igmpPacket(igmp.TypeQuery, 100), true},
		{"IGMP beside a group", "239.1.2.3", igmpPacket(igmp.TypeQuery, 100), true},
		{"MLD", "", mldPacket("fe80::1", 1, mld.TypeQuery, 24), true},
		{"MLD beside a group", "ff15::3:1", mldPacket("fe80::1", 1, mld.TypeQuery, 24), true},
		{"the group", "239.1.2.3", udpPacket("239.1.2.3", 0), true},
		{"its alias", "239.1.2.3", udpPacket("239.129.2.3", 0), false},
		{"no group", "", udpPacket("239.1.2.3", 0), false},
		{"the IPv6 group", "ff15::3:1", udp6("ff15::3:1"), true},
		{"its alias", "ff15::3:1", udp6("ff15:1::3:1"), false},
		{"other end", "ff15::3:1", udp6("ff15::3:2"), false},
		{"other version", "ff15::3:1", udpPacket("239.1.2.3", 0), false},
		{"ARP", "239.1.2.3", arp, false},
	} {
		g, _ := netip.ParseAddr(tt.group)
		vm, err := bpf.NewVM(tapFilter(g))
		if err != nil {
			t.Fatal(err)
		}
		n, err := vm.Run(tt.b)
		if err != nil || (n > 0) != tt.want {
			t.Errorf("%s: %d bytes, %v; want %t", tt.name, n, err, tt.want)
		}
	}
}

func TestNetlinkReply(t *testing.T) {
	msg := func(typ uint16, body ...byte) []byte {
		b := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
		b = binary.NativeEndian.AppendUint16(b, typ)
		return append(append(b, make([]byte, 10)...), body...)
	}
	if b, err := netlinkReply(msg(24, 1, 2, 3), 24); err != nil || len(b) != 3 {
		t.Errorf("got %v, %v", b, err)
	}
	no := binary.NativeEndian.AppendUint32(nil, uint32(0x100000000-int64(unix.ENETUNREACH)))
	if _, err := netlinkReply(msg(unix.NLMSG_ERROR, no...), 24); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("got %v", err)
	}
	for _, b := range [][]byte{nil, msg(24)[:15], msg(25, 1), msg(unix.NLMSG_ERROR, 0, 0, 0, 0), msg(unix.NLMSG_ERROR, 1)} {
		if _, err := netlinkReply(b, 24); !errors.Is(err, errNoReply) {
			t.Errorf("%v: %v", b, err)
		}
	}
}

func TestParseLink(t *testing.T) {
	state := netlinkAttr(nil, bridgeQuerierIP, []byte{192, 0, 2, 1})
	a6 := netip.MustParseAddr("fe80::1").As16()
	state = netlinkAttr(state, bridgeQuerierIPv6, a6[:])
	br := netlinkAttr(nil, unix.IFLA_BR_MCAST_SNOOPING, []byte{1})
	br = netlinkAttr(br, unix.IFLA_BR_MCAST_QUERIER, []byte{0})
	br = netlinkAttr(br, unix.IFLA_BR_MCAST_QUERIER_STATE|unix.NLA_F_NESTED, state)
	info := netlinkAttr(nil, unix.IFLA_INFO_KIND, []byte("bridge\x00"))
	info = netlinkAttr(info, unix.IFLA_INFO_DATA, br)
	b := netlinkAttr(make([]byte, unix.SizeofIfInfomsg), unix.IFLA_MASTER, []byte{7, 0, 0, 0})
	b = netlinkAttr(b, unix.IFLA_LINKINFO, info)
	l, err := parseLink(b)
	if err != nil || binary.NativeEndian.Uint32([]byte{7, 0, 0, 0}) != uint32(l.master) || l.kind != "bridge" || !l.bridge.snooping || l.bridge.querier || l.bridge.querier4.String() != "192.0.2.1" || l.bridge.querier6.String() != "fe80::1" {
		t.Errorf("got %+v, %v", l, err)
	}
	for n := range b { // must not panic
		parseLink(b[:n])
	}
	if _, err := parseLink(nil); err == nil {
		t.Error("nothing is a link")
	}
}

func FuzzDiagnoseParsers(f *testing.F) {
	for _, s := range []string{igmpText, snmpText, "eth0: 1 2 3 4 5 6 7 8", "1: 0703FFEF:138C 0 07 0 0 0 0 0 42 2 0 17", string(mldPacket("fe80::1", 1, mld.TypeQuery, 28)), string(igmpPacket(igmp.TypeQuery, 1))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parseIGMP(b)
		parseIGMP6(b)
		parseSNMP(b)
		parseNetDev(b)
		parseUDP(b)
		parseFrame(b)
		parseLink(b)
		parseRoute(b)
		netlinkReply(b, unix.RTM_NEWLINK)
	})
}

// What cannot be provoked in a namespace: settings of the whole machine.
func TestDiagnoseMachine(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(d *diagnosis)
		want string // codes
	}{
		{"clamped", func(d *diagnosis) { bufferFinding(d, 212992, 212992) }, "buffer-clamped"},
		{"buffer", func(d *diagnosis) { bufferFinding(d, defaultReadBuffer, 0) }, "buffer"},
		{"offload", func(d *diagnosis) { offloadFinding(d, true, true, 6, 1, 0) }, "offload"},
		{"no GRO", func(d *diagnosis) { offloadFinding(d, true, false, 4, 19, 0) }, "no-offload"},
		{"corrupts", func(d *diagnosis) { offloadFinding(d, true, true, 7, 1, 4) }, "offload-corrupts"},
		{"limits", func(d *diagnosis) { limitFindings(d, func(string) (int, bool) { return 1 << 20, true }) }, "limits"},
		{"low", func(d *diagnosis) {
			limitFindings(d, func(n string) (int, bool) { return 5, n == "ipv4/igmp_max_memberships" })
		}, "low-limit"},
		{"hidden", func(d *diagnosis) { limitFindings(d, func(string) (int, bool) { return 0, false }) }, ""},
		{"ring", func(d *diagnosis) {
			judgeDevice(d, "e", map[string]devCounters{"e": {}}, map[string]devCounters{"e": {fifo: 3}}, "1s")
		}, "interface-drops"},
		{"quiet", func(d *diagnosis) {
			judgeDevice(d, "e", map[string]devCounters{"e": {errs: 3}}, map[string]devCounters{"e": {errs: 3}}, "1s")
		}, "interface-counters"},
		{"went away", func(d *diagnosis) {
			judgeDevice(d, "e", map[string]devCounters{"e": {}}, nil, "1s")
		}, ""},
		{"SSM without a source", func(d *diagnosis) {
			d.ch = group.Channel{Group: netip.MustParseAddr("232.1.2.3")}
			d.checkGroup()
		}, "no-source ttl"},
	} {
		d := new(diagnosis)
		tt.do(d)
		var codes []string
		for _, f := range d.found {
			codes = append(codes, f.Code)
			if f.Message == "" || f.Severity > Info && f.Remedy == "" {
				t.Errorf("%s: %+v has no message or remedy", tt.name, f)
			}
		}
		if got := strings.Join(codes, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// No kernel at hand has VRFs: this is the message, not the thing.
func TestDiagnoseVRF(t *testing.T) {
	for kind, want := range map[string]int{"vrf": 1, "bridge": 0, "bond": 0, "": 0} {
		info := netlinkAttr(nil, unix.IFLA_INFO_KIND, append([]byte(kind), 0))
		master, err := parseLink(netlinkAttr(make([]byte, unix.SizeofIfInfomsg), unix.IFLA_LINKINFO, info))
		var d diagnosis
		d.below("va", "red", master)
		if err != nil || len(d.found) != want {
			t.Errorf("%q: %v, %v", kind, d.found, err)
		}
		for _, f := range d.found {
			if f.Code != "vrf" || f.Severity != Warning || f.Interface != "va" || !strings.Contains(f.Remedy, "ip vrf exec red") {
				t.Errorf("%+v", f)
			}
		}
	}
}
