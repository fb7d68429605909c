package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gomulticast/multicast/rmt/norm"
)

// receiveStream writes the first stream to w until it ends.
func (f *recvFlags) receiveStream(ctx context.Context, r *norm.Receiver, w io.Writer, out *printer) error {
	limited := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("not complete within --timeout %v", f.timeout))
		defer cancel()
	}
	start := time.Now()
	n, err := copyStream(limited, r, w, out)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // interrupted
	case limited.Err() != nil && errors.Is(err, limited.Err()):
		err = context.Cause(limited)
	}
	if err == nil || errors.Is(err, errFailed) {
		seconds := max(time.Since(start).Seconds(), 1e-6)
		out.event(streamEvent{"stream", n, seconds}, "")
		linger, cancel := context.WithTimeout(ctx, f.linger)
		defer cancel()
		r.Shutdown(linger) // so that the end is confirmed
		return err
	}
	out.failure("", err)
	return errFailed
}

// copyStream copies a stream. Gaps are reported; if there were any it returns errFailed in
// the end.
func copyStream(ctx context.Context, r *norm.Receiver, w io.Writer, out *printer) (n int64, err error) {
	s, err := r.AcceptStream(ctx)
	if err != nil {
		return 0, err
	}
	var gaps error
	buf := make([]byte, 64<<10)
	for {
		got, err := s.ReadContext(ctx, buf)
		if got > 0 {
			n += int64(got)
			if _, err := w.Write(buf[:got]); err != nil {
				return n, err
			}
		}
		var lost *norm.LostError
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return n, gaps
		case errors.As(err, &lost):
			out.failure("", err)
			gaps = errFailed
		default:
			return n, err
		}
	}
}
