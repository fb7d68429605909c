//go:build linux

package main

import (
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"strings"
)

// Vitals are what a process must not need more of as time goes by.
type vitals struct {
	RSS        int `json:"rss_kib"`
	Heap       int `json:"heap_kib"` // what the last collection left
	Goroutines int `json:"goroutines"`
	Files      int `json:"files"` // open descriptors
}

// ownVitals returns those of this process.
func ownVitals() (v vitals) {
	v.RSS = residentKiB("self")
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	v.Heap = int(live[0].Value.Uint64() >> 10)
	v.Goroutines = runtime.NumGoroutine()
	if d, err := os.ReadDir("/proc/self/fd"); err == nil {
		v.Files = len(d) - 1 // without that of the directory
	}
	return v
}

// residentKiB returns the memory that a process has resident, 0 when it has gone.
func residentKiB(pid string) int {
	b, _ := os.ReadFile("/proc/" + pid + "/status")
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n
		}
	}
	return 0
}

// writeHeap writes a profile of what is on the heap to a file, if one is named.
func writeHeap(path string) {
	if path == "" {
		return
	}
	f, err := os.Create(path)
	if err != nil {
		return // it is only there to find out why a soak failed
	}
	defer f.Close()
	pprof.Lookup("heap").WriteTo(f, 0)
}
