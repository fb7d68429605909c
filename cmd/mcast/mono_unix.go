//go:build unix

package main

import "golang.org/x/sys/unix"

// monotonic returns CLOCK_MONOTONIC in seconds, which programs on one machine share;
// Go's own monotonic reading begins anew in every process.
func monotonic() float64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return float64(ts.Sec) + float64(ts.Nsec)/1e9
}
