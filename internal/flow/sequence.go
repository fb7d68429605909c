package flow

const (
	// seqWindow is how far back a late packet is told from a repeated one.
	seqWindow = 1024
	// maxJump is the longest gap taken for loss. A longer one is a new start,
	// once a second packet follows on it (RFC 3550 appendix A.1).
	maxJump = 1 << 20
)

// A Sequence counts what is missing from numbered packets, as they come. The zero
// value is ready.
type Sequence struct {
	Received   uint64 // numbered packets, the first copy of each
	Lost       uint64 // numbers not seen between those that were
	Reordered  uint64 // that came after a later one
	Duplicates uint64
	Restarts   uint64 // of the numbering

	started bool
	first   uint64
	highest uint64
	suspect uint64 // what a new numbering would go on with; 0 is none
	seen    [seqWindow / 64]uint64
}

// Add counts the packet with number n.
func (s *Sequence) Add(n uint64) {
	switch {
	case !s.started:
		s.start(n)
		return
	case n > s.highest && n-s.highest <= maxJump:
		s.Lost += n - s.highest - 1
		s.forget(n)
		s.highest = n
	case n <= s.highest && s.highest-n < seqWindow:
		if s.mark(n) {
			s.Duplicates++
			return
		}
		s.Reordered++
		s.Received++
		if n > s.first { // it was counted as lost
			s.Lost--
		}
		return
	case n == s.suspect:
		s.Restarts++
		s.start(n)
		s.Received++ // the packet that was suspect
		return
	default:
		s.suspect = n + 1
		return
	}
	s.mark(n)
	s.Received++
	s.suspect = 0
}

// End notes that n would have been the next number after the last: what is missing
// before it is lost.
func (s *Sequence) End(n uint64) {
	if s.started && n-1 > s.highest && n-1-s.highest <= maxJump {
		s.Lost += n - 1 - s.highest
		s.forget(n - 1)
		s.highest = n - 1
	}
}

// Add16 counts the packet with a number of 16 bits, as RTP's, that wraps.
func (s *Sequence) Add16(n uint16) {
	if !s.started {
		s.Add(1<<32 | uint64(n)) // room below for what comes late
		return
	}
	delta := int16(n - uint16(s.highest))
	s.Add(s.highest + uint64(int64(delta)))
}

func (s *Sequence) start(n uint64) {
	s.started, s.first, s.highest, s.suspect = true, n, n, 0
	s.seen = [seqWindow / 64]uint64{}
	s.mark(n)
	s.Received++
}

// mark notes that n was seen and reports whether it had been.
func (s *Sequence) mark(n uint64) bool {
	w, bit := &s.seen[n/64%(seqWindow/64)], uint64(1)<<(n%64)
	old := *w&bit != 0
	*w |= bit
	return old
}

// forget makes room in the window for numbers up to n.
func (s *Sequence) forget(n uint64) {
	if n-s.highest >= seqWindow {
		s.seen = [seqWindow / 64]uint64{}
		return
	}
	for i := s.highest + 1; i <= n; i++ {
		s.seen[i/64%(seqWindow/64)] &^= 1 << (i % 64)
	}
}
