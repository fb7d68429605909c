package norm

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// SenderStats counts what a sender has done.
type SenderStats = core.SenderStats

// A Sender sends objects to a session. It is safe for concurrent use.
type Sender struct {
	cfg    SenderConfig
	id     NodeID
	engine *core.Sender // the loop's, but for NewSender
	loop   *drive.Loop

	reports reports[SenderReport]

	mu        sync.Mutex
	transfers map[wire.TransportID]*Transfer
	commands  map[core.CommandID]*call
	questions map[core.QuestionID]*call
	vacancy   chan struct{} // closed and replaced when an object or a call is done
	goodbye   chan struct{} // closed when EOT was sent
	fault     error         // the last network error
}

// NewSender starts a sender on conn, which it owns from then on: Close closes it.
// It wraps ErrConfig when a setting makes no sense; conn is then left open.
func NewSender(conn datagram.Conn, cfg SenderConfig) (*Sender, error) {
	cc := cfg.core()
	engine, err := core.NewSender(cc)
	if err != nil {
		return nil, fmt.Errorf("norm: sender: %w", err)
	}
	s := &Sender{
		cfg: cfg, id: cc.NodeID, engine: engine,
		transfers: make(map[wire.TransportID]*Transfer),
		commands:  make(map[core.CommandID]*call),
		questions: make(map[core.QuestionID]*call),
		vacancy:   make(chan struct{}),
		goodbye:   make(chan struct{}),
	}
	s.loop = drive.Start(conn, engine, drive.Config{Drain: s.drain, WriteError: s.networkError, ReadError: s.networkError})
	return s, nil
}

// NodeID returns the sender's node ID.
func (s *Sender) NodeID() NodeID { return s.id }

// A SendOption changes how one object is sent.
type SendOption func(*sendOptions)

type sendOptions struct {
	name     string
	info     []byte
	nodes    []NodeID
	count    int
	noDigest bool
	drop     time.Duration
	absent   bool
	started  func(name string, t *Transfer)
}

// Name sets the name that receivers see instead of the file's own. It may contain
// directories, separated by slashes.
func Name(name string) SendOption { return func(o *sendOptions) { o.name = name } }

// Info sets the object's NORM_INFO content, at most a segment, in place of the file
// name, size and digest that SendFile puts there. The slice is kept.
func Info(b []byte) SendOption { return func(o *sendOptions) { o.info = b } }

// WaitFor makes the transfer last until these receivers have confirmed it.
func WaitFor(nodes ...NodeID) SendOption {
	return func(o *sendOptions) { o.nodes = append(o.nodes, nodes...) }
}

// WaitForCount makes the transfer last until n receivers, whichever, have confirmed
// it. It counts on receivers of this package; others are asked once they were heard
// of.
func WaitForCount(n int) SendOption { return func(o *sendOptions) { o.count = n } }

// DropAfter ends the wait for receivers a while after all was sent once: those that have
// not confirmed are dropped ([Transfer.Dropped]), and what anyone still asks for is
// refused. The transfer then fails only if fewer than WaitForCount confirmed. Without it
// the slowest is waited for, as long as it shows signs of life.
func DropAfter(d time.Duration) SendOption { return func(o *sendOptions) { o.drop = d } }

// NoDigest leaves out the SHA-256 of a file, which otherwise is read twice: once to
// compute it, once to send.
func NoDigest() SendOption { return func(o *sendOptions) { o.noDigest = true } }

// SendFile sends a regular file. It returns when the file is queued, which takes as
// long as reading it once for its digest and, when as many objects as
// SenderConfig.CacheObjects are under way, as the first of them to be done.
func (s *Sender) SendFile(ctx context.Context, path string, opts ...SendOption) (*Transfer, error) {
	o := collect(opts)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("norm: send: %w", err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file; SendDir sends directories", path)
	}
	if err == nil && o.info == nil {
		info := fileInfo{name: o.name, size: st.Size(), mode: st.Mode().Perm(), mtime: st.ModTime(), absent: o.absent}
		if info.name == "" {
			info.name = filepath.Base(path)
		}
		if !o.noDigest {
			info.sha256, err = digest(ctx, f, st.Size())
		}
		o.info = s.fit(&info)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("norm: send: %w", err)
	}
	t, err := s.enqueue(ctx, f, st.Size(), true, o)
	if err != nil {
		f.Close()
	}
	return t, err
}

// SendBytes sends a data object. The slice is kept until the transfer is done, and
// must not be changed before the sender is closed.
func (s *Sender) SendBytes(ctx context.Context, data []byte, opts ...SendOption) (*Transfer, error) {
	return s.enqueue(ctx, bytes.NewReader(data), int64(len(data)), false, collect(opts))
}

// Send sends size bytes of src as a data object or, if it has a Name, as a file.
// src is read at random and must stay valid until the sender is closed; if it is an
// io.Closer it is closed when it is no longer needed.
func (s *Sender) Send(ctx context.Context, src io.ReaderAt, size int64, opts ...SendOption) (*Transfer, error) {
	o := collect(opts)
	file := o.name != ""
	if file && o.info == nil {
		o.info = (&fileInfo{name: o.name, size: size}).append(nil)
	}
	return s.enqueue(ctx, src, size, file, o)
}

// fit returns a file's INFO, without what can be done without if it would not fit a
// segment.
func (s *Sender) fit(f *fileInfo) []byte {
	b := f.append(nil)
	if size := cmp.Or(s.cfg.SegmentSize, 1400); len(b) > size {
		short := *f
		short.mode, short.mtime = 0, time.Time{}
		b = short.append(nil)
	}
	return b
}

