package norm

import (
	"errors"
	"math"
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

// A message as long as none can be: refused when the receiver is made, not with a panic when
// one is read.
func TestMaxMessage(t *testing.T) {
	if err := (ReceiverConfig{MaxMessage: -1}).Validate(); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	s := &StreamReader{
		max: ReceiverConfig{MaxMessage: math.MaxInt}.maxMessage(), news: make(chan struct{}, 1), buf: make([]byte, 20), synced: true, starts: []uint64{0, 20},
	}
	if m, err := s.ReadMarked(t.Context(), nil); len(m) != 20 || err != nil {
		t.Errorf("%d bytes, %v", len(m), err)
	}
}
