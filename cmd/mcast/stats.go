package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gomulticast/multicast/rmt/norm"
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

// senderCounters is what send --stats writes: the counters of the session, and each
// receiver.
func senderCounters(s *norm.Sender) any {
	p := s.Report()
	return struct {
		norm.SenderStats
		Rate      int64
		Receivers []norm.ReceiverHeard
	}{p.Stats, p.Rate, p.Receivers}
}

// receiverCounters is what recv --stats writes.
func receiverCounters(r *norm.Receiver) any {
	p := r.Report()
	return struct {
		norm.ReceiverStats
		Storage norm.StorageStats
		Senders []norm.SenderHeard
	}{p.Stats, p.Storage, p.Senders}
}
