package core

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The distribution of how long a carousel takes a receiver, by its losses alone. What a
// sender sends when is as in blocks.go; a block is done with as many symbols as it has
// source symbols, which for RaptorQ is what it takes but for one in a hundred, and here
// for one symbol more. Completion is in symbols sent, divided by the object's: 1 is a
// pass without overhead and loss.
var carouselReceivers = flag.Int("carousel.receivers", 400, "receivers drawn for each row of TestCarouselDistribution; 1000000 for the table")

// A plan is a carousel of an object of total symbols.
type plan struct {
	name     string
	block    int     // source symbols in a block; 0 is all
	symbols  int     // that there can be of a block; 0 is no limit
	overhead float64 // in a pass
	depth    int     // blocks in turns; 0 is all
	need     int     // symbols beyond those of a block
}

// losses draws what one receiver loses: a Gilbert channel, or independent losses.
type losses struct {
	p, burst float64
	rng      *rand.Rand
	bad      bool
}

func (l *losses) lost() bool {
	if l.burst <= 1 {
		return l.rng.Float64() < l.p
	}
	leave := 1 / l.burst
	enter := leave * l.p / (1 - l.p)
	if l.bad {
		l.bad = l.rng.Float64() >= leave
	} else {
		l.bad = l.rng.Float64() < enter
	}
	return l.bad
}

// A schedule is the order of a pass: blocks by symbol sent.
type schedule struct {
	plan
	k, n  []int // source symbols, and symbols in a pass, of each block
	order []int32
	esi   []int32
}

func newSchedule(p plan, total int) *schedule {
	s := &schedule{plan: p}
	if p.block == 0 {
		p.block = total
	}
	blocks := (total + p.block - 1) / p.block
	for b := range blocks {
		k := total / blocks
		if b < total%blocks {
			k++
		}
		n := k + int(float64(k)*p.overhead+0.999)
		if p.symbols > 0 {
			n = min(n, p.symbols)
		}
		s.k, s.n = append(s.k, k), append(s.n, n)
	}
	depth := p.depth
	if depth == 0 {
		depth = blocks
	}
	// The same turns as txObject takes.
	type open struct{ b, i int }
	var window []open
	next, turn := 0, 0
	for {
		for len(window) < depth && next < blocks {
			window = append(window, open{next, 0})
			next++
		}
		if len(window) == 0 {
			return s
		}
		if turn >= len(window) {
			turn = 0
		}
		w := &window[turn]
		s.order, s.esi = append(s.order, int32(w.b)), append(s.esi, int32(w.i))
		if w.i++; w.i == s.n[w.b] {
			window = append(window[:turn], window[turn+1:]...)
		} else {
			turn++
		}
	}
}

// finish returns how many symbols are sent until a receiver that joins at symbol start
// of a pass has all blocks.
func (s *schedule) finish(l *losses, start int, scratch *receiverState) int {
	st := scratch
	for b := range s.k {
		st.left[b] = s.k[b] + s.need
		clear(st.seen[b])
	}
	open := len(s.k)
	i, pass := start, 0
	for sent := 1; ; sent++ {
		b := s.order[i]
		if left := st.left[b]; !l.lost() && left > 0 {
			fresh := true
			if s.symbols > 0 {
				limit := s.symbols
				if s.symbols < s.k[b] {
					limit = s.k[b]
				}
				esi := (pass*s.n[b] + int(s.esi[i])) % min(limit, s.limit(int(b)))
				fresh = st.seen[b][esi>>6]>>(esi&63)&1 == 0
				st.seen[b][esi>>6] |= 1 << (esi & 63)
			}
			if fresh {
				if st.left[b] = left - 1; left == 1 {
					if open--; open == 0 {
						return sent
					}
				}
			}
		}
		if i++; i == len(s.order) {
			i, pass = 0, pass+1
		}
	}
}

// limit is how many symbols there are of a block.
func (s *schedule) limit(b int) int {
	if s.symbols <= s.block { // no code
		return s.k[b]
	}
	return s.k[b] + s.symbols - s.block
}

type receiverState struct {
	left []int
	seen [][]uint64
}

