package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

type recvFlags struct {
	session
	dir     string
	count   int
	timeout time.Duration
	unicast bool
	linger  time.Duration

	protocol string
	tsi      uint64
	sdp      string

	resume    bool
	keepModes bool
	noDigest  bool
	always    bool
	onExist   string
	stream    bool
	entries   int
}

func recvCommand() *cobra.Command {
	var f recvFlags
	c := &cobra.Command{
		Use:   "recv",
		Short: "Receive files into a directory, or a stream, and print commands",
		Example: "  mcast recv --iface eth0 --dir /srv/in\n" +
			"  mcast recv --iface eth0 --count 1 --timeout 1m\n" +
			"  mcast recv --iface eth0 --stream | tar x\n" +
			"  mcast recv --protocol flute --sdp files.sdp --dir /srv/in",
		Args: atMost(0, "files are sent with mcast send, and --dir is where they go"),
		RunE: func(c *cobra.Command, _ []string) error {
			out := &printer{out: os.Stdout, err: os.Stderr, json: f.json}
			switch {
			case f.protocol == "flute" && (f.stream || f.keepModes || f.noDigest || f.always || f.entries != 0 || c.Flags().Changed("on-exist") || c.Flags().Changed("resume")):
				return usagef("--stream, --resume, --keep-modes, --no-digest, --always, --on-exist and --max-entries are for NORM")
			case f.protocol == "flute":
				return f.runFlute(c.Context(), out)
			case f.protocol != "norm":
				return usagef("--protocol %q: give norm or flute", f.protocol)
			case f.sdp != "" || f.tsi != 0:
				return usagef("--sdp and --tsi are for --protocol flute")
			}
			return f.run(c.Context(), out)
		},
	}
	f.register(c.Flags())
	c.Flags().StringVarP(&f.protocol, "protocol", "p", "norm", "norm or flute")
	c.Flags().StringVar(&f.sdp, "sdp", "", "flute: a FILE that describes the session, for group, source and session identifier")
	c.Flags().Uint64Var(&f.tsi, "tsi", 0, "flute: receive only the session with this identifier")
	c.Flags().StringVar(&f.source, "source", "", "listen to this sender only (source-specific multicast)")
	c.Flags().StringVarP(&f.dir, "dir", "d", ".", "directory for the files")
	c.Flags().IntVarP(&f.count, "count", "n", 0, "stop after this many files, received or failed (default: never)")
	c.Flags().BoolVar(&f.resume, "resume", true, "keep files that were not complete for a day, and go on with what earlier runs kept")
	c.Flags().BoolVar(&f.keepModes, "keep-modes", false, "give files the permissions their sender has them with; otherwise none is executable")
	c.Flags().BoolVar(&f.noDigest, "no-digest", false, "do not compute the SHA-256 of files, nor compare it with what their sender says")
	c.Flags().BoolVar(&f.always, "always", false, "receive also what is here already, when it is sent with --sync")
	c.Flags().StringVar(&f.onExist, "on-exist", "replace", "when there is a file of that name: replace it, keep it, or number the new one")
	c.Flags().IntVar(&f.entries, "max-entries", 0, "take directories of up to so many files and directories, 1 to 1048576 (default 262144)")
	c.Flags().BoolVar(&f.stream, "stream", false, "write the first stream to standard output, in place of files")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "stop after this time (default: never)")
	c.Flags().BoolVar(&f.unicast, "unicast", false, "answer the sender by unicast (always so with --source)")
	c.Flags().DurationVar(&f.linger, "linger", 5*time.Second, "after the last file, stay at most this long to confirm it")
	return c
}

// NORM needs ECN of what a packet's metadata says, FLUTE nothing.
var lean = mcast.Lean(mcast.FieldTOS)

func (f *recvFlags) open(ctx context.Context) (*mcast.Conn, error) {
	if f.source != "" {
		f.unicast = true
		return f.openWith(ctx, mcast.Open, lean, mcast.Source(f.source))
	}
	return f.openWith(ctx, mcast.Open, lean)
}

func (f *recvFlags) run(ctx context.Context, out *printer) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.count < 0 || f.timeout < 0 {
		return usagef("--count %d, --timeout %v: give positive values, or 0 for never", f.count, f.timeout)
	}
	if f.entries < 0 || f.entries > 1<<20 {
		return usagef("--max-entries %d: give a number from 1 to 1048576", f.entries)
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	cfg.Logger = out.logger()
	conn, err := f.open(ctx)
	if err != nil {
		return err
	}
	r, err := norm.NewReceiver(withLoss(conn, f.loss), cfg)
	if err != nil {
		conn.Close()
		return err
	}
	defer r.Close()
	go printStats(ctx, out.err, f.stats, func() any { return receiverCounters(r) })
	if f.stream { // standard output is the stream's
		data := out.out
		out = &printer{out: out.err, err: out.err, json: out.json}
		out.event(readyEvent{"ready", uint32(r.NodeID()), f.group, conn.Interface().Name}, "")
		defer showCommands(r, out)()
		return f.receiveStream(ctx, r, data, out)
	}
	out.event(readyEvent{"ready", uint32(r.NodeID()), f.group, conn.Interface().Name},
		"listening to %s on %s; files go to %s", f.group, conn.Interface().Name, f.dir)
	defer showCommands(r, out)()

	limited := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	return f.receive(ctx, limited, r, out)
}

