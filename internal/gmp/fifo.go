package gmp

// A fifo is a queue that keeps its room.
type fifo[T any] struct {
	q    []T
	head int
}

func (f *fifo[T]) len() int { return len(f.q) - f.head }

func (f *fifo[T]) push(v T) {
	if f.head > 0 && len(f.q) == cap(f.q) {
		n := copy(f.q, f.q[f.head:])
		clear(f.q[n:])
		f.q, f.head = f.q[:n], 0
	}
	f.q = append(f.q, v)
}

// pop returns the first; the queue must not be empty.
func (f *fifo[T]) pop() T {
	var none T
	v := f.q[f.head]
	f.q[f.head] = none
	if f.head++; f.head == len(f.q) {
		f.q, f.head = f.q[:0], 0
	}
	return v
}

func (f *fifo[T]) clear() {
	clear(f.q)
	f.q, f.head = f.q[:0], 0
}

// purge takes out all that fails keep.
func (f *fifo[T]) purge(keep func(T) bool) {
	n := 0
	for _, v := range f.q[f.head:] {
		if keep(v) {
			f.q[n] = v
			n++
		}
	}
	clear(f.q[n:])
	f.q, f.head = f.q[:n], 0
}