func collect(opts []SendOption) *sendOptions {
	o := new(sendOptions)
	for _, f := range opts {
		f(o)
	}
	return o
}

// digest returns the SHA-256 of a file of size bytes.
func digest(ctx context.Context, r io.ReaderAt, size int64) ([]byte, error) {
	h, buf := sha256.New(), make([]byte, 1<<20)
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
		h.Write(buf[:n])
		off += int64(n)
		if err != nil && off < size {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}

func (s *Sender) enqueue(ctx context.Context, src io.ReaderAt, size int64, file bool, o *sendOptions) (*Transfer, error) {
	spec := core.ObjectSpec{
		Source: src, Size: size, Info: o.info, File: file, AckNodes: o.nodes, AckCount: o.count, DropAfter: o.drop,
	}
	t := &Transfer{s: s, size: size, source: src, done: make(chan struct{})}
	if file {
		info := parseFileInfo(o.info)
		t.name = info.name
	}
	if err := s.queue(ctx, t, func(now time.Time) (wire.TransportID, error) { return s.engine.Enqueue(now, spec) }); err != nil {
		return nil, err
	}
	return t, nil
}

// queue has the engine take t by calling add, as soon as it has room.
func (s *Sender) queue(ctx context.Context, t *Transfer, add func(now time.Time) (wire.TransportID, error)) error {
	err := s.admit(ctx, func(now time.Time) (err error) {
		if t.id, err = add(now); err == nil {
			s.mu.Lock()
			s.transfers[t.id] = t
			s.mu.Unlock()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("norm: send: %w", err)
	}
	return nil
}

// admit has add called, by who has the engine, until there is room.
func (s *Sender) admit(ctx context.Context, add func(now time.Time) error) error {
	for {
		s.mu.Lock()
		vacancy := s.vacancy
		s.mu.Unlock()
		var err error
		if closed := s.loop.Do(func(now time.Time) { err = add(now) }); closed != nil {
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

// vacate tells those who wait in admit that there may be room.
func (s *Sender) vacate() {
	s.mu.Lock()
	close(s.vacancy)
	s.vacancy = make(chan struct{})
	s.mu.Unlock()
}

// drain collects the engine's events; the loop calls it.
func (s *Sender) drain(now time.Time) {
	for e, ok := s.engine.Event(); ok; e, ok = s.engine.Event() {
		if s.callEvent(&e) {
			continue
		}
		s.mu.Lock()
		t := s.transfers[e.Object]
		s.mu.Unlock()
		if t != nil && t.stream != nil {
			t.stream.event(now, &e)
		}
		switch e.Type {
		case core.NodeClash:
			s.warn("node ID", "error", e.Err)
		case core.ShutdownDone:
			select {
			case <-s.goodbye: // two called Shutdown
			default:
				close(s.goodbye)
			}
		case core.ObjectAcked:
			t.confirm(e.Node)
			t.hear(e.Node, e.Content)
		case core.ReceiverDropped:
			s.log("receiver dropped", "object", e.Object, "node", e.Node)
			t.drop(e.Node)
		case core.ObjectDone:
			s.log("object done", "object", e.Object, "error", e.Err)
			t.finish(e.Err)
			s.vacate()
		case core.ObjectDropped:
			s.mu.Lock()
			delete(s.transfers, e.Object)
			s.mu.Unlock()
			t.release()
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
		s.cfg.Logger.Debug("norm sender: "+msg, args...)
	}
}

func (s *Sender) warn(msg string, args ...any) {
	if s.cfg.Logger != nil {
		s.cfg.Logger.Warn("norm sender: "+msg, args...)
	}
}

// Err returns the last error of the network, nil if there was none. Sending goes on
// after such an error: what was lost by it is repaired like any loss.
func (s *Sender) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// SetRate changes the sending rate in bits per second or, with congestion control, the
// highest; 0 or less does not limit.
func (s *Sender) SetRate(bitsPerSecond int64) error {
	return s.loop.Do(func(time.Time) { s.engine.SetRate(bitsPerSecond) })
}

// Stats returns the counters; after Close, the last.
func (s *Sender) Stats() (st SenderStats) {
	if s.loop.Do(func(time.Time) { st = s.engine.Stats() }) != nil {
		<-s.loop.Done() // nobody else has the engine now
		st = s.engine.Stats()
	}
	return st
}

// Shutdown waits until all transfers, commands and questions are done, or ctx ends, then
// says goodbye to the group (NORM_CMD(EOT)) and closes the sender. What is not done ends
// with ErrCanceled, and ctx's error is returned.
func (s *Sender) Shutdown(ctx context.Context) error {
	err := s.waitAll(ctx)
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

func (s *Sender) waitAll(ctx context.Context) error {
	s.mu.Lock()
	var open []<-chan struct{}
	for _, t := range s.transfers {
		open = append(open, t.done)
	}
	for _, c := range s.commands {
		open = append(open, c.done)
	}
	for _, c := range s.questions {
		open = append(open, c.done)
	}
	s.mu.Unlock()
	for _, done := range open {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close ends the sender at once, without a goodbye, and closes its connection.
// Transfers, commands and questions that are not done end with net.ErrClosed. It can be
// called again.
func (s *Sender) Close() error {
	err := s.loop.Close()
	s.mu.Lock()
	open := s.transfers
	s.transfers = make(map[wire.TransportID]*Transfer)
	s.mu.Unlock()
	for _, t := range open {
		if t.stream != nil {
			t.stream.fail(net.ErrClosed)
		}
		t.finish(net.ErrClosed)
		t.release()
	}
	return err
}
