package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/internal/flow"
	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

const (
	testBatch = 16 // packets in one system call, at high rates
	testEnds  = 10 // copies of the end, as iperf sends: they may be lost
)

type sendtestFlags struct {
	to       string
	iface    string
	ttl      int
	tos      int
	pps      float64
	rate     string
	size     int
	count    uint64
	duration time.Duration
	json     bool
}

func sendtestCommand() *cobra.Command {
	var f sendtestFlags
	c := &cobra.Command{
		Use:   "sendtest GROUP[:PORT]",
		Short: "Send numbered test packets, for mcast join to report loss and latency",
		Long: "Sendtest sends numbered, time-stamped packets to a group. Every mcast join on it reports\n" +
			"which are lost, late or doubled and how long they took. iperf 2 counts them too:\n" +
			"iperf -s -u -B GROUP. The port is " + strconv.Itoa(testPort) + " unless given.",
		Example: "  mcast sendtest 239.255.1.1 --iface eth0\n" +
			"  mcast sendtest 239.255.1.1:5004 --iface eth0 --rate 50M --size 1400 --duration 10s",
		Args: exactlyOne("give the group to send to, as 239.255.1.1 or 239.255.1.1:5004"),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			f.to = address(t)
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json}, c.Flags().Changed("rate"))
		},
	}
	fs := c.Flags()
	fs.StringVarP(&f.iface, "iface", "i", "", "network interface: a name, index or address (default: by route)")
	fs.IntVar(&f.ttl, "ttl", 1, "routers a packet may pass, plus one")
	fs.IntVar(&f.tos, "tos", 0, "TOS or traffic class octet: DSCP in the upper six bits, ECN in the lower two")
	fs.Float64Var(&f.pps, "pps", 10, "packets a second")
	fs.StringVar(&f.rate, "rate", "", "payload bits a second instead, as 50M")
	fs.IntVar(&f.size, "size", 200, "bytes in a packet, without UDP and IP headers")
	fs.Uint64VarP(&f.count, "count", "n", 0, "stop after this many packets (default: never)")
	fs.DurationVar(&f.duration, "duration", 0, "stop after this time (default: never)")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

// check returns the rate in bits per second of payload.
func (f *sendtestFlags) check(byRate bool) (int64, error) {
	switch {
	case f.size < flow.ProbeSize || f.size > datagram.MaxSize:
		return 0, usagef("--size %d: give %d to %d bytes; number and time need %[2]d", f.size, flow.ProbeSize, datagram.MaxSize)
	case f.ttl < 0 || f.ttl > 255:
		return 0, usagef("--ttl %d: give a number from 0 to 255", f.ttl)
	case f.tos < 0 || f.tos > 255:
		return 0, usagef("--tos %d: give a number from 0 to 255", f.tos)
	case f.duration < 0:
		return 0, usagef("--duration %v: give a positive time", f.duration)
	case byRate:
		rate, err := parseRate(f.rate, f.size)
		if rate < 0 {
			err = usagef("--rate max: test packets need a rate, as 50M")
		}
		return rate, err
	case !(f.pps >= 0.01 && f.pps <= 1e7):
		return 0, usagef("--pps %v: give 0.01 to 10000000 packets a second", f.pps)
	}
	return max(int64(f.pps*float64(f.size)*8), 1), nil
}

func (f *sendtestFlags) run(ctx context.Context, out *printer, byRate bool) error {
	rate, err := f.check(byRate)
	if err != nil {
		return err
	}
	opts := []mcast.Option{mcast.TTL(f.ttl), mcast.TOS(f.tos)}
	if f.iface != "" {
		opts = append(opts, mcast.Interface(f.iface))
	}
	conn, err := mcast.Dial(ctx, f.to, opts...)
	if err != nil {
		return openError(err)
	}
	defer conn.Close()
	out.event(readyEvent{Event: "ready", Group: conn.Group().String(), Iface: conn.Interface().Name},
		"sending %d B packets to %s on %s from %s, TTL %d, %s", f.size, conn.Group(), conn.Interface().Name, conn.LocalAddr(), f.ttl, bitrate(float64(rate)))
	s := testSender{conn: conn, size: f.size, session: rand.Uint32()}
	s.bucket.SetRate(rate, 0)
	err = s.run(ctx, f.count, f.duration)
	ended := s.end()
	if ctx.Err() != nil {
		err = nil // an interrupt is how it usually ends
	}
	secs := max(s.last.Sub(s.first).Seconds(), 1e-9)
	out.event(testSentEvent{"sent", s.seq, s.seq * uint64(f.size), secs}, "%d packets in %.1f s", s.seq, secs)
	return errors.Join(err, ended)
}

type testSentEvent struct {
	Event   string  `json:"event"`
	Packets uint64  `json:"packets"`
	Bytes   uint64  `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// A testSender sends test packets at a rate.
type testSender struct {
	conn        *mcast.Conn
	size        int
	session     uint32
	bucket      pace.Bucket
	seq         uint64
	first, last time.Time
	ps          [testBatch]datagram.Packet
}

// run sends until count packets are out or duration is over, 0 for either being no
// limit, or ctx is done.
func (s *testSender) run(ctx context.Context, count uint64, duration time.Duration) error {
	s.first = time.Now()
	s.last = s.first
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		n := 0
		now := time.Now()
		for n < testBatch && s.bucket.Ready(now) && (count == 0 || s.seq < count) && (duration == 0 || now.Sub(s.first) < duration) {
			s.seq++
			s.ps[n].Data = flow.AppendProbe(s.ps[n].Data[:0], flow.Probe{Session: s.session, Seq: s.seq, Sent: now}, s.size)
			s.bucket.Take(now, s.size)
			n++
		}
		if n > 0 {
			if _, err := s.conn.WriteBatch(s.ps[:n]); err != nil {
				return err
			}
			s.last = now
		}
		if count > 0 && s.seq >= count || duration > 0 && now.Sub(s.first) >= duration {
			return nil
		}
		wait := time.Until(s.bucket.Next())
		if duration > 0 {
			wait = min(wait, time.Until(s.first.Add(duration)))
		}
		timer.Reset(max(wait, 0))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// end tells the receivers that it is over, so that losses at the end count too.
func (s *testSender) end() error {
	if s.seq == 0 {
		return nil
	}
	s.seq++
	for range testEnds {
		b := flow.AppendProbe(s.ps[0].Data[:0], flow.Probe{Session: s.session, Seq: s.seq, Sent: time.Now(), Last: true}, s.size)
		s.ps[0].Data = b
		if _, err := s.conn.WriteBatch(s.ps[:1]); err != nil {
			return err
		}
	}
	s.seq--
	return nil
}
