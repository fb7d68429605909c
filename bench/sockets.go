//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
)

// Ways to move datagrams through one socket are measured by hand-made steps, so that
// what else the machine does hits all of them alike and none waits for another:
//
// Receiving, the socket's buffer is filled first, with the clock stopped, and then
// emptied against the clock. Sending, a burst that fits the receiver's buffer is sent
// against the clock; the time includes the way through the veth pair and into that
// buffer, which the kernel does in the sender's system call. The receiver then checks
// that all came.
const (
	socketsGroup = "239.77.2.1"
	socketsPort  = 7800 // the first; each socket has its own
)

// burst is how many datagrams of a size fit into the usual largest buffer (4 MiB,
// which the kernel doubles) with all its book-keeping.
func burst(size int) int {
	if size <= 200 {
		return 5000
	}
	return 3000
}

// A way is one thing measured.
type way struct {
	name string
	// once moves n datagrams of a size and returns the time it took.
	once func(n, size int) (time.Duration, error)
	// runs is whether datagrams must come in runs for it.
	runs bool
	// to fills the buffer it reads from.
	to string
}

// A measure is what came of a way at one size: medians over all repetitions.
type measure struct {
	Direction string  `json:"direction"`
	Size      int     `json:"size"`
	Way       string  `json:"way"`
	Ns        float64 `json:"ns_per_packet"`
	Min       float64 `json:"min_ns"`
	Max       float64 `json:"max_ns"`
	Allocs    float64 `json:"allocs_per_packet"` // -1: not known
	ToXnet    float64 `json:"times_xnet_batch"`
	ToC       float64 `json:"times_c,omitempty"`
}

