package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

const (
	monitorRows  = 40 // reporters shown to a person; all are in the JSON
	monitorSpace = 64 // packets read at a time

	ethernetHeader = 14 // bytes
)

type monitorFlags struct {
	iface    string
	interval time.Duration
	duration time.Duration
	packets  bool
	json     bool
}

func monitorCommand() *cobra.Command {
	var f monitorFlags
	c := &cobra.Command{
		Use:   "monitor --iface NAME",
		Short: "Show who asks for and who reports groups on a link",
		Long: "Monitor listens to IGMP and MLD on an interface and shows the querier and its version,\n" +
			"which hosts report which groups and sources, when they were last heard, and groups that\n" +
			"share an Ethernet address. It warns of a missing querier, of two, of old versions that\n" +
			"hurt source-specific multicast, and of storms. Where routers or stations tell switches of\n" +
			"groups by CGMP or GMRP, it shows what. It sends nothing. It needs root.\n\n" +
			"A switch that snoops may show a port only a part of the reports.",
		Example: "  mcast monitor --iface eth0\n" +
			"  mcast monitor --iface eth0 --packets\n" +
			"  mcast monitor --iface eth0 --duration 5m --interval 5m --json",
		Args: atMost(0, "name the interface with --iface"),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	fs := c.Flags()
	fs.StringVarP(&f.iface, "iface", "i", "", "network interface: a name, index or address")
	fs.DurationVar(&f.interval, "interval", time.Second, "how often to show")
	fs.DurationVar(&f.duration, "duration", 0, "stop after this time (default: never)")
	fs.BoolVar(&f.packets, "packets", false, "show each packet, as mcast pcap does; the table comes at the end")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

func (f *monitorFlags) run(ctx context.Context, out *printer) error {
	if f.iface == "" {
		return usagef("which link? Name its interface with --iface")
	}
	if f.interval < 10*time.Millisecond || f.duration < 0 {
		return usagef("--interval %v, --duration %v: give at least 10ms, and a positive time", f.interval, f.duration)
	}
	conn, err := mcast.OpenRaw(ctx, f.iface)
	if err != nil {
		return openError(err)
	}
	defer conn.Close()
	conns := []*mcast.RawConn{conn}
	switch frames, err := mcast.OpenRaw(ctx, f.iface, mcast.RawCGMP, mcast.RawGMRP); {
	case errors.Is(err, mcast.ErrOption): // not on Ethernet, there are none
	case err != nil:
		return openError(err)
	default:
		defer frames.Close()
		conns = append(conns, frames)
	}
	for _, c := range conns {
		if err := c.SetOutgoing(true); err != nil {
			return err
		}
	}
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	name := conn.Interface().Name
	out.event(readyEvent{Event: "ready", Iface: name}, "listening to IGMP and MLD on %s", name)
	return f.watch(ctx, conns, out)
}

// watch shows what arrives until ctx is done: packets on the first connection, frames
// on the second if there is one.
func (f *monitorFlags) watch(ctx context.Context, conns []*mcast.RawConn, out *printer) error {
	packets, frames := make(chan []datagram.Packet), make(chan []datagram.Packet)
	done, failed := make(chan struct{}), make(chan error, len(conns))
	defer close(done)
	for i, c := range conns {
		go readRaw(c, []chan []datagram.Packet{packets, frames}[i], done, failed)
	}
	stats := func() (s mcast.Stats) {
		for _, c := range conns {
			s.Dropped += c.Stats().Dropped
		}
		return s
	}

	m := newMeter(out, time.Now())
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	pulse := time.NewTicker(time.Second) // for what expires
	defer pulse.Stop()
	for {
		select {
		case ps := <-packets:
			for i := range ps {
				m.handle(pcap.LinkRaw, &ps[i], f.packets)
			}
			packets <- ps
		case ps := <-frames:
			for i := range ps {
				m.handle(pcap.LinkEthernet, &ps[i], f.packets)
			}
			frames <- ps
		case <-pulse.C:
			m.watch.Advance(time.Now())
		case <-tick.C:
			m.watch.Advance(time.Now())
			if m.tell(f.packets); !f.packets {
				m.show(time.Now(), stats(), false)
			}
		case err := <-failed:
			m.end(stats(), f.packets)
			return err
		case <-ctx.Done():
			m.end(stats(), f.packets)
			return nil
		}
	}
}

// end shows the state for the last time.
func (m *meter) end(s mcast.Stats, lines bool) {
	m.watch.Advance(time.Now())
	m.tell(lines)
	m.show(time.Now(), s, true)
}

// readRaw reads batches and hands each over, and gets it back to read into again.
func readRaw(conn *mcast.RawConn, batches chan []datagram.Packet, done <-chan struct{}, failed chan<- error) {
	ps := make([]datagram.Packet, monitorSpace)
	size := min(max(conn.Interface().MTU, 1500)+ethernetHeader, 65535)
	room := make([]byte, len(ps)*size)
	for {
		for i := range ps {
			ps[i] = datagram.Packet{Data: room[i*size : i*size : (i+1)*size]}
		}
		n, err := conn.ReadBatch(ps)
		if err != nil {
			failed <- err // buffered
			return
		}
		select {
		case batches <- ps[:n]:
			<-batches
		case <-done:
			return
		}
	}
}

// A meter is the state of monitor.
type meter struct {
	out     *printer
	board   *board
	decoder control.Decoder
	watch   *control.Watch
	columns columns
	started time.Time
	told    map[string]bool // warnings, by code and protocol, that are in force as was told
	frame   pcap.Frame
	record  control.Record
}

func newMeter(out *printer, now time.Time) *meter {
	return &meter{
		out: out, board: newBoard(out, netip.AddrPort{}), watch: control.NewWatch(now, control.Config{}),
		started: now, told: make(map[string]bool),
	}
}

// handle takes what was read, which begins as link says; each says to show it.
func (m *meter) handle(link pcap.LinkType, p *datagram.Packet, each bool) {
	now := time.Now()
	_ = pcap.Decode(link, p.Data, &m.frame) // what could be read is there
	if !m.decoder.Describe(&m.frame, &m.record) {
		return
	}
	if m.record.Time = p.Time; p.Time.IsZero() {
		m.record.Time = now
	}
	m.watch.Handle(now, &m.record)
	if each {
		m.out.event(m.record.Words(), "%s", m.columns.line(&m.record, m.started))
	}
}

// tell reports warnings that came and went, where there is no table to show them.
func (m *meter) tell(lines bool) {
	for _, w := range m.watch.Warnings() {
		key, active := w.Code+" "+w.Proto, w.Until.IsZero()
		if m.told[key] == active {
			continue
		}
		m.told[key] = active
		word := "WARNING"
		if !active {
			word = "over"
		}
		if m.out.json || lines {
			m.out.event(warningEvent{"warning", w.Code, w.Proto, active, w.Message}, "%12s  %-7s  %s", since(m.watch.Now(), m.started), word, w.Message)
		}
	}
}

// show writes the state.
func (m *meter) show(now time.Time, s mcast.Stats, final bool) {
	queriers, groups := m.watch.Queriers(), m.watch.Groups()
	if m.out.json {
		m.lines(now, queriers, groups, s, final)
		return
	}
	m.board.draw(m.table(now, queriers, groups, s))
}
