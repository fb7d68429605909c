package raptorq

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	rq "github.com/gomulticast/multicast/rmt/fec/raptorq"
)

// BenchmarkBeside encodes and decodes the same block with ours and with liblcrq, in
// turns, and reports Gbit/s of source data by CPU time of the process, so that what
// else runs on the machine counts little: the median of ours, liblcrq's best. Decoding is from K-lost source symbols and
// repair symbols, K'+2 in all. Ours makes its plan for each decoding; for encoding
// it has it from the first time on.
func BenchmarkBeside(b *testing.B) {
	Build(b)
	const size = 1280
	for _, c := range []struct{ k, lost, runs int }{{10, 1, 50}, {100, 10, 20}, {100, 100, 20}, {1000, 50, 2}, {1000, 1000, 2}} {
		b.Run(fmt.Sprintf("K=%d/lost=%d", c.k, c.lost), func(b *testing.B) {
			blk, src := block(c.k, size)
			var theirs [2]float64
			var ours [2][]float64
			for b.Loop() {
				line := Run(b, "speed", strconv.Itoa(c.k), strconv.Itoa(size), strconv.Itoa(c.lost), strconv.Itoa(c.runs))
				var enc, dec float64
				if _, err := fmt.Sscanf(line[0], "encode %g decode %g", &enc, &dec); err != nil || dec < 0 {
					b.Fatal(line, err)
				}
				theirs = [2]float64{best(theirs[0], enc), best(theirs[1], dec)}

				e, err := rq.NewEncoder(c.k, size, 0)
				if err != nil {
					b.Fatal(err)
				}
				d, err := rq.NewDecoder(c.k, size, 0, nil)
				if err != nil {
					b.Fatal(err)
				}
				into := make([]byte, len(blk))
				syms := make([][]byte, c.k+8)
				for range 20 * c.runs {
					at := cpu(b)
					if err := e.Load(src); err != nil {
						b.Fatal(err)
					}
					ours[0] = append(ours[0], cpu(b)-at)
					for i := range syms {
						if syms[i] == nil {
							syms[i] = make([]byte, size)
						}
						e.Symbol(syms[i], uint32(c.lost+i))
					}
					clear(into)
					at = cpu(b)
					d.Reset(into)
					for i, sym := range syms {
						if d.Add(uint32(c.lost+i), sym) && i >= c.k+1 && d.Decode() == nil {
							break
						}
					}
					ours[1] = append(ours[1], cpu(b)-at)
					if !bytes.Equal(into, blk) {
						b.Fatal("decoded another block")
					}
				}
			}
			bits := float64(len(blk)) * 8 / 1e9
			b.ReportMetric(bits/median(ours[0]), "enc-Gbit/s")
			b.ReportMetric(bits/theirs[0], "lcrq-enc-Gbit/s")
			b.ReportMetric(bits/median(ours[1]), "dec-Gbit/s")
			b.ReportMetric(bits/theirs[1], "lcrq-dec-Gbit/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func best(a, b float64) float64 {
	if a == 0 || b < a {
		return b
	}
	return a
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// cpu returns the CPU time of this process in seconds.
func cpu(t testing.TB) float64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		t.Fatal(err)
	}
	return float64(ts.Sec) + 1e-9*float64(ts.Nsec)
}
