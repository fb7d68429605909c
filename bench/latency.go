//go:build linux

package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

//go:embed latency
var latencySource embed.FS

// A latencyPeer is a program that sends and receives small messages.
type latencyPeer struct {
	name    string
	argv    []string
	address bool // it is told the interface by its address
	runs    map[float64][]latencyRow
}

// A latencyRow is one run, or the medians of several; times are in microseconds.
type latencyRow struct {
	P50, P90, P99, P999, Max float64
	TxCPU, RxCPU             float64
	Missing                  int
}

// benchLatency measures one way, from the write of a message to the read of it.
func benchLatency(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("latency", flag.ExitOnError)
	loss := f.String("loss", "0,1", "percentages lost at the receiver")
	names := f.String("peers", "mcast,mcast-direct,mcast-spin,libnorm,openpgm", "who is measured")
	reps := f.Int("reps", 3, "runs of each, in turns")
	seconds := f.Int("seconds", 8, "of a run; the first half second does not count")
	rate := f.Int("rate", 1000, "messages per second")
	size := f.Int("size", 200, "bytes of a message")
	o := options{}
	f.DurationVar(&o.calm, "calm", 30*time.Second, "longest wait, before a run, for the machine to be idle")
	f.Parse(args)
	losses, err := list(*loss, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	if err != nil {
		return fmt.Errorf("--loss: %w", err)
	}
	if err := netlab.Missing(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mcast-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peers, err := latencyPeers(dir, strings.Split(*names, ","))
	if err != nil {
		return err
	}
	lab, err := netlab.Build(netlab.Config{})
	if err != nil {
		return err
	}
	j := latencyJob{group: "239.77.1.30", port: "7530", device: netlab.Device, messages: *seconds * *rate, perSecond: *rate, size: *size}
	for _, percent := range losses {
		if err = lab.Receivers[0].Lose(percent); err != nil {
			break
		}
		for rep := range *reps {
			for i := range peers {
				p := peers[(i+rep)%len(peers)]
				o.awaitCalm(ctx)
				var row latencyRow
				if row, err = p.run(ctx, lab, j); err == nil {
					err = ctx.Err()
				}
				if err != nil {
					return errors.Join(fmt.Errorf("%s: %w", p.name, err), lab.Close())
				}
				fmt.Fprintf(os.Stderr, "%-10s loss=%g%%  %s\n", p.name, percent, strings.Join(row.cells(), " "))
				p.runs[percent] = append(p.runs[percent], row)
			}
		}
	}
	printLatency(peers, losses, &j, *reps)
	return errors.Join(err, lab.Close())
}

// latencyPeers returns those that are here.
func latencyPeers(dir string, names []string) (peers []*latencyPeer, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"latency.h", "norm.cpp", "pgm.c"} {
		b, err := latencySource.ReadFile("latency/" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			return nil, err
		}
	}
	compile := func(compiler, source string, args ...string) (string, error) {
		path := filepath.Join(dir, strings.TrimSuffix(source, filepath.Ext(source)))
		out, err := exec.Command(compiler, append([]string{"-O2", "-o", path, filepath.Join(dir, source)}, args...)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", source, err, out)
		}
		return path, nil
	}
	for _, name := range names {
		p := &latencyPeer{name: name, argv: []string{self}, runs: map[float64][]latencyRow{}}
		var program string
		switch name {
		case "mcast", "mcast-direct", "mcast-spin":
		case "libnorm":
			program, err = compile("g++", "norm.cpp", "-lnorm", "-lpthread")
		case "openpgm":
			p.address = true
			var flags []byte
			if flags, err = exec.Command("pkg-config", "--cflags", "--libs", "openpgm-5.3").Output(); err == nil {
				program, err = compile("gcc", "pgm.c", strings.Fields(string(flags))...)
			}
		default:
			return nil, fmt.Errorf("no peer %q; there are mcast, mcast-direct, mcast-spin, libnorm and openpgm", name)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "without %s: %v\n", name, err)
			continue
		}
		if program != "" {
			p.argv = []string{program}
		}
		peers = append(peers, p)
	}
	return peers, nil
}

