package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// The lines of --json. Scripts rely on these names; add fields, never change one.
type (
	readyEvent struct {
		Event string `json:"event"`
		ID    uint32 `json:"id"`
		Group string `json:"group"`
		Iface string `json:"iface"`
	}
	doneEvent struct {
		Event   string  `json:"event"`
		File    string  `json:"file"`
		Bytes   int64   `json:"bytes"`
		Seconds float64 `json:"seconds"`
		Goodput float64 `json:"goodput_bps"`
		SHA256  string  `json:"sha256"`
		Mono    float64 `json:"mono"`
		// Verified says whether the sender had announced the same SHA-256.
		Verified bool `json:"verified"`
	}
	// A fileEvent is a doneEvent of NORM.
	fileEvent struct {
		doneEvent
		Skipped bool  `json:"skipped,omitempty"` // it was here already
		Resumed int64 `json:"resumed,omitempty"` // so many bytes of it were
	}
	sentEvent struct {
		Event     string  `json:"event"`
		Files     int     `json:"files"`
		Bytes     int64   `json:"bytes"`
		WireBytes uint64  `json:"wire_bytes"`
		Nacks     uint64  `json:"nacks"`
		Repairs   uint64  `json:"repairs"`
		Seconds   float64 `json:"seconds"`
	}
	// A skippedEvent is a file of a directory that is not sent.
	skippedEvent struct {
		Event  string `json:"event"`
		File   string `json:"file"`
		Reason string `json:"reason"`
	}
	// A setEvent says whether all files of a directory were received.
	setEvent struct {
		Event   string   `json:"event"`
		ID      string   `json:"id"`
		Files   int      `json:"files"`
		Dirs    int      `json:"dirs"`
		Bytes   int64    `json:"bytes"`
		Missing []string `json:"missing"`
	}
	// A streamEvent is the last line of recv --stream.
	streamEvent struct {
		Event   string  `json:"event"`
		Bytes   int64   `json:"bytes"`
		Seconds float64 `json:"seconds"`
	}
	errorEvent struct {
		Event string `json:"event"`
		File  string `json:"file"`
		Error string `json:"error"`
	}
)

// A printer writes results, as JSON lines or for people. It is safe for concurrent
// use.
type printer struct {
	mu   sync.Mutex
	out  io.Writer
	err  io.Writer
	json bool
}

// event writes v as JSON, or the text in its place; empty text writes nothing.
func (p *printer) event(v any, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		b, _ := json.Marshal(v)
		fmt.Fprintf(p.out, "%s\n", b)
	} else if format != "" {
		fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// failure reports what could not be delivered: on standard output as JSON, else on
// standard error.
func (p *printer) failure(file string, err error) {
	if p.json {
		p.event(errorEvent{"error", file, err.Error()}, "")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.err, "mcast: %s\n", plain(err))
}

// logger passes a session's warnings on to people.
func (p *printer) logger() *slog.Logger {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch v := float64(n); {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", v/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", v/1e6)
	default:
		return fmt.Sprintf("%.2f GB", v/1e9)
	}
}

// bitrate writes bits per second for people.
func bitrate(bps float64) string {
	switch {
	case bps < 1e6:
		return fmt.Sprintf("%.0f kbit/s", bps/1e3)
	case bps < 1e9:
		return fmt.Sprintf("%.0f Mbit/s", bps/1e6)
	default:
		return fmt.Sprintf("%.2f Gbit/s", bps/1e9)
	}
}
