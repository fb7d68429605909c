//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A row is a peer at a point: medians of the runs that did not fail.
type row struct {
	Event   string  `json:"event"` // "row"
	Peer    string  `json:"peer"`
	N       int     `json:"n"`
	Loss    float64 `json:"loss_percent"`
	Rate    float64 `json:"rate_mbit"`
	Goodput float64 `json:"goodput_mbit"`
	Min     float64 `json:"min_mbit"`
	Max     float64 `json:"max_mbit"`
	ToBest  float64 `json:"to_best_peer,omitempty"`
	ToRaw   float64 `json:"to_raw_gso,omitempty"`
	Wire    float64 `json:"wire"`
	ToIdeal float64 `json:"wire_to_ideal"`
	TxCPU   float64 `json:"tx_cpu_s"`
	RxCPU   float64 `json:"rx_cpu_s"`
	Back    float64 `json:"back_packets"`
	Drops   float64 `json:"rcvbuf_drops"`
	Others  float64 `json:"other_cpu_percent"`
	Failed  int     `json:"failed"`
	Runs    int     `json:"runs"`
}

func summarize(p *point, q *peer, rate float64, runs []result) row {
	r := row{Event: "row", Peer: q.name, N: p.n, Loss: p.loss, Rate: rate, Runs: len(runs)}
	good := slices.DeleteFunc(slices.Clone(runs), func(x result) bool { return x.Failure != "" })
	if r.Failed = len(runs) - len(good); len(good) == 0 {
		return r
	}
	of := func(value func(result) float64) []float64 {
		var all []float64
		for _, x := range good {
			all = append(all, value(x))
		}
		slices.Sort(all)
		return all
	}
	median := func(value func(result) float64) float64 {
		all := of(value)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	goodput := func(x result) float64 { return x.Goodput }
	r.Goodput, r.Min, r.Max = median(goodput), of(goodput)[0], of(goodput)[len(good)-1]
	r.Wire = median(func(x result) float64 { return x.Wire })
	if r.ToIdeal = r.Wire / plainWire; !q.raw { // which is not lost
		r.ToIdeal /= ideal(idealBlock, p.n, p.loss/100)
	}
	r.TxCPU = median(func(x result) float64 { return x.TxCPU })
	r.RxCPU = median(func(x result) float64 { return x.RxCPU })
	r.Back = median(func(x result) float64 { return float64(x.Back) })
	r.Drops = median(func(x result) float64 { return float64(x.Drops) })
	r.Others = median(func(x result) float64 { return x.Others })
	return r
}

// compare sets the ratios of the rows of a point.
func compare(rows []row) {
	var raw, best float64
	for _, r := range rows {
		switch {
		case r.Peer == "raw-gso":
			raw = r.Goodput
		case !strings.HasPrefix(r.Peer, "raw-") && !strings.HasPrefix(r.Peer, "mcast"):
			best = max(best, r.Goodput)
		}
	}
	for i := range rows {
		if best > 0 {
			rows[i].ToBest = rows[i].Goodput / best
		}
		if raw > 0 {
			rows[i].ToRaw = rows[i].Goodput / raw
		}
	}
}

var columns = []string{"peer", "rate", "goodput Mbit/s", "min-max", "to best peer", "to raw GSO", "wire/file", "to ideal", "tx CPU s", "rx CPU s", "back pkts", "drops", "others %", "failed"}

func (r *row) cells() []string {
	cells := []string{r.Peer, rateName(r.Rate), "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", fmt.Sprintf("%d/%d", r.Failed, r.Runs)}
	if r.Goodput == 0 {
		return cells
	}
	ratio := func(v float64) string {
		if v == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", v)
	}
	copy(cells[2:], []string{
		fmt.Sprintf("%.0f", r.Goodput), fmt.Sprintf("%.0f-%.0f", r.Min, r.Max), ratio(r.ToBest), ratio(r.ToRaw), fmt.Sprintf("%.3f", r.Wire), ratio(r.ToIdeal),
		fmt.Sprintf("%.2f", r.TxCPU), fmt.Sprintf("%.2f", r.RxCPU), fmt.Sprintf("%.0f", r.Back), fmt.Sprintf("%.0f", r.Drops), fmt.Sprintf("%.0f", r.Others),
	})
	return cells
}

func title(r row) string {
	plural := "s"
	if r.N == 1 {
		plural = ""
	}
	return fmt.Sprintf("%d receiver%s, %g %% loss", r.N, plural, r.Loss)
}

// printTable prints the rows of a point for a terminal.
func printTable(w io.Writer, rows []row) {
	fmt.Fprintf(w, "\n%s\n", title(rows[0]))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(columns, "\t")+"\t")
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t")+"\t")
	}
	t.Flush()
	fmt.Fprintln(w)
}

// printMarkdown prints all rows, a table for each point.
func printMarkdown(w io.Writer, rows []row, o *options) {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	fmt.Fprintf(w, "%s, Linux %s, %d processors, %s. File of %d MiB, medians of %d runs in turns.\n",
		time.Now().Format(time.DateOnly), strings.TrimSpace(string(release)), runtime.NumCPU(), runtime.Version(), o.size>>20, o.reps)
	for i, r := range rows {
		if i == 0 || r.N != rows[i-1].N || r.Loss != rows[i-1].Loss {
			fmt.Fprintf(w, "\n### %s\n\n| %s |\n|%s\n", title(r), strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(r.cells(), " | "))
	}
}
