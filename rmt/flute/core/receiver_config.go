package core

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// ReceiverConfig holds a receiver's settings and limits. Zero fields take the default
// of their comment.
type ReceiverConfig struct {
	// Accept says which sessions to receive, by the sender's address and TSI.
	// Default all.
	Accept func(SessionKey) bool

	// Want says which files to receive; it is asked once for each description.
	// Default all.
	Want func(SessionKey, *fdt.File) bool

	// Load reads back what an event BlockSpilled had stored: len(data) bytes at an
	// offset of the object's storage. Without it blocks that memory has no room
	// for are dropped, and have to be received again.
	Load func(key ObjectKey, offset int64, data []byte) error

	// Scheme finds FEC schemes by encoding ID. Default fec.Lookup.
	Scheme func(fec.EncodingID) (fec.Scheme, error)

	// IgnoreExpiry takes FDT Instances for valid although they say otherwise, for
	// receivers whose clock is not set and senders that do not send theirs.
	IgnoreExpiry bool

	// DescribedOnly receives no object before an FDT Instance describes it, even
	// if EXT_FTI tells how.
	DescribedOnly bool

	// Plain receives objects alone, as ALC knows them, of sessions without an FDT:
	// see SenderConfig.Plain. Objects are described by their FEC parameters and a
	// name made up here. One that was received is not received again as long as it
	// is sent, at intervals shorter than SessionTimeout.
	Plain bool

	// BufferBytes bounds the source blocks held in memory, those handed over and
	// not yet released or being solved among them. A block may take a third of
	// it. The Solver takes another block's beside it. Default 64 MiB.
	BufferBytes int64

	// DecoderBytes bounds the memory of FEC decoders beside the blocks: there is
	// one for each object that needs it. Default 128 MiB.
	DecoderBytes int64

	// EarlyBytes bounds the packets kept until it is known what they are of.
	// Default 4 MiB.
	EarlyBytes int

	// FDTBytes bounds one FDT Instance, both as sent and decoded; at most 16 times
	// as much are being received at a time. Default 1 MiB.
	FDTBytes int

	// MaxSessions, MaxObjects and MaxFiles bound the sessions followed at a time,
	// and over all sessions the objects being received and the files described.
	// Default 64, 256 and 65,536.
	MaxSessions, MaxObjects, MaxFiles int

	// MaxObjectBytes bounds an object's transfer length. Default 1 TiB.
	MaxObjectBytes uint64

	// CloseGrace is how long packets may come late after the sender has marked
	// the end of an object or session. Default 2 s.
	CloseGrace time.Duration

	// SessionTimeout is how long a session may be silent. Default 10 minutes.
	SessionTimeout time.Duration

	// DescribeTimeout is how long an object that no FDT Instance describes is
	// kept. Default 1 minute.
	DescribeTimeout time.Duration
}

func setDefault[T int | int64 | uint64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (c *ReceiverConfig) normalize() error {
	setDefault(&c.BufferBytes, 64<<20)
	setDefault(&c.DecoderBytes, 128<<20)
	setDefault(&c.EarlyBytes, 4<<20)
	setDefault(&c.FDTBytes, 1<<20)
	setDefault(&c.MaxSessions, 64)
	setDefault(&c.MaxObjects, 256)
	setDefault(&c.MaxFiles, 65536)
	setDefault(&c.MaxObjectBytes, 1<<40)
	setDefault(&c.CloseGrace, 2*time.Second)
	setDefault(&c.SessionTimeout, 10*time.Minute)
	setDefault(&c.DescribeTimeout, time.Minute)
	if c.Scheme == nil {
		c.Scheme = fec.Lookup
	}
	switch {
	case c.BufferBytes < 1<<16 || c.DecoderBytes < 0 || c.FDTBytes < 256:
		return fmt.Errorf("%w: %d bytes of buffers, %d of decoders, %d of FDT Instances; give at least 65536, 0 and 256", ErrConfig, c.BufferBytes, c.DecoderBytes, c.FDTBytes)
	case c.MaxSessions < 1 || c.MaxObjects < 1 || c.MaxFiles < 1:
		return fmt.Errorf("%w: %d sessions, %d objects and %d files must be positive", ErrConfig, c.MaxSessions, c.MaxObjects, c.MaxFiles)
	case c.CloseGrace < 0 || c.SessionTimeout < 0 || c.DescribeTimeout < 0:
		return fmt.Errorf("%w: a negative duration", ErrConfig)
	}
	return nil
}

// A SessionKey names a session: by its sender's address and TSI (RFC 6726 section 3.1).
type SessionKey struct {
	Source netip.Addr
	TSI    lct.TSI
}

// String returns the key as in "192.0.2.1/17".
func (k SessionKey) String() string { return fmt.Sprintf("%v/%d", k.Source, uint64(k.TSI)) }

// An ObjectKey names an object at this receiver. Run is different for each object that
// was begun here, for a TOI may come to mean another.
type ObjectKey struct {
	Session SessionKey
	TOI     lct.TOI
	Run     uint64
}
