//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// options are the command line.
type options struct {
	receivers []int
	loss      []float64
	size      int64
	reps      int
	timeout   time.Duration
	calm      time.Duration
	rates     map[string][]float64
	offload   bool
	gro       bool
	json      bool
	md        bool
}

// commands are what is measured beside the transfer of files, and what the measurements
// start in the lab's hosts.
var commands = map[string]func(context.Context, []string) error{
	"sockets": benchSockets, "madcap": benchMadcap, "flute": benchFlute, "soak": benchSoak, "latency": benchLatency, "hostile": benchHostile, "bottleneck": benchBottleneck,
	"raw-send": rawSend, "raw-recv": rawRecv, "soak-send": soakSend, "soak-recv": soakRecv,
	"latency-send": latencySend, "latency-recv": latencyRecv, "latency-recv-direct": latencyRecvDirect, "latency-recv-spin": latencyRecvSpin,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) > 1 && commands[os.Args[1]] != nil {
		err = commands[os.Args[1]](ctx, os.Args[2:])
	} else {
		err = bench(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func bench(ctx context.Context) error {
	var o options
	n := flag.String("n", "1,4", "numbers of receivers")
	loss := flag.String("loss", "0,5", "percentages lost at each receiver")
	names := flag.String("peers", "", "only these, separated by commas (default: all that are here)")
	rates := flag.String("rates", "", "rates to try in Mbit/s, 0 for unlimited, as mcast=400,600,0;uftp=0 (default: by number of receivers)")
	size := flag.Int64("size", 128, "size of the file in MiB")
	flag.IntVar(&o.reps, "reps", 3, "runs of each peer at its best rate")
	flag.DurationVar(&o.timeout, "timeout", 40*time.Second, "longest run")
	flag.DurationVar(&o.calm, "calm", 5*time.Second, "longest wait, before a run, for the machine to be idle")
	flag.BoolVar(&o.offload, "offload", false, "leave segmentation offload on: what is sent as a run of datagrams crosses the lab and arrives as one; only without loss")
	flag.BoolVar(&o.gro, "gro", false, "receivers whose network cards gather datagrams, as drivers do unless told not to; packets stay of MTU size on the wire")
	flag.BoolVar(&o.json, "json", false, "print one object a line, for every run and every row")
	flag.BoolVar(&o.md, "md", false, "print the table as Markdown")
	flag.Parse()
	o.size = *size << 20
	var err error
	if o.receivers, err = list(*n, strconv.Atoi); err != nil {
		return fmt.Errorf("--n: %w", err)
	}
	number := func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	if o.loss, err = list(*loss, number); err != nil {
		return fmt.Errorf("--loss: %w", err)
	}
	o.rates = map[string][]float64{}
	for part := range strings.SplitSeq(*rates, ";") {
		if name, values, ok := strings.Cut(part, "="); ok {
			if o.rates[name], err = list(values, number); err != nil {
				return fmt.Errorf("--rates: %w", err)
			}
		} else if part != "" {
			return fmt.Errorf("--rates: %q: give PEER=MBIT,MBIT", part)
		}
	}
	if err := netlab.Missing(); err != nil {
		return err
	}
	return o.run(ctx, *names)
}

func list[T any](s string, parse func(string) (T, error)) (l []T, err error) {
	for part := range strings.SplitSeq(s, ",") {
		v, err := parse(part)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	return l, nil
}

// run measures every point and prints the tables.
func (o *options) run(ctx context.Context, names string) error {
	dir, file, sum, err := o.makeFile()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peers, err := choose(dir, names)
	if err != nil {
		return err
	}
	var rows []row
	for _, n := range o.receivers {
		for _, loss := range o.loss {
			p, err := newPoint(o, n, loss, dir, file, sum)
			if err != nil {
				return err
			}
			got, err := p.measure(ctx, peers)
			if err = errors.Join(err, p.lab.Close()); err != nil {
				return err
			}
			rows = append(rows, got...)
			if !o.json && !o.md {
				printTable(os.Stdout, got)
			}
		}
	}
	if o.md {
		printMarkdown(os.Stdout, rows, o)
	}
	return nil
}

// makeFile makes a directory in memory, so that no disk is measured, and the file to be sent
// in it. The directory is the caller's to remove.
func (o *options) makeFile() (dir, file, sum string, err error) {
	if dir, err = os.MkdirTemp("/dev/shm", "mcast-bench-"); err != nil {
		return "", "", "", err
	}
	file = filepath.Join(dir, "file.bin")
	if sum, err = writeRandom(file, o.size); err != nil {
		os.RemoveAll(dir)
	}
	return dir, file, sum, err
}

func writeRandom(path string, size int64) (sum string, err error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), rand.Reader, size)
	return hex.EncodeToString(h.Sum(nil)), err
}

// choose returns the peers asked for that are here.
func choose(dir, names string) (chosen []*peer, err error) {
	for _, p := range allPeers() {
		if names != "" && !slices.Contains(strings.Split(names, ","), p.name) {
			continue
		}
		if err := p.prepare(p, dir); err != nil {
			fmt.Fprintf(os.Stderr, "without %s: %v\n", p.name, err)
			continue
		}
		chosen = append(chosen, p)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no peers; there are %s", strings.Join(peerNames(), ", "))
	}
	return chosen, nil
}

// A point is a number of receivers and a loss, and the lab for it.
type point struct {
	*options
	n         int
	loss      float64
	lab       *netlab.Lab
	dir, file string
	sum       string
}

func newPoint(o *options, n int, loss float64, dir, file, sum string) (*point, error) {
	if o.offload && loss > 0 {
		return nil, errors.New("--offload: loss would take whole runs; give --loss 0")
	}
	lab, err := netlab.Build(netlab.Config{Receivers: n, Loss: loss, Offload: o.offload, GRO: o.gro})
	return &point{o, n, loss, lab, dir, file, sum}, err
}

// measure searches each peer's rate and then lets them run in turns.
func (p *point) measure(ctx context.Context, peers []*peer) ([]row, error) {
	best := make([]float64, len(peers))
	runs := make([][]result, len(peers))
	for i, q := range peers {
		var err error
		if best[i], err = p.search(ctx, q); err != nil {
			return nil, err
		}
	}
	for rep := range p.reps {
		for j := range peers {
			i := (j + rep) % len(peers)
			r, err := p.once(ctx, peers[i], best[i])
			if err != nil {
				return nil, err
			}
			p.tell("run", r)
			runs[i] = append(runs[i], r)
		}
	}
	rows := make([]row, len(peers))
	for i, q := range peers {
		rows[i] = summarize(p, q, best[i], runs[i])
	}
	compare(rows)
	if p.json {
		for _, r := range rows {
			b, err := json.Marshal(r)
			if err != nil {
				return nil, err
			}
			fmt.Printf("%s\n", b)
		}
	}
	return rows, nil
}

// search tries rates upwards until goodput falls, and returns the best.
func (p *point) search(ctx context.Context, q *peer) (best float64, err error) {
	rates := p.rates[q.name]
	if rates == nil {
		rates = q.rates(p.n)
	}
	top := -1.0
	for _, rate := range rates {
		if len(rates) == 1 {
			return rate, nil
		}
		r, err := p.once(ctx, q, rate)
		if err != nil {
			return 0, err
		}
		p.tell("search", r)
		if r.Goodput > top {
			best, top = rate, r.Goodput
		} else if r.Goodput < 0.9*top {
			break
		}
	}
	return best, nil
}

// tell reports a run on the way.
func (p *point) tell(kind string, r result) {
	r.Event = kind
	if p.json {
		b, _ := json.Marshal(r)
		fmt.Printf("%s\n", b)
		return
	}
	state := ""
	if r.Failure != "" {
		state = "FAILED: " + r.Failure
	}
	fmt.Fprintf(os.Stderr, "%-6s N=%d loss=%g%% %-13s rate %6s  %7.1f Mbit/s  %.3f wire  cpu %.2f/%.2f s  drops %d  others %.0f%% %s\n",
		kind, r.N, r.Loss, r.Peer, rateName(r.Rate), r.Goodput, r.Wire, r.TxCPU, r.RxCPU, r.Drops, r.Others, state)
}

func rateName(mbit float64) string {
	if mbit == 0 {
		return "max"
	}
	return strconv.FormatFloat(mbit, 'f', -1, 64)
}

// build builds a command of this module.
func build(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	out, err := exec.Command("go", "build", "-o", path, "github.com/gomulticast/multicast/cmd/"+name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return path, nil
}
