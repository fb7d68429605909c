package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/internal/flow"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// maxJoins bounds what GROUP+N may ask for.
const maxJoins = 10_000

// joinSpace is how many packets a socket of join reads at a time, each with room
// for receive offload.
const joinSpace = 32

type joinFlags struct {
	ifaces   []string
	sources  []string
	interval time.Duration
	duration time.Duration
	count    uint64
	json     bool
}

func joinCommand() *cobra.Command {
	var f joinFlags
	c := &cobra.Command{
		Use:   "join GROUP[:PORT]...",
		Short: "Join groups and show what arrives",
		Long: "Join shows, for each sender of the groups, packets and bits a second, what they carry (RTP,\n" +
			"MPEG-TS, NORM, SAP, test packets and others), what was lost, TTL and drops. It takes\n" +
			"rtp://, udp:// and source@group:port as well, and GROUP+N for N groups that follow each\n" +
			"other. The port is " + strconv.Itoa(testPort) + " unless given.",
		Example: "  mcast join 239.255.1.1 --iface eth0\n" +
			"  mcast join 192.0.2.10@232.1.2.3:5004 --iface eth0\n" +
			"  mcast join 239.255.0.1+100:5004 --duration 10s --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("nothing to join: give a group, as 239.255.1.1 or 239.255.1.1:5004")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args, &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	fs := c.Flags()
	fs.StringArrayVarP(&f.ifaces, "iface", "i", nil, "network interface: a name, index or address, several times, or all (default: by route)")
	fs.StringArrayVar(&f.sources, "source", nil, "only packets from this sender, several times")
	fs.DurationVar(&f.interval, "interval", time.Second, "how often to show")
	fs.DurationVar(&f.duration, "duration", 0, "stop after this time (default: never)")
	fs.Uint64VarP(&f.count, "count", "n", 0, "stop after this many packets (default: never)")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

func (f *joinFlags) run(ctx context.Context, args []string, out *printer) error {
	if f.interval < 10*time.Millisecond || f.duration < 0 {
		return usagef("--interval %v, --duration %v: give at least 10ms, and a positive time", f.interval, f.duration)
	}
	targets, err := joinTargets(args, f.sources)
	if err != nil {
		return err
	}
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	l := listener{monitor: flow.NewMonitor(), enough: make(chan struct{}), limit: f.count, failed: make(chan error, len(targets))}
	defer l.close()
	for _, t := range targets {
		if err := l.open(ctx, f, t); err != nil {
			return openError(err)
		}
	}
	l.announce(out)
	return l.show(ctx, f, out)
}

// A target is what one connection joins: groups of one IP version at one port.
type target struct {
	port     uint16
	channels []group.Channel
}

// joinTargets sorts what to join by connection.
func joinTargets(args, sources []string) ([]target, error) {
	var ts []target
	total := 0
	for _, arg := range args {
		first, n, port, err := parseJoin(arg)
		if err != nil {
			return nil, err
		}
		if total += n; total > maxJoins {
			return nil, usagef("%d groups are too many; %d can be joined at once", total, maxJoins)
		}
		t := findTarget(&ts, port, first.Group.Is4())
		g := first.Group
		for range n {
			if !g.IsMulticast() {
				return nil, usagef("%s: the groups run out of the multicast range", arg)
			}
			chs, err := withSources(group.Channel{Group: g, Source: first.Source}, sources)
			if err != nil {
				return nil, err
			}
			t.channels = append(t.channels, chs...)
			g = g.Next()
		}
	}
	return ts, nil
}

func findTarget(ts *[]target, port uint16, is4 bool) *target {
	for i := range *ts {
		t := &(*ts)[i]
		if t.port == port && t.channels[0].Group.Is4() == is4 {
			return t
		}
	}
	*ts = append(*ts, target{port: port})
	return &(*ts)[len(*ts)-1]
}

// withSources returns the channels of a group from each source, or itself.
func withSources(ch group.Channel, sources []string) ([]group.Channel, error) {
	if len(sources) == 0 || ch.Source.IsValid() {
		return []group.Channel{ch}, nil
	}
	var chs []group.Channel
	for _, s := range sources {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, usagef("--source %q: give the IP address of a sender", s)
		}
		chs = append(chs, group.Channel{Group: ch.Group, Source: a.Unmap()})
	}
	return chs, nil
}

// parseJoin reads GROUP[+N][:PORT], with source@ or a scheme before it.
func parseJoin(arg string) (first group.Channel, n int, port uint16, err error) {
	n = 1
	text := arg
	if before, after, ok := strings.Cut(arg, "+"); ok && !strings.Contains(arg, "://") {
		digits := after
		if i := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			digits = after[:i]
		}
		if n, err = strconv.Atoi(digits); err != nil || n < 1 {
			return first, 0, 0, usagef("%s: give the number of groups after +, as 239.255.0.1+100:5004", arg)
		}
		text = before + after[len(digits):]
	}
	t, err := parseTarget(text)
	return t.Channel, n, t.Port, err
}

