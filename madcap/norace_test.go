//go:build !race

package madcap

// underRace makes the long tests shorter.
const underRace = false
