//go:build race

package core

// With the race detector everything takes ten times as long.
const raceDetector = true
