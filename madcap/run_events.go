package madcap

import (
	"context"
	"iter"
	"sync"
)

// A mailbox keeps events until somebody takes them, the latest max.
type mailbox[E any] struct {
	mu    sync.Mutex
	max   int
	queue []E
	lost  uint64
	end   error
	news  chan struct{} // closed and replaced when there is something new
}

func newMailbox[E any](max int) *mailbox[E] {
	return &mailbox[E]{max: max, news: make(chan struct{})}
}

func (b *mailbox[E]) put(e E) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) >= b.max {
		b.queue = b.queue[1:]
		b.lost++
	}
	b.queue = append(b.queue, e)
	b.wake()
}

func (b *mailbox[E]) wake() {
	close(b.news)
	b.news = make(chan struct{})
}

// close makes each yield the error when nothing is left.
func (b *mailbox[E]) close(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end == nil {
		b.end = why
	}
	b.wake()
}

// each yields events as they come, and at last the error of ctx or of close.
func (b *mailbox[E]) each(ctx context.Context) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for {
			b.mu.Lock()
			var next *E
			if len(b.queue) > 0 {
				first := b.queue[0]
				b.queue, next = b.queue[1:], &first
			}
			news, end := b.news, b.end
			b.mu.Unlock()
			var none E
			switch {
			case next != nil:
				if !yield(*next, nil) {
					return
				}
				continue
			case end != nil:
				yield(none, end)
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(none, ctx.Err())
				return
			}
		}
	}
}
