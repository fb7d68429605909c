package norm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// writeAhead bounds what Write takes before the engine has it.
const writeAhead = 256 << 10

// A StreamWriter writes a stream to the group (NORM_OBJECT_STREAM). It is an
// io.WriteCloser, safe for concurrent use; messages of concurrent writers do not mix.
type StreamWriter struct {
	s      *Sender
	t      *Transfer
	marked bool

	turn chan struct{} // held by who is writing

	mu      sync.Mutex
	pending []byte
	starts  []int     // where in pending messages begin
	posted  bool      // the owner was told of pending
	wrote   time.Time // when it was last
	flush   bool
	closing bool
	err     error
	room    chan struct{} // closed and replaced when pending shrinks or err is set

	taken   uint64 // bytes of the stream up to the end of pending
	wanted  bool   // Commit waits
	asked   bool   // the engine was told so
	acked   uint64
	ackErr  error
	answers chan struct{} // closed and replaced when acked or ackErr changes
}

// OpenStream begins a stream. What is sent after it waits until it is closed: a session
// sends its objects and streams one after the other. It returns when the stream is
// queued, as SendFile does.
func (s *Sender) OpenStream(ctx context.Context, cfg StreamConfig) (*StreamWriter, error) {
	w := &StreamWriter{
		s: s, marked: cfg.MarkedMessages, turn: make(chan struct{}, 1),
		room: make(chan struct{}), answers: make(chan struct{}),
	}
	spec := cfg.core()
	w.t = &Transfer{s: s, stream: w, done: make(chan struct{})}
	err := s.queue(ctx, w.t, func(now time.Time) (wire.TransportID, error) {
		return s.engine.OpenStream(now, spec)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Write writes p to the stream. It waits while the buffer is full: see WriteContext for
// one that need not wait for ever.
func (w *StreamWriter) Write(p []byte) (int, error) {
	return w.WriteContext(context.Background(), p)
}

// WriteContext is Write until ctx ends; then it returns how much was written, and ctx's
// error.
func (w *StreamWriter) WriteContext(ctx context.Context, p []byte) (int, error) {
	if err := w.begin(ctx); err != nil {
		return 0, err
	}
	defer w.end()
	return w.write(ctx, p, false)
}

// WriteMessage writes one message, of any size, which ReadMessage returns whole. If ctx
// ends in the middle of it the stream is broken: the error is returned by every later
// call, and only Cancel is left.
func (w *StreamWriter) WriteMessage(ctx context.Context, p []byte) error {
	if int64(len(p)) > 1<<32-1 || w.marked && len(p) == 0 {
		return fmt.Errorf("norm: write: %w: a message of %d bytes; 1 to 4294967295 can be written", ErrMessage, len(p))
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	defer w.end()
	w.mu.Lock()
	w.starts = append(w.starts, len(w.pending))
	w.mu.Unlock()
	n := 0
	var err error
	if !w.marked {
		var head [messageHeader]byte
		binary.BigEndian.PutUint32(head[:], uint32(len(p)))
		n, err = w.write(ctx, head[:], len(p) > 0)
	}
	if err == nil {
		var rest int
		rest, err = w.write(ctx, p, false)
		n += rest
	}
	switch {
	case err == nil || errors.Is(err, net.ErrClosed): // what Close cuts off is no fault of the stream
	case n > 0:
		w.fail(err)
	default:
		w.unstart()
	}
	return err
}

// unstart takes back that a message begins at the end of what is pending.
func (w *StreamWriter) unstart() {
	w.mu.Lock()
	if n := len(w.starts); n > 0 {
		w.starts = w.starts[:n-1]
	}
	w.mu.Unlock()
}

// begin waits for other writers.
func (w *StreamWriter) begin(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("norm: write: %w", ctx.Err())
	}
}

func (w *StreamWriter) end() { <-w.turn }

// write writes p; more says that there is more to come at once, so that p need not leave
// by itself.
func (w *StreamWriter) write(ctx context.Context, p []byte, more bool) (n int, err error) {
	for {
		w.mu.Lock()
		if err = w.err; err == nil && w.closing {
			err = net.ErrClosed
		}
		if err == nil {
			k := min(writeAhead-len(w.pending), len(p)-n)
			w.pending = append(w.pending, p[n:n+k]...)
			w.taken += uint64(k)
			n += k
		}
		room, post := w.room, !w.posted && len(w.pending) > 0 && err == nil && !(more && n == len(p))
		w.posted = w.posted || post
		alone := post && w.aloneLocked()
		w.mu.Unlock()
		switch {
		case alone:
			w.s.loop.Run(w.move)
		case post:
			w.s.loop.Post(w.move)
		}
		if err != nil {
			return n, fmt.Errorf("norm: write: %w", err)
		}
		if n == len(p) {
			return n, nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return n, fmt.Errorf("norm: write: %w", ctx.Err())
		case <-w.s.loop.Done():
			return n, fmt.Errorf("norm: write: %w", net.ErrClosed)
		}
	}
}

// A write of up to so many bytes, so long after the one before, is sent by who writes it,
// which is faster. More than that is collected by the owner, which fills segments with it.
const (
	aloneBytes = 8 << 10
	alonePause = 50 * time.Microsecond
)

// aloneLocked reports whether what is pending is such a write.
func (w *StreamWriter) aloneLocked() bool {
	now := time.Now()
	before := w.wrote
	w.wrote = now
	return len(w.pending) <= aloneBytes && now.Sub(before) >= alonePause
}

// move gives the engine what was written, as far as it has room; the owner calls it.
func (w *StreamWriter) move(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posted = false
	e, id := w.s.engine, w.t.id
	done := 0
	for done < len(w.pending) {
		end, message := len(w.pending), false
		for len(w.starts) > 0 && w.starts[0] < done {
			w.starts = w.starts[1:]
		}
		for _, at := range w.starts {
			if at == done {
				message = true
			} else {
				end = min(end, at)
				break
			}
		}
		n, err := e.WriteStream(now, id, w.pending[done:end], message)
		if err != nil {
			w.failLocked(err)
			return
		}
		if message && n > 0 {
			w.starts = w.starts[1:]
		}
		if done += n; done < end {
			break // StreamVacancy calls again
		}
	}
	if done > 0 {
		w.pending = w.pending[:copy(w.pending, w.pending[done:])]
		for i := range w.starts {
			w.starts[i] -= done
		}
		close(w.room)
		w.room = make(chan struct{})
	}
	if len(w.pending) > 0 {
		return
	}
	if w.flush {
		w.flush = false
		e.FlushStream(now, id)
	}
	if w.wanted && !w.asked {
		w.asked = true
		if err := e.Commit(now, id); err != nil {
			w.answerLocked(0, err)
		}
	}
	if w.closing && w.err == nil {
		w.err = net.ErrClosed
		if err := e.CloseStream(now, id); err != nil {
			w.err = err
		}
	}
}

// kick has the owner look at what is to be done.
func (w *StreamWriter) kick() {
	w.mu.Lock()
	post := !w.posted
	w.posted = true
	w.mu.Unlock()
	if post {
		w.s.loop.Post(w.move)
	}
}

func (w *StreamWriter) fail(err error) {
	w.mu.Lock()
	w.failLocked(err)
	w.mu.Unlock()
}

func (w *StreamWriter) failLocked(err error) {
	if w.err == nil || errors.Is(w.err, net.ErrClosed) {
		w.err = err
	}
	w.pending, w.starts = nil, nil
	close(w.room)
	w.room = make(chan struct{})
	w.answerLocked(w.acked, err)
}

// Flush sends what was written without waiting for a full segment. It is of use with
// StreamConfig.FullSegments only.
func (w *StreamWriter) Flush() error {
	w.mu.Lock()
	w.flush = true
	err := w.err
	w.mu.Unlock()
	w.kick()
	if err != nil {
		return fmt.Errorf("norm: flush: %w", err)
	}
	return nil
}

// Commit waits until the stream's receivers, those of StreamConfig.WaitFor and
// WaitForCount, have read all that was written before (RFC 5740 section 5.5.3). It
// returns ErrNotAcked when some have not and are no longer waited for; the stream goes
// on. When ctx ends first it returns ctx's error.
func (w *StreamWriter) Commit(ctx context.Context) error {
	w.mu.Lock()
	target := w.taken
	w.wanted, w.asked, w.ackErr = true, false, nil
	w.mu.Unlock()
	w.kick()
	for {
		w.mu.Lock()
		answers, acked, err := w.answers, w.acked, w.ackErr
		if err == nil && w.err != nil && !errors.Is(w.err, net.ErrClosed) {
			err = w.err
		}
		w.mu.Unlock()
		switch {
		case acked >= target:
			return nil
		case err != nil:
			return fmt.Errorf("norm: commit: %w", err)
		}
		select {
		case <-answers:
		case <-ctx.Done():
			return fmt.Errorf("norm: commit: %w", ctx.Err())
		case <-w.s.loop.Done():
			return fmt.Errorf("norm: commit: %w", net.ErrClosed)
		}
	}
}

// answerLocked takes the answer to Commit.
func (w *StreamWriter) answerLocked(offset uint64, err error) {
	w.acked = max(w.acked, offset)
	if w.wanted && (err != nil || w.acked >= w.taken) {
		w.wanted, w.ackErr = false, err
	}
	close(w.answers)
	w.answers = make(chan struct{})
}

// event takes an event of the engine; the owner calls it.
func (w *StreamWriter) event(now time.Time, e *core.SenderEvent) {
	switch e.Type {
	case core.StreamVacancy:
		w.move(now)
	case core.StreamAcked:
		w.mu.Lock()
		w.answerLocked(e.Offset, e.Err)
		again := w.wanted && e.Err == nil // written since
		w.asked = w.asked && !again
		w.mu.Unlock()
		if again {
			w.move(now)
		}
	case core.ObjectDone:
		err := e.Err
		if err == nil {
			err = net.ErrClosed
		}
		w.mu.Lock()
		if e.Err == nil {
			w.answerLocked(w.taken, nil)
		}
		w.failLocked(err)
		w.mu.Unlock()
	}
}

// Close ends the stream behind what was written and does not wait for it: see Wait. It
// can be called again.
func (w *StreamWriter) Close() error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	w.kick()
	return nil
}

// Wait waits, after Close, until the stream is over or ctx ends; see [Transfer.Wait].
func (w *StreamWriter) Wait(ctx context.Context) error { return w.t.Wait(ctx) }

// Cancel ends the stream at once; readers are told that it was called off.
func (w *StreamWriter) Cancel() { w.t.Cancel() }

// AckContents returns what receivers said with their latest confirmation: see
// Receiver.SetAckContent.
func (w *StreamWriter) AckContents() map[NodeID]string { return w.t.AckContents() }

// ID returns the stream's NormTransportId.
func (w *StreamWriter) ID() uint16 { return w.t.ID() }

// Sent returns how many bytes of the stream were sent, repairs not counted.
func (w *StreamWriter) Sent() int64 { return w.t.Progress() }