func (p *latencyPeer) command(what string, h *netlab.Host, j latencyJob) []string {
	argv := p.argv
	if how, ours := strings.CutPrefix(p.name, "mcast"); ours {
		if what = "latency-" + what; strings.HasSuffix(what, "recv") {
			what += how
		}
		if how == "-spin" {
			// With two processors for both ends a second thread of either is in the way.
			argv = append([]string{"env", "GOMAXPROCS=1"}, argv...)
		}
	}
	if p.address {
		j.device = h.IPv4.String()
	}
	return append(append(slices.Clone(argv), what), j.args()...)
}

func (p *latencyPeer) run(ctx context.Context, lab *netlab.Lab, j latencyJob) (row latencyRow, err error) {
	rx, err := startChild(lab.Receivers[0], "/", p.command("recv", lab.Receivers[0], j))
	if err != nil {
		return row, err
	}
	defer rx.stop(0)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if line, _ := rx.line("READY"); line != "" {
			break
		}
		if time.Now().After(end) || rx.over() {
			return row, fmt.Errorf("the receiver does not begin: %s", tail([]*child{rx}))
		}
	}
	time.Sleep(500 * time.Millisecond) // for the bridge to learn of it
	tx, err := startChild(lab.Sender, "/", p.command("send", lab.Sender, j))
	if err != nil {
		return row, err
	}
	defer tx.stop(0)
	longest := time.Duration(j.messages/j.perSecond+12) * time.Second
	rx.stop(longest)
	tx.stop(5 * time.Second)
	if line, _ := rx.line("DONE"); line == "" {
		return row, fmt.Errorf("the receiver did not end: %s", tail([]*child{tx, rx}))
	}
	var took []float64
	for _, line := range rx.lines {
		var number int
		var ns int64
		if _, err := fmt.Sscanf(line, "%d %d", &number, &ns); err == nil && number >= j.perSecond/2 {
			took = append(took, float64(ns)/1e3)
		}
	}
	row = latencyRow{TxCPU: tx.cpu(), RxCPU: rx.cpu(), Missing: j.messages - j.perSecond/2 - len(took)}
	if len(took) == 0 {
		return row, errors.New("no message came")
	}
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(q*float64(len(took)-1))] }
	row.P50, row.P90, row.P99, row.P999, row.Max = at(.5), at(.9), at(.99), at(.999), at(1)
	return row, nil
}

func (r *latencyRow) cells() (cells []string) {
	for _, us := range []float64{r.P50, r.P90, r.P99, r.P999, r.Max} {
		cells = append(cells, fmt.Sprintf("%.0f", us))
	}
	return append(cells, fmt.Sprintf("%.2f", r.TxCPU), fmt.Sprintf("%.2f", r.RxCPU), strconv.Itoa(r.Missing))
}

// printLatency prints the medians of the runs.
func printLatency(peers []*latencyPeer, losses []float64, j *latencyJob, reps int) {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	fmt.Printf("%s, Linux %s, %d processors, %s. %d-byte messages at %d/s, %d s, one receiver; medians of %d runs in turns, microseconds.\n\n",
		time.Now().Format(time.DateOnly), strings.TrimSpace(string(release)), runtime.NumCPU(), runtime.Version(), j.size, j.perSecond, j.messages/j.perSecond, reps)
	head := []string{"loss", "peer", "p50", "p90", "p99", "p99.9", "max", "tx CPU s", "rx CPU s", "missing"}
	fmt.Printf("| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, loss := range losses {
		for _, p := range peers {
			runs := p.runs[loss]
			if len(runs) == 0 {
				continue
			}
			median := func(value func(latencyRow) float64) float64 {
				var all []float64
				for _, r := range runs {
					all = append(all, value(r))
				}
				return middle(all)
			}
			m := latencyRow{
				P50: median(func(r latencyRow) float64 { return r.P50 }), P90: median(func(r latencyRow) float64 { return r.P90 }),
				P99: median(func(r latencyRow) float64 { return r.P99 }), P999: median(func(r latencyRow) float64 { return r.P999 }),
				Max: median(func(r latencyRow) float64 { return r.Max }), TxCPU: median(func(r latencyRow) float64 { return r.TxCPU }),
				RxCPU: median(func(r latencyRow) float64 { return r.RxCPU }), Missing: int(median(func(r latencyRow) float64 { return float64(r.Missing) })),
			}
			fmt.Printf("| %g %% | %s | %s |\n", loss, p.name, strings.Join(m.cells(), " | "))
		}
	}
}
