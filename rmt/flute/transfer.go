package flute

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A Transfer is one file on its way. It is safe for concurrent use.
type Transfer struct {
	s       *Sender
	toi     TOI
	name    string
	endless bool // a carousel
	content content

	done chan struct{} // closed once err is final
	once sync.Once
	err  error

	mu     sync.Mutex
	passes int
}

// TOI returns what the file is in the session.
func (t *Transfer) TOI() TOI { return t.toi }

// Name returns its Content-Location.
func (t *Transfer) Name() string { return t.name }

// Size returns how many bytes are transferred, after content encoding.
func (t *Transfer) Size() int64 { return t.content.size }

// Done is closed when the transfer is over.
func (t *Transfer) Done() <-chan struct{} { return t.done }

// Wait waits until the file was sent as often as it should, a carousel until it was
// stopped, or ctx ends, which does not end the transfer. Whether anyone has received it
// the sender cannot know.
func (t *Transfer) Wait(ctx context.Context) error {
	select {
	case <-t.done:
		if t.err != nil {
			return fmt.Errorf("flute: %s: %w", t.name, t.err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Passes returns how often the file was sent by now.
func (t *Transfer) Passes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.passes
}

// Progress returns how many bytes of symbols were sent in the pass under way. With FEC
// they can be more than Size; when the transfer is over it is Size.
func (t *Transfer) Progress() (sent int64) {
	t.s.loop.Do(func(time.Time) {
		var ok bool
		if _, sent, ok = t.s.engine.Progress(t.toi); !ok {
			sent = t.content.size
		}
	})
	return sent
}

// Stop ends the transfer with the pass under way, or the next if it pauses.
func (t *Transfer) Stop() {
	t.s.loop.Do(func(now time.Time) { t.s.engine.Stop(now, t.toi) })
}

// Cancel ends the transfer at once, with ErrCanceled. The file is no longer described.
func (t *Transfer) Cancel() {
	t.s.loop.Do(func(now time.Time) { t.s.engine.Cancel(now, t.toi) })
}

func (t *Transfer) finish(err error) {
	t.once.Do(func() { t.err = err; close(t.done) })
}
