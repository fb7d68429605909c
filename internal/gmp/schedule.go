package gmp

import "time"

// A slot is the place of its owner in a schedule. Its owner sets owner and order
// once.
type slot[T any] struct {
	at    time.Time
	pos   int    // in the heap, from 1; 0 is not in it
	order uint64 // of two due at the same time the lower comes first
	owner T
}

// A schedule is a heap of slots, the earliest first.
type schedule[T any] []*slot[T]

// first returns when the earliest is due, or the zero time.
func (q schedule[T]) first() time.Time {
	if len(q) == 0 {
		return time.Time{}
	}
	return q[0].at
}

// set moves a slot to another time; the zero time takes it out.
func (q *schedule[T]) set(s *slot[T], at time.Time) {
	if at.IsZero() {
		q.remove(s)
		return
	}
	s.at = at
	if s.pos == 0 {
		*q = append(*q, s)
		s.pos = len(*q)
	}
	q.up(s.pos)
	q.down(s.pos)
}

func (q *schedule[T]) remove(s *slot[T]) {
	if s.pos == 0 {
		return
	}
	h, i := *q, s.pos
	last := h[len(h)-1]
	h[len(h)-1] = nil
	*q = h[:len(h)-1]
	s.pos, s.at = 0, time.Time{}
	if last != s {
		h[i-1], last.pos = last, i
		q.up(i)
		q.down(last.pos)
	}
}

func (s *slot[T]) before(o *slot[T]) bool {
	return s.at.Before(o.at) || s.at.Equal(o.at) && s.order < o.order
}

func (q schedule[T]) swap(i, j int) {
	q[i-1], q[j-1] = q[j-1], q[i-1]
	q[i-1].pos, q[j-1].pos = i, j
}

func (q schedule[T]) up(i int) {
	for i > 1 && q[i-1].before(q[i/2-1]) {
		q.swap(i, i/2)
		i /= 2
	}
}

func (q schedule[T]) down(i int) {
	for {
		next := 2 * i
		if next > len(q) {
			return
		}
		if next < len(q) && q[next].before(q[next-1]) {
			next++
		}
		if !q[next-1].before(q[i-1]) {
			return
		}
		q.swap(i, next)
		i = next
	}
}
