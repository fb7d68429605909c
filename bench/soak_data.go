//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

const soakGroup = "239.77.1.20:6020"

// Nodes of the soak.
const (
	soakFiles  = 1  // sends files
	soakStream = 2  // sends streams, from the same process
	soakSteady = 11 // the first receiver that stays; the others follow
)

// A soakEvent is a line that a process of the soak prints.
type soakEvent struct {
	Event  string  `json:"event"`
	Who    string  `json:"who,omitempty"` // a receiver of the process
	File   uint64  `json:"file"`
	ID     uint16  `json:"id"`
	Size   int64   `json:"size,omitempty"`
	Sum    string  `json:"sum,omitempty"`
	Reason string  `json:"reason,omitempty"`
	Count  uint64  `json:"count,omitempty"`
	Vitals *vitals `json:"vitals,omitempty"`
}

// Events of the soak.
const (
	soakReady    = "ready"    // a receiver listens
	soakStat     = "stat"     // Vitals of the process
	soakFile     = "file"     // File, Size and Sum are about to be sent
	soakSent     = "sent"     // File has ID
	soakUnacked  = "unacked"  // a transfer ended with Reason
	soakDone     = "done"     // File was received, with Sum
	soakFailed   = "failed"   // the object ID was not, for Reason
	soakPending  = "pending"  // File is being received by Who, which is about to leave
	soakMessages = "messages" // Count more of a stream have come
	soakGap      = "gap"      // of a stream, a LostError of Count bytes
	soakEnd      = "end"      // a stream ended, Reason is empty if as it should
	soakWrong    = "wrong"    // something came that was not sent
	soakLeft     = "left"     // Who is closed
)

var soakOut struct {
	sync.Mutex
	*json.Encoder
}

// say prints an event.
func say(e soakEvent) {
	soakOut.Lock()
	defer soakOut.Unlock()
	if soakOut.Encoder == nil {
		soakOut.Encoder = json.NewEncoder(os.Stdout)
	}
	soakOut.Encode(e) // when nobody reads it any more, the process is about to be killed
}

// tellVitals says how the process is, until ctx ends, and writes a profile of its heap to
// a file if one is named.
func tellVitals(ctx context.Context, profile string) {
	tick := time.Tick(5 * time.Second)
	for n := 0; ctx.Err() == nil; n++ {
		if n%6 == 5 {
			writeHeap(profile)
		}
		v := ownVitals()
		say(soakEvent{Event: soakStat, Vitals: &v})
		select {
		case <-tick:
		case <-ctx.Done():
		}
	}
}

// soakMessagePool is how many random bytes messages are made of; both ends have the same.
const soakMessagePool = 1 << 20

func newSoakPool(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1: 20}).Read(b)
	return b
}

// soakSize returns the size of a file: mostly from 10 kB to 32 MiB, evenly by magnitude;
// some have next to nothing.
func soakSize(r *rand.Rand) int64 {
	if r.IntN(16) == 0 {
		return r.Int64N(1000)
	}
	return int64(1e4 * math.Pow(32<<20/1e4, r.Float64()))
}

// appendMessage appends the message of a number: 100 to 3,000 bytes.
func appendMessage(b []byte, pool []byte, number uint64) []byte {
	r := rand.New(rand.NewPCG(number, 77))
	n := 100 + r.IntN(2900)
	at := r.IntN(len(pool) - n)
	b = binary.BigEndian.AppendUint64(b, number)
	return append(b, pool[at:at+n]...)
}

// checkMessage returns the number of a message.
func checkMessage(b []byte, pool []byte) (uint64, error) {
	if len(b) < 8 {
		return 0, fmt.Errorf("message of %d bytes", len(b))
	}
	number := binary.BigEndian.Uint64(b)
	if !bytes.Equal(b, appendMessage(nil, pool, number)) {
		return 0, fmt.Errorf("message %d of %d bytes differs", number, len(b))
	}
	return number, nil
}
