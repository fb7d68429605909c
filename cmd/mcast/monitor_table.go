package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

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
	m.registrations(&b, now)
	m.notes(&b, now, s)
	return b.String()
}

// registrations writes what switches were told, if anything was.
func (m *meter) registrations(b *bytes.Buffer, now time.Time) {
	list := m.watch.Registrations()
	if len(list) == 0 {
		return
	}
	b.WriteByte('\n')
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SWITCHES ARE TOLD BY\tFROM\tGROUP\tSTATION\tSAID\tSEEN\tREPORTED GROUPS WITH THAT MAC")
	for i, r := range list {
		if i == monitorRows {
			break
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", strings.ToUpper(r.Proto), r.From, macOr(r.Group, cmp.Or(r.Detail, "all groups")),
			stationText(&r), strings.ReplaceAll(r.Mode, "_", " "), ago(now, r.Last), someOf(r.Groups))
	}
	w.Flush()
	if n := len(list) - monitorRows; n > 0 {
		fmt.Fprintf(b, "and %d more; --json shows all\n", n)
	}
}

func stationText(r *control.Registration) string {
	if r.Proto != control.CGMP {
		return "-"
	}
	return macOr(r.Station, "all stations")
}

// macOr writes an Ethernet address, or what a zero one stands for.
func macOr(a igmp.MAC, zero string) string {
	if a == (igmp.MAC{}) {
		return zero
	}
	return a.String()
}

// someOf writes the first few groups of a list.
func someOf(groups []netip.Addr) string {
	var text []string
	for _, g := range groups {
		text = append(text, g.String())
	}
	return some(text)
}

// some writes the first few of a list, and - for none.
func some(list []string) string {
	switch n := len(list); {
	case n == 0:
		return "-"
	case n > 3:
		return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), n-3)
	}
	return strings.Join(list, ", ")
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
	alias := some(shares)
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
	for _, proto := range []string{control.CGMP, control.GMRP} {
		if c := m.watch.RegistrationCounts(proto); c != (control.RegistrationCounts{}) {
			fmt.Fprintf(b, "%s: %d joins, %d leaves, %d other\n", strings.ToUpper(proto), c.Joins, c.Leaves, c.Other)
		}
	}
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