func benchSockets(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("sockets", flag.ExitOnError)
	reps := f.Int("reps", 7, "repetitions, in turns")
	bursts := f.Int("bursts", 8, "bursts of each repetition; four times as many with offload")
	slots := f.Int("slots", 16, "packets of 64 KiB that receivers with offload have, in Go and C")
	asJSON := f.Bool("json", false, "print one object a line")
	md := f.Bool("md", false, "print Markdown")
	only := f.String("only", "", "only ways whose name matches this regular expression")
	f.Parse(args)
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	if err := netlab.Missing(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mcast-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lab, err := netlab.Build(netlab.Config{Direct: true, Offload: true})
	if err != nil {
		return err
	}
	b := &sockets{ctx: ctx, lab: lab, reps: *reps, bursts: *bursts, slots: *slots, only: pattern, next: socketsPort}
	err = b.run(dir)
	if err = errors.Join(err, b.close(), lab.Close()); err != nil {
		return err
	}
	switch {
	case *asJSON:
		for _, m := range b.out {
			line, _ := json.Marshal(m)
			fmt.Printf("%s\n", line)
		}
	case *md:
		b.markdown(os.Stdout)
	default:
		b.table(os.Stdout)
	}
	return nil
}

// sockets is the state of the measurement.
type sockets struct {
	ctx          context.Context
	lab          *netlab.Lab
	reps, bursts int
	slots        int
	only         *regexp.Regexp
	next         int // port
	closers      []io.Closer
	note         string
	out          []measure

	plain, gso map[string]*mcast.Conn // to fill with, by address
}

func (b *sockets) close() (err error) {
	for _, c := range slices.Backward(b.closers) {
		err = errors.Join(err, c.Close())
	}
	return err
}

func (b *sockets) run(dir string) error {
	rx, err := b.receivers(dir)
	if err != nil {
		return err
	}
	for _, size := range []int{200, 1400} {
		if err := b.turns("receive", size, rx); err != nil {
			return err
		}
	}
	tx, err := b.senders()
	if err != nil {
		return err
	}
	for _, size := range []int{200, 1400} {
		if err := b.turns("send", size, tx); err != nil {
			return err
		}
	}
	return nil
}

// turns lets all ways have their turns at one size.
func (b *sockets) turns(direction string, size int, ways []way) error {
	ways = slices.DeleteFunc(slices.Clone(ways), func(w way) bool { return !b.only.MatchString(w.name) })
	if len(ways) == 0 {
		return nil
	}
	n := burst(size)
	ns := make([][]float64, len(ways))
	allocs := make([]float64, len(ways))
	for rep := -1; rep < b.reps; rep++ { // the first does not count
		for j := range ways {
			i := (j + rep + len(ways)) % len(ways)
			w := &ways[i]
			if err := b.ctx.Err(); err != nil {
				return err
			}
			var best []float64
			mallocs := uint64(0)
			bursts := b.bursts
			if strings.Contains(w.name, "UDP_") {
				bursts *= 4 // they are short, and the first find cold caches
			}
			for range bursts {
				if w.to != "" {
					if err := b.fill(w, n, size); err != nil {
						return err
					}
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				d, err := w.once(n, size)
				if err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
				runtime.ReadMemStats(&after)
				mallocs += after.Mallocs - before.Mallocs
				best = append(best, float64(d)/float64(n))
			}
			if rep >= 0 {
				ns[i] = append(ns[i], middle(best))
				allocs[i] += float64(mallocs) / float64(n*bursts*b.reps)
			}
		}
		fmt.Fprintf(os.Stderr, "\r%s %d B: %d/%d ", direction, size, rep+1, b.reps)
	}
	fmt.Fprintln(os.Stderr)
	first := len(b.out)
	for i, w := range ways {
		m := measure{Direction: direction, Size: size, Way: w.name, Ns: middle(ns[i]), Min: slices.Min(ns[i]), Max: slices.Max(ns[i]), Allocs: allocs[i]}
		if strings.HasPrefix(w.name, "C") {
			m.Allocs = -1
		}
		b.out = append(b.out, m)
	}
	set := b.out[first:]
	for i := range set {
		for _, m := range set {
			switch {
			case m.Way == xnetRead || m.Way == xnetWrite:
				set[i].ToXnet = m.Ns / set[i].Ns
			case m.Way == cDrain:
				set[i].ToC = m.Ns / set[i].Ns
			}
		}
	}
	return nil
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v)%2 == 0 {
		return (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return v[len(v)/2]
}

// compileC compiles the C loop.
func compileC(dir string) (string, error) {
	path := filepath.Join(dir, "drain")
	source := filepath.Join(dir, "drain.c")
	if err := os.WriteFile(source, drainSource, 0o644); err != nil {
		return "", err
	}
	out, err := exec.Command(cmp.Or(os.Getenv("CC"), "gcc"), "-O2", "-o", path, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

var socketColumns = []string{"way", "ns/packet", "min-max", "million packets/s", "allocations/packet", "to x/net batch", "to C"}

func (m *measure) cells() []string {
	allocs, c := fmt.Sprintf("%.2f", m.Allocs), "-"
	if m.Allocs < 0 {
		allocs = "-"
	}
	if m.ToC > 0 {
		c = fmt.Sprintf("%.2f×", m.ToC)
	}
	return []string{m.Way, fmt.Sprintf("%.0f", m.Ns), fmt.Sprintf("%.0f-%.0f", m.Min, m.Max), fmt.Sprintf("%.2f", 1e3/m.Ns), allocs, fmt.Sprintf("%.1f×", m.ToXnet), c}
}

func (b *sockets) each(begin func(title string), line func(cells []string), end func()) {
	for i := range b.out {
		m := &b.out[i]
		if i == 0 || m.Direction != b.out[i-1].Direction || m.Size != b.out[i-1].Size {
			if i > 0 {
				end()
			}
			begin(fmt.Sprintf("%s, %d B", m.Direction, m.Size))
		}
		line(m.cells())
	}
	if len(b.out) > 0 {
		end()
	}
}

func (b *sockets) table(w io.Writer) {
	var t *tabwriter.Writer
	b.each(func(title string) {
		fmt.Fprintf(w, "\n%s\n", title)
		t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, strings.Join(socketColumns, "\t")+"\t")
	}, func(cells []string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }, func() { t.Flush() })
	if b.note != "" {
		fmt.Fprintf(w, "\n%s", b.note)
	}
}

func (b *sockets) markdown(w io.Writer) {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	fmt.Fprintf(w, "%s, Linux %s, %d processors, %s. Medians of %d repetitions in turns, each the median of %d bursts, of four times as many with offload. %s\n",
		time.Now().Format(time.DateOnly), version, runtime.NumCPU(), runtime.Version(), b.reps, b.bursts, b.note)
	b.each(func(title string) {
		fmt.Fprintf(w, "\n### %s\n\n| %s |\n|%s\n", title, strings.Join(socketColumns, " | "), strings.Repeat("---|", len(socketColumns)))
	}, func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }, func() {})
}
