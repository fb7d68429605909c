package norm

import (
	"errors"
	"testing"
)

// A gap of more than 2 GiB between what is being read and where the next message begins,
// which an int of 32 bits does not hold.
func TestReadMarkedBeforeLongGap(t *testing.T) {
	for _, gap := range []uint64{1 << 20, 1<<31 - 10, 1 << 31, 1<<32 - 10, 1 << 32} {
		from := uint64(110)
		s := &StreamReader{
			max: 1000, news: make(chan struct{}, 1), pos: 10, buf: make([]byte, 200), synced: true,
			starts: []uint64{10, from + gap}, gaps: []LostError{{from, from + gap}},
		}
		var lost *LostError
		if m, err := s.ReadMarked(t.Context(), nil); !errors.As(err, &lost) || lost.To != from+gap {
			t.Errorf("gap of %d: %d bytes, %v", gap, len(m), err)
		}
		if s.pos != from+gap {
			t.Errorf("gap of %d: at %d", gap, s.pos)
		}
	}
}
