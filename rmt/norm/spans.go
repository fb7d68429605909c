package norm

import (
	"slices"
	"sort"
)

// A span is the bytes from up to, not including, to.
type span struct{ from, to int64 }

// spans are bytes as disjoint, ascending spans that do not touch. What comes in order
// is one span; each hole makes one more.
type spans []span

// add adds from up to to, and returns how many bytes of those were not there.
func (s *spans) add(from, to int64) (fresh int64) {
	if from >= to {
		return 0
	}
	fresh = to - from
	l := *s
	i := sort.Search(len(l), func(i int) bool { return l[i].to >= from })
	j := i
	for j < len(l) && l[j].from <= to {
		fresh -= max(min(to, l[j].to)-max(from, l[j].from), 0)
		from, to = min(from, l[j].from), max(to, l[j].to)
		j++
	}
	*s = slices.Replace(l, i, j, span{from, to})
	return fresh
}

// end returns where the span ends that holds the byte at off, or off if none does.
func (s spans) end(off int64) int64 {
	i := sort.Search(len(s), func(i int) bool { return s[i].to > off })
	if i < len(s) && s[i].from <= off {
		return s[i].to
	}
	return off
}

// size returns how many bytes there are.
func (s spans) size() (n int64) {
	for _, p := range s {
		n += p.to - p.from
	}
	return n
}
