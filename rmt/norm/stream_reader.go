package norm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// readAhead bounds what a StreamReader holds. What is not read beyond that stays with
// the engine, which keeps as much as the sender does.
const readAhead = 256 << 10

// A StreamReader reads one sender's stream. It is an io.ReadCloser. Read it from one
// goroutine at a time.
type StreamReader struct {
	r   *Receiver
	key core.ObjectKey
	max int // bytes in a message

	taken bool // by AcceptStream; the owner's

	mu     sync.Mutex
	buf    []byte // read from head on
	head   int
	pos    uint64      // stream offset of buf[head]
	starts []uint64    // where messages begin, not before pos
	gaps   []LostError // not before pos
	first  bool        // something has come: pos is valid
	full   bool        // there is more that found no room
	err    error       // behind buf
	info   []byte
	news   chan struct{} // has an item when there is something new

	// The message being read, kept when ReadMessage has to give up waiting.
	synced bool // message begins at one, or pos does if there is none
	prefix [messageHeader]byte
	got    int // bytes of the prefix
	msg    []byte
}

// Streams yields streams as they are first heard of. It ends as Objects does. A stream
// that nobody takes is not read: nothing else suffers.
func (r *Receiver) Streams(ctx context.Context) iter.Seq2[*StreamReader, error] {
	return func(yield func(*StreamReader, error) bool) {
		for {
			s, err := r.AcceptStream(ctx)
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// AcceptStream waits for the next stream.
func (r *Receiver) AcceptStream(ctx context.Context) (*StreamReader, error) {
	for {
		r.mu.Lock()
		news, fault := r.news, r.fault
		var s *StreamReader
		if len(r.fresh) > 0 {
			s = r.fresh[0]
			r.fresh = r.fresh[1:]
		}
		r.mu.Unlock()
		switch {
		case s != nil:
			r.loop.Post(func(now time.Time) {
				s.taken = true
				s.pull(now)
			})
			return s, nil
		case fault != nil:
			return nil, fault
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// maxFresh bounds the streams that wait for AcceptStream.
const maxFresh = 256

// streamEvent takes an event of the engine about a stream, and reports whether it was
// one. The owner calls it.
func (r *Receiver) streamEvent(now time.Time, e *core.ReceiverEvent) bool {
	if e.Type == core.ObjectNew && e.Stream {
		s := &StreamReader{r: r, key: e.Key, max: r.cfg.maxMessage(), news: make(chan struct{}, 1)}
		r.streams[e.Key] = s
		r.mu.Lock()
		var old *StreamReader
		if len(r.fresh) >= maxFresh {
			old, r.fresh = r.fresh[0], r.fresh[1:]
			r.untaken.Streams++
		}
		r.fresh = append(r.fresh, s)
		r.wake()
		r.mu.Unlock()
		if old != nil {
			r.engine.Stored(now, old.key, net.ErrClosed)
			old.fail(net.ErrClosed)
		}
		return true
	}
	s := r.streams[e.Key]
	if s == nil {
		return false
	}
	switch e.Type {
	case core.InfoReceived:
		s.mu.Lock()
		s.info = e.Data
		s.mu.Unlock()
	case core.StreamReadable:
		s.pull(time.Time{})
	case core.ObjectAborted:
		s.pull(time.Time{})
		s.fail(&ObjectError{Sender: s.key.Sender.Node, ID: uint16(s.key.Object), Err: e.Err})
	}
	return true
}

// pull takes what there is from the engine, as far as there is room; the owner calls it.
func (s *StreamReader) pull(time.Time) {
	if !s.taken {
		return // what nobody may ever take is the engine's to bound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full = false; s.err != nil {
		return
	}
	for {
		if len(s.buf)-s.head >= readAhead || len(s.starts)+len(s.gaps) >= readAhead/8 {
			s.full = true
			break
		}
		g, ok := s.r.engine.ReadStream(s.key)
		if !ok {
			break
		}
		s.add(&g)
		if g.End {
			delete(s.r.streams, s.key)
			break
		}
	}
	s.tell()
}

func (s *StreamReader) add(g *core.StreamSegment) {
	if !s.first {
		s.first, s.pos = true, g.Offset
	}
	switch {
	case g.End:
		s.err = io.EOF
	case g.Lost:
		s.gaps = append(s.gaps, LostError{From: g.From, To: g.Offset})
	default:
		if g.Message >= 0 {
			s.starts = append(s.starts, g.Offset+uint64(g.Message))
		}
		if s.head > 0 && len(s.buf)+len(g.Data) > cap(s.buf) {
			s.buf = s.buf[:copy(s.buf, s.buf[s.head:])]
			s.head = 0
		}
		s.buf = append(s.buf, g.Data...)
	}
}

func (s *StreamReader) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
	if s.r.cfg.DirectRead {
		s.r.loop.Kick()
	}
}

func (s *StreamReader) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	delete(s.r.streams, s.key)
	s.tell()
}

// Read reads what has come, in order, and waits for the first byte. Behind the end of the
// stream it returns io.EOF; at a gap a *LostError, and then what follows; when the
// stream ended early an *ObjectError.
func (s *StreamReader) Read(p []byte) (int, error) {
	return s.ReadContext(context.Background(), p)
}

// ReadContext is Read until ctx ends.
func (s *StreamReader) ReadContext(ctx context.Context, p []byte) (n int, err error) {
	for len(p) > 0 {
		if err := s.wait(ctx); err != nil {
			return 0, err
		}
		s.mu.Lock()
		n = min(len(p), s.run())
		copy(p, s.buf[s.head:s.head+n])
		s.skip(n)
		s.mu.Unlock()
		if n > 0 {
			break
		}
	}
	s.refill()
	return n, nil
}

// wait waits until there is a byte to read. It returns an error that is due now.
func (s *StreamReader) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		var err error
		if len(s.gaps) > 0 && s.gaps[0].From == s.pos {
			gap := s.gaps[0]
			err, s.gaps, s.pos = &gap, s.gaps[1:], gap.To
		} else if s.run() > 0 {
			s.mu.Unlock()
			return nil
		} else if s.err != nil {
			err = s.err
		}
		full := s.full
		s.mu.Unlock()
		if err != nil {
			return err
		}
		if full {
			s.refill()
		}
		if s.r.cfg.DirectRead && s.direct(ctx) {
			continue
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// direct waits for packets here, and reports whether it could; they may be for others.
func (s *StreamReader) direct(ctx context.Context) bool {
	if len(s.news) > 0 || ctx.Err() != nil {
		return false
	}
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, s.r.loop.Kick)()
	}
	return s.r.loop.ReadHere(func() bool { return len(s.news) > 0 || ctx.Err() != nil })
}

// run returns how many bytes there are up to the next gap.
func (s *StreamReader) run() int {
	n := len(s.buf) - s.head
	if len(s.gaps) > 0 {
		n = min(n, int(s.gaps[0].From-s.pos))
	}
	return n
}

// skip moves on by n bytes.
func (s *StreamReader) skip(n int) {
	s.head += n
	s.pos += uint64(n)
	if s.head == len(s.buf) {
		s.buf, s.head = s.buf[:0], 0
	}
	for len(s.starts) > 0 && s.starts[0] < s.pos {
		s.starts = s.starts[1:]
	}
}

// refill has the owner bring more when there was no room for it and now is.
func (s *StreamReader) refill() {
	s.mu.Lock()
	post := s.full && len(s.buf)-s.head <= readAhead/2
	if post {
		s.full = false
	}
	s.mu.Unlock()
	if post {
		s.r.loop.Post(s.pull)
	}
}

// ReadMessage reads the next whole message of WriteMessage into buf, which grows when it
// is too small, and returns it. Messages of which a part is lost are left out, with a
// *LostError in their place; who joins in the middle of one begins with the next. When
// ctx ends nothing is lost: call it again.
func (s *StreamReader) ReadMessage(ctx context.Context, buf []byte) ([]byte, error) {
	if err := s.seek(ctx); err != nil {
		return nil, err
	}
	for s.got < messageHeader {
		n, err := s.part(ctx, s.prefix[s.got:])
		if err != nil {
			return nil, err
		}
		s.got += n
	}
	size := int64(binary.BigEndian.Uint32(s.prefix[:]))
	if size > int64(s.max) {
		s.restart(false)
		return nil, fmt.Errorf("norm: read: %w: it would be %d bytes, of which ReceiverConfig.MaxMessage allows %d", ErrMessage, size, s.max)
	}
	for int64(len(s.msg)) < size {
		// As it comes: the length is only what somebody says.
		at := len(s.msg)
		s.msg = slices.Grow(s.msg, int(min(size-int64(at), 64<<10)))
		n, err := s.part(ctx, s.msg[at:min(int64(cap(s.msg)), size)])
		if err != nil {
			return nil, err
		}
		s.msg = s.msg[:at+n]
	}
	buf = append(buf[:0], s.msg...)
	s.restart(true)
	return buf, nil
}

// part reads a part of a message. One that a gap or an end cuts off is dropped.
func (s *StreamReader) part(ctx context.Context, p []byte) (int, error) {
	n, err := s.ReadContext(ctx, p)
	if err != nil && ctx.Err() == nil {
		if errors.Is(err, io.EOF) && s.got > 0 {
			err = io.ErrUnexpectedEOF
		}
		s.restart(false)
	}
	return n, err
}

// restart begins a new message: at the next byte, or where the next one is marked.
func (s *StreamReader) restart(synced bool) {
	s.got, s.synced = 0, synced
	if s.msg = s.msg[:0]; cap(s.msg) > 1<<20 {
		s.msg = nil
	}
}

// ReadMarked is ReadMessage for StreamConfig.MarkedMessages and senders of other
// implementations: a message ends where the next begins, so it is returned when that has
// come, or the end of the stream.
func (s *StreamReader) ReadMarked(ctx context.Context, buf []byte) ([]byte, error) {
	if err := s.seek(ctx); err != nil {
		return nil, err
	}
	for {
		err := s.wait(ctx)
		switch {
		case errors.Is(err, io.EOF) && len(s.msg) > 0:
			buf = append(buf[:0], s.msg...)
			s.restart(false)
			return buf, nil
		case err != nil && ctx.Err() == nil:
			s.restart(false)
			return nil, err
		case err != nil:
			return nil, err
		}
		s.mu.Lock()
		n, whole := s.run(), false
		for _, at := range s.starts {
			if at > s.pos || len(s.msg) > 0 {
				if whole = at <= s.pos+uint64(n); whole {
					n = int(at - s.pos)
				}
				break
			}
		}
		n = min(n, s.max+1-len(s.msg))
		s.msg = append(s.msg, s.buf[s.head:s.head+n]...)
		s.skip(n)
		s.mu.Unlock()
		s.refill()
		switch {
		case len(s.msg) > s.max:
			s.restart(false)
			return nil, fmt.Errorf("norm: read: %w: it is larger than the %d bytes of ReceiverConfig.MaxMessage", ErrMessage, s.max)
		case whole:
			buf = append(buf[:0], s.msg...)
			s.restart(true)
			return buf, nil
		}
	}
}

// seek moves on to where a message begins.
func (s *StreamReader) seek(ctx context.Context) error {
	for !s.synced {
		if err := s.wait(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		n := s.run()
		if len(s.starts) > 0 && s.starts[0] <= s.pos+uint64(n) {
			n, s.synced = int(s.starts[0]-s.pos), true
		}
		s.skip(n)
		s.mu.Unlock()
		s.refill()
	}
	return nil
}

// Info returns the stream's NORM_INFO content, nil as long as there is none.
func (s *StreamReader) Info() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// Sender returns the node ID of the stream's sender.
func (s *StreamReader) Sender() NodeID { return s.key.Sender.Node }

// ID returns the stream's NormTransportId.
func (s *StreamReader) ID() uint16 { return uint16(s.key.Object) }

// Offset returns the position in the stream of the next byte to be read.
func (s *StreamReader) Offset() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pos
}

// Close ends reading: the receiver keeps nothing of the stream any more. It can be called
// again.
func (s *StreamReader) Close() error {
	s.r.loop.Do(func(now time.Time) {
		s.r.engine.Stored(now, s.key, net.ErrClosed)
		s.fail(net.ErrClosed)
	})
	return nil
}
