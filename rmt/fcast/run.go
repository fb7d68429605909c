package fcast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/flute"
	"github.com/gomulticast/multicast/rmt/lct"
	"github.com/gomulticast/multicast/rmt/norm"
)

// Errors of senders and receivers.
var (
	// ErrConfig: a setting makes no sense.
	ErrConfig = errors.New("fcast: bad configuration")
	// ErrDigest: what came is not what its metadata says, by a digest or its length.
	ErrDigest = errors.New("fcast: content differs from its metadata")
	// ErrTooBig: it is larger than the configuration allows.
	ErrTooBig = errors.New("fcast: larger than the limits allow")
	// ErrName: its Content-Location would leave the directory, or is no file name.
	ErrName = errors.New("fcast: unsafe file name")
	// ErrContentEncoding: its Content-Encoding is neither gzip nor none.
	ErrContentEncoding = errors.New("fcast: unknown or wrong content encoding")
)

// A carrier sends compound objects over ALC or NORM.
type carrier interface {
	// send takes on a compound object. again says how often it is to be sent
	// anew; urgent that it goes before others.
	send(ctx context.Context, c *Compound, again time.Duration, urgent bool) (carried, error)
	// after returns the TOI of what is sent next, when the last was toi.
	after(toi lct.TOI) lct.TOI
	shutdown(ctx context.Context) error
	close() error
}

// A carried is a compound object that a carrier has.
type carried interface {
	toi() lct.TOI
	// repeat sends it again, where the carrier does not do so by itself. It returns
	// errGone when that needs another TOI.
	repeat() error
	cancel()
}

var errGone = errors.New("no longer kept")

// alcCarrier sends over ALC by package flute, which does without its tables then.
type alcCarrier struct{ s *flute.Sender }

func (a alcCarrier) send(ctx context.Context, c *Compound, again time.Duration, urgent bool) (carried, error) {
	opts := []flute.SendOption{flute.NoDigest(), flute.Carousel(), flute.Interval(again)}
	if urgent {
		opts = append(opts, flute.Priority(1))
	}
	t, err := a.s.Send(ctx, c, c.Size(), opts...)
	if err != nil {
		return nil, err
	}
	return alcCarried{t}, nil
}

func (a alcCarrier) after(toi lct.TOI) lct.TOI          { return toi.Next() }
func (a alcCarrier) shutdown(ctx context.Context) error { return a.s.Shutdown(ctx) }
func (a alcCarrier) close() error                       { return a.s.Close() }

type alcCarried struct{ t *flute.Transfer }

func (a alcCarried) toi() lct.TOI  { return a.t.TOI() }
func (a alcCarried) repeat() error { return nil }
func (a alcCarried) cancel()       { a.t.Cancel() }

// normCarrier sends over NORM, as data objects.
type normCarrier struct{ s *norm.Sender }

func (n normCarrier) send(ctx context.Context, c *Compound, _ time.Duration, _ bool) (carried, error) {
	t, err := n.s.Send(ctx, c, c.Size())
	if err != nil {
		return nil, err
	}
	return normCarried{t}, nil
}

func (n normCarrier) after(toi lct.TOI) lct.TOI          { return lct.TOI{Lo: uint64(uint16(toi.Lo + 1))} }
func (n normCarrier) shutdown(ctx context.Context) error { return n.s.Shutdown(ctx) }
func (n normCarrier) close() error                       { return n.s.Close() }

type normCarried struct{ t *norm.Transfer }

func (n normCarried) toi() lct.TOI { return lct.TOI{Lo: uint64(n.t.ID())} }
func (n normCarried) cancel()      { n.t.Cancel() }

func (n normCarried) repeat() error {
	select {
	case <-n.t.Done():
	default:
		return nil // it is still being sent, or repaired
	}
	err := n.t.Repeat()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return errGone
	}
	return err
}

// NewALCSender starts a sender over ALC on conn, which it owns from then on: Close
// closes it. alc holds the settings of the transport; those of FLUTE's tables are not
// used. It wraps ErrConfig or flute.ErrConfig when a setting makes no sense; conn is then
// left open.
func NewALCSender(conn datagram.Conn, alc flute.SenderConfig, cfg SenderConfig) (*Sender, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	alc.Plain = true
	s, err := flute.NewSender(conn, alc)
	if err != nil {
		return nil, fmt.Errorf("fcast: %w", err)
	}
	return newSender(alcCarrier{s}, cfg), nil
}

// NewNORMSender starts a sender over NORM, likewise. SenderConfig.CacheObjects of the
// transport is 1,024 unless told otherwise: of a larger carousel objects get other
// TransportIDs with each cycle, which costs receivers that have them their reception.
func NewNORMSender(conn datagram.Conn, nc norm.SenderConfig, cfg SenderConfig) (*Sender, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	if nc.CacheObjects == 0 {
		nc.CacheObjects = 1024
	}
	s, err := norm.NewSender(conn, nc)
	if err != nil {
		return nil, fmt.Errorf("fcast: %w", err)
	}
	return newSender(normCarrier{s}, cfg), nil
}

// A delivery is a compound object that a transport has received: in memory, or a file
// to be removed.
type delivery struct {
	from string // its session, or sender
	toi  lct.TOI
	data []byte
	path string
	file *flute.Object // over ALC
}

// A source yields what a transport receives.
type source interface {
	// next returns what comes next. An error of one object has ok true.
	next(ctx context.Context) (d delivery, ok bool, err error)
	// again has a delivery received once more, where that can be.
	again(d *delivery)
	close() error
}

type alcSource struct{ r *flute.Receiver }

func (a alcSource) next(ctx context.Context) (d delivery, ok bool, err error) {
	for o, err := range a.r.Objects(ctx) {
		var lost *flute.FileError
		switch {
		case errors.As(err, &lost):
			return delivery{from: lost.Session.String(), toi: lost.TOI}, true, lost.Err
		case err != nil:
			return d, false, err
		}
		return delivery{from: o.Session().String(), toi: o.TOI(), data: o.Bytes(), path: o.Path(), file: o}, true, nil
	}
	return d, false, io.ErrUnexpectedEOF
}

func (a alcSource) again(d *delivery) {
	if d.file != nil {
		a.r.Forget(d.file)
	}
}

func (a alcSource) close() error { return a.r.Close() }

type normSource struct{ r *norm.Receiver }

func (n normSource) next(ctx context.Context) (d delivery, ok bool, err error) {
	for o, err := range n.r.Objects(ctx) {
		var lost *norm.ObjectError
		switch {
		case errors.As(err, &lost):
			return delivery{from: fmt.Sprint(lost.Sender), toi: lct.TOI{Lo: uint64(lost.ID)}}, true, lost.Err
		case err != nil:
			return d, false, err
		}
		return delivery{from: fmt.Sprint(o.Sender()), toi: lct.TOI{Lo: uint64(o.ID())}, data: o.Bytes()}, true, nil
	}
	return d, false, io.ErrUnexpectedEOF
}

func (n normSource) again(*delivery) {} // it has confirmed the object, and is done with it
func (n normSource) close() error    { return n.r.Close() }
