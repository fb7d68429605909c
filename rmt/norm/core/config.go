package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// ErrConfig is wrapped by every complaint about a configuration.
var ErrConfig = errors.New("invalid configuration")

// SenderConfig holds a sender's settings. Zero fields take the default of their
// comment, which suits a local network; negative turns a thing off where that
// makes sense.
type SenderConfig struct {
	// NodeID identifies this sender in the session and must be unique there.
	// It is required.
	NodeID wire.NodeID

	// InstanceID tells this run of the sender from an earlier one (RFC 5740
	// section 4.2.1). It should be random.
	InstanceID uint16

	// Group is where the session's messages go; the zero value leaves that
	// to the connection.
	Group netip.AddrPort

	// Rate is the sending rate in bits per second of UDP payload with IP and
	// UDP headers, all messages included. Default 100 Mbit/s; negative does
	// not limit. It is not used with congestion control.
	Rate int64

	// CC says who decides on the rate. Default CCNone: Rate does. With the
	// others MinRate and MaxRate bound it, in bits per second; MinRate's
	// default is a packet a second with CCTFMCC and 1 Mbit/s with CCMax,
	// MaxRate's none.
	CC               CongestionControl
	MinRate, MaxRate int64

	// ECN lets routers mark packets instead of dropping them, which receivers
	// report as loss (RFC 3168). It sets the whole TOS octet of the packets,
	// so a DSCP that the connection was given is not sent.
	ECN bool

	// SegmentSize is the payload of a data message in bytes, at most 65,000.
	// Default 1,400, which fits an Ethernet MTU with every header.
	SegmentSize int

	// BlockSize is the number of source symbols in a coding block, Parity
	// the number of parity symbols that can be made for it; together at most
	// 2,048. Default 64 and 32, or 16 with shorter blocks and such as leave no room
	// for 32; negative Parity means none. What is not asked for is never made.
	//
	// More than 255 together are coded over GF(2^16): Encoding is ReedSolomonGF2m
	// then, and SegmentSize even. There are 65,536 such blocks in an object. Parity
	// takes time with the product of both, many times as much as over GF(2^8). A
	// block has at most 16 MiB, which is what receivers take by default; the sender
	// keeps eight in memory.
	BlockSize int
	Parity    int

	// AutoParity is the number of parity symbols sent with every block,
	// asked for or not. Default 0.
	AutoParity int

	// Encoding is the FEC scheme. Default ReedSolomonGF8, or ReedSolomonGF2m where
	// a block has more than 255 symbols; the zero CompactNoCode, which has nothing
	// over it here, reads as that.
	Encoding fec.EncodingID

	// Scheme overrides the registered scheme for Encoding.
	Scheme *fec.Scheme

	// FTI is how the parity count is written on the wire. Default as NRL's
	// NORM does and RFC 5740 says.
	FTI wire.FTIStyle

	// GRTT is the group round-trip time assumed until the group has answered
	// a probe, default 10 ms, or 2 ms with CCMax; MinGRTT and MaxGRTT bound what is measured,
	// default 1 ms and 10 s. RFC 5740 section 6 recommends 0.5 s to start with
	// on an unknown network: see the WAN preset of package norm.
	GRTT, MinGRTT, MaxGRTT time.Duration

	// Backoff is K, the receivers' longest NACK delay in GRTTs, 1 to 15.
	// Default 4 (RFC 5740 section 5.3); negative means no delay, for one
	// receiver only.
	Backoff int

	// GroupSize is the expected number of receivers. Default 100.
	GroupSize int

	// RobustFactor is how often a FLUSH is repeated. Default 20 (RFC 5740
	// section 4.2.3.1).
	RobustFactor int

	// FlushInterval is the shortest time between two FLUSH messages; they go
	// out every two GRTTs or this, whichever is longer. Default 10 ms.
	FlushInterval time.Duration

	// AckTimeout is how long a transfer that waits for acknowledgements goes
	// on while no receiver confirms and none asks for repair. Default 30 s.
	AckTimeout time.Duration

	// CacheObjects is how many objects are kept for repair, sent ones
	// included. Default 64.
	CacheObjects int

	// MaxNodes is how many receivers are remembered. Default 1,024.
	MaxNodes int

	// Rand is the source of randomness; it is required.
	Rand *rand.Rand
}

