package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gomulticast/multicast/mcast"
)

const defaultGroup = "239.255.7.7:6003"

// A session is the flags that send and recv share.
type session struct {
	group  string
	iface  string
	source string
	ttl    int
	loss   float64
	json   bool
	id     uint32
	stats  time.Duration
}

func (s *session) register(f *pflag.FlagSet) {
	f.StringVarP(&s.group, "group", "g", defaultGroup, "group and port, as 239.1.2.3:6003 or [ff15::1]:6003")
	f.StringVarP(&s.iface, "iface", "i", "", "network interface: a name, index or address (default: by route)")
	f.IntVar(&s.ttl, "ttl", 1, "routers a packet may pass, plus one")
	f.Float64Var(&s.loss, "loss", 0, "lose this percentage of what arrives, for testing")
	f.BoolVar(&s.json, "json", false, "print one JSON object a line")
	f.DurationVar(&s.stats, "stats", 0, "write the protocol's counters to standard error this often")
	f.Uint32Var(&s.id, "id", 0, "node ID in the session (default random)")
}

func (s *session) check() error {
	if !(s.loss >= 0 && s.loss < 100) {
		return usagef("--loss %v: give a percentage from 0 to below 100", s.loss)
	}
	if s.ttl < 0 || s.ttl > 255 {
		return usagef("--ttl %d: give a number from 0 to 255", s.ttl)
	}
	if s.id == 1<<32-1 {
		return usagef("--id %d is reserved (RFC 5740 section 4.1)", s.id)
	}
	return nil
}

func (s *session) options() []mcast.Option {
	opts := []mcast.Option{mcast.TTL(s.ttl)}
	if s.iface != "" {
		opts = append(opts, mcast.Interface(s.iface))
	}
	return opts
}

// fullPacket is what a packet of a sender with so much payload, or the default, has in
// bytes with its headers.
func fullPacket(segment int) int { return max(cmp.Or(segment, 1400), 0) + 60 }

// parseRate reads 100M, 2.5G, 64k, 1000000 or max; it returns bits per second, -1
// for max. Less than a packet of that many bytes a second is a slip: nobody would wait for
// it.
func parseRate(s string, packet int) (int64, error) {
	if s == "max" {
		return -1, nil
	}
	num, scale := s, 1.0
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			num, scale = s[:len(s)-1], 1e3
		case 'M', 'm':
			num, scale = s[:len(s)-1], 1e6
		case 'G', 'g':
			num, scale = s[:len(s)-1], 1e9
		}
	}
	v, err := strconv.ParseFloat(num, 64)
	if err == nil && v == 0 {
		return 0, usagef("--rate %q: nothing would ever be sent; give max to send without a limit, or bits per second, as 100M", s)
	}
	if err != nil || !(v > 0 && v*scale <= 1e12) { // NaN is neither
		return 0, usagef("--rate %q: give bits per second of up to 1000G, as 100M, or max", s)
	}
	if least := float64(8 * packet); v*scale < least {
		remedy := fmt.Sprintf("give at least %.1fk", math.Ceil(least/100)/10)
		switch {
		case scale == 1 && v*1e3 >= least:
			remedy = fmt.Sprintf("say %sM for megabits, %[1]sk for kilobits", num)
		case scale <= 1e3 && v*1e6 >= least:
			remedy = fmt.Sprintf("say %sM for megabits", num)
		}
		return 0, usagef("--rate %s is %s bits per second, less than one packet of %d bytes a second; %s", s, strconv.FormatFloat(v*scale, 'f', -1, 64), packet, remedy)
	}
	return int64(v * scale), nil
}

// parseFEC reads rs:64/16, block and parity.
func parseFEC(s string) (block, parity int, err error) {
	if s == "none" {
		return 64, -1, nil
	}
	rest, ok := strings.CutPrefix(s, "rs:")
	b, p, ok2 := strings.Cut(rest, "/")
	block, err1 := strconv.Atoi(b)
	parity, err2 := strconv.Atoi(p)
	if !ok || !ok2 || err1 != nil || err2 != nil || block < 1 || parity < 0 {
		return 0, 0, usagef("--fec %q: give rs:BLOCK/PARITY as rs:64/16, or none", s)
	}
	if parity == 0 {
		parity = -1
	}
	return block, parity, nil
}

// An opener is mcast.Open, mcast.Dial or mcast.Listen.
type opener func(context.Context, string, ...mcast.Option) (*mcast.Conn, error)

// openWith opens a connection with the flags' options and more.
func (s *session) openWith(ctx context.Context, open opener, opts ...mcast.Option) (*mcast.Conn, error) {
	c, err := open(ctx, s.group, append(s.options(), opts...)...)
	return c, openError(err)
}

// mistakes are the errors of package mcast that a flag can put right, with what to
// do where the package's own remedy is for programs.
var mistakes = []struct {
	err    error
	remedy string
}{
	{mcast.ErrAddress, ""},
	{mcast.ErrPort, ""},
	{mcast.ErrNotMulticast, "give a --group from 224.0.0.0/4, such as 239.255.7.7, or from ff00::/8"},
	{mcast.ErrBadSource, "give --source the IP address of one sender, of the same version as the group"},
	{mcast.ErrNeedSource, "name the sender with --source, or choose a --group outside 232.0.0.0/8 and ff3x::/32"},
	{mcast.ErrNoInterface, ""},
	{mcast.ErrInterfaceRequired, "name it with --iface"},
	{mcast.ErrNotMulticastInterface, ""},
	{mcast.ErrOption, ""},
}

// openError makes a mistake in the flags a usage error.
func openError(err error) error {
	for _, m := range mistakes {
		if !errors.Is(err, m.err) {
			continue
		}
		var op *mcast.OpError
		if errors.As(err, &op) {
			ours := *op
			if ours.Remedy = strings.ReplaceAll(op.Remedy, "mcast.Interface", "--iface"); m.remedy != "" {
				ours.Remedy = m.remedy
			}
			err = &ours
		}
		return usageError{err}
	}
	return err
}
