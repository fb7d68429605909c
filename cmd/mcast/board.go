package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gomulticast/multicast/internal/flow"
	"github.com/gomulticast/multicast/mcast"
)

const (
	boardRows = 40              // flows shown to a person; all are in the JSON
	quiet     = 5 * time.Second // without any packet before a hint is given
)

// A board is the table of join. On a terminal it is drawn over itself.
type board struct {
	out     *printer
	hint    string
	live    bool
	started time.Time
	last    time.Time
	before  map[boardKey]counts
	lines   int // drawn last time
}

type boardKey struct{ group, source netip.AddrPort }

type counts struct{ packets, bytes uint64 }

func newBoard(out *printer, g netip.AddrPort) *board {
	st, err := os.Stdout.Stat()
	now := time.Now()
	return &board{
		out: out, hint: "mcast doctor " + g.String() + " looks for reasons",
		live:    err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb",
		started: now, last: now, before: make(map[boardKey]counts),
	}
}

// flowEvent is a line of --json for one flow. Times are in seconds.
type flowEvent struct {
	Event      string   `json:"event"` // "flow"; "summary" when it is the last
	Group      string   `json:"group"`
	Source     string   `json:"source"`
	Index      int      `json:"ifindex,omitempty"`
	Kind       string   `json:"kind"`
	ID         uint32   `json:"id,omitempty"`
	Packets    uint64   `json:"packets"`
	Bytes      uint64   `json:"bytes"`
	PPS        float64  `json:"pps"`
	BPS        float64  `json:"bps"`
	TTL        int      `json:"ttl,omitempty"`
	TOS        uint8    `json:"tos"`
	Lost       *uint64  `json:"lost,omitempty"`
	Reordered  *uint64  `json:"reordered,omitempty"`
	Duplicates *uint64  `json:"duplicates,omitempty"`
	Restarts   *uint64  `json:"restarts,omitempty"`
	LatencyMin *float64 `json:"latency_min,omitempty"`
	Latency    *float64 `json:"latency,omitempty"`
	LatencyMax *float64 `json:"latency_max,omitempty"`
	Jitter     *float64 `json:"jitter,omitempty"`
	Ended      bool     `json:"ended,omitempty"`
}

type socketEvent struct {
	Event     string `json:"event"`
	Flows     int    `json:"flows"`
	Other     uint64 `json:"other"`
	Dropped   uint64 `json:"dropped"`
	Foreign   uint64 `json:"foreign"`
	Truncated uint64 `json:"truncated"`
}

// show writes the state; the last time with rates over all the time.
func (b *board) show(now time.Time, flows []flow.Flow, other uint64, s mcast.Stats, final bool) {
	since := b.last
	if final {
		since = b.started
		clear(b.before)
	}
	over := max(now.Sub(since).Seconds(), 1e-6)
	rows := make([]flowEvent, len(flows))
	for i := range flows {
		rows[i] = b.row(&flows[i], over, final)
	}
	b.last = now
	if b.out.json {
		for _, r := range rows {
			b.out.event(r, "")
		}
		b.out.event(socketEvent{"socket", len(rows), other, s.Dropped, s.Foreign, s.Truncated}, "")
		return
	}
	b.draw(b.table(now, rows, other, s, final))
}

// row makes the line of a flow from what came since it was last called.
func (b *board) row(f *flow.Flow, over float64, final bool) flowEvent {
	k := boardKey{f.Group, f.Source}
	old := b.before[k]
	b.before[k] = counts{f.Packets, f.Bytes}
	if final { // from its first packet to its last
		if over = f.Last.Sub(f.First).Seconds(); f.Packets > 1 {
			over *= float64(f.Packets) / float64(f.Packets-1)
		}
		over = max(over, 1e-6)
		if f.Packets == 1 {
			over = 1
		}
	}
	r := flowEvent{
		Event: "flow", Group: f.Group.String(), Source: f.Source.String(), Index: f.IfIndex, Kind: f.Name(), ID: f.ID,
		Packets: f.Packets, Bytes: f.Bytes, TTL: f.HopLimit, TOS: f.TOS, Ended: f.Ended,
		PPS: float64(f.Packets-old.packets) / over, BPS: float64(f.Bytes-old.bytes) * 8 / over,
	}
	if final {
		r.Event = "summary"
	}
	if f.Numbered() {
		q := f.Sequence
		r.Lost, r.Reordered, r.Duplicates, r.Restarts = &q.Lost, &q.Reordered, &q.Duplicates, &q.Restarts
	}
	if d := f.Delay; d.Count > 0 {
		lo, mean, hi, jitter := d.Min.Seconds(), d.Mean().Seconds(), d.Max.Seconds(), d.Jitter.Seconds()
		r.LatencyMin, r.Latency, r.LatencyMax, r.Jitter = &lo, &mean, &hi, &jitter
	}
	return r
}

// table writes the rows for people.
func (b *board) table(now time.Time, rows []flowEvent, other uint64, s mcast.Stats, final bool) string {
	var buf bytes.Buffer
	if len(rows) == 0 {
		fmt.Fprintf(&buf, "no packet in %.0f s", now.Sub(b.started).Seconds())
		if now.Sub(b.started) >= quiet || final {
			fmt.Fprintf(&buf, "; %s", b.hint)
		}
		buf.WriteByte('\n')
	} else {
		if final {
			buf.WriteString("in all:\n")
		}
		w := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "GROUP\tSOURCE\tCARRIES\tPACKETS\tPKT/S\tBITRATE\tLOST\tLATE\tTWICE\tDELAY\tJITTER\tTTL")
		for _, r := range rows[:min(len(rows), boardRows)] {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Group, r.Source, r.Kind, r.Packets, perSecond(r.PPS), bitrate(r.BPS),
				number(r.Lost), number(r.Reordered), number(r.Duplicates), delay(r.Latency), delay(r.Jitter), ttl(r.TTL))
		}
		w.Flush()
		if n := len(rows) - boardRows; n > 0 {
			fmt.Fprintf(&buf, "and %d more senders; --json shows all\n", n)
		}
	}
	var notes []string
	for _, n := range []struct {
		n    uint64
		what string
	}{
		{s.Dropped, "dropped for want of buffer (raise net.core.rmem_max)"},
		{s.Foreign, "of other groups or interfaces"},
		{other, "of more senders than are kept"},
	} {
		if n.n > 0 {
			notes = append(notes, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	if len(notes) > 0 {
		fmt.Fprintf(&buf, "packets not shown: %s\n", strings.Join(notes, ", "))
	}
	return buf.String()
}

// draw replaces what was drawn before, on a terminal.
func (b *board) draw(text string) {
	if b.live && b.lines > 0 {
		text = fmt.Sprintf("\x1b[%dA\x1b[J", b.lines) + text
	}
	b.lines = strings.Count(text, "\n")
	b.out.mu.Lock()
	defer b.out.mu.Unlock()
	fmt.Fprint(b.out.out, text)
}

func perSecond(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func number(n *uint64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func delay(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	switch v := *seconds; {
	case v > -1e-3 && v < 1e-3:
		return fmt.Sprintf("%.0f µs", v*1e6)
	case v > -1 && v < 1:
		return fmt.Sprintf("%.1f ms", v*1e3)
	default:
		return fmt.Sprintf("%.2f s", v)
	}
}

func ttl(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
