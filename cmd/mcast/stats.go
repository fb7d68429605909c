package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// printStats writes stats() as a JSON object every interval until ctx ends; an
// interval of 0 writes nothing.
func printStats(ctx context.Context, w io.Writer, interval time.Duration, stats func() any) {
	if interval <= 0 {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b, _ := json.Marshal(stats())
			fmt.Fprintf(w, "%s\n", b)
		}
	}
}