func (s *schedule) state() *receiverState {
	st := &receiverState{left: make([]int, len(s.k)), seen: make([][]uint64, len(s.k))}
	for b := range st.seen {
		if s.symbols > 0 {
			st.seen[b] = make([]uint64, (s.symbols+63)/64+1)
		}
	}
	return st
}

// completions returns how long receivers of a carousel take, in objects sent, ascending.
func completions(p plan, link losses, total int, seed uint64) []float64 {
	s := newSchedule(p, total)
	st := s.state()
	link.rng = rand.New(rand.NewPCG(seed, 1))
	times := make([]float64, *carouselReceivers)
	for i := range times {
		times[i] = float64(s.finish(&link, link.rng.IntN(len(s.order)), st)) / float64(total)
	}
	slices.Sort(times)
	return times
}

// TestCarouselDistribution prints how carousels compare with the ideal fountain, of which
// any symbols do, as many as the object has. Receivers join at any time.
func TestCarouselDistribution(t *testing.T) {
	const total = 4096 // symbols: 5.7 MB
	plans := []plan{
		{name: "ideal fountain"},
		{name: "RaptorQ, 1,024, one block after another, 0 %", block: 1024, depth: 1, need: 1},
		{name: "RaptorQ, 1,024, one block after another, 10 %", block: 1024, depth: 1, overhead: 0.1, need: 1},
		{name: "RaptorQ, 1,024, all blocks in turns", block: 1024, need: 1},
		{name: "Reed-Solomon, 128 of 255, one block after another, 10 %", block: 128, symbols: 255, depth: 1, overhead: 0.1},
		{name: "Reed-Solomon, 128 of 255, all blocks in turns", block: 128, symbols: 255},
		{name: "no code", block: 256, symbols: 256, depth: 1},
	}
	links := []losses{{p: 0.01}, {p: 0.05}, {p: 0.1}, {p: 0.2}, {p: 0.3}, {p: 0.1, burst: 20}}
	rows := make([][][]float64, len(links)) // by link and plan: completion times, ascending
	var wg sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range links {
		rows[i] = make([][]float64, len(plans))
		for n := range plans {
			wg.Go(func() {
				free <- struct{}{}
				defer func() { <-free }()
				rows[i][n] = completions(plans[n], links[i], total, uint64(i*100+n))
			})
		}
	}
	wg.Wait()

	var out strings.Builder
	fmt.Fprintf(&out, "completion in objects sent, %d receivers a row, 4,096 symbols, joining at any time\n", *carouselReceivers)
	fmt.Fprintf(&out, "%-58s %6s %6s %6s %6s %6s %6s\n", "", "mean", "p50", "p90", "p99", "p99.9", "max")
	for i, link := range links {
		if link.burst > 0 {
			fmt.Fprintf(&out, "loss %g %% in bursts of %g\n", link.p*100, link.burst)
		} else {
			fmt.Fprintf(&out, "loss %g %%\n", link.p*100)
		}
		var ideal float64
		for n, p := range plans {
			times := rows[i][n]
			mean := 0.0
			for _, v := range times {
				mean += v / float64(len(times))
			}
			at := func(q float64) float64 { return times[min(int(q*float64(len(times))), len(times)-1)] }
			fmt.Fprintf(&out, "  %-56s %6.3f %6.3f %6.3f %6.3f %6.3f %6.3f\n", p.name, mean, at(0.5), at(0.9), at(0.99), at(0.999), times[len(times)-1])
			switch {
			case n == 0:
				if ideal = mean; ideal < 1/(1-link.p)*0.98 || ideal > 1/(1-link.p)*1.02 {
					t.Errorf("the ideal fountain takes %.3f, want %.3f", ideal, 1/(1-link.p))
				}
			case n == 3 && mean > 1.06*ideal:
				t.Errorf("RaptorQ in turns takes %.3f at a loss of %g, the ideal fountain %.3f", mean, link.p, ideal)
			case n == len(plans)-1 && mean < 2*ideal:
				t.Errorf("no code takes %.3f: that is too good", mean)
			}
		}
	}
	t.Log("\n" + out.String())
}
