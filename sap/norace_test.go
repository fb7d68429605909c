//go:build !race

package sap

// underRace makes the long tests shorter.
const underRace = false
