//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// benchFlute measures FLUTE to one receiver: without a code beside raw UDP, and with
// RaptorQ and Reed-Solomon by loss. Each code gets the overhead that its loss asks for,
// so that one pass mostly suffices.
func benchFlute(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("flute", flag.ExitOnError)
	loss := f.String("loss", "0,1,5,10,20,30", "percentages lost at the receiver")
	size := f.Int64("size", 128, "size of the file in MiB")
	rates := f.String("rates", "600,900,1200,1600,0", "rates to try in Mbit/s, 0 for unlimited")
	var o options
	f.IntVar(&o.reps, "reps", 3, "runs of each at its best rate")
	f.DurationVar(&o.timeout, "timeout", 60*time.Second, "longest run")
	f.DurationVar(&o.calm, "calm", 5*time.Second, "longest wait, before a run, for the machine to be idle")
	f.BoolVar(&o.json, "json", false, "print one object a line, for every run and every row")
	f.BoolVar(&o.md, "md", false, "print the table as Markdown")
	f.Parse(args)
	o.size = *size << 20
	number := func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	var err error
	if o.loss, err = list(*loss, number); err != nil {
		return fmt.Errorf("--loss: %w", err)
	}
	try, err := list(*rates, number)
	if err != nil {
		return fmt.Errorf("--rates: %w", err)
	}
	if err := netlab.Missing(); err != nil {
		return err
	}
	return o.runFlute(ctx, try)
}

func (o *options) runFlute(ctx context.Context, try []float64) error {
	dir, file, sum, err := o.makeFile()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := build(dir, "mcast")
	if err != nil {
		return err
	}
	var rows []row
	for _, loss := range o.loss {
		p, err := newPoint(o, 1, loss, dir, file, sum)
		if err != nil {
			return err
		}
		got, err := p.measure(ctx, flutePeers(path, loss, try))
		if err = errors.Join(err, p.lab.Close()); err != nil {
			return err
		}
		rows = append(rows, got...)
		if !o.json && !o.md {
			printTable(os.Stdout, got)
		}
	}
	if o.md {
		printMarkdown(os.Stdout, rows, o)
	}
	return nil
}

// flutePeers returns what is measured at a loss.
func flutePeers(path string, loss float64, try []float64) (peers []*peer) {
	always := func(int) []float64 { return slices.Clone(try) }
	if loss == 0 {
		raw := rawPeer("raw-gso", "gso", always)
		raw.prepare(raw, "")
		peers = append(peers, raw, flutePeer("flute none", path, "none", always))
	}
	// What gets through must be as many symbols as were source symbols, with a
	// margin of three and a half standard deviations of a block, and one symbol.
	overhead := func(block float64) int {
		q := loss / 100
		need := q/(1-q) + (3.5*math.Sqrt(block*q/(1-q))+1)/block
		return int(math.Ceil(100 * need))
	}
	for _, c := range []struct {
		name  string
		block float64
	}{{"raptorq", 1024}, {"rs", 128}} {
		fec := fmt.Sprintf("%s:overhead=%d%%", c.name, overhead(c.block))
		if loss == 0 {
			fec = c.name + ":overhead=0%"
		}
		peers = append(peers, flutePeer("flute "+fec, path, fec, always))
	}
	return peers
}

func flutePeer(name, path, fec string, rates func(int) []float64) *peer {
	return &peer{
		name: name, rates: rates, path: path,
		send: func(p *peer, r *run) []string {
			rate := "max"
			if r.rate > 0 {
				rate = fmt.Sprintf("%gM", r.rate)
			}
			// Further passes are for what a burst took; nobody waits for them.
			return []string{path, "send", "--protocol", "flute", "--iface", "d0", "--group", "239.77.1.10:6003", "--rate", rate, "--json",
				"--name", "file.bin", "--loopback=false", "--fec", fec, "--passes", "3", r.file}
		},
		recv: func(p *peer, r *run, i int) []string {
			return []string{path, "recv", "--protocol", "flute", "--iface", "d0", "--group", "239.77.1.10:6003", "--dir", r.dirs[i], "--count", "1", "--json"}
		},
		ready: `"event":"ready"`, done: `"event":"done"`, out: fileBin,
	}
}
