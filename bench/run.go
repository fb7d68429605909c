//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// A run is one transfer.
type run struct {
	*point
	rate float64
	dirs []string // of the receivers
}

// A result is what a run gave; everything is of this run alone.
type result struct {
	Event   string  `json:"event"`
	Peer    string  `json:"peer"`
	N       int     `json:"n"`
	Loss    float64 `json:"loss_percent"`
	Rate    float64 `json:"rate_mbit"` // 0: unlimited
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Goodput float64 `json:"goodput_mbit"` // 0 if it failed
	Wire    float64 `json:"wire"`         // bytes on the sender's wire for each of the file
	TxCPU   float64 `json:"tx_cpu_s"`
	RxCPU   float64 `json:"rx_cpu_s"` // of one receiver, on average
	Back    uint64  `json:"back_packets"`
	Drops   uint64  `json:"rcvbuf_drops"` // at all receivers
	RSS     int     `json:"rss_kib"`      // most of any process
	Lost    float64 `json:"lost_percent,omitempty"`
	Others  float64 `json:"other_cpu_percent"` // what ran beside it, of one processor
	Failure string  `json:"failure,omitempty"`
}

// A child is a process of a run. What it prints is kept with the time.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu    sync.Mutex
	lines []string
	times []float64
	tail  bytes.Buffer // of standard error
}

func startChild(h *netlab.Host, dir string, argv []string) (*child, error) {
	c := &child{cmd: h.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	c.cmd.Dir = dir
	c.cmd.Stderr = &c.tail
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, s.Text())
			c.times = append(c.times, netlab.Monotonic())
			c.mu.Unlock()
		}
		c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// line returns the first line with text in it and when it came.
func (c *child) line(text string) (line string, at float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, l := range c.lines {
		if strings.Contains(l, text) {
			return l, c.times[i]
		}
	}
	return "", 0
}

func (c *child) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// stop waits for the end, then asks for it, then forces it.
func (c *child) stop(wait time.Duration) {
	for _, insist := range []func() error{func() error { return nil }, func() error { return c.cmd.Process.Signal(os.Interrupt) }, c.cmd.Process.Kill} {
		insist()
		select {
		case <-c.ended:
			return
		case <-time.After(wait):
			wait = 2 * time.Second
		}
	}
}

func (c *child) cpu() float64 {
	st := c.cmd.ProcessState
	if st == nil {
		return 0
	}
	return (st.UserTime() + st.SystemTime()).Seconds()
}

// once lets a peer send the file once. An error ends the benchmark; what the peer
// does wrong is in the result.
func (p *point) once(ctx context.Context, q *peer, rate float64) (result, error) {
	r := &run{point: p, rate: rate}
	res := result{Peer: q.name, N: p.n, Loss: p.loss, Rate: rate, Bytes: p.size}
	loss := p.loss
	if q.raw {
		loss, res.Loss = 0, 0
	}
	for i := range p.lab.Receivers {
		dir := filepath.Join(p.dir, fmt.Sprintf("r%d", i+1))
		if err := os.RemoveAll(dir); err != nil {
			return res, err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return res, err
		}
		r.dirs = append(r.dirs, dir)
	}
	if err := p.lab.Lose(loss); err != nil {
		return res, err
	}
	defer func() {
		for _, dir := range r.dirs {
			os.RemoveAll(dir)
		}
	}()
	p.awaitCalm(ctx)
	err := r.transfer(ctx, q, &res)
	if err == nil {
		err = ctx.Err()
	}
	return res, err
}

func (r *run) transfer(ctx context.Context, q *peer, res *result) error {
	var rx []*child
	defer func() {
		for _, c := range rx {
			c.stop(0)
		}
	}()
	for i, h := range r.lab.Receivers {
		c, err := startChild(h, r.dir, q.recv(q, r, i))
		if err != nil {
			return err
		}
		rx = append(rx, c)
	}
	if !r.awaitReady(ctx, q, rx) {
		res.Failure = "receivers not ready: " + tail(rx)
		return nil
	}
	time.Sleep(300 * time.Millisecond) // for the bridge to learn of all

	tx0, rx0, err := r.counters()
	if err != nil {
		return err
	}
	busy0, begin := busy(), netlab.Monotonic()
	tx, err := startChild(r.lab.Sender, r.dir, q.send(q, r))
	if err != nil {
		return err
	}
	defer tx.stop(0)
	start, done, err := r.watch(ctx, q, tx, rx, tx0.TxBytes, &res.RSS)
	if err != nil {
		return err
	}
	tx.stop(12 * time.Second)
	for _, c := range rx {
		if q.stays {
			c.stop(0)
		} else {
			c.stop(6 * time.Second)
		}
	}
	busy1, end := busy(), netlab.Monotonic()
	tx1, rx1, err := r.counters()
	if err != nil {
		return err
	}
	for i := range rx {
		res.Drops += rx1[i].Sub(rx0[i]).RcvbufErrors
		res.RxCPU += rx[i].cpu() / float64(len(rx))
	}
	res.TxCPU = tx.cpu()
	res.Wire = float64(tx1.TxBytes-tx0.TxBytes) / float64(r.size)
	res.Back = tx1.RxPackets - tx0.RxPackets
	res.Others = max(0, 100*(busy1-busy0-res.TxCPU-res.RxCPU*float64(len(rx)))/(end-begin))
	if q.raw {
		r.judgeRaw(res, rx)
	} else {
		r.judge(q, res, tx, rx, start, done)
	}
	return nil
}

