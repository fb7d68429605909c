package norm

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// A holding is the buffers of blocks that came before their turn, kept back from the
// engine until the digest comes to them: to read them again from the file costs a
// twentieth of a receiver's work. Like sinks it is the store goroutine's alone.
type holding struct {
	limit   int64 // bytes
	held    int64
	release func([]byte)
	scarce  atomic.Bool // the engine needs the memory more; the owner says so
}

// An early is one such block.
type early struct {
	off  int64
	data []byte
}

// keep takes a block whose turn has not come, if there is room for it, and then owns its
// buffer. A sink in memory needs none.
func (s *sink) keep(data []byte, off int64) bool {
	h := s.hold
	if h != nil && h.scarce.Load() {
		s.letGo(len(s.early))
		return false
	}
	if h == nil || s.sum == nil || s.file == nil || off < s.summed || h.held+int64(cap(data)) > h.limit {
		return false
	}
	i, twice := s.findEarly(off)
	if twice {
		return false
	}
	s.early = slices.Insert(s.early, i, early{off, data})
	h.held += int64(cap(data))
	return true
}

func (s *sink) findEarly(off int64) (int, bool) {
	if n := len(s.early); n > 0 && s.early[n-1].off < off {
		return n, false
	}
	return slices.BinarySearchFunc(s.early, off, func(e early, off int64) int { return cmp.Compare(e.off, off) })
}

// digestEarly digests the blocks held whose turn it is. It returns where the next one
// begins, for up to there the file has to be read.
func (s *sink) digestEarly(end int64) int64 {
	n := 0
	for ; n < len(s.early) && s.early[n].off <= s.summed; n++ {
		if e := &s.early[n]; e.off == s.summed {
			s.sum.Write(e.data)
			s.summed += int64(len(e.data))
		}
	}
	s.letGo(n)
	if len(s.early) > 0 {
		end = min(end, s.early[0].off)
	}
	return end
}

// letGo gives the buffers of the first n blocks back.
func (s *sink) letGo(n int) {
	for _, e := range s.early[:n] {
		s.hold.held -= int64(cap(e.data))
		s.hold.release(e.data)
	}
	s.early = slices.Delete(s.early, 0, n)
}