// A listener reads the connections of join into one monitor.
type listener struct {
	conns  []*mcast.Conn
	groups int

	mu      sync.Mutex // guards monitor and seen
	monitor *flow.Monitor
	seen    uint64
	limit   uint64
	enough  chan struct{}

	failed  chan error
	readers sync.WaitGroup
}

// open joins a target and begins to read it.
func (l *listener) open(ctx context.Context, f *joinFlags, t target) error {
	first := t.channels[0]
	opts := onInterfaces(f.ifaces)
	if first.Source.IsValid() {
		opts = append(opts, mcast.Source(first.Source.String()))
	}
	if len(t.channels) > 1 {
		opts = append(opts, mcast.MultiGroup())
	}
	c, err := mcast.Listen(ctx, netip.AddrPortFrom(first.Group, t.port).String(), opts...)
	if err != nil {
		return err
	}
	l.conns = append(l.conns, c)
	for _, ch := range t.channels[1:] {
		if err := c.Join(ch); err != nil {
			return err
		}
	}
	l.groups += len(t.channels)
	l.readers.Add(1)
	go l.read(c)
	return nil
}

func (l *listener) close() {
	for _, c := range l.conns {
		c.Close()
	}
	l.readers.Wait()
}

// read hands what arrives to the monitor until the connection is closed.
func (l *listener) read(c *mcast.Conn) {
	defer l.readers.Done()
	ps := make([]datagram.Packet, joinSpace)
	for i := range ps {
		ps[i].Data = make([]byte, mcast.OffloadSpace)
	}
	for {
		n, err := c.ReadBatch(ps)
		if err != nil {
			l.failed <- err // buffered for each connection
			return
		}
		now := time.Now()
		l.mu.Lock()
		before := l.seen
		for i := range ps[:n] {
			l.seen += uint64(ps[i].Segments())
			l.monitor.Handle(now, &ps[i])
		}
		if l.limit > 0 && before < l.limit && l.seen >= l.limit {
			close(l.enough)
		}
		l.mu.Unlock()
	}
}

// announce says what was joined where.
func (l *listener) announce(out *printer) {
	for _, c := range l.conns {
		out.event(readyEvent{Event: "ready", Group: c.Group().String(), Iface: c.Interface().Name}, "")
	}
	c := l.conns[0]
	what := c.Group().String()
	if l.groups > 1 {
		what = fmt.Sprintf("%d groups, the first %s", l.groups, what)
	}
	if !out.json {
		out.event(nil, "joined %s on %s", what, c.Interface().Name)
	}
}

func (l *listener) snapshot() (flows []flow.Flow, other uint64, sum mcast.Stats) {
	l.mu.Lock()
	flows, other = l.monitor.Flows(), l.monitor.Other
	l.mu.Unlock()
	for _, c := range l.conns {
		s := c.Stats()
		sum.Dropped += s.Dropped
		sum.Foreign += s.Foreign
		sum.Truncated += s.Truncated
	}
	return flows, other, sum
}

// show prints until ctx is done or there were enough packets.
func (l *listener) show(ctx context.Context, f *joinFlags, out *printer) error {
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	b := newBoard(out, l.conns[0].Group())
	for {
		var err error
		done := true
		select {
		case <-tick.C:
			done = false
		case <-ctx.Done():
		case <-l.enough:
		case err = <-l.failed:
		}
		flows, other, stats := l.snapshot()
		b.show(time.Now(), flows, other, stats, done)
		if err != nil {
			return err
		}
		if done {
			if len(flows) == 0 && (f.duration > 0 || f.count > 0) {
				return errFailed // a script wants to know
			}
			return nil
		}
	}
}
