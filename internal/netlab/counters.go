//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Counters count since the host was made.
type Counters struct {
	RxBytes, RxPackets uint64 // of Device; not what Lose took
	TxBytes, TxPackets uint64
	RcvbufErrors       uint64 // datagrams for which a socket had no room, IPv4 and IPv6
}

// Sub returns c less what was counted before.
func (c Counters) Sub(before Counters) Counters {
	c.RxBytes -= before.RxBytes
	c.RxPackets -= before.RxPackets
	c.TxBytes -= before.TxBytes
	c.TxPackets -= before.TxPackets
	c.RcvbufErrors -= before.RcvbufErrors
	return c
}

var counterFiles = []string{"dev", "snmp", "snmp6"}

// start prepares the namespace: files that show its counters stay open, so that
// reading them is cheap enough to do often.
func (h *Host) start() error {
	return h.Do(func() error {
		for _, name := range counterFiles {
			f, err := os.Open("/proc/thread-self/net/" + name)
			if err != nil {
				return err
			}
			h.counters = append(h.counters, f)
		}
		// Addresses are for use at once: no duplicate address detection.
		return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0)
	})
}

func (h *Host) stop() {
	for _, f := range h.counters {
		f.Close()
	}
	h.counters = nil
}

// Counters reads the host's counters.
func (h *Host) Counters() (c Counters, err error) {
	if len(h.counters) != len(counterFiles) {
		return c, errors.New("netlab: the lab is closed")
	}
	buf := make([]byte, 16<<10)
	var text [3]string
	for i, f := range h.counters {
		n, err := f.ReadAt(buf, 0)
		if n == 0 {
			return c, fmt.Errorf("netlab: %s: %w", f.Name(), err)
		}
		text[i] = string(buf[:n])
	}
	_, line, ok := strings.Cut(text[0], Device+":")
	fields := strings.Fields(line)
	if !ok || len(fields) < 16 {
		return c, fmt.Errorf("netlab: no %s in %s", Device, h.ns)
	}
	for i, p := range map[int]*uint64{0: &c.RxBytes, 1: &c.RxPackets, 8: &c.TxBytes, 9: &c.TxPackets} {
		if *p, err = strconv.ParseUint(fields[i], 10, 64); err != nil {
			return c, err
		}
	}
	c.RcvbufErrors = column(text[1], "Udp:", "RcvbufErrors") + row(text[2], "Udp6RcvbufErrors")
	return c, nil
}

// column reads a value from a line of names followed by a line of values.
func column(text, head, name string) (v uint64) {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != head {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, n := range names {
			if n == name && i < len(f) {
				v, _ = strconv.ParseUint(f[i], 10, 64)
			}
		}
	}
	return v
}

// row reads the value behind a name.
func row(text, name string) (v uint64) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			v, _ = strconv.ParseUint(f[1], 10, 64)
		}
	}
	return v
}

// Monotonic returns CLOCK_MONOTONIC in seconds, by which the programs of one machine
// can compare their times.
func Monotonic() float64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return float64(ts.Sec) + float64(ts.Nsec)/1e9
}

// Backlog returns how many bytes wait for the link to a receiver: with Config.Rate, what
// the sender is too fast by.
func (l *Lab) Backlog(receiver *Host) (bytes int, err error) {
	if l.bridge == nil {
		return 0, errors.New("netlab: there is no bridge")
	}
	out, err := l.bridge.Command("tc", "-s", "qdisc", "show", "dev", receiver.Name+"p").Output()
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(out), "backlog ")
	if !ok {
		return 0, fmt.Errorf("netlab: tc says %q", out)
	}
	var unit string
	if _, err := fmt.Sscanf(rest, "%d%s", &bytes, &unit); err != nil {
		return 0, err
	}
	switch unit[0] { // of 1,024
	case 'K':
		bytes <<= 10
	case 'M':
		bytes <<= 20
	}
	return bytes, nil
}
