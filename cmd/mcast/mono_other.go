//go:build !unix

package main

import "time"

var started = time.Now()

// monotonic returns seconds since the program began: this system has no clock that
// programs share and that Go can read.
func monotonic() float64 { return time.Since(started).Seconds() }