// DefaultBufferBytes is ReceiverConfig.BufferBytes if that is 0.
const DefaultBufferBytes = 64 << 20

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// normalize fills in defaults and validates.
func (c *SenderConfig) normalize() error {
	setDefault(&c.Rate, 100_000_000)
	setDefault(&c.SegmentSize, 1400)
	setDefault(&c.BlockSize, 64)
	if c.BlockSize >= 64 && c.BlockSize+32 <= 255 {
		setDefault(&c.Parity, 32)
	}
	setDefault(&c.Parity, 16)
	if c.CC == CCMax {
		setDefault(&c.GRTT, 2*time.Millisecond)
	}
	setDefault(&c.GRTT, 10*time.Millisecond)
	setDefault(&c.MinGRTT, time.Millisecond)
	setDefault(&c.MaxGRTT, 10*time.Second)
	setDefault(&c.Backoff, 4)
	setDefault(&c.GroupSize, 100)
	setDefault(&c.RobustFactor, 20)
	setDefault(&c.FlushInterval, 10*time.Millisecond)
	setDefault(&c.AckTimeout, 30*time.Second)
	setDefault(&c.CacheObjects, 64)
	setDefault(&c.MaxNodes, 1024)
	c.Rate, c.Parity, c.Backoff = max(c.Rate, -1), max(c.Parity, 0), max(c.Backoff, 0)
	if c.Encoding == fec.CompactNoCode {
		c.Encoding = fec.ReedSolomonGF8
		if c.fieldSize() == 16 {
			c.Encoding = fec.ReedSolomonGF2m
		}
	}
	if c.FTI == wire.FTIAuto {
		c.FTI = wire.FTINRL
	}
	switch {
	case c.NodeID == wire.NodeNone || c.NodeID == wire.NodeAny:
		return fmt.Errorf("%w: node ID %v is reserved (RFC 5740 section 4.1); choose a number that is unique in the session", ErrConfig, c.NodeID)
	case c.SegmentSize < 64 || c.SegmentSize > 65000:
		return fmt.Errorf("%w: segment size %d is not between 64 and 65000 bytes", ErrConfig, c.SegmentSize)
	case c.BlockSize < 1 || c.BlockSize > maxSymbols || c.Parity > maxSymbols-c.BlockSize:
		return fmt.Errorf("%w: block of %d symbols and %d of parity; 1 to %d together", ErrConfig, c.BlockSize, c.Parity, maxSymbols)
	case c.fieldSize() == 16 && c.Encoding != fec.ReedSolomonGF2m:
		return fmt.Errorf("%w: block of %d symbols and %d of parity; %v has 255 together, ReedSolomonGF2m %d", ErrConfig, c.BlockSize, c.Parity, c.Encoding, maxSymbols)
	case c.fieldSize() == 16 && c.SegmentSize%2 != 0:
		return fmt.Errorf("%w: segment size %d; with more than 255 symbols in a block it must be even", ErrConfig, c.SegmentSize)
	case c.BlockSize*c.SegmentSize > maxBlockBytes:
		return fmt.Errorf("%w: blocks of %d segments of %d bytes; at most %d bytes", ErrConfig, c.BlockSize, c.SegmentSize, maxBlockBytes)
	case c.AutoParity < 0 || c.AutoParity > c.Parity:
		return fmt.Errorf("%w: auto parity %d is not between 0 and parity %d", ErrConfig, c.AutoParity, c.Parity)
	case c.CC > CCMax:
		return fmt.Errorf("%w: unknown congestion control %d", ErrConfig, c.CC)
	case c.MinRate < 0 || c.MaxRate < 0 || c.MaxRate > 0 && c.MinRate > c.MaxRate:
		return fmt.Errorf("%w: rates from %d to %d; give a positive range, or 0 for no bound", ErrConfig, c.MinRate, c.MaxRate)
	case c.Backoff > 15:
		return fmt.Errorf("%w: backoff factor %d does not fit its 4-bit field; 1 to 15", ErrConfig, c.Backoff)
	case c.GroupSize < 0:
		return fmt.Errorf("%w: group size %d; give the expected number of receivers, or 0 for the default", ErrConfig, c.GroupSize)
	case c.RobustFactor < 1 || c.CacheObjects < 1 || c.MaxNodes < 1:
		return fmt.Errorf("%w: robust factor %d, %d objects and %d nodes must be positive", ErrConfig, c.RobustFactor, c.CacheObjects, c.MaxNodes)
	case c.GRTT < 0 || c.FlushInterval < 0 || c.AckTimeout < 0:
		return fmt.Errorf("%w: a negative duration", ErrConfig)
	case c.Rand == nil:
		return fmt.Errorf("%w: no source of randomness", ErrConfig)
	}
	if c.Scheme == nil {
		s, err := fec.Lookup(c.Encoding)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
		c.Scheme = &s
	}
	return nil
}

// fieldSize returns m, of the field GF(2^m) that the code is over.
func (c *SenderConfig) fieldSize() uint8 {
	if c.BlockSize+c.Parity > 255 {
		return 16
	}
	return 8
}

