//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestIdeal(t *testing.T) {
	if got := ideal(64, 1, 0.05); math.Abs(got-1/0.95) > 1e-9 {
		t.Errorf("one receiver: %v", got)
	}
	if got := ideal(64, 4, 0); got != 1 {
		t.Errorf("without loss: %v", got)
	}
	// By trial.
	rng := rand.New(rand.NewPCG(1, 2))
	const k, n, loss, trials = 64, 4, 0.2, 20_000
	sum := 0
	for range trials {
		most := 0
		for range n {
			sent := 0
			for have := 0; have < k; sent++ {
				if rng.Float64() >= loss {
					have++
				}
			}
			most = max(most, sent)
		}
		sum += most
	}
	if got, want := ideal(k, n, loss), float64(sum)/k/trials; math.Abs(got-want) > 0.003 {
		t.Errorf("ideal %v, by trial %v", got, want)
	}
}
