package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

const (
	monitorRows  = 40 // reporters shown to a person; all are in the JSON
	monitorSpace = 64 // packets read at a time
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
			"hurt source-specific multicast, and of storms. It sends nothing. It needs root.\n\n" +
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
	if err := conn.SetOutgoing(true); err != nil {
		return err
	}
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	name := conn.Interface().Name
	out.event(readyEvent{Event: "ready", Iface: name}, "listening to IGMP and MLD on %s", name)
	return f.watch(ctx, conn, out)
}

// watch shows what arrives until ctx is done.
func (f *monitorFlags) watch(ctx context.Context, conn *mcast.RawConn, out *printer) error {
	batches, done := make(chan []datagram.Packet), make(chan struct{})
	failed := make(chan error, 1)
	defer close(done)
	go readRaw(conn, batches, done, failed)

	m := newMeter(out, time.Now())
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	pulse := time.NewTicker(time.Second) // for what expires
	defer pulse.Stop()
	for {
		select {
		case ps := <-batches:
			for i := range ps {
				m.handle(&ps[i], f.packets)
			}
			batches <- ps
		case <-pulse.C:
			m.watch.Advance(time.Now())
		case <-tick.C:
			m.watch.Advance(time.Now())
			if m.tell(f.packets); !f.packets {
				m.show(time.Now(), conn.Stats(), false)
			}
		case err := <-failed:
			m.end(conn, f.packets)
			return err
		case <-ctx.Done():
			m.end(conn, f.packets)
			return nil
		}
	}
}

// end shows the state for the last time.
func (m *meter) end(conn *mcast.RawConn, lines bool) {
	m.watch.Advance(time.Now())
	m.tell(lines)
	m.show(time.Now(), conn.Stats(), true)
}

