package flute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/flute/core"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
)

// SenderStats counts what a sender has done.
type SenderStats = core.SenderStats

// A Sender sends the files of one session. It is safe for concurrent use.
type Sender struct {
	cfg    SenderConfig
	tsi    TSI
	engine *core.Sender // the loop's, but for NewSender
	loop   *drive.Loop

	mu        sync.Mutex
	transfers map[TOI]*Transfer
	vacancy   chan struct{} // closed and replaced when a transfer is over
	goodbye   chan struct{} // closed when the end was said
	fault     error         // the last network error
}

// NewSender starts a sender on conn, which it owns from then on: Close closes it. It
// wraps ErrConfig when a setting makes no sense; conn is then left open.
func NewSender(conn datagram.Conn, cfg SenderConfig) (*Sender, error) {
	cc := cfg.core()
	engine, err := core.NewSender(cc)
	if err != nil {
		return nil, fmt.Errorf("flute: sender: %w", err)
	}
	s := &Sender{
		cfg: cfg, tsi: cc.TSI, engine: engine, transfers: make(map[TOI]*Transfer),
		vacancy: make(chan struct{}), goodbye: make(chan struct{}),
	}
	s.loop = drive.Start(conn, engine, drive.Config{Drain: s.drain, WriteError: s.networkError, ReadError: s.networkError})
	return s, nil
}

// TSI returns the session's Transport Session Identifier.
func (s *Sender) TSI() TSI { return s.tsi }

// SendFile sends a regular file. It returns when the file is queued, which takes as long
// as reading it once for its digest and, when as many files as SenderConfig.MaxFiles are
// on their way, as the first of them to be done.
func (s *Sender) SendFile(ctx context.Context, path string, opts ...SendOption) (*Transfer, error) {
	o := collect(opts)
	if o.name == "" {
		o.name = url.PathEscape(filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("flute: send: %w", err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file; SendFS sends directories", path)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("flute: send: %w", err)
	}
	return s.send(ctx, f, st.Size(), o)
}

// SendBytes sends data under a name. The slice is kept until the transfer is over.
func (s *Sender) SendBytes(ctx context.Context, name string, data []byte, opts ...SendOption) (*Transfer, error) {
	return s.Send(ctx, bytes.NewReader(data), int64(len(data)), append([]SendOption{Name(name)}, opts...)...)
}

// Send sends size bytes of src, which needs a Name. src is read at random and must stay
// as it is until the transfer is over; if it is an io.Closer it is closed then.
func (s *Sender) Send(ctx context.Context, src io.ReaderAt, size int64, opts ...SendOption) (*Transfer, error) {
	return s.send(ctx, src, size, collect(opts))
}

// SendFS sends the regular files of a tree, each under its path in it, with prefix in
// front, as in "docs/". Each is opened when it is its turn. Files that cannot be read
// end it with the transfers begun so far.
func (s *Sender) SendFS(ctx context.Context, fsys fs.FS, prefix string, opts ...SendOption) (list []*Transfer, err error) {
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		o := collect(opts)
		o.name = prefix + escapePath(name)
		t, err := s.send(ctx, &fsSource{fsys: fsys, name: name, size: st.Size()}, st.Size(), o)
		if err == nil {
			list = append(list, t)
		}
		return err
	})
	if err != nil {
		return list, fmt.Errorf("flute: send: %w", err)
	}
	return list, nil
}

// escapePath writes a path with slashes as a relative URI.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

func (s *Sender) send(ctx context.Context, src io.ReaderAt, size int64, o *sendOptions) (*Transfer, error) {
	t := &Transfer{s: s, name: o.name, endless: o.passes < 0, content: content{source: src}, done: make(chan struct{})}
	c, err := prepare(ctx, src, size, o)
	if c.source != src || err != nil { // it is encoded, or of no use
		t.content.close()
	} else if f, ok := src.(*fsSource); ok {
		f.Close() // until its turn
	}
	if err != nil {
		return nil, fmt.Errorf("flute: send: %w", err)
	}
	t.content = c
	if err := s.enqueue(ctx, t, o); err != nil {
		c.close()
		return nil, fmt.Errorf("flute: send: %w", err)
	}
	return t, nil
}

