//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/hostile"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// What is not an attack on the protocol but on the machine, or not one at all.
const (
	quiet     = "none"      // nobody attacks
	elsewhere = "elsewhere" // as many packets, to a port where nobody listens
	spoofed   = "spoofed-"  // before an attack that comes from the sender's own address
)

// A hostileRow is what is left of the goodput under an attack.
type hostileRow struct {
	kind   string
	rate   float64
	runs   []result
	sent   []float64 // forged packets a second
	median float64
}

// benchHostile measures files to two honest receivers while a third host of the network
// sends forged messages.
func benchHostile(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("hostile", flag.ExitOnError)
	kinds := f.String("kinds", "", "attacks, separated by commas (default: all)")
	rates := f.String("rates", "300,0", "Mbit/s of the sender, 0 for max")
	size := f.Int64("size", 128, "size of the file in MiB")
	perSecond := f.Int("packets", 10_000, "forged packets per second")
	var o options
	f.IntVar(&o.reps, "reps", 3, "runs of each, in turns")
	f.DurationVar(&o.timeout, "timeout", 60*time.Second, "longest run")
	f.DurationVar(&o.calm, "calm", 5*time.Second, "longest wait, before a run, for the machine to be idle")
	loss := f.Float64("loss", 0, "percentage lost at each honest receiver")
	f.Parse(args)
	o.size = *size << 20
	try, err := list(*rates, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	if err != nil {
		return fmt.Errorf("--rates: %w", err)
	}
	names := append([]string{quiet, elsewhere}, hostile.Kinds()...)
	if *kinds != "" {
		names = append([]string{quiet}, strings.Split(*kinds, ",")...)
	}
	if err := netlab.Missing(); err != nil {
		return err
	}
	dir, file, sum, err := o.makeFile()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := build(dir, "mcast")
	if err != nil {
		return err
	}
	lab, err := netlab.Build(netlab.Config{Receivers: 3})
	if err != nil {
		return err
	}
	defer lab.Close()
	attacker := lab.Receivers[2]
	lab.Receivers = lab.Receivers[:2]
	p := &point{options: &o, n: 2, loss: *loss, lab: lab, dir: dir, file: file, sum: sum}
	q := allPeers()[slices.IndexFunc(allPeers(), func(p *peer) bool { return p.name == "mcast" })]
	q.path = program
	q.recv = func(p *peer, r *run, i int) []string { // it may get more than the file
		return []string{p.path, "recv", "--iface", "d0", "--group", hostileGroup + ":6003", "--dir", r.dirs[i], "--json"}
	}
	q.done, q.stays = `"event":"done","file":"file.bin"`, true
	for _, rate := range try {
		rows := make([]*hostileRow, len(names))
		for i, kind := range names {
			rows[i] = &hostileRow{kind: kind, rate: rate}
		}
		for range o.reps {
			for _, row := range rows {
				if err := row.run(ctx, p, q, attacker, *perSecond); err != nil {
					return fmt.Errorf("%s: %w", row.kind, err)
				}
			}
		}
		printHostile(rows)
	}
	return ctx.Err()
}

// run lets the file be sent once.
func (h *hostileRow) run(ctx context.Context, p *point, q *peer, from *netlab.Host, perSecond int) error {
	attack, stop := context.WithCancel(ctx)
	defer stop()
	type flood struct {
		sent int
		took time.Duration
		err  error
	}
	over := make(chan flood, 1)
	if h.kind == quiet {
		over <- flood{took: time.Second}
	} else {
		a, err := startAttack(ctx, from)
		if err != nil {
			return err
		}
		defer a.Close()
		go func() {
			if _, err := a.Wait(attack); err != nil {
				over <- flood{took: time.Second}
				return
			}
			begin := time.Now()
			n, err := a.flood(attack, h.kind, perSecond)
			over <- flood{n, time.Since(begin), err}
		}()
	}
	r, err := p.once(ctx, q, h.rate)
	stop()
	f := <-over
	if err = errors.Join(err, f.err); err != nil {
		return err
	}
	p.tell(h.kind, r)
	h.runs = append(h.runs, r)
	h.sent = append(h.sent, float64(f.sent)/f.took.Seconds())
	return nil
}

// An attack is an attacker with its sockets.
type attack struct {
	*hostile.Attacker
	ctx   context.Context
	host  *netlab.Host
	conns []*mcast.Conn
}

const hostileGroup = "239.77.1.9" // of the peer mcast

func startAttack(ctx context.Context, h *netlab.Host) (*attack, error) {
	a := &attack{ctx: ctx, host: h}
	c, err := a.open(hostileGroup+":6003", mcast.Loopback(false))
	if err != nil {
		return nil, err
	}
	a.Attacker = hostile.New(c, 1)
	return a, nil
}

func (a *attack) open(addr string, opts ...mcast.Option) (c *mcast.Conn, err error) {
	err = a.host.Do(func() error {
		c, err = mcast.Open(a.ctx, addr, append(opts, mcast.Interface(netlab.Device))...)
		return err
	})
	if err == nil {
		a.conns = append(a.conns, c)
	}
	return c, err
}

func (a *attack) Close() {
	for _, c := range a.conns {
		c.Close()
	}
}

// flood sends forged messages until ctx ends.
func (a *attack) flood(ctx context.Context, kind string, perSecond int) (int, error) {
	out := a.conns[0]
	if kind == elsewhere {
		c, err := a.open(hostileGroup+":6999", mcast.Loopback(false))
		if err != nil {
			return 0, err
		}
		out, kind = c, "mix"
	}
	name, spoof := strings.CutPrefix(kind, spoofed)
	if !spoof {
		return a.Attack(ctx, out, kind, perSecond)
	}
	victim, err := a.Wait(ctx)
	if err != nil {
		return 0, err
	}
	c, err := a.spoof(victim)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return a.Attack(ctx, c, name, perSecond)
}

// spoof returns a connection that sends from another host's address.
func (a *attack) spoof(victim netip.AddrPort) (c spoofer, err error) {
	for _, line := range []string{
		"sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf." + netlab.Device + ".accept_local=1",
		"ip addr replace " + victim.Addr().String() + "/32 dev lo",
	} {
		argv := strings.Fields(line)
		if out, err := a.host.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return c, fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return c, a.host.Do(func() (err error) {
		c.UDPConn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(victim))
		return err
	})
}

// A spoofer writes to the group.
type spoofer struct{ *net.UDPConn }

func (s spoofer) ReadBatch([]datagram.Packet) (int, error) { return 0, net.ErrClosed }

func (s spoofer) WriteBatch(ps []datagram.Packet) (int, error) {
	for i := range ps {
		if _, err := s.WriteToUDPAddrPort(ps[i].Data, netip.MustParseAddrPort(hostileGroup+":6003")); err != nil {
			return i, err
		}
	}
	return len(ps), nil
}

// printHostile prints what is left of the goodput without an attack.
func printHostile(rows []*hostileRow) {
	fmt.Printf("\nsender at %s Mbit/s, two honest receivers\n\n| attack | forged packets/s | goodput Mbit/s | min-max | of none | wire/file | tx CPU s | rx CPU s | back pkts | MiB most | failed |\n|%s\n",
		rateName(rows[0].rate), strings.Repeat("---|", 11))
	for _, h := range rows {
		var good []float64
		var wire, tx, rx, back, rss []float64
		failed := 0
		for _, r := range h.runs {
			if r.Failure != "" {
				failed++
				continue
			}
			good = append(good, r.Goodput)
			wire, tx, rx, back = append(wire, r.Wire), append(tx, r.TxCPU), append(rx, r.RxCPU), append(back, float64(r.Back))
			rss = append(rss, float64(r.RSS)/1024)
		}
		if len(good) == 0 {
			fmt.Printf("| %s | %.0f | - | - | - | - | - | - | - | - | %d/%d |\n", h.kind, middle(h.sent), failed, len(h.runs))
			continue
		}
		h.median = middle(good)
		of := "-"
		if rows[0].median > 0 {
			of = fmt.Sprintf("%.2f", h.median/rows[0].median)
		}
		fmt.Printf("| %s | %.0f | %.0f | %.0f-%.0f | %s | %.3f | %.2f | %.2f | %.0f | %.0f | %d/%d |\n", h.kind, middle(h.sent), h.median,
			slices.Min(good), slices.Max(good), of, middle(wire), middle(tx), middle(rx), middle(back), slices.Max(rss), failed, len(h.runs))
	}
}
