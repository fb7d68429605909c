package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/rmt/flute"
	"github.com/gomulticast/multicast/sdp"
)

// fluteSendFlags are the flags of send that are for FLUTE alone.
type fluteSendFlags struct {
	tsi      uint64
	passes   int
	carousel bool
	interval time.Duration
	sdp      string
	gzip     bool
}

func (f *fluteSendFlags) register(fs *pflag.FlagSet) {
	fs.Uint64Var(&f.tsi, "tsi", 0, "flute: session identifier (default random)")
	fs.IntVar(&f.passes, "passes", 1, "flute: send each file this often")
	fs.BoolVar(&f.carousel, "carousel", false, "flute: send the files again and again, until Ctrl-C")
	fs.DurationVar(&f.interval, "interval", 0, "flute: pause between the passes of a file")
	fs.StringVar(&f.sdp, "sdp", "", "flute: write a description of the session to this FILE")
	fs.BoolVar(&f.gzip, "gzip", false, "flute: compress the files")
}

// fluteSchemes are what --fec takes for FLUTE.
var fluteSchemes = map[string]func(overhead float64) flute.FEC{
	"raptorq": flute.RaptorQ, "raptor": flute.Raptor, "rs": flute.ReedSolomon, "ldpc": flute.LDPC,
}

// parseFluteFEC reads none, or raptorq, raptor, rs or ldpc, with :overhead=10% behind
// it or not.
func parseFluteFEC(s string) (flute.FEC, error) {
	bad := usagef("--fec %q: give raptorq, raptor, rs or ldpc, as raptorq or raptorq:overhead=10%%, or none", s)
	if s == "none" {
		return flute.NoCode(), nil
	}
	name, rest, has := strings.Cut(s, ":")
	scheme, ok := fluteSchemes[name]
	if !ok {
		return flute.FEC{}, bad
	}
	percent := 10.0
	if has {
		value, ok := strings.CutPrefix(rest, "overhead=")
		v, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
		if !ok || err != nil || !(v >= 0 && v <= 10_000) {
			return flute.FEC{}, bad
		}
		percent = v
	}
	return scheme(percent / 100), nil
}

func (f *sendFlags) fluteConfig() (cfg flute.SenderConfig, err error) {
	cfg = flute.SenderConfig{TSI: flute.TSI(f.flute.tsi), SymbolSize: f.segment}
	if f.wait != "" || f.auto != 0 {
		return cfg, usagef("--wait and --auto-parity are for NORM: nobody answers in FLUTE, and --fec raptorq:overhead=10%% is how much to send unasked")
	}
	if f.flute.passes < 1 || f.flute.interval < 0 {
		return cfg, usagef("--passes %d, --interval %v: give positive values, or --carousel", f.flute.passes, f.flute.interval)
	}
	if cfg.Rate, err = parseRate(f.rate, fullPacket(f.segment)); err != nil {
		return cfg, err
	}
	if cfg.FEC, err = parseFluteFEC(f.fec); err != nil {
		return cfg, err
	}
	if bad := cfg.Validate(); bad != nil {
		err = usageError{bad}
	}
	return cfg, err
}

// A fluteSentEvent is the last line of send --protocol flute --json.
type fluteSentEvent struct {
	Event     string  `json:"event"` // "sent"
	Files     int     `json:"files"`
	Bytes     int64   `json:"bytes"`
	WireBytes uint64  `json:"wire_bytes"`
	Passes    uint64  `json:"passes"`
	Repairs   uint64  `json:"repairs"`
	Seconds   float64 `json:"seconds"`
}

// A fluteReadyEvent is the first line.
type fluteReadyEvent struct {
	Event string `json:"event"` // "ready"
	TSI   uint64 `json:"tsi"`
	Group string `json:"group"`
	Iface string `json:"iface"`
}

func (f *sendFlags) runFlute(ctx context.Context, files []string, out *printer) error {
	if err := f.check(); err != nil {
		return err
	}
	cfg, err := f.fluteConfig()
	if err != nil {
		return err
	}
	interrupted := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("not done within --timeout %v", f.timeout))
		defer cancel()
	}
	conn, err := f.openFlute(ctx)
	if err != nil {
		return err
	}
	s, err := flute.NewSender(withLoss(conn, f.loss), cfg)
	if err != nil {
		conn.Close()
		return err
	}
	defer s.Close()
	if f.flute.sdp != "" {
		if err := f.writeSDP(s, conn); err != nil {
			return err
		}
	}
	go printStats(ctx, out.err, f.stats, func() any { return s.Stats() })
	out.event(fluteReadyEvent{"ready", uint64(s.TSI()), f.group, conn.Interface().Name}, "")
	return f.sendAllFlute(ctx, interrupted, s, files, out)
}

