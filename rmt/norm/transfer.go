package norm

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A Transfer is one object on its way to the group. It is safe for concurrent use.
type Transfer struct {
	s      *Sender
	id     wire.TransportID
	size   int64
	name   string // of a file
	source io.ReaderAt
	stream *StreamWriter // of which it is the object

	done chan struct{} // closed once err is final
	once sync.Once
	err  error

	mu        sync.Mutex
	confirmed []NodeID
	dropped   []NodeID
	said      map[NodeID]string
}

// ID returns the object's NormTransportId.
func (t *Transfer) ID() uint16 { return uint16(t.id) }

// Size returns the object's size in bytes.
func (t *Transfer) Size() int64 { return t.size }

// Done is closed when the transfer is over.
func (t *Transfer) Done() <-chan struct{} { return t.done }

// Wait waits until the transfer is over or ctx ends. It returns nil when every
// receiver asked to confirm has done so or, where none was asked, when the group has
// had its chance to ask for repair and has stopped doing so. An error of ctx does
// not end the transfer.
func (t *Transfer) Wait(ctx context.Context) error {
	select {
	case <-t.done:
		if t.err != nil {
			return fmt.Errorf("norm: object %d: %w", t.id, t.err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Confirmed returns the receivers that have confirmed so far, of those asked to.
func (t *Transfer) Confirmed() []NodeID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.confirmed)
}

// Dropped returns the receivers that are no longer waited for: see [DropAfter].
func (t *Transfer) Dropped() []NodeID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.dropped)
}

// Progress returns how many of the object's bytes were sent, repairs not counted.
func (t *Transfer) Progress() (sent int64) {
	t.s.loop.Do(func(time.Time) {
		var ok bool
		if sent, ok = t.s.engine.Progress(t.id); !ok {
			sent = t.size
		}
	})
	return sent
}

// Cancel calls the transfer off: it ends with ErrCanceled, and receivers that ask
// for the object are told that it is gone.
func (t *Transfer) Cancel() {
	t.s.loop.Do(func(now time.Time) { t.s.engine.Cancel(now, t.id) })
}

func (t *Transfer) confirm(id NodeID) {
	t.mu.Lock()
	if !slices.Contains(t.confirmed, id) {
		t.confirmed = append(t.confirmed, id)
	}
	t.mu.Unlock()
}

func (t *Transfer) drop(id NodeID) {
	t.mu.Lock()
	t.dropped = append(t.dropped, id)
	t.mu.Unlock()
}

func (t *Transfer) finish(err error) {
	t.once.Do(func() { t.err = err; close(t.done) })
}

// release closes the source.
func (t *Transfer) release() {
	if c, ok := t.source.(io.Closer); ok {
		c.Close()
	}
}