// maxBlockBytes is the longest block that is sent: receivers take a quarter of their
// buffers, which are of 64 MiB by default.
const maxBlockBytes = 16 << 20

// A SyncPolicy says where reception begins (RFC 5740 section 5.2).
type SyncPolicy uint8

const (
	// SyncCurrent begins with the object, of a stream with the block, that is being
	// sent for the first time.
	SyncCurrent SyncPolicy = iota
	// SyncStream is the same but begins a stream at its beginning, as far as its
	// sender still has it.
	SyncStream
	// SyncAll asks for everything that the sender still has, earlier objects too.
	SyncAll
)

// ReceiverConfig holds a receiver's settings, in the same manner.
type ReceiverConfig struct {
	// NodeID identifies this receiver in the session; required.
	NodeID wire.NodeID

	// Group is where multicast feedback goes; the zero value leaves that to
	// the connection.
	Group netip.AddrPort

	// Unicast sends feedback to the sender's own address instead of the
	// group, as source-specific groups need.
	Unicast bool

	// FTI is how senders write the parity count. Default FTIAuto.
	FTI wire.FTIStyle

	// Scheme overrides the registered FEC schemes, by the encoding ID.
	Scheme func(fec.EncodingID) (fec.Scheme, error)

	// Sync is what of a sender's content is received by whoever joins while it is
	// under way. Default SyncCurrent.
	Sync SyncPolicy

	// InfoFirst asks for nothing of an object but its NORM_INFO, if it has one, until the
	// owner has it and has called Prime, Have or Stored: it may have some of the content,
	// or all of it. What comes meanwhile is received. Streams are not held up.
	InfoFirst bool

	// Silent sends nothing at all: for receivers without a way back, and for those
	// that must not be found. They live on parity sent unasked, on what others ask
	// for and on objects sent again. Of a stream, a block that is not complete when
	// the sender is SilentDelay blocks ahead is given up; default 4.
	Silent      bool
	SilentDelay int

	// RepairBySymbol asks for what is missing of a stream as soon as a later symbol
	// arrives, not at the end of its block (RFC 5740 section 5.3): for the lowest
	// delay, at the price of repairs for packets that were only overtaken and of
	// repair by the very symbols lost, not by parity.
	RepairBySymbol bool

	// BufferBytes bounds the coding blocks held in memory: those being
	// received and those delivered and not yet released, over all senders. A
	// block may take a quarter of it; objects with longer ones are refused.
	// Default 64 MiB.
	BufferBytes int64

	// MaxSenders is how many senders are followed at a time; the one silent
	// for longest gives way. Default 64.
	MaxSenders int

	// MaxObjects is how many objects of one sender are received at a time.
	// Default 256.
	MaxObjects int

	// MaxNackMessages is how many messages one NACK may fill when the need
	// is large. RFC 5740 section 5.3 says one; NRL's NORM sends up to four,
	// and so does the default.
	MaxNackMessages int

	// RobustFactor is how often a receiver asks a silent sender. Default 20
	// (RFC 5740 section 5.3).
	RobustFactor int

	// Rand is the source of randomness; required.
	Rand *rand.Rand
}

func (c *ReceiverConfig) normalize() error {
	setDefault(&c.BufferBytes, DefaultBufferBytes)
	setDefault(&c.MaxSenders, 64)
	setDefault(&c.MaxObjects, 256)
	setDefault(&c.MaxNackMessages, 4)
	setDefault(&c.RobustFactor, 20)
	setDefault(&c.SilentDelay, 4)
	if c.Scheme == nil {
		c.Scheme = fec.Lookup
	}
	switch {
	case c.NodeID == wire.NodeNone || c.NodeID == wire.NodeAny:
		return fmt.Errorf("%w: node ID %v is reserved (RFC 5740 section 4.1); choose a number that is unique in the session", ErrConfig, c.NodeID)
	case c.SilentDelay < 1:
		return fmt.Errorf("%w: a silent receiver cannot give up blocks %d blocks behind; at least 1", ErrConfig, c.SilentDelay)
	case c.BufferBytes < 0 || c.MaxSenders < 1 || c.RobustFactor < 1 || c.MaxNackMessages < 1:
		return fmt.Errorf("%w: %d bytes of buffers, %d senders, robust factor %d and %d NACK messages must be positive", ErrConfig, c.BufferBytes, c.MaxSenders, c.RobustFactor, c.MaxNackMessages)
	case c.MaxObjects < 1 || c.MaxObjects > 8192:
		return fmt.Errorf("%w: %d objects at a time is not between 1 and 8192", ErrConfig, c.MaxObjects)
	case c.Rand == nil:
		return fmt.Errorf("%w: no source of randomness", ErrConfig)
	}
	return nil
}
