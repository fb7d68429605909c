package fcast

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/flute"
	"github.com/gomulticast/multicast/rmt/lct"
	"github.com/gomulticast/multicast/rmt/norm"
)

// ReceiverConfig holds a receiver's settings beside those of its transport. Zero fields
// take the default of their comment.
type ReceiverConfig struct {
	// Dir is where objects are put, by the path of their Content-Location but never
	// outside of it. It must exist. A file appears under its name when it is complete
	// and verified. If Dir is empty objects are kept in memory.
	Dir string

	// Want says which objects to take, by where they are from and their metadata.
	// It must not block. Default all.
	Want func(from string, m *Metadata) bool

	// MaxSize bounds an object, in bytes, decoded. Default 1 TiB in Dir, 256 MiB in
	// memory.
	MaxSize int64

	// Limits bound headers and object lists.
	Limits Limits
}

// A Receiver receives the objects of every carousel that its connection hears. It is
// safe for concurrent use.
type Receiver struct {
	cfg    ReceiverConfig
	source source
	root   *os.Root // nil: in memory
	temp   string   // where the transport puts objects, below Dir

	mu        sync.Mutex
	carousels map[string]*listener
	order     []*listener // the last heard last
}

// An Object is an object that was received whole.
type Object struct {
	Metadata Metadata

	// From is where it is from: over ALC the session, as in "192.0.2.1/17", over
	// NORM the sender's node ID. TOI is what it was there; Key names it for good if
	// HasKey, which needs a descriptor.
	From   string
	TOI    lct.TOI
	Key    Key
	HasKey bool

	// Path is where it is on disk, if ReceiverConfig.Dir is set. Data is its
	// content otherwise.
	Path string
	Data []byte

	// Size is its size in bytes, decoded. SHA256 is the digest of the content;
	// Verified says that the metadata had a digest, which then was the same. If not,
	// there is no Object.
	Size     int64
	SHA256   [32]byte
	Verified bool
}

// An ObjectError says which object was not delivered and why.
type ObjectError struct {
	From string
	TOI  lct.TOI
	Name string // its Content-Location, if it was known
	Err  error
}

func (e *ObjectError) Error() string {
	name := fmt.Sprintf("object %v", e.TOI)
	if e.Name != "" {
		name = e.Name
	}
	return fmt.Sprintf("fcast: %.300s from %s: %v", name, e.From, e.Err)
}

func (e *ObjectError) Unwrap() error { return e.Err }

// NewALCReceiver starts a receiver over ALC on conn, which it owns from then on: Close
// closes it. alc holds the settings of the transport, but for Dir. It wraps
// flute.ErrConfig when a setting makes no sense, or fails when Dir cannot be used; conn is
// then left open.
func NewALCReceiver(conn datagram.Conn, alc flute.ReceiverConfig, cfg ReceiverConfig) (*Receiver, error) {
	r, err := newReceiver(cfg)
	if err != nil {
		return nil, err
	}
	alc.Plain, alc.Dir, alc.KeepPartial = true, "", -1
	if r.root != nil {
		// Objects may be larger than memory, and lie on the same disk then.
		if r.temp, err = os.MkdirTemp(cfg.Dir, tempPrefix); err != nil {
			r.root.Close()
			return nil, fmt.Errorf("fcast: receiver: %w", err)
		}
		alc.Dir = r.temp
	}
	s, err := flute.NewReceiver(conn, alc)
	if err != nil {
		r.release()
		return nil, fmt.Errorf("fcast: %w", err)
	}
	r.source = alcSource{s}
	return r, nil
}

// NewNORMReceiver starts a receiver over NORM, likewise. Objects are in memory until they
// are whole, and bounded by norm.ReceiverConfig.MaxMemory.
func NewNORMReceiver(conn datagram.Conn, nc norm.ReceiverConfig, cfg ReceiverConfig) (*Receiver, error) {
	r, err := newReceiver(cfg)
	if err != nil {
		return nil, err
	}
	nc.Dir = ""
	s, err := norm.NewReceiver(conn, nc)
	if err != nil {
		r.release()
		return nil, fmt.Errorf("fcast: %w", err)
	}
	r.source = normSource{s}
	return r, nil
}

func newReceiver(cfg ReceiverConfig) (*Receiver, error) {
	r := &Receiver{cfg: cfg, carousels: make(map[string]*listener)}
	if r.cfg.MaxSize == 0 {
		if r.cfg.MaxSize = 256 << 20; cfg.Dir != "" {
			r.cfg.MaxSize = 1 << 40
		}
	}
	if cfg.Dir != "" {
		var err error
		if r.root, err = os.OpenRoot(cfg.Dir); err != nil {
			return nil, fmt.Errorf("fcast: receiver: %w", err)
		}
	}
	return r, nil
}

// Objects yields objects as they become complete and, as an *ObjectError with a nil
// Object, those that could not be delivered; such an error does not end it. It ends when
// every carousel heard is complete and all that it lists was received, if there was any;
// otherwise after yielding the error of ctx or, when the receiver is closed or its
// connection broken, that error. Objects are decoded and stored on the goroutines of
// those who take them; several loops share them out among them.
func (r *Receiver) Objects(ctx context.Context) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		for !r.satisfied() {
			d, ok, err := r.source.next(ctx)
			if !ok {
				yield(nil, err)
				return
			}
			var o *Object
			name := ""
			if err == nil {
				if o, name, err = r.take(&d); spoiled(err) {
					r.source.again(&d)
				}
			}
			switch {
			case err != nil:
				err = &ObjectError{From: d.from, TOI: d.toi, Name: name, Err: err}
				if !yield(nil, err) {
					return
				}
			case o != nil:
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// spoiled reports whether it may be that an object was not received as it was sent.
func spoiled(err error) bool {
	return errors.Is(err, ErrDigest) || errors.Is(err, ErrChecksum) || errors.Is(err, ErrVersion) || errors.Is(err, ErrHeaderLen) ||
		errors.Is(err, ErrContentEncoding) || errors.Is(err, ErrInflate) || errors.Is(err, ErrMetadata)
}

// Listed returns the newest descriptor of a carousel, and whether there was any: which
// objects are on the air. from is as in Object.
func (r *Receiver) Listed(from string) (CID, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.carousels[from]; l != nil {
		return l.carousel.CID()
	}
	return CID{}, false
}

// Close ends the receiver and closes its connection. It can be called again.
func (r *Receiver) Close() error {
	err := r.source.close()
	r.release()
	return err
}

func (r *Receiver) release() {
	if r.temp != "" {
		os.RemoveAll(r.temp)
	}
	if r.root != nil {
		r.root.Close()
	}
}

// path returns where a file of Dir is.
func (r *Receiver) path(local string) string { return filepath.Join(r.cfg.Dir, local) }
