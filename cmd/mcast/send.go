package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/rmt/norm"
)

type sendFlags struct {
	session
	rate, fec, wait string
	auto            int
	segment         int
	grtt            time.Duration
	groupSize       int
	timeout         time.Duration
	loopback        bool
	noDigest        bool
	name            string
}

func sendCommand() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send FILE...",
		Short: "Send files to everyone who listens, reliably (NORM, RFC 5740)",
		Example: "  mcast send --iface eth0 release.tar.zst\n" +
			"  mcast send --iface eth0 --rate 500M --wait 3 a.iso b.iso",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("send: name at least one file")
			}
			if f.name != "" && len(args) > 1 {
				return usagef("send: --name is for a single file")
			}
			return f.run(c.Context(), args, &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	f.register(c.Flags())
	c.Flags().StringVar(&f.source, "source", "", "own address to send from, in a source-specific group")
	c.Flags().StringVarP(&f.rate, "rate", "r", "100M", "bits per second, as 100M or 2.5G, or max")
	c.Flags().StringVar(&f.fec, "fec", "rs:64/16", "coding block and parity symbols, or none")
	c.Flags().IntVar(&f.auto, "auto-parity", 0, "parity symbols sent with every block, asked for or not")
	c.Flags().StringVarP(&f.wait, "wait", "w", "", "wait until N receivers, or those with these IDs (ID,ID), have confirmed")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "give up after this time (default never)")
	c.Flags().DurationVar(&f.grtt, "grtt", 0, "round-trip time assumed until measured (default 10ms)")
	c.Flags().IntVar(&f.groupSize, "group-size", 0, "expected number of receivers (default 100)")
	c.Flags().IntVar(&f.segment, "segment", 0, "payload of a packet in bytes (default 1400)")
	c.Flags().BoolVar(&f.loopback, "loopback", true, "also deliver to receivers on this host")
	c.Flags().StringVar(&f.name, "name", "", "send the file under this name")
	c.Flags().BoolVar(&f.noDigest, "no-digest", false, "do not send a SHA-256; files are then read once")
	return c
}

// parseWait reads --wait: a number of receivers, or IDs. One ID alone is written
// with a comma behind it.
func parseWait(s string) ([]norm.SendOption, error) {
	if s == "" {
		return nil, nil
	}
	if !strings.Contains(s, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 100_000 {
			return nil, usagef("--wait %q: give a number of receivers, or IDs as 11,12 (a single one as 11,)", s)
		}
		return []norm.SendOption{norm.WaitForCount(n)}, nil
	}
	var ids []norm.NodeID
	for part := range strings.SplitSeq(strings.Trim(s, ","), ",") {
		id, err := strconv.ParseUint(part, 10, 32)
		if err != nil || id == 0 || id == 1<<32-1 {
			return nil, usagef("--wait %q: %q is no node ID", s, part)
		}
		ids = append(ids, norm.NodeID(id))
	}
	return []norm.SendOption{norm.WaitFor(ids...)}, nil
}

func (f *sendFlags) config() (cfg norm.SenderConfig, err error) {
	cfg = norm.SenderConfig{
		NodeID: norm.NodeID(f.id), AutoParity: f.auto, GRTT: f.grtt, GroupSize: f.groupSize, SegmentSize: f.segment,
		// A receiver may have gigabytes to digest before it confirms.
		AckTimeout: time.Minute,
	}
	if cfg.Rate, err = parseRate(f.rate); err != nil {
		return cfg, err
	}
	if f.groupSize < 0 || f.timeout < 0 {
		return cfg, usagef("--group-size %d, --timeout %v: give positive values", f.groupSize, f.timeout)
	}
	cfg.BlockSize, cfg.Parity, err = parseFEC(f.fec)
	if err == nil {
		if bad := cfg.Validate(); bad != nil {
			err = usageError{bad}
		}
	}
	return cfg, err
}

// open opens the sender's connection. In a source-specific group it does not join:
// there is one source, and answers come by unicast.
func (f *sendFlags) open(ctx context.Context) (*mcast.Conn, error) {
	opts := []mcast.Option{mcast.Unicast(), mcast.Loopback(f.loopback)}
	if f.source != "" {
		if f.iface != "" {
			return nil, usagef("send: give --iface or --source, not both; an address as --iface is also sent from")
		}
		opts = append(opts, mcast.Interface(f.source))
	}
	if to, err := netip.ParseAddrPort(f.group); err == nil && (f.source != "" || group.IsSSM(to.Addr())) {
		return f.openWith(ctx, mcast.Dial, opts...)
	}
	return f.openWith(ctx, mcast.Open, opts...)
}

func (f *sendFlags) run(ctx context.Context, files []string, out *printer) error {
	if err := f.check(); err != nil {
		return err
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	opts, err := parseWait(f.wait)
	if err != nil {
		return err
	}
	if f.name != "" {
		opts = append(opts, norm.Name(f.name))
	}
	if f.noDigest {
		opts = append(opts, norm.NoDigest())
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("not done within --timeout %v", f.timeout))
		defer cancel()
	}
	conn, err := f.open(ctx)
	if err != nil {
		return err
	}
	s, err := norm.NewSender(withLoss(conn, f.loss), cfg)
	if err != nil {
		conn.Close()
		return err
	}
	defer s.Close()
	go printStats(ctx, out.err, f.stats, func() any { return s.Stats() })
	out.event(readyEvent{"ready", uint32(s.NodeID()), f.group, conn.Interface().Name}, "")
	return f.sendAll(ctx, s, files, opts, out)
}

// sendAll sends the files and reports.
func (f *sendFlags) sendAll(ctx context.Context, s *norm.Sender, files []string, opts []norm.SendOption, out *printer) error {
	start, failed := time.Now(), false
	fail := func(file string, err error) {
		failed = true
		if cause := context.Cause(ctx); ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = cause
		}
		out.failure(file, err)
	}
	show := newBars(f.json)
	type item struct {
		file string
		t    *norm.Transfer
		stop func()
	}
	var items []item
	var delivered int
	var total int64
	for _, file := range files {
		t, err := s.SendFile(ctx, file, opts...)
		if err != nil {
			fail(file, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		items = append(items, item{file, t, follow(show, filepath.Base(file), t)})
	}
	for _, it := range items {
		err := it.t.Wait(ctx)
		it.stop()
		if err != nil {
			fail(it.file, err)
			continue
		}
		delivered++
		total += it.t.Size()
	}
	seconds := time.Since(start).Seconds()
	s.Shutdown(ctx) // goodbye, even if ctx has ended
	show.wait()
	st := s.Stats()
	out.event(sentEvent{"sent", delivered, total, st.Bytes, st.Nacks, st.Repairs, seconds},
		"sent %d file(s), %s in %.2f s (%s): %s on the wire, %d NACKs, %d repairs",
		delivered, size(total), seconds, bitrate(float64(total)*8/seconds), size(int64(st.Bytes)), st.Nacks, st.Repairs)
	if failed {
		return errFailed
	}
	return nil
}

// follow draws a transfer's progress until the returned function is called.
func follow(b *bars, name string, t *norm.Transfer) (stop func()) {
	bar := b.add(name, t.Size())
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				bar.SetCurrent(min(t.Progress(), t.Size()-1))
			case <-t.Done():
				bar.SetCurrent(max(t.Size(), 1))
				return
			case <-end:
				bar.Abort(false)
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}
