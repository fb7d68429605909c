//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// Bytes of a file in a packet of 1,400, and of that packet with its NORM, UDP, IP and
// Ethernet headers: what the bottleneck can carry of a file at most.
const (
	bottleneckPayload = 1400
	bottleneckFrame   = 1400 + 32 + 8 + 20 + 14
)

// benchBottleneck measures what the rate "max" makes of a link that is slower than the
// sender: how much of it, and how full its queue is.
func benchBottleneck(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("bottleneck", flag.ExitOnError)
	rate := f.Float64("rate", 100, "Mbit/s of the receiver's link")
	size := f.Int64("size", 128, "size of the file in MiB")
	var o options
	f.IntVar(&o.reps, "reps", 3, "runs")
	f.DurationVar(&o.timeout, "timeout", 2*time.Minute, "longest run")
	f.DurationVar(&o.calm, "calm", 5*time.Second, "longest wait, before a run, for the machine to be idle")
	f.Parse(args)
	o.size = *size << 20
	if err := netlab.Missing(); err != nil {
		return err
	}
	dir, file, sum, err := o.makeFile()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lab, err := netlab.Build(netlab.Config{Rate: int64(*rate * 1e6)})
	if err != nil {
		return err
	}
	defer lab.Close()
	q := allPeers()[slices.IndexFunc(allPeers(), func(p *peer) bool { return p.name == "mcast" })]
	if q.path, err = build(dir, "mcast"); err != nil {
		return err
	}
	p := &point{options: &o, n: 1, lab: lab, dir: dir, file: file, sum: sum}
	most := *rate * bottleneckPayload / bottleneckFrame
	fmt.Printf("| goodput Mbit/s | of the link's most | wire/file | queue p50 ms | p90 ms | most ms | full, %% of the time |\n|---|---|---|---|---|---|---|\n")
	for range o.reps {
		stop := make(chan struct{})
		samples := make(chan []float64, 1)
		go func() { samples <- sampleBacklog(lab, stop, *rate*1e6/8) }()
		r, err := p.once(ctx, q, 0)
		close(stop)
		queue := <-samples
		if err != nil {
			return err
		}
		p.tell("run", r)
		slices.Sort(queue)
		full := 0
		for _, ms := range queue {
			if ms > 0.9*(1<<20)*8/(*rate*1e3) { // of the limit of 1 MiB
				full++
			}
		}
		at := func(x float64) float64 { return queue[int(x*float64(len(queue)-1))] }
		fmt.Printf("| %.1f | %.2f | %.3f | %.1f | %.1f | %.1f | %.0f |\n", r.Goodput, r.Goodput/most, r.Wire, at(.5), at(.9), at(1), 100*float64(full)/float64(len(queue)))
	}
	return ctx.Err()
}

// sampleBacklog looks at the queue twenty times a second while something is sent, and returns
// how many milliseconds of the link's time are in it.
func sampleBacklog(lab *netlab.Lab, stop <-chan struct{}, bytesPerSecond float64) []float64 {
	queue := []float64{0}
	var sent uint64
	for tick := time.Tick(50 * time.Millisecond); ; {
		select {
		case <-stop:
			return queue
		case <-tick:
		}
		c, err := lab.Sender.Counters()
		n, err2 := lab.Backlog(lab.Receivers[0])
		if err == nil && err2 == nil && c.TxBytes > sent+100_000 {
			queue = append(queue, float64(n)/bytesPerSecond*1e3)
		}
		sent = c.TxBytes
	}
}
