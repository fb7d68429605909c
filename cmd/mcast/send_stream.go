package main

import (
	"context"
	"io"
	"time"

	"github.com/gomulticast/multicast/rmt/norm"
)

// sendStream sends what in has to say.
func (f *sendFlags) sendStream(ctx context.Context, s *norm.Sender, in io.Reader, told func() error, out *printer) error {
	cfg := norm.StreamConfig{DropAfter: f.drop}
	var err error
	if cfg.WaitFor, cfg.WaitForCount, err = parseNodes(f.wait); err != nil {
		return err
	}
	if f.name != "" {
		cfg.Info = []byte(f.name)
	}
	start := time.Now()
	w, err := s.OpenStream(ctx, cfg)
	if err != nil {
		return err
	}
	type result struct {
		n   int64
		err error
	}
	copied := make(chan result, 1)
	go func() { // in may have nothing to say for ever
		n, err := io.Copy(contextWriter{ctx, w}, in)
		if err == nil {
			err = w.Close()
		}
		copied <- result{n, err}
	}()
	var done result
	select {
	case done = <-copied:
	case <-ctx.Done():
		done.err = context.Cause(ctx)
	}
	if done.err == nil {
		done.err = w.Wait(ctx)
	}
	if done.err != nil {
		w.Cancel()
	}
	seconds := time.Since(start).Seconds()
	untold := told()
	s.Shutdown(ctx)
	st := s.Stats()
	out.event(sentEvent{"sent", 0, done.n, st.Bytes, st.Nacks, st.Repairs, seconds},
		"sent a stream of %s in %.2f s (%s): %s on the wire, %d NACKs, %d repairs",
		size(done.n), seconds, bitrate(float64(done.n)*8/seconds), size(int64(st.Bytes)), st.Nacks, st.Repairs)
	if done.err != nil {
		out.failure("", done.err)
		return errFailed
	}
	return untold
}

// A contextWriter writes to a stream until ctx ends.
type contextWriter struct {
	ctx context.Context
	w   *norm.StreamWriter
}

func (c contextWriter) Write(p []byte) (int, error) { return c.w.WriteContext(c.ctx, p) }