// openFlute opens a connection that does not join: nobody answers.
func (f *sendFlags) openFlute(ctx context.Context) (*mcast.Conn, error) {
	opts := []mcast.Option{mcast.Loopback(f.loopback)}
	if f.source != "" {
		if f.iface != "" {
			return nil, usagef("send: give --iface or --source, not both; an address as --iface is also sent from")
		}
		opts = append(opts, mcast.Interface(f.source))
	}
	return f.openWith(ctx, mcast.Dial, opts...)
}

// writeSDP describes the session in a file.
func (f *sendFlags) writeSDP(s *flute.Sender, conn *mcast.Conn) error {
	to := conn.Group()
	own, err := ownAddress(f.source, conn.Interface(), to.Addr())
	if err != nil {
		return err
	}
	d, err := s.Describe(sdp.FileSession{
		Session: sdp.Session{Name: "Files", Tool: "mcast"},
		Dest:    sdp.Dest{Channel: group.Channel{Group: to.Addr().WithZone(""), Source: own}, Port: to.Port(), TTL: uint8(f.ttl)},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(f.flute.sdp, []byte(d.String()), 0o644)
}

// ownAddress returns the address that packets to a group come from: source, or one of the
// interface's.
func ownAddress(source string, ifi net.Interface, to netip.Addr) (netip.Addr, error) {
	if a, err := netip.ParseAddr(source); err == nil {
		return a, nil
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	var found netip.Addr
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().Is4() != to.Is4() {
			continue
		}
		if !found.IsValid() || found.IsLinkLocalUnicast() && !p.Addr().IsLinkLocalUnicast() {
			found = p.Addr()
		}
	}
	if !found.IsValid() {
		return found, usagef("--sdp: %s has no address to name as the sender; give it as --source", ifi.Name)
	}
	return found, nil
}

// fluteOptions returns how files are sent.
func (f *sendFlags) fluteOptions() []flute.SendOption {
	opts := []flute.SendOption{flute.Passes(f.flute.passes), flute.Interval(f.flute.interval)}
	if f.flute.carousel {
		opts = append(opts, flute.Carousel())
	}
	if f.flute.gzip {
		opts = append(opts, flute.Encoding("gzip"))
	}
	if f.noDigest {
		opts = append(opts, flute.NoDigest())
	}
	return opts
}

// queueFlute queues a file, or all files of a directory.
func (f *sendFlags) queueFlute(ctx context.Context, s *flute.Sender, file string) ([]*flute.Transfer, error) {
	opts := f.fluteOptions()
	if st, err := os.Stat(file); err == nil && st.IsDir() {
		if f.name != "" {
			return nil, usagef("send: --name is for a single file")
		}
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		return s.SendFS(ctx, os.DirFS(path), url.PathEscape(filepath.Base(path))+"/", opts...)
	}
	if f.name != "" {
		opts = append(opts, flute.Name(f.name))
	}
	t, err := s.SendFile(ctx, file, opts...)
	if err != nil {
		return nil, err
	}
	return []*flute.Transfer{t}, nil
}

// sendAllFlute sends the files and reports. A carousel ends when interrupted does, which
// is no failure.
func (f *sendFlags) sendAllFlute(ctx, interrupted context.Context, s *flute.Sender, files []string, out *printer) error {
	start, failed := time.Now(), false
	fail := func(file string, err error) {
		failed = true
		if cause := context.Cause(ctx); ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = cause
		}
		out.failure(file, err)
	}
	show := newBars(f.json)
	var items []*flute.Transfer
	var stops []func()
	for _, file := range files {
		list, err := f.queueFlute(ctx, s, file)
		if err != nil {
			fail(file, err)
		}
		for _, t := range list {
			items = append(items, t)
			if len(stops) < 20 { // more bars than that nobody reads
				stops = append(stops, followFlute(show, t))
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	s.Complete()
	done, total := 0, int64(0)
	for _, t := range items {
		err := t.Wait(ctx)
		if err != nil && !(f.flute.carousel && ctx.Err() != nil) {
			fail(t.Name(), err)
			continue
		}
		done++
		total += t.Size()
	}
	for _, stop := range stops {
		stop()
	}
	seconds := time.Since(start).Seconds()
	// The goodbye, even if ctx has ended: at once then.
	s.Shutdown(ctx)
	show.wait()
	st := s.Stats()
	out.event(fluteSentEvent{"sent", done, total, st.Bytes, st.Passes, st.Repair, seconds},
		"sent %d file(s), %s in %.2f s (%s): %s on the wire, %d passes, %d repair packets",
		done, size(total), seconds, bitrate(float64(st.Bytes)*8/seconds), size(int64(st.Bytes)), st.Passes, st.Repair)
	if failed {
		return errFailed
	}
	if f.flute.carousel && interrupted.Err() != nil {
		return nil // that is how carousels end
	}
	return interrupted.Err()
}

// followFlute draws a transfer's progress until the returned function is called.
func followFlute(b *bars, t *flute.Transfer) (stop func()) {
	bar := b.add(t.Name(), t.Size())
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				bar.SetCurrent(max(min(t.Progress(), t.Size()-1), 0))
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