func (s *Sender) enqueue(ctx context.Context, t *Transfer, o *sendOptions) error {
	c := &t.content
	spec := core.ObjectSpec{
		Source: c.source, Size: c.size, FEC: o.fec, Passes: o.passes, Interval: o.interval, Priority: o.priority, Channels: o.channels,
		File: File{
			ContentLocation: o.name, ContentLength: uint64(c.length), HasContentLength: true, ContentMD5: c.md5, HasMD5: c.hasMD5,
			Common: fdt.Common{ContentType: o.ctype, ContentEncoding: o.encoding, Groups: o.groups},
		},
	}
	if !o.expires.IsZero() {
		spec.File.CacheControl = fdt.CacheControl{Mode: fdt.CacheExpires, Expires: ntpSeconds(o.expires)}
	}
	for {
		s.mu.Lock()
		vacancy := s.vacancy
		s.mu.Unlock()
		var err error
		if closed := s.loop.Do(func(now time.Time) {
			if t.toi, err = s.engine.Enqueue(now, spec); err == nil {
				s.mu.Lock()
				s.transfers[t.toi] = t
				s.mu.Unlock()
			}
		}); closed != nil {
			return closed
		}
		if !errors.Is(err, core.ErrFull) {
			return err
		}
		select {
		case <-vacancy:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.loop.Done():
		}
	}
}

// drain collects the engine's events; the loop calls it.
func (s *Sender) drain(time.Time) {
	for e, ok := s.engine.Event(); ok; e, ok = s.engine.Event() {
		if e.Type == core.SessionClosed {
			close(s.goodbye)
			continue
		}
		s.mu.Lock()
		t := s.transfers[e.TOI]
		s.mu.Unlock()
		if t == nil {
			continue
		}
		switch e.Type {
		case core.PassDone:
			t.mu.Lock()
			t.passes = e.Pass
			t.mu.Unlock()
			if f, ok := t.content.source.(*fsSource); ok {
				f.Close()
			}
		case core.ObjectDone:
			s.log("file done", "name", t.name, "error", e.Err)
			t.content.close()
			s.mu.Lock()
			delete(s.transfers, e.TOI)
			close(s.vacancy)
			s.vacancy = make(chan struct{})
			s.mu.Unlock()
			t.finish(e.Err)
		}
	}
}

func (s *Sender) networkError(err error) {
	s.mu.Lock()
	s.fault = err
	s.mu.Unlock()
	s.log("network", "error", err)
}

func (s *Sender) log(msg string, args ...any) {
	if s.cfg.Logger != nil {
		s.cfg.Logger.Debug("flute sender: "+msg, args...)
	}
}

// Err returns the last error of the network, nil if there was none. Sending goes on
// after such an error.
func (s *Sender) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// SetRate changes the rate of a channel, 0 being the first, in bits per second; 0 or
// less does not limit.
func (s *Sender) SetRate(channel int, bitsPerSecond int64) error {
	return s.loop.Do(func(time.Time) { s.engine.SetRate(channel, bitsPerSecond) })
}

// Complete tells receivers that no more files will come.
func (s *Sender) Complete() error {
	return s.loop.Do(func(now time.Time) { s.engine.Complete(now) })
}

// Stats returns the counters; after Close, the last.
func (s *Sender) Stats() (st SenderStats) {
	if s.loop.Do(func(time.Time) { st = s.engine.Stats() }) != nil {
		<-s.loop.Done() // nobody else has the engine now
		st = s.engine.Stats()
	}
	return st
}

// Wait waits until all transfers are over, or ctx ends.
func (s *Sender) Wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		n, vacancy := len(s.transfers), s.vacancy
		s.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-vacancy:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.loop.Done():
			return net.ErrClosed
		}
	}
}

// Shutdown stops carousels with the pass under way and waits until all transfers are
// over, or ctx ends; those that are not over then end with ErrCanceled, and ctx's error
// is returned. Then it tells receivers that the session has ended and closes the sender.
func (s *Sender) Shutdown(ctx context.Context) error {
	var endless []TOI
	s.mu.Lock()
	for toi, t := range s.transfers {
		if t.endless {
			endless = append(endless, toi)
		}
	}
	s.mu.Unlock()
	s.loop.Do(func(now time.Time) {
		for _, toi := range endless {
			s.engine.Stop(now, toi)
		}
	})
	err := s.Wait(ctx)
	if s.loop.Do(func(now time.Time) { s.engine.Shutdown(now) }) == nil {
		select {
		case <-s.goodbye:
		case <-s.loop.Done():
		case <-time.After(5 * time.Second): // a dead network must not hold us
		}
	}
	s.Close()
	return err
}

// Close ends the sender at once, without a word, and closes its connection. Transfers
// that are not over end with net.ErrClosed. It can be called again.
func (s *Sender) Close() error {
	err := s.loop.Close()
	s.mu.Lock()
	open := s.transfers
	s.transfers = make(map[TOI]*Transfer)
	s.mu.Unlock()
	for _, t := range open {
		t.content.close()
		t.finish(net.ErrClosed)
	}
	return err
}
