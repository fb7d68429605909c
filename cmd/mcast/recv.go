package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
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
}

func recvCommand() *cobra.Command {
	var f recvFlags
	c := &cobra.Command{
		Use:   "recv",
		Short: "Receive files into a directory",
		Example: "  mcast recv --iface eth0 --dir /srv/in\n" +
			"  mcast recv --iface eth0 --count 1 --timeout 1m",
		Args: atMost(0, "files are sent with mcast send, and --dir is where they go"),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	f.register(c.Flags())
	c.Flags().StringVar(&f.source, "source", "", "listen to this sender only (source-specific multicast)")
	c.Flags().StringVarP(&f.dir, "dir", "d", ".", "directory for the files")
	c.Flags().IntVarP(&f.count, "count", "n", 0, "stop after this many files (default: never)")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "stop after this time (default: never)")
	c.Flags().BoolVar(&f.unicast, "unicast", false, "answer the sender by unicast (always so with --source)")
	c.Flags().DurationVar(&f.linger, "linger", 5*time.Second, "after the last file, stay at most this long to confirm it")
	return c
}

func (f *recvFlags) open(ctx context.Context) (*mcast.Conn, error) {
	if f.source != "" {
		f.unicast = true
		return f.openWith(ctx, mcast.Open, mcast.Source(f.source))
	}
	return f.openWith(ctx, mcast.Open)
}

func (f *recvFlags) run(ctx context.Context, out *printer) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.count < 0 || f.timeout < 0 {
		return usagef("--count %d, --timeout %v: give positive values, or 0 for never", f.count, f.timeout)
	}
	if st, err := os.Stat(f.dir); err != nil || !st.IsDir() {
		return usagef("--dir %s: not a directory; make it first", f.dir)
	}
	conn, err := f.open(ctx)
	if err != nil {
		return err
	}
	r, err := norm.NewReceiver(withLoss(conn, f.loss), norm.ReceiverConfig{NodeID: norm.NodeID(f.id), Dir: f.dir, Unicast: f.unicast})
	if err != nil {
		conn.Close()
		return err
	}
	defer r.Close()
	go printStats(ctx, out.err, f.stats, func() any { return r.Stats() })
	out.event(readyEvent{"ready", uint32(r.NodeID()), f.group, conn.Interface().Name},
		"listening to %s on %s; files go to %s", f.group, conn.Interface().Name, f.dir)

	limited := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	return f.receive(ctx, limited, r, out)
}

// receive takes files until there are enough or limited ends.
func (f *recvFlags) receive(ctx, limited context.Context, r *norm.Receiver, out *printer) error {
	show := newBars(f.json)
	stop := watch(show, r)
	got, lost := 0, 0
	for o, err := range r.Objects(limited) {
		var bad *norm.ObjectError
		switch {
		case o != nil:
			got++
			report(out, o)
		case errors.As(err, &bad):
			lost++
			out.failure(bad.Name, err)
		case limited.Err() != nil: // told below
		default:
			lost++
			out.failure("", err)
		}
		if f.count > 0 && got >= f.count {
			break
		}
	}
	stop()
	show.wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // interrupted
	case got < f.count && limited.Err() != nil:
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

func report(out *printer, o *norm.Object) {
	sum := o.SHA256()
	seconds := max(o.Finished().Sub(o.Started()).Seconds(), 1e-6)
	name := o.Name()
	if name == "" {
		name = fmt.Sprintf("data object %d", o.ID())
	}
	verified := "SHA-256 not announced by the sender"
	if o.Verified() {
		verified = "verified"
	}
	goodput := float64(o.Size()) * 8 / seconds
	out.event(doneEvent{"done", name, o.Size(), seconds, goodput, hex.EncodeToString(sum[:]), monotonic(), o.Verified()},
		"%s  %s  %.2f s  %s  %s", name, size(o.Size()), seconds, bitrate(goodput), verified)
}
