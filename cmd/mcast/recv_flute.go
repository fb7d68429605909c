package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/rmt/flute"
	"github.com/gomulticast/multicast/sdp"
)

// fluteTarget reads --sdp: what to join and which session to receive.
func (f *recvFlags) fluteTarget() (more []sdp.Channel, err error) {
	if f.sdp == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.sdp)
	if err != nil {
		return nil, usageError{err}
	}
	d, err := sdp.Parse(text)
	if err != nil {
		return nil, usageError{err}
	}
	sessions, err := flute.ParseSDP(d)
	if err != nil {
		return nil, usagef("--sdp %s: %v", f.sdp, err)
	}
	c := sessions[0].Channels
	for _, v := range c {
		if v.Port != c[0].Port {
			return nil, usagef("--sdp %s: its channels have different ports; name one with --group", f.sdp)
		}
	}
	f.group = netip.AddrPortFrom(c[0].Group, c[0].Port).String()
	f.tsi = uint64(sessions[0].TSI)
	if c[0].Source.IsValid() {
		f.source = c[0].Source.String()
	}
	return c[1:], nil
}

func (f *recvFlags) openFlute(ctx context.Context, more []sdp.Channel) (*mcast.Conn, error) {
	// While a block is being solved nothing is read; a long one takes a while.
	opts := []mcast.Option{lean, mcast.ReadBuffer(32 << 20)}
	if f.source != "" {
		opts = append(opts, mcast.Source(f.source))
	}
	if len(more) > 0 {
		opts = append(opts, mcast.MultiGroup())
	}
	c, err := f.openWith(ctx, mcast.Open, opts...)
	if err != nil {
		return nil, err
	}
	for _, v := range more {
		if err := c.Join(group.Channel{Group: v.Group, Source: v.Source}); err != nil {
			c.Close()
			return nil, openError(err)
		}
	}
	return c, nil
}

func (f *recvFlags) runFlute(ctx context.Context, out *printer) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.count < 0 || f.timeout < 0 {
		return usagef("--count %d, --timeout %v: give positive values, or 0 for never", f.count, f.timeout)
	}
	if f.unicast {
		return usagef("--unicast is for NORM: nothing is answered in FLUTE")
	}
	if st, err := os.Stat(f.dir); err != nil || !st.IsDir() {
		return usagef("--dir %s: not a directory; make it first", f.dir)
	}
	more, err := f.fluteTarget()
	if err != nil {
		return err
	}
	conn, err := f.openFlute(ctx, more)
	if err != nil {
		return err
	}
	r, err := flute.NewReceiver(withLoss(conn, f.loss), flute.ReceiverConfig{Dir: f.dir, TSI: flute.TSI(f.tsi)})
	if err != nil {
		conn.Close()
		return err
	}
	defer r.Close()
	go printStats(ctx, out.err, f.stats, func() any { return r.Stats() })
	out.event(fluteReadyEvent{"ready", f.tsi, f.group, conn.Interface().Name},
		"listening to %s on %s; files go to %s", f.group, conn.Interface().Name, f.dir)
	limited := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	return f.receiveFlute(ctx, limited, r, out)
}

// receiveFlute takes files until there are enough or limited ends.
func (f *recvFlags) receiveFlute(ctx, limited context.Context, r *flute.Receiver, out *printer) error {
	show := newBars(f.json)
	stop := watchFlute(show, r)
	got, lost := 0, 0
	for o, err := range r.Objects(limited) {
		var bad *flute.FileError
		switch {
		case o != nil:
			got++
			reportFlute(out, o)
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
	}
	if lost > 0 || got == 0 {
		return errFailed
	}
	return nil
}

func reportFlute(out *printer, o *flute.Object) {
	seconds := max(o.Finished().Sub(o.Started()).Seconds(), 1e-6)
	verified := "MD5 not announced by the sender"
	if o.Verified() {
		verified = "verified"
	}
	var sum string
	at := monotonic()
	if out.json {
		sum = sha256Of(o.Path())
	}
	goodput := float64(o.Size()) * 8 / seconds
	out.event(doneEvent{"done", o.Name(), o.Size(), seconds, goodput, sum, at, o.Verified()},
		"%s  %s  %.2f s  %s  %s", o.Name(), size(o.Size()), seconds, bitrate(goodput), verified)
}

// sha256Of returns the digest of a file in hexadecimal, or nothing: the file may be
// replaced by its next version at any time.
func sha256Of(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// watchFlute draws a bar for every file under way until the returned function is called.
func watchFlute(show *bars, r *flute.Receiver) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		all := make(map[uint64]*mpb.Bar)
		for {
			select {
			case <-end:
				for _, b := range all {
					b.Abort(true)
				}
				return
			case <-tick.C:
			}
			seen := make(map[uint64]bool)
			for _, o := range r.Pending() {
				seen[o.Run] = true
				if all[o.Run] == nil && o.Name != "" {
					all[o.Run] = show.add(o.Name, o.Size)
				}
				if b := all[o.Run]; b != nil {
					b.SetCurrent(o.Received)
				}
			}
			for k, b := range all {
				if !seen[k] {
					b.Abort(true) // its line of result takes its place
					delete(all, k)
				}
			}
		}
	}()
	return func() { close(end); <-ended }
}
