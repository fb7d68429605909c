//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A MADCAP server is measured as a process, `mcast madcap serve`, with its leases in a
// file: many clients, each of which wants one lease, some of them at a time. A grant takes
// from the call to the ACK, thus with the wait for the disk and, by DISCOVER, with the
// offer before. Then it is flooded, and what it takes of memory is looked at.
var (
	madcapScope = netip.MustParseAddr("239.192.0.0")
	madcapGroup = netip.MustParseAddrPort("239.195.255.254:2535")
)

// madcapRow is what came of one way to ask.
type madcapRow struct {
	Way      string  `json:"way"`
	Clients  int     `json:"clients"`
	Parallel int     `json:"parallel"`
	Failed   int     `json:"failed"`
	Seconds  float64 `json:"seconds"`
	PerS     float64 `json:"grants_per_second"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	RSS      int     `json:"rss_kib"`
	Commits  int     `json:"commits,omitempty"`
}

type madcapBench struct {
	ctx      context.Context
	lab      *netlab.Lab
	dir      string
	mcast    string
	clients  int
	parallel int
}

func benchMadcap(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("madcap", flag.ExitOnError)
	clients := f.Int("clients", 10_000, "clients that want a lease")
	parallel := f.Int("parallel", 256, "of them at a time")
	flood := f.Duration("flood", 5*time.Second, "how long to flood with DISCOVERs, 0 for not")
	dir := f.String("dir", "", "where the leases are kept; a real disk (default: the current directory)")
	asJSON := f.Bool("json", false, "print one object a line")
	_ = f.Parse(args) // exits
	if err := netlab.Missing(); err != nil {
		return err
	}
	if *dir == "" {
		*dir = "."
	}
	tmp, err := os.MkdirTemp(*dir, "mcast-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	b := &madcapBench{ctx: ctx, dir: tmp, mcast: filepath.Join(tmp, "mcast"), clients: *clients, parallel: *parallel}
	if out, err := exec.Command("go", "build", "-o", b.mcast, "github.com/gomulticast/multicast/cmd/mcast").CombinedOutput(); err != nil {
		return fmt.Errorf("building mcast: %w\n%s", err, out)
	}
	if b.lab, err = netlab.Build(netlab.Config{}); err != nil {
		return err
	}
	defer b.lab.Close()
	show := func(r *madcapRow) {
		if *asJSON {
			line, _ := json.Marshal(r)
			fmt.Printf("%s\n", line)
			return
		}
		fmt.Printf("%-9s %6d clients, %4d at a time: %7.0f a second, p50 %.1f ms, p99 %.1f ms; %d failed, server %.1f MiB, %d commits\n",
			r.Way, r.Clients, r.Parallel, r.PerS, r.P50, r.P99, r.Failed, float64(r.RSS)/1024, r.Commits)
	}
	for _, way := range []string{"REQUEST", "DISCOVER"} {
		r, err := b.measure(way)
		if err != nil {
			return err
		}
		show(r)
	}
	if *flood > 0 {
		r, err := b.flood(*flood)
		if err != nil {
			return err
		}
		if *asJSON {
			show(r)
		} else {
			fmt.Printf("flood     %d DISCOVERs in %.1f s: server %.1f MiB, an honest client had its lease after %.0f ms; %d failed\n",
				r.Clients, r.Seconds, float64(r.RSS)/1024, r.P50, r.Failed)
		}
	}
	return nil
}

// A madcapServer is the process measured.
type madcapServer struct {
	cmd     *exec.Cmd
	out     *bufio.Scanner
	drained chan struct{}
	summary map[string]any
}

func (b *madcapBench) serve(name string, more ...string) (*madcapServer, error) {
	s := &madcapServer{drained: make(chan struct{})}
	s.cmd = b.lab.Sender.Command(b.mcast, append([]string{"madcap", "serve", "--json", "--iface", netlab.Device, "--db", filepath.Join(b.dir, name),
		"--scope", "239.192.0.0/14", "--pool", "239.193.0.0/16"}, more...)...)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		s.cmd.Stderr = os.Stderr
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewScanner(out)
	if !s.out.Scan() {
		return nil, errors.New("the server is not ready")
	}
	go func() {
		defer close(s.drained)
		for s.out.Scan() {
			var e map[string]any
			if json.Unmarshal(s.out.Bytes(), &e) == nil && e["event"] == "summary" {
				s.summary = e
			}
		}
		_, _ = io.Copy(io.Discard, out) // after a line too long
	}()
	return s, nil
}

// rss returns the memory the server has resident, in KiB.
func (s *madcapServer) rss() int { return residentKiB(strconv.Itoa(s.cmd.Process.Pid)) }

func (s *madcapServer) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended
	<-s.drained
	_ = s.cmd.Wait()
}

func (b *madcapBench) dial() (conn *mcast.Conn, err error) {
	return conn, b.lab.Receivers[0].Do(func() error {
		conn, err = mcast.Dial(b.ctx, madcapGroup.String(), mcast.Interface(netlab.Device), mcast.Unicast(), mcast.TTL(16))
		return err
	})
}

// measure lets all clients get a lease, one way.
func (b *madcapBench) measure(way string) (*madcapRow, error) {
	s, err := b.serve(way, "--client-rate", "-1", "--max-per-client", "-1")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	var q madcap.Request
	if way == "REQUEST" {
		q.Server = netip.AddrPortFrom(b.lab.Sender.IPv4, madcap.Port)
	}
	q.Scope, q.Lifetime = madcapScope, time.Hour
	var clients []*madcap.RunningClient
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	for range min(8, b.parallel) {
		conn, err := b.dial()
		if err != nil {
			return nil, err
		}
		c, err := madcap.RunClient(conn, madcap.ClientConfig{Group: madcapGroup.Addr()})
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
	}
	var mu sync.Mutex
	var took []float64
	failed, next := 0, 0
	start := time.Now()
	var wg sync.WaitGroup
	for w := range b.parallel {
		wg.Go(func() {
			for {
				mu.Lock()
				next++
				more := next <= b.clients && b.ctx.Err() == nil
				mu.Unlock()
				if !more {
					return
				}
				begin := time.Now()
				_, err := clients[w%len(clients)].Allocate(b.ctx, q)
				d := time.Since(begin)
				mu.Lock()
				if err != nil {
					failed++
				} else {
					took = append(took, d.Seconds()*1000)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r := &madcapRow{Way: way, Clients: b.clients, Parallel: b.parallel, Failed: failed, Seconds: time.Since(start).Seconds(), RSS: s.rss()}
	if len(took) > 0 {
		slices.Sort(took)
		r.P50, r.P99 = took[len(took)/2], took[len(took)*99/100]
		r.PerS = float64(len(took)) / r.Seconds
	}
	s.stop()
	if n, ok := s.summary["commits"].(float64); ok {
		r.Commits = int(n)
	}
	return r, b.ctx.Err()
}

// flood sends DISCOVERs with random lease IDs, as fast as it can, to a server that limits
// nobody, and has an honest client ask meanwhile.
func (b *madcapBench) flood(d time.Duration) (*madcapRow, error) {
	s, err := b.serve("flood", "--client-rate", "-1", "--max-per-client", "-1")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	conn, err := b.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q := madcap.Message{Type: madcap.TypeDiscover, Family: madcap.IPv4, Scope: madcapScope, LeaseID: make([]byte, 200),
		Has: madcap.OptionsOf(madcap.OptionLeaseID, madcap.OptionScope)}
	ps := make([]datagram.Packet, 64)
	begin, sent := time.Now(), 0
	honest := make(chan time.Duration, 1)
	go func() {
		defer close(honest)
		time.Sleep(d / 2)
		c, err := b.dial()
		if err != nil {
			return
		}
		r, err := madcap.RunClient(c, madcap.ClientConfig{Group: madcapGroup.Addr(), Retransmit: 100 * time.Millisecond, Retries: 50, NoResponse: 10 * time.Second})
		if err != nil {
			return
		}
		defer r.Close()
		begin := time.Now()
		if _, err := r.Allocate(b.ctx, madcap.Request{Scope: madcapScope, Lifetime: time.Hour}); err == nil {
			honest <- time.Since(begin)
		}
	}()
	for time.Since(begin) < d && b.ctx.Err() == nil {
		for i := range ps {
			q.XID = rand.Uint32()
			for k := range 8 {
				q.LeaseID[k] = byte(q.XID >> (k * 4))
			}
			data, err := q.AppendBinary(ps[i].Data[:0])
			if err != nil {
				return nil, err
			}
			ps[i] = datagram.Packet{Data: data, Dst: madcapGroup}
		}
		n, err := conn.WriteBatch(ps)
		sent += n
		if err != nil {
			return nil, err
		}
	}
	r := &madcapRow{Way: "flood", Clients: sent, Parallel: 1, Seconds: time.Since(begin).Seconds(), RSS: s.rss()}
	r.PerS = float64(sent) / r.Seconds
	if took, ok := <-honest; ok {
		r.P50 = took.Seconds() * 1000
	} else {
		r.Failed = 1
	}
	return r, nil
}
