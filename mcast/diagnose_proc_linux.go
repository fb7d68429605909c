package mcast

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"iter"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// This file reads the kernel's books. Parsers are pure; they skip what they do not
// understand and hold at most maxRows of what they do.

const (
	// maxProcFile bounds what is read of one file, in bytes. A socket takes
	// 150 in /proc/net/udp.
	maxProcFile = 4 << 20

	maxRows = 4096
)

// procNet reads a file of /proc/net for the thread's network namespace: /proc/net
// itself shows that of the process.
func procNet(name string) []byte {
	b := readBounded("/proc/thread-self/net/" + name)
	if b == nil {
		b = readBounded("/proc/net/" + name)
	}
	return b
}

// readBounded returns nil when there is no such file.
func readBounded(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProcFile))
	if err != nil {
		return nil
	}
	return b
}

// sysctl reads a number below /proc/sys/net, which shows the thread's namespace.
// Some are hidden outside the first one.
func sysctl(name string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(string(readBounded("/proc/sys/net/" + name))))
	return n, err == nil
}

// sysctlMax is the larger of the settings for all interfaces and for one, which is
// how the kernel combines most of them.
func sysctlMax(family, iface, name string) (int, bool) {
	a, ok1 := sysctl(family + "/conf/all/" + name)
	b, ok2 := sysctl(family + "/conf/" + iface + "/" + name)
	return max(a, b), ok1 || ok2
}

// procRows gives the fields of each line.
func procRows(b []byte) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range bytes.Lines(b) {
			if f := strings.Fields(string(line)); len(f) > 0 && !yield(f) {
				return
			}
		}
	}
}

// igmpDevice is an interface in /proc/net/igmp or igmp6.
type igmpDevice struct {
	groups  int // joined by anyone, those of the kernel included
	version int // of IGMP, 1 to 3: the newest the queriers heard understand
}

// parseIGMP reads /proc/net/igmp, by interface name.
func parseIGMP(b []byte) map[string]igmpDevice {
	devs := make(map[string]igmpDevice)
	for f := range procRows(b) {
		// 4	eth0      :     1      V3, and one line for each group, with other fields.
		colon := 2
		if len(f) >= 2 && strings.HasSuffix(f[1], ":") && len(f[1]) > 1 {
			f[1], colon = strings.TrimSuffix(f[1], ":"), 1
		} else if len(f) < 3 || f[2] != ":" {
			continue
		}
		if len(f) != colon+3 || len(devs) >= maxRows {
			continue
		}
		n, err := strconv.Atoi(f[colon+1])
		v := f[colon+2]
		if err != nil || n < 0 || len(v) != 2 || v[0] != 'V' || v[1] < '1' || v[1] > '3' {
			continue
		}
		devs[f[1]] = igmpDevice{groups: n, version: int(v[1] - '0')}
	}
	return devs
}

// parseIGMP6 counts the groups of each interface in /proc/net/igmp6, which knows
// nothing of versions.
func parseIGMP6(b []byte) map[string]igmpDevice {
	devs := make(map[string]igmpDevice)
	for f := range procRows(b) {
		if len(f) < 4 || len(f[2]) != 32 {
			continue
		}
		d, ok := devs[f[1]]
		if !ok && len(devs) >= maxRows {
			continue
		}
		d.groups++
		devs[f[1]] = d
	}
	return devs
}

// parseSNMP reads /proc/net/snmp and netstat, where a line of names is followed by
// one of numbers, and snmp6, where each line has a name and a number. Keys are
// "Udp.InErrors" for the former, "Udp6InErrors" for the latter.
func parseSNMP(b []byte) map[string]uint64 {
	m := make(map[string]uint64)
	put := func(k, v string) {
		if n, err := strconv.ParseUint(v, 10, 64); err == nil && len(m) < maxRows {
			m[k] = n
		}
	}
	var names []string
	for f := range procRows(b) {
		switch table, ok := strings.CutSuffix(f[0], ":"); {
		case !ok && len(f) == 2:
			put(f[0], f[1])
		case ok && len(names) == len(f) && names[0] == f[0]:
			for i, v := range f[1:] {
				put(table+"."+names[i+1], v)
			}
			names = nil
		case ok:
			names = f
		}
	}
	return m
}

// devCounters are the receive columns of an interface in /proc/net/dev.
type devCounters struct{ errs, drop, fifo, frame uint64 }

// parseNetDev reads /proc/net/dev, by interface name.
func parseNetDev(b []byte) map[string]devCounters {
	devs := make(map[string]devCounters)
	for line := range bytes.Lines(b) {
		name, rest, ok := strings.Cut(string(line), ":")
		f := strings.Fields(rest)
		if name = strings.TrimSpace(name); !ok || name == "" || len(f) < 8 || len(devs) >= maxRows {
			continue
		}
		var n [6]uint64
		for i := range n {
			var err error
			if n[i], err = strconv.ParseUint(f[i], 10, 64); err != nil {
				ok = false
			}
		}
		if ok {
			devs[name] = devCounters{errs: n[2], drop: n[3], fifo: n[4], frame: n[5]}
		}
	}
	return devs
}

// udpSocket is a line of /proc/net/udp or udp6.
type udpSocket struct {
	local netip.AddrPort
	inode string
	drops uint64
}

// parseUDP reads /proc/net/udp and udp6 and keeps the sockets that lost packets.
func parseUDP(b []byte) []udpSocket {
	var socks []udpSocket
	for f := range procRows(b) {
		if len(f) < 13 || len(socks) >= maxRows {
			continue
		}
		local, ok := parseHexAddr(f[1])
		drops, err := strconv.ParseUint(f[12], 10, 64)
		if ok && err == nil && drops > 0 {
			socks = append(socks, udpSocket{local, f[9], drops})
		}
	}
	return socks
}

// parseHexAddr reads "0703FFEF:138C": an address as 32-bit words of the machine's
// byte order, and a port.
func parseHexAddr(s string) (netip.AddrPort, bool) {
	a, p, ok := strings.Cut(s, ":")
	port, err := strconv.ParseUint(p, 16, 16)
	b, herr := hex.DecodeString(a)
	if !ok || err != nil || herr != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for w := b; len(w) > 0; w = w[4:] {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr, uint16(port)), true
}
