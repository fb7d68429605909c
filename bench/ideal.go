//go:build linux

package main

// idealBlock is the number of source symbols in a coding block for which the ideal is worked
// out: the default of mcast.
const idealBlock = 64

// plainWire is what a file takes on the wire for each of its bytes in packets of 1,400 bytes,
// with nothing repaired: IPv4, UDP and Ethernet headers.
const plainWire = 1.036

// ideal returns how many symbols must be sent for each of the file so that n receivers, each of
// which loses a part of them on its own, have as many of each block as it has source symbols:
// the mean of the most that any of them takes,
//
//	sum over m >= 0 of 1 - P(Binomial(m, 1-loss) >= k)^n, divided by k.
//
// No code with such blocks, and no feedback however quick, does with less.
func ideal(k, n int, loss float64) float64 {
	// arrived is the probability that the m-th symbol is the k-th that arrives.
	arrived := 1.0
	for range k {
		arrived *= 1 - loss
	}
	mean, done := float64(k), arrived // after m symbols
	for m := k; m < 100*k; m++ {
		all := 1.0
		for range n {
			all *= done
		}
		mean += 1 - all
		arrived *= loss * float64(m) / float64(m+1-k)
		done = min(1, done+arrived)
	}
	return mean / float64(k)
}
