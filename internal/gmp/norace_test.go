//go:build !race

package gmp

// underRace makes the long tests shorter.
const underRace = false