func (r *run) awaitReady(ctx context.Context, q *peer, rx []*child) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		n := 0
		for i, c := range rx {
			if line, _ := c.line(q.ready); q.port == 0 && line != "" || q.port != 0 && bound(r.lab.Receivers[i], q.port) {
				n++
			}
		}
		if n == len(rx) {
			return true
		}
	}
	return false
}

// bound reports whether a UDP port is in use at a host.
func bound(h *netlab.Host, port int) (found bool) {
	h.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/udp")
		found = bytes.Contains(b, fmt.Appendf(nil, ":%04X ", port))
		return err
	})
	return found
}

// watch polls until all receivers are done, and returns when the sender had put 20 kB
// on the wire and when each receiver was done, 0 for never.
func (r *run) watch(ctx context.Context, q *peer, tx *child, rx []*child, sent uint64, rss *int) (start float64, done []float64, err error) {
	done = make([]float64, len(rx))
	deadline, gone := time.Now().Add(r.timeout), time.Time{}
	for turn, left := 0, len(rx); left > 0 && time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		now := netlab.Monotonic()
		if turn++; turn%50 == 0 {
			for _, c := range append(rx[:len(rx):len(rx)], tx) {
				*rss = max(*rss, residentKiB(strconv.Itoa(c.cmd.Process.Pid)))
			}
		}
		if start == 0 {
			c, err := r.lab.Sender.Counters()
			if err != nil {
				return 0, nil, err
			}
			if c.TxBytes-sent > 20_000 {
				start = now
			}
		}
		for i, c := range rx {
			if done[i] != 0 {
				continue
			}
			over := c.over()
			if done[i] = r.done(q, c, r.dirs[i], now); done[i] != 0 || over {
				left--
			}
			if over && done[i] == 0 {
				done[i] = math.Inf(1) // it never will be
			}
		}
		if gone.IsZero() && tx.over() {
			gone = time.Now()
		}
		if !gone.IsZero() && time.Since(gone) > 5*time.Second {
			break
		}
	}
	return start, done, nil
}

// done returns when a receiver had the file, 0 if it has not.
func (r *run) done(q *peer, c *child, dir string, now float64) float64 {
	if q.done != "" {
		line, at := c.line(q.done)
		var said struct{ Mono float64 }
		if line != "" && json.Unmarshal([]byte(line), &said) == nil && said.Mono != 0 {
			return said.Mono
		}
		return at
	}
	if st, err := os.Stat(q.out(dir)); err == nil && (!q.grows || st.Size() == r.size) {
		return now
	}
	return 0
}

// judge checks the files and computes the goodput.
func (r *run) judge(q *peer, res *result, tx *child, rx []*child, start float64, done []float64) {
	last := 0.0
	for i, at := range done {
		if at == 0 || math.IsInf(at, 1) {
			res.Failure = fmt.Sprintf("receiver %d incomplete: %s", i+1, tail([]*child{tx, rx[i]}))
			return
		}
		if got := fileSum(q.out(r.dirs[i])); got != r.sum {
			res.Failure = fmt.Sprintf("receiver %d: SHA-256 %.12s, want %.12s", i+1, got, r.sum)
			return
		}
		last = max(last, at)
	}
	if start == 0 || last <= start {
		res.Failure = "no start seen on the wire"
		return
	}
	res.Seconds = last - start
	res.Goodput = float64(r.size) * 8 / res.Seconds / 1e6
}

func (r *run) counters() (tx netlab.Counters, rx []netlab.Counters, err error) {
	for _, h := range r.lab.Receivers {
		c, err := h.Counters()
		if err != nil {
			return tx, nil, err
		}
		rx = append(rx, c)
	}
	tx, err = r.lab.Sender.Counters()
	return tx, rx, err
}

func fileSum(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err.Error()
	}
	return hex.EncodeToString(h.Sum(nil))
}

// tail returns the last that processes said.
func tail(cs []*child) string {
	var all []string
	for _, c := range cs {
		c.mu.Lock()
		text := strings.Join(c.lines, "; ")
		c.mu.Unlock()
		if c.over() {
			text += " " + strings.ReplaceAll(strings.TrimSpace(c.tail.String()), "\n", "; ")
		}
		all = append(all, text[max(0, len(text)-200):])
	}
	return strings.Join(all, " | ")
}

// awaitCalm waits until the machine does little else.
func (o *options) awaitCalm(ctx context.Context) {
	const step = 300 * time.Millisecond
	for end := time.Now().Add(o.calm); time.Now().Before(end) && ctx.Err() == nil; {
		before := busy()
		time.Sleep(step)
		if (busy()-before)/step.Seconds() < 0.25 {
			return
		}
	}
}

// busy returns how long the machine's processors have worked, in seconds.
func busy() (s float64) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var user, nice, system, idle, iowait, irq, softirq, steal float64
	fmt.Sscanf(line, "cpu %g %g %g %g %g %g %g %g", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	return (user + nice + system + irq + softirq + steal) / 100
}
