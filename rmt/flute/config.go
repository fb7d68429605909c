package flute

import (
	crand "crypto/rand"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	_ "github.com/gomulticast/multicast/rmt/fec/ldpc" // the schemes register themselves
	_ "github.com/gomulticast/multicast/rmt/fec/raptor"
	_ "github.com/gomulticast/multicast/rmt/fec/raptorq"
	_ "github.com/gomulticast/multicast/rmt/fec/rs"
	"github.com/gomulticast/multicast/rmt/flute/core"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// What the configurations are made of.
type (
	// A TSI is a Transport Session Identifier: with the sender's address it names
	// a session.
	TSI = lct.TSI
	// A TOI is a Transport Object Identifier.
	TOI = lct.TOI
	// A Channel is a part of a session: packets of their own destination and rate.
	Channel = core.Channel
	// FEC says how files are protected against loss.
	FEC = core.FEC
	// A File is what the File Delivery Table says of one.
	File = fdt.File
	// A SessionKey names a session.
	SessionKey = core.SessionKey
	// A Profile is which kind of FLUTE a sender speaks.
	Profile = fdt.Profile
)

// The profiles. Receivers take all.
const (
	RFC6726 = fdt.RFC6726 // FLUTE version 2
	RFC3926 = fdt.RFC3926 // FLUTE version 1
	MBMS    = fdt.MBMS    // 3GPP TS 26.346
)

// NoCode returns the FEC that sends nothing but the files.
func NoCode() FEC { return FEC{NoCode: true} }

// RaptorQ returns FEC by RaptorQ (RFC 6330) with a share of repair symbols in each
// pass: 0.1 is one for ten source symbols. 0 is none, for carousels: their later passes
// send repair symbols alone.
func RaptorQ(overhead float64) FEC { return scheme(fec.RaptorQ, overhead) }

// Raptor returns FEC by Raptor (RFC 5053), the only one in the MBMS profile.
func Raptor(overhead float64) FEC { return scheme(fec.Raptor, overhead) }

// ReedSolomon returns FEC by Reed-Solomon codes over GF(2^8) (RFC 5510).
func ReedSolomon(overhead float64) FEC { return scheme(fec.ReedSolomonGF8, overhead) }

// LDPC returns FEC by LDPC-Staircase (RFC 5170), which takes much more overhead than the
// others do: at 10 % loss 0.4 is not enough for a single pass, 0.6 is.
func LDPC(overhead float64) FEC { return scheme(fec.LDPCStaircase, overhead) }

func scheme(id fec.EncodingID, overhead float64) FEC {
	if overhead == 0 {
		overhead = -1
	}
	return FEC{Encoding: id, Overhead: overhead}
}

// SenderConfig holds a sender's settings. Zero fields take the default of their
// comment; negative ones turn a thing off where that makes sense.
type SenderConfig struct {
	// TSI identifies the session among those of this address. Default random, of
	// 16 bits, which every receiver understands.
	TSI TSI

	// Profile is which kind of FLUTE to speak. Default RFC6726.
	Profile Profile

	// Group is where packets go. Default: the connection's own group.
	Group netip.AddrPort

	// Channels, if there are any, take the place of Group: each has its own
	// destination and rate, and files are spread over them.
	Channels []Channel

	// Rate is the sending rate in bits per second, IP and UDP headers included.
	// Default 10 Mbit/s; negative sends as fast as it can.
	Rate int64

	// SymbolSize is the payload of a packet in bytes. Default 1,400, which fits an
	// Ethernet MTU with every header.
	SymbolSize int

	// FEC is how files are protected that do not say otherwise. Default RaptorQ
	// with 10 % overhead; in the MBMS profile Raptor.
	FEC FEC

	// FDTInterval is how often the File Delivery Table is repeated; it takes up to
	// a quarter of the rate. Default 1 s.
	FDTInterval time.Duration

	// FDTLifetime is how long what it says is valid, if the sender ends without
	// notice. Default 1 hour.
	FDTLifetime time.Duration

	// FDTGzip compresses it.
	FDTGzip bool

	// NoFTI leaves EXT_FTI out of the packets of files, 16 bytes of each. Those
	// who join late then wait for the File Delivery Table. MBMS does so.
	NoFTI bool

	// Plain sends objects alone, without a File Delivery Table: ALC (RFC 5775)
	// itself, for protocols that describe them in another way, as FCAST does.
	// Names and digests are not sent then.
	Plain bool

	// Concurrent is how many files of one priority are sent at a time, in turns.
	// Default 1.
	Concurrent int

	// MaxFiles is how many files can be on their way. Default 65,535.
	MaxFiles int

	// Logger, if set, is told of network errors and ends of files.
	Logger *slog.Logger
}

func (c *SenderConfig) core() core.SenderConfig {
	cc := core.SenderConfig{
		TSI: c.TSI, Profile: c.Profile, Channels: c.Channels, Rate: c.Rate, SymbolSize: c.SymbolSize, FEC: c.FEC,
		FDTInterval: c.FDTInterval, FDTLifetime: c.FDTLifetime, NoFTI: c.NoFTI, Plain: c.Plain, Concurrent: c.Concurrent, MaxObjects: c.MaxFiles,
	}
	if len(cc.Channels) == 0 {
		cc.Channels = []Channel{{Dest: c.Group}}
	}
	if c.FDTGzip {
		cc.FDTEncoding = lct.EncodingGZIP
	}
	for cc.TSI == 0 {
		var b [2]byte
		crand.Read(b[:]) // it does not fail (crypto/rand)
		cc.TSI = TSI(binary.BigEndian.Uint16(b[:]))
	}
	return cc
}

// Validate reports the first setting that makes no sense, wrapping ErrConfig.
func (c SenderConfig) Validate() error {
	_, err := core.NewSender(c.core())
	return err
}

// ReceiverConfig holds a receiver's settings, in the same manner.
type ReceiverConfig struct {
	// Dir is where files are put, by the path of their Content-Location but never
	// outside of it. It must exist. A file appears under its name when it is
	// complete and verified, replacing one of that name, and is never executable;
	// until then it has a temporary name. If Dir is empty files are kept in
	// memory.
	Dir string

	// TSI, if not 0, and Source, if valid, receive no sessions but with these.
	TSI    TSI
	Source netip.Addr

	// Want says which files to receive. It must not block. Default all.
	Want func(SessionKey, *File) bool

	// KeepPartial is how long files of a MiB and more that were not complete are
	// kept for a later receiver on Dir to go on with, if the sender gave their
	// digest. Default 1 day; negative removes them, which receivers at the same
	// time on one Dir need.
	KeepPartial time.Duration

	// IgnoreExpiry takes what a File Delivery Table says for valid even if by the
	// clock it is not.
	IgnoreExpiry bool

	// Plain receives what SenderConfig.Plain sends. Names are made up here. An
	// object that was received is not received again as long as it is sent at
	// intervals of less than 10 minutes.
	Plain bool

	// BufferBytes and DecoderBytes bound the memory for source blocks and for FEC
	// decoders. A sender's blocks may take a third of the first. Default 64 MiB
	// and 128 MiB.
	BufferBytes, DecoderBytes int64

	// MaxMemory bounds files kept in memory, being received or waiting in
	// Objects, together. Default 256 MiB.
	MaxMemory int64

	// MaxFileSize bounds a file, as transferred and decoded; MaxDisk what files
	// that are being received take on disk together. Default 1 TiB each.
	MaxFileSize, MaxDisk int64

	// MaxSessions and MaxFiles bound how many sessions, and files over all of
	// them, are received at a time. Default 64 and 256.
	MaxSessions, MaxFiles int

	// Logger, if set, is told of network errors and ends of files.
	Logger *slog.Logger
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (c *ReceiverConfig) core() core.ReceiverConfig {
	setDefault(&c.MaxMemory, 256<<20)
	setDefault(&c.MaxFileSize, 1<<40)
	setDefault(&c.MaxDisk, 1<<40)
	setDefault(&c.KeepPartial, 24*time.Hour)
	tsi, source := c.TSI, c.Source.Unmap()
	cc := core.ReceiverConfig{
		Want: c.Want, IgnoreExpiry: c.IgnoreExpiry, Plain: c.Plain, BufferBytes: c.BufferBytes, DecoderBytes: c.DecoderBytes,
		MaxSessions: c.MaxSessions, MaxObjects: c.MaxFiles, MaxObjectBytes: uint64(max(c.MaxFileSize, 1)),
	}
	if tsi != 0 || source.IsValid() {
		cc.Accept = func(k SessionKey) bool {
			return (tsi == 0 || k.TSI == tsi) && (!source.IsValid() || k.Source == source)
		}
	}
	return cc
}

// Validate reports the first setting that makes no sense, wrapping ErrConfig.
func (c ReceiverConfig) Validate() error {
	_, err := core.NewReceiver(c.core())
	return err
}
