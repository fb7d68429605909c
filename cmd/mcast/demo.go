package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

const demoReceivers = 3

type demoFlags struct {
	group string
	iface string
	rate  string
	loss  float64
}

func demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo [FILE]",
		Short: "Send a file to three receivers on this machine, with packets lost on the way",
		Long: "demo sends FILE, or the program's own file, once over multicast on the loopback\n" +
			"interface. Three receivers each lose some of the packets, ask for repair and\n" +
			"verify what they got. It needs no privileges and leaves nothing behind.",
		Args: atMost(1, "demo sends a single file"),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), args, os.Stdout) },
	}
	c.Flags().StringVarP(&f.group, "group", "g", "239.255.7.7:6003", "group and port")
	c.Flags().StringVarP(&f.iface, "iface", "i", "", "network interface (default: loopback)")
	c.Flags().StringVarP(&f.rate, "rate", "r", "100M", "bits per second")
	c.Flags().Float64Var(&f.loss, "loss", 5, "percentage each receiver loses")
	return c
}

func (f *demoFlags) run(ctx context.Context, args []string, out io.Writer) error {
	file, err := os.Executable()
	if len(args) > 0 {
		file, err = args[0], nil
	}
	if err != nil {
		return fmt.Errorf("demo: %w; name a file to send", err)
	}
	if !(f.loss >= 0 && f.loss <= 50) {
		return usagef("--loss %v: give a percentage from 0 to 50", f.loss)
	}
	if f.iface == "" {
		if f.iface, err = loopback(); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "mcast-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return f.transfer(ctx, file, dir, out)
}

// A demoReceiver is one of the three, each with a connection and a directory.
type demoReceiver struct {
	name string
	r    *norm.Receiver
	got  *norm.Object
	err  error
	sum  [32]byte // of the file on disk, read back
}

func (f *demoFlags) transfer(ctx context.Context, file, dir string, out io.Writer) error {
	st, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	show := newBars(false)
	var rx []*demoReceiver
	done := make(chan *demoReceiver)
	for i := range demoReceivers {
		d := &demoReceiver{name: fmt.Sprintf("receiver %d", i+1)}
		if d.r, err = f.receiver(ctx, filepath.Join(dir, fmt.Sprint(i+1))); err != nil {
			return err
		}
		defer d.r.Close()
		rx = append(rx, d)
		go func() { d.receive(ctx); done <- d }()
		go d.draw(ctx, show.add(d.name, st.Size()), st.Size())
	}
	conn, err := f.open(ctx)
	if err != nil {
		return err
	}
	cfg := norm.SenderConfig{}
	if cfg.Rate, err = parseRate(f.rate, fullPacket(0)); err != nil {
		conn.Close()
		return err
	}
	s, err := norm.NewSender(conn, cfg)
	if err != nil {
		conn.Close()
		return err
	}
	defer s.Close()
	fmt.Fprintf(out, "Sending %s (%s) once to %v on %s, to %d receivers that each lose %v %%.\n",
		file, size(st.Size()), conn.Group(), conn.Interface().Name, demoReceivers, f.loss)
	start := time.Now()
	t, err := s.SendFile(ctx, file, norm.WaitForCount(demoReceivers))
	if err == nil {
		err = t.Wait(ctx)
	}
	s.Shutdown(ctx)
	for range rx {
		if err != nil && ctx.Err() == nil {
			for _, d := range rx {
				d.r.Close() // so that they end too
			}
		}
		<-done
	}
	show.wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	want, sumErr := fileSum(file)
	fmt.Fprintln(out)
	ok := f.table(out, rx, want, st.Size(), start)
	stats := s.Stats()
	fmt.Fprintf(out, "\nThe sender put %s on the wire, %.3f times the file, and answered %d NACKs with %d repairs.\n",
		size(int64(stats.Bytes)), float64(stats.Bytes)/float64(max(st.Size(), 1)), stats.Nacks, stats.Repairs)
	if err = errors.Join(err, sumErr); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if !ok {
		return errFailed
	}
	return nil
}

// table prints a line for each receiver and reports whether all have the file.
func (f *demoFlags) table(out io.Writer, rx []*demoReceiver, want [32]byte, bytesSent int64, start time.Time) bool {
	ok := true
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tsize\tseconds\tgoodput\treceived\tNACKs\tSHA-256\t")
	for _, d := range rx {
		st := d.r.Stats()
		switch {
		case d.err != nil || d.got == nil:
			ok = false
			fmt.Fprintf(w, "%s\t%v\t\n", d.name, d.err)
		default:
			verdict := "verified"
			if d.sum != want || d.got.SHA256() != want {
				verdict, ok = "DIFFERS", false
			}
			seconds := d.got.Finished().Sub(start).Seconds()
			fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\t%s\t%d\t%s\t\n", d.name, size(d.got.Size()), seconds,
				bitrate(float64(bytesSent)*8/seconds), size(int64(st.Bytes)), st.Nacks, verdict)
		}
	}
	w.Flush()
	return ok
}

func (f *demoFlags) open(ctx context.Context) (*mcast.Conn, error) {
	c, err := mcast.Open(ctx, f.group, mcast.Interface(f.iface), mcast.TTL(1))
	return c, openError(err)
}

func (f *demoFlags) receiver(ctx context.Context, dir string) (*norm.Receiver, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	conn, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	r, err := norm.NewReceiver(withLoss(conn, f.loss), norm.ReceiverConfig{Dir: dir})
	if err != nil {
		conn.Close()
	}
	return r, err
}

func (d *demoReceiver) receive(ctx context.Context) {
	for o, err := range d.r.Objects(ctx) {
		d.got, d.err = o, err
		break
	}
	if d.got != nil {
		d.sum, d.err = fileSum(d.got.Path())
	}
}

func (d *demoReceiver) draw(ctx context.Context, bar *mpb.Bar, total int64) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for seen := false; ; {
		select {
		case <-ctx.Done():
			bar.Abort(false)
			return
		case <-tick.C:
		}
		p := d.r.Pending()
		switch {
		case len(p) > 0:
			seen = true
			bar.SetCurrent(min(p[0].Received, total-1))
		case seen:
			bar.SetCurrent(max(total, 1))
			return
		}
	}
}

// fileSum reads a file back and digests it.
func fileSum(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [32]byte(h.Sum(nil)), err
}