// readRaw reads batches and hands each over, and gets it back to read into again.
func readRaw(conn *mcast.RawConn, batches chan []datagram.Packet, done <-chan struct{}, failed chan<- error) {
	ps := make([]datagram.Packet, monitorSpace)
	size := min(max(conn.Interface().MTU, 1500), 65535)
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

// handle takes a packet; each says to show it.
func (m *meter) handle(p *datagram.Packet, each bool) {
	now := time.Now()
	_ = pcap.Decode(pcap.LinkRaw, p.Data, &m.frame) // what could be read is there
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

// The lines of --json. Times are in seconds.
type (
	querierEvent struct {
		Event      string  `json:"event"` // "querier"
		Proto      string  `json:"proto"`
		Address    string  `json:"address"`
		Version    int     `json:"version"`
		Elected    bool    `json:"elected"`
		Interval   float64 `json:"interval,omitempty"`      // as it says
		Seen       float64 `json:"interval_seen,omitempty"` // between its last two queries
		Robustness int     `json:"robustness,omitempty"`
		MaxResp    float64 `json:"max_resp"`
		Age        float64 `json:"age"` // since its last General Query
		Queries    uint64  `json:"queries"`
	}
	groupEvent struct {
		Event     string          `json:"event"` // "group"
		Group     string          `json:"group"`
		Name      string          `json:"name,omitempty"`
		Mode      string          `json:"mode"` // "include" or "exclude"
		Sources   []netip.Addr    `json:"sources"`
		Version   int             `json:"version"`
		Age       float64         `json:"age"` // since the last report
		Stale     bool            `json:"stale,omitempty"`
		MAC       string          `json:"mac"`
		Aliases   []netip.Addr    `json:"aliases"` // groups reported with the same MAC
		Control   string          `json:"control_alias,omitempty"`
		Reporters []reporterEvent `json:"reporters"`
	}
	reporterEvent struct {
		Address string       `json:"address"`
		Version int          `json:"version"`
		Mode    string       `json:"mode"`
		Sources []netip.Addr `json:"sources"`
		Age     float64      `json:"age"`
		Reports uint64       `json:"reports"`
	}
	warningEvent struct {
		Event   string `json:"event"` // "warning"
		Code    string `json:"code"`
		Proto   string `json:"proto,omitempty"`
		Active  bool   `json:"active"` // false when it is over
		Message string `json:"message"`
	}
	trafficEvent struct {
		Event    string            `json:"event"` // "traffic"; "summary" when it is the last
		Groups   int               `json:"groups"`
		Hosts    int               `json:"hosts"`
		Igmp     trafficCounts     `json:"igmp"`
		Mld      trafficCounts     `json:"mld"`
		Problems map[string]uint64 `json:"problems"`
		Refused  uint64            `json:"refused"` // for want of room
		Dropped  uint64            `json:"dropped"`
	}
	trafficCounts struct {
		Queries uint64 `json:"queries"`
		Reports uint64 `json:"reports"`
		Leaves  uint64 `json:"leaves"`
		Other   uint64 `json:"other"`
		Ignored uint64 `json:"ignored"` // hosts and routers do not act on these
	}
)

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

func (m *meter) lines(now time.Time, queriers []control.Querier, groups []control.Group, s mcast.Stats, final bool) {
	for i := range queriers {
		q := &queriers[i]
		m.out.event(querierEvent{"querier", q.Proto, q.Addr.String(), q.Version, q.Elected, q.Interval.Seconds(), q.Seen.Seconds(), q.Robustness,
			q.MaxResp.Seconds(), now.Sub(q.Last).Seconds(), q.General + q.Specific}, "")
	}
	hosts := make(map[netip.Addr]bool)
	for i := range groups {
		g := &groups[i]
		name, _ := group.WellKnown(g.Addr)
		e := groupEvent{Event: "group", Group: g.Addr.String(), Name: name, Mode: strings.ToLower(g.Filter.Mode.String()), Sources: list(g.Filter.Sources),
			Version: g.Version, Age: now.Sub(g.Last).Seconds(), Stale: g.Stale, MAC: macText(g.Addr), Aliases: list(g.Aliases)}
		if g.Control.IsValid() {
			e.Control = g.Control.String()
		}
		for _, r := range g.Reporters {
			hosts[r.Addr] = true
			e.Reporters = append(e.Reporters, reporterEvent{r.Addr.String(), r.Version, strings.ToLower(r.Filter.Mode.String()), list(r.Filter.Sources),
				now.Sub(r.Last).Seconds(), r.Reports})
		}
		m.out.event(e, "")
	}
	kind := "traffic"
	if final {
		kind = "summary"
	}
	m.out.event(trafficEvent{kind, len(groups), len(hosts), trafficOf(m.watch.Counts(control.IGMP)), trafficOf(m.watch.Counts(control.MLD)),
		m.watch.Problems(), m.watch.Refused(), s.Dropped}, "")
}

func trafficOf(c control.Counts) trafficCounts {
	return trafficCounts{c.Queries, c.Reports, c.Leaves, c.Other, c.Refused}
}

// list makes null an empty list.
func list(a []netip.Addr) []netip.Addr {
	if a == nil {
		return []netip.Addr{}
	}
	return a
}

func macText(g netip.Addr) string {
	b := group.MAC(g)
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}

// table writes the state for people.
func (m *meter) table(now time.Time, queriers []control.Querier, groups []control.Group, s mcast.Stats) string {
	var b bytes.Buffer
	m.queriers(&b, now, queriers)
	rows := 0
	if len(groups) == 0 {
		fmt.Fprintf(&b, "\nno group was reported in %s\n", ago(now, m.started))
	} else {
		b.WriteByte('\n')
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "GROUP\tREPORTER\tVERSION\tFILTER\tSEEN\tSHARES MAC WITH\tNAME")
		for i := range groups {
			rows += m.group(w, now, &groups[i], rows)
		}
		w.Flush()
		if rows > monitorRows {
			fmt.Fprintf(&b, "and %d more; --json shows all\n", rows-monitorRows)
		}
	}
	m.notes(&b, now, s)
	return b.String()
}

func (m *meter) queriers(b *bytes.Buffer, now time.Time, queriers []control.Querier) {
	if len(queriers) == 0 {
		fmt.Fprintf(b, "no querier heard in %s\n", ago(now, m.started))
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "QUERIER\tSPEAKS\tASKS EVERY\tANSWERS IN\tROBUSTNESS\tSEEN\tQUERIES")
	for i := range queriers {
		q := &queriers[i]
		every, robust := "?", "-"
		switch {
		case q.Interval > 0:
			every = q.Interval.String()
		case q.Seen > 0:
			every = "about " + q.Seen.Round(time.Second).String()
		}
		if q.Robustness > 0 {
			robust = fmt.Sprint(q.Robustness)
		}
		addr := q.Addr.String()
		if !q.Elected {
			addr += " (not elected)"
		}
		fmt.Fprintf(w, "%s\t%sv%d\t%s\t%s\t%s\t%s\t%d\n", addr, strings.ToUpper(q.Proto), q.Version, every, q.MaxResp, robust, ago(now, q.Last), q.General+q.Specific)
	}
	w.Flush()
}

// group writes a group's rows, of which before were written; it returns how many
// there are.
func (m *meter) group(w *tabwriter.Writer, now time.Time, g *control.Group, before int) int {
	name, _ := group.WellKnown(g.Addr)
	var shares []string
	if g.Control.IsValid() {
		shares = append(shares, g.Control.String()+" (flooded)")
	}
	for _, a := range g.Aliases {
		if a != g.Control {
			shares = append(shares, a.String())
		}
	}
	alias := "-"
	if n := len(shares); n > 3 {
		alias = fmt.Sprintf("%s and %d more", strings.Join(shares[:3], ", "), n-3)
	} else if n > 0 {
		alias = strings.Join(shares, ", ")
	}
	addr := g.Addr.String()
	for i, r := range g.Reporters {
		if before+i >= monitorRows {
			break
		}
		seen := ago(now, r.Last)
		if g.Stale {
			seen += ", not asked since"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", addr, r.Addr, protocolOf(g.Addr, r.Version), filterText(r.Filter), seen, alias, name)
		addr, alias, name = "", "", ""
	}
	return len(g.Reporters)
}

func protocolOf(g netip.Addr, version int) string {
	if g.Is4() {
		return fmt.Sprintf("IGMPv%d", version)
	}
	return fmt.Sprintf("MLDv%d", version)
}

// filterText writes a filter for people, with some of its sources.
func filterText(f group.Filter) string {
	const most = 4
	if f.Mode == group.Exclude && len(f.Sources) == 0 {
		return "all sources"
	}
	more := len(f.Sources) - most
	f.Sources = f.Sources[:min(len(f.Sources), most)]
	text := f.String()
	if more > 0 {
		text = fmt.Sprintf("%s, and %d more}", strings.TrimSuffix(text, "}"), more)
	}
	return text
}

// notes writes warnings and what was not understood.
func (m *meter) notes(b *bytes.Buffer, now time.Time, s mcast.Stats) {
	i, d := m.watch.Counts(control.IGMP), m.watch.Counts(control.MLD)
	fmt.Fprintf(b, "\n%d queries, %d reports, %d leaves, %d other; %d ignored by all\n", i.Queries+d.Queries, i.Reports+d.Reports, i.Leaves+d.Leaves, i.Other+d.Other, i.Refused+d.Refused)
	problems := m.watch.Problems()
	var list []string
	for _, p := range slices.Sorted(maps.Keys(problems)) {
		list = append(list, fmt.Sprintf("%d %s", problems[p], p))
	}
	if len(list) > 0 {
		fmt.Fprintf(b, "problems: %s\n", strings.Join(list, ", "))
	}
	if s.Dropped > 0 {
		fmt.Fprintf(b, "%d packets dropped for want of buffer (raise net.core.rmem_max)\n", s.Dropped)
	}
	for _, w := range m.watch.Warnings() {
		if w.Until.IsZero() {
			fmt.Fprintf(b, "WARNING  %s\n", w.Message)
		} else {
			fmt.Fprintf(b, "over     %s (%s ago)\n", w.Message, ago(now, w.Until))
		}
	}
}

// ago writes how long ago something was.
func ago(now, t time.Time) string {
	d := max(now.Sub(t), 0)
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