// config returns the receiver's settings.
func (f *recvFlags) config() (norm.ReceiverConfig, error) {
	cfg := norm.ReceiverConfig{NodeID: norm.NodeID(f.id), Unicast: f.unicast || f.source != "", KeepModes: f.keepModes, NoDigest: f.noDigest, AlwaysReceive: f.always, SetEntries: f.entries}
	if f.entries > 1<<16 {
		cfg.SenderDirs = f.entries
	}
	if f.stream {
		cfg.Sync, cfg.MaxMemory = norm.SyncStream, 1 // no files
		return cfg, nil
	}
	switch f.onExist {
	case "replace", "":
	case "keep":
		cfg.OnExist = norm.Keep
	case "number":
		cfg.OnExist = norm.Number
	default:
		return cfg, usagef("--on-exist %q: give replace, keep or number", f.onExist)
	}
	if !f.resume {
		cfg.KeepPartial = -1
	}
	if st, err := os.Stat(f.dir); err != nil || !st.IsDir() {
		return cfg, usagef("--dir %s: not a directory; make it first", f.dir)
	}
	cfg.Dir = f.dir
	return cfg, nil
}

// receive takes files until there are enough or limited ends.
func (f *recvFlags) receive(ctx, limited context.Context, r *norm.Receiver, out *printer) error {
	show := newBars(f.json)
	stop := watch(show, r)
	got, lost := 0, 0
	for o, err := range r.Objects(limited) {
		var bad *norm.ObjectError
		switch {
		case o != nil && o.Set() != nil:
			if !reportSet(out, o.Set()) {
				lost++
			}
			continue // no file
		case o != nil:
			got++
			report(out, o)
		case errors.As(err, &bad):
			lost++
			out.failure(bad.Name, limitError(err))
		case limited.Err() != nil: // told below
		default:
			lost++
			out.failure("", err)
		}
		if f.count > 0 && got+lost >= f.count {
			break
		}
	}
	stop()
	show.wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // interrupted
	case got+lost < f.count && limited.Err() != nil:
		out.failure("", fmt.Errorf("%d of %d files within --timeout %v", got, f.count, f.timeout))
		lost++
	default:
		linger, cancel := context.WithTimeout(ctx, f.linger)
		defer cancel()
		r.Shutdown(linger)
	}
	if lost > 0 || got == 0 {
		return errFailed
	}
	return nil
}

// limits are settings of package norm that a flag can raise.
var limits = strings.NewReplacer("SetEntries is", "--max-entries is", "SenderDirs is", "without a larger --max-entries the most is")

// limitError names the flag that lets more in.
func limitError(err error) error {
	if errors.Is(err, norm.ErrQuota) {
		return errors.New(limits.Replace(err.Error()))
	}
	return err
}

func report(out *printer, o *norm.Object) {
	sum := o.SHA256()
	seconds := max(o.Finished().Sub(o.Started()).Seconds(), 1e-6)
	name := o.Name()
	if name == "" {
		name = fmt.Sprintf("data object %d", o.ID())
	}
	digest := hex.EncodeToString(sum[:])
	verified := "SHA-256 not announced by the sender"
	switch {
	case sum == [32]byte{}:
		digest, verified = "", "not verified"
	case o.Skipped():
		verified = "here already"
	case o.Verified() && o.Resumed() > 0:
		verified = fmt.Sprintf("verified, %s of it from an earlier run", size(o.Resumed()))
	case o.Verified():
		verified = "verified"
	}
	goodput := float64(o.Size()) * 8 / seconds
	done := doneEvent{"done", name, o.Size(), seconds, goodput, digest, monotonic(), o.Verified()}
	out.event(fileEvent{done, o.Skipped(), o.Resumed()},
		"%s  %s  %.2f s  %s  %s", name, size(o.Size()), seconds, bitrate(goodput), verified)
}

// reportSet says whether the files of a directory are all here.
func reportSet(out *printer, f *norm.FileSet) bool {
	out.event(setEvent{"set", f.ID, f.Files, f.Dirs, f.Bytes, f.Missing}, "")
	if !out.json {
		if f.Complete() {
			out.event(nil, "complete: %d files, %s", f.Files, size(f.Bytes))
		} else {
			out.failure("", fmt.Errorf("%d of %d files are missing: %q", len(f.Missing), f.Files, f.Missing[:min(len(f.Missing), 10)]))
		}
	}
	return f.Complete()
}
