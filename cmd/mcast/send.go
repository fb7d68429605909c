package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
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
	fair            bool
	auto            int
	segment         int
	grtt            time.Duration
	groupSize       int
	timeout         time.Duration
	loopback        bool
	noDigest        bool
	name            string
	sync            bool
	drop            time.Duration
	stream          bool
	command         string
	protocol        string
	flute           fluteSendFlags
}

func sendCommand() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send FILE|DIR...",
		Short: "Send files to everyone who listens, reliably (NORM, RFC 5740; FLUTE, RFC 6726)",
		Long: "Send sends files by NORM, whose receivers ask for what they missed. With --protocol flute\n" +
			"nobody answers, and there may be any number of receivers: FEC, and further passes, make up\n" +
			"for what is lost.",
		Example: "  mcast send --iface eth0 release.tar.zst\n" +
			"  mcast send --iface eth0 --rate 500M --wait 3 a.iso b.iso\n" +
			"  mcast send --iface eth0 --sync --wait 3 --drop-after 1m /srv/www\n" +
			"  mcast send --iface eth0 --command reload\n" +
			"  tar c . | mcast send --iface eth0 --stream --wait 1\n" +
			"  mcast send --protocol flute --fec raptorq:overhead=10% --passes 3 release.tar.zst\n" +
			"  mcast send --protocol flute --carousel --rate 20M --sdp files.sdp maps/",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case f.stream && len(args) > 0:
				return usagef("send: --stream sends standard input; name no files")
			case !f.stream && len(args) == 0 && f.command == "":
				return usagef("send: name at least one file or directory, or give --stream to send standard input, or a --command")
			case f.protocol == "flute" && (f.stream || f.sync || f.fair || f.drop != 0 || f.command != ""):
				return usagef("--stream, --sync, --fair, --drop-after and --command are for NORM: in FLUTE nobody answers, and there are only files")
			}
			if f.name != "" && len(args) > 1 {
				return usagef("send: --name is for a single file")
			}
			out := &printer{out: os.Stdout, err: os.Stderr, json: f.json}
			switch f.protocol {
			case "norm":
				return f.run(c.Context(), args, out)
			case "flute":
				if !c.Flags().Changed("fec") {
					f.fec = "raptorq"
				}
				return f.runFlute(c.Context(), args, out)
			}
			return usagef("--protocol %q: give norm or flute", f.protocol)
		},
	}
	f.register(c.Flags())
	c.Flags().StringVarP(&f.protocol, "protocol", "p", "norm", "norm or flute")
	f.flute.register(c.Flags())
	c.Flags().StringVar(&f.source, "source", "", "own address to send from, in a source-specific group")
	c.Flags().StringVarP(&f.rate, "rate", "r", "100M", "bits per second, as 100M or 2.5G, or max: what the slowest receiver gets")
	c.Flags().BoolVar(&f.fair, "fair", false, "take no more of a path than TCP would (TFMCC); --rate is the most then")
	c.Flags().StringVar(&f.fec, "fec", "rs:64/32", "coding block and parity symbols, or none; flute: raptorq, raptor, rs or ldpc, as raptorq:overhead=10%, or none")
	c.Flags().IntVar(&f.auto, "auto-parity", 0, "parity symbols sent with every block, asked for or not")
	c.Flags().StringVarP(&f.wait, "wait", "w", "", "wait until N receivers, or those with these IDs (ID,ID), have confirmed")
	c.Flags().DurationVar(&f.drop, "drop-after", 0, "with --wait: drop receivers that have not confirmed a file so long after it was sent (default never)")
	c.Flags().BoolVar(&f.sync, "sync", false, "receivers that have a file already, by its SHA-256, need not receive it again")
	c.Flags().BoolVar(&f.stream, "stream", false, "send standard input as a stream, for recv --stream")
	c.Flags().StringVar(&f.command, "command", "", "send this text to the application of every receiver, beside the files or alone; recv prints it")
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
	ids, n, err := parseNodes(s)
	switch {
	case err != nil:
		return nil, err
	case n > 0:
		return []norm.SendOption{norm.WaitForCount(n)}, nil
	case ids != nil:
		return []norm.SendOption{norm.WaitFor(ids...)}, nil
	}
	return nil, nil
}

func parseNodes(s string) (ids []norm.NodeID, n int, err error) {
	if s == "" {
		return nil, 0, nil
	}
	if !strings.Contains(s, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 100_000 {
			return nil, 0, usagef("--wait %q: give a number of receivers, or IDs as 11,12 (a single one as 11,)", s)
		}
		return nil, n, nil
	}
	for part := range strings.SplitSeq(strings.Trim(s, ","), ",") {
		id, err := strconv.ParseUint(part, 10, 32)
		if err != nil || id == 0 || id == 1<<32-1 {
			return nil, 0, usagef("--wait %q: %q is no node ID", s, part)
		}
		ids = append(ids, norm.NodeID(id))
	}
	return ids, 0, nil
}

func (f *sendFlags) config() (cfg norm.SenderConfig, err error) {
	cfg = norm.SenderConfig{
		NodeID: norm.NodeID(f.id), AutoParity: f.auto, GRTT: f.grtt, GroupSize: f.groupSize, SegmentSize: f.segment,
		// A receiver may have gigabytes to digest before it confirms.
		AckTimeout: time.Minute,
	}
	if cfg.Rate, err = parseRate(f.rate, fullPacket(f.segment)); err != nil {
		return cfg, err
	}
	if f.fair {
		cfg.CC, cfg.MaxRate, cfg.Rate = norm.CCTFMCC, max(cfg.Rate, 0), 0
	}
	if f.groupSize < 0 || f.timeout < 0 {
		return cfg, usagef("--group-size %d, --timeout %v: give positive values", f.groupSize, f.timeout)
	}
	switch {
	case f.drop < 0:
		return cfg, usagef("--drop-after %v: give a positive time", f.drop)
	case f.drop > 0 && f.wait == "":
		return cfg, usagef("--drop-after is for --wait: otherwise no receiver is waited for")
	case f.sync && f.noDigest:
		return cfg, usagef("--sync needs the SHA-256 of files, which --no-digest leaves out")
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
	if err := f.checkCommand(); err != nil {
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
	if f.sync {
		opts = append(opts, norm.IfAbsent())
	}
	if f.drop > 0 {
		opts = append(opts, norm.DropAfter(f.drop))
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("not done within --timeout %v", f.timeout))
		defer cancel()
	}
	cfg.Logger = out.logger()
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
	go printStats(ctx, out.err, f.stats, func() any { return senderCounters(s) })
	out.event(readyEvent{"ready", uint32(s.NodeID()), f.group, conn.Interface().Name}, "")
	told := f.tell(ctx, s, out)
	switch {
	case f.stream:
		return f.sendStream(ctx, s, os.Stdin, told, out)
	case len(files) == 0:
		return f.sendNoFiles(ctx, s, told, out)
	}
	return f.sendAll(ctx, s, files, opts, told, out)
}
