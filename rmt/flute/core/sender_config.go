package core

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// SenderConfig holds a sender's settings. Zero fields take the default of their
// comment; negative turns a thing off where that makes sense.
type SenderConfig struct {
	// TSI identifies the session among those of the sender's address. It should be
	// random, so that a sender that begins anew begins another session. The MBMS
	// profile has 16 bits for it.
	TSI lct.TSI

	// Profile is which kind of FLUTE to speak. Default RFC 6726.
	Profile fdt.Profile

	// Plain sends objects alone, as ALC knows them, without an FDT: EXT_FTI is all
	// that describes them. FCAST (RFC 6968) does so. ObjectSpec.File is not used.
	Plain bool

	// Channels are where packets go. Default one, where the connection leads, of
	// Rate.
	Channels []Channel

	// Rate is the sending rate in bits per second, IP and UDP headers included, of
	// channels that have none of their own. Default 10 Mbit/s; negative does not
	// limit.
	Rate int64

	// SymbolSize is the longest encoding symbol in bytes, 16 to 65,000. Default
	// 1,400, which fits an Ethernet MTU with every header.
	SymbolSize int

	// FEC is how objects are protected that do not say otherwise. Default RaptorQ
	// with 10 % overhead; in the MBMS profile Raptor.
	FEC FEC

	// NoFTI leaves EXT_FTI out of the packets of objects, which the FDT describes
	// as well. Those who join late then have to wait for it. MBMS does so.
	NoFTI bool

	// FDTInterval is how often each FDT Instance is repeated on each channel. A
	// new one is repeated sooner at first. FDT Instances take up to a quarter of
	// the rate. Default 1 s.
	FDTInterval time.Duration

	// FDTLifetime is how long an FDT Instance is valid; it is renewed at half of
	// it. Default 1 hour; at most 30 days.
	FDTLifetime time.Duration

	// FDTFiles is how many files an FDT Instance describes at most. Default 100.
	FDTFiles int

	// FDTEncoding is how FDT Instances are encoded: lct.EncodingNull or
	// EncodingGZIP.
	FDTEncoding lct.ContentEncoding

	// Concurrent is how many objects of one priority are sent at a time, in turns.
	// Default 1.
	Concurrent int

	// MaxObjects is how many objects can be on their way. Default 65,535.
	MaxObjects int

	// Linger is how long an object that was sent remains described. Default 10 s.
	Linger time.Duration
}

// A Channel is a part of a session: packets of their own destination and rate.
type Channel struct {
	// Dest is where packets go; the zero value leaves that to the connection.
	Dest netip.AddrPort

	// Rate is in bits per second, as SenderConfig.Rate, which 0 stands for.
	Rate int64
}

// FEC says how an object is protected against loss. The zero FEC is RaptorQ with 10 %
// overhead.
type FEC struct {
	// Encoding is the scheme; 0 reads as RaptorQ unless NoCode is set.
	Encoding fec.EncodingID

	// NoCode sends the object's own bytes only (Compact No-Code).
	NoCode bool

	// Overhead is the share of repair symbols in each pass: 0.1 is one for ten
	// source symbols. Default 0.1; negative is none. Carousels send further symbols
	// with each pass either way, as many as the scheme has.
	Overhead float64

	// BlockLen is the length of source blocks in symbols; longer ones are taken
	// where the scheme could not number them all. Default 1,024 with Raptor and
	// RaptorQ, 4,096 with LDPC, 128 with Reed-Solomon (1,024 over GF(2^16)), 256
	// without a code.
	BlockLen int

	// Parity is how many repair symbols there can be of a block, with Reed-Solomon
	// and LDPC. Default as many as source symbols, less 1 over GF(2^8).
	Parity int

	// Depth is how many source blocks are sent in turns. A burst of losses then
	// hits more blocks, each less; and what a receiver misses in one pass it need
	// not wait for until late in the next. They take as much memory here and at
	// each receiver. Default 1 without a code, otherwise as many as 16 MiB hold. Who
	// lost more of a larger object than the overhead makes good needs some more
	// symbols of every block, and so most of another pass: give more overhead, or
	// where there is memory more depth.
	Depth int
}

func (c *SenderConfig) normalize() error {
	setDefault(&c.Rate, 10_000_000)
	setDefault(&c.SymbolSize, 1400)
	setDefault(&c.FDTInterval, time.Second)
	setDefault(&c.FDTLifetime, time.Hour)
	setDefault(&c.FDTFiles, 100)
	setDefault(&c.Concurrent, 1)
	setDefault(&c.MaxObjects, 65535)
	setDefault(&c.Linger, 10*time.Second)
	if len(c.Channels) == 0 {
		c.Channels = []Channel{{}}
	}
	c.Channels = append([]Channel(nil), c.Channels...)
	for i := range c.Channels {
		setDefault(&c.Channels[i].Rate, c.Rate)
	}
	if c.FEC == (FEC{}) && c.Profile == fdt.MBMS {
		c.FEC.Encoding = fec.Raptor
	}
	switch {
	case c.TSI > lct.MaxTSI || c.Profile == fdt.MBMS && c.TSI > 1<<16-1:
		return fmt.Errorf("%w: TSI %d is too large; %v", ErrConfig, uint64(c.TSI), c.Profile)
	case c.Profile > fdt.MBMS:
		return fmt.Errorf("%w: %v is not known", ErrConfig, c.Profile)
	case len(c.Channels) > 64:
		return fmt.Errorf("%w: %d channels, at most 64", ErrConfig, len(c.Channels))
	case c.SymbolSize < 16 || c.SymbolSize > 65000:
		return fmt.Errorf("%w: symbols of %d bytes are not between 16 and 65000", ErrConfig, c.SymbolSize)
	case c.FDTInterval < 0 || c.FDTLifetime < 2*time.Second || c.FDTLifetime > 30*24*time.Hour || c.Linger < 0:
		return fmt.Errorf("%w: FDT interval %v, lifetime %v, linger %v; a lifetime is from 2 s to 30 days", ErrConfig, c.FDTInterval, c.FDTLifetime, c.Linger)
	case c.FDTFiles < 1 || c.Concurrent < 1 || c.MaxObjects < 1:
		return fmt.Errorf("%w: %d files in an FDT Instance, %d objects at a time, %d in all must be positive", ErrConfig, c.FDTFiles, c.Concurrent, c.MaxObjects)
	case c.FDTEncoding != lct.EncodingNull && c.FDTEncoding != lct.EncodingGZIP:
		return fmt.Errorf("%w: FDT encoding %v; null and gzip are possible", ErrConfig, c.FDTEncoding)
	}
	if c.Profile == fdt.MBMS {
		c.NoFTI = true
	}
	if c.Plain && c.NoFTI {
		return fmt.Errorf("%w: without FDT there must be EXT_FTI, which NoFTI and MBMS leave out", ErrConfig)
	}
	return c.checkFEC(&c.FEC)
}

// checkFEC fills in defaults and validates as far as that is possible without an object.
func (c *SenderConfig) checkFEC(f *FEC) error {
	if f.NoCode {
		f.Encoding, f.Overhead = fec.CompactNoCode, -1
	} else if f.Encoding == fec.CompactNoCode {
		f.Encoding = fec.RaptorQ
	}
	if f.Overhead == 0 {
		f.Overhead = 0.1
	}
	f.Overhead = max(f.Overhead, 0)
	if f.NoCode {
		setDefault(&f.Depth, 1)
	}
	switch {
	case c.Profile == fdt.MBMS && f.Encoding != fec.CompactNoCode && f.Encoding != fec.Raptor:
		return fmt.Errorf("%w: MBMS has no FEC but Raptor (TS 26.346 section 7.2.10)", ErrConfig)
	case math.IsNaN(f.Overhead) || f.Overhead > 100:
		return fmt.Errorf("%w: FEC overhead %v; 0.1 is a tenth", ErrConfig, f.Overhead)
	case f.BlockLen < 0 || f.Parity < 0 || f.Depth < 0 || f.Depth > 1024:
		return fmt.Errorf("%w: blocks of %d symbols with %d of repair, %d at a time", ErrConfig, f.BlockLen, f.Parity, f.Depth)
	}
	// Try it on an object.
	oti, err := c.oti(f, uint64(c.SymbolSize)*1000)
	if err == nil {
		var s fec.Scheme
		if s, err = fec.Lookup(oti.EncodingID); err == nil && s.NewEncoder == nil {
			err = fec.ErrUnknownScheme
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

// align is the symbol alignment of Raptor and RaptorQ, as RFC 6330 section 4.3
// recommends.
const align = 4

// oti returns the FEC parameters of an object of n bytes.
func (c *SenderConfig) oti(f *FEC, n uint64) (fec.OTI, error) {
	e := uint64(c.SymbolSize) / align * align
	if n < e { // one symbol, and no longer than it need be
		e = max((n+align-1)/align*align, align)
	}
	if f.Encoding == fec.Raptor && n > 0 && n < 4*e { // blocks of 4 symbols and more
		if e = (n/4 + align - 1) / align * align; e == 0 || (n+e-1)/e < 4 {
			return c.oti(&FEC{NoCode: true}, n) // too small for Raptor
		}
	}
	t := max((n+e-1)/e, 1)
	block := func(d int) uint64 {
		if f.BlockLen > 0 {
			return uint64(f.BlockLen)
		}
		return uint64(d)
	}
	o := fec.OTI{EncodingID: f.Encoding, TransferLength: n, SymbolSize: uint16(e)}
	switch f.Encoding {
	case fec.CompactNoCode:
		o.MaxBlockLen = uint32(max(block(256), (t+1<<16-1)>>16))
	case fec.Raptor, fec.RaptorQ:
		limit := uint64(255)
		if f.Encoding == fec.Raptor {
			limit = 1<<16 - 1
		}
		o.Blocks = uint16(min((t+block(1024)-1)/block(1024), limit))
		o.SubBlocks, o.Align = 1, align
	case fec.LDPCStaircase, fec.LDPCTriangle:
		b := max(block(4096), (t+1<<12-1)>>12)
		o.MaxBlockLen, o.Parity, o.Seed = uint32(b), uint32(b), 1
	case fec.ReedSolomonGF2m:
		b := max(block(1024), (t+1<<16-1)>>16)
		o.MaxBlockLen, o.Parity, o.M = uint32(b), uint32(min(b, 65535-b)), 16
	default:
		b := block(128)
		o.MaxBlockLen, o.Parity, o.M = uint32(b), uint32(min(b, 255-min(b, 255))), 0
	}
	if f.Parity > 0 && o.Parity > 0 {
		o.Parity = uint32(f.Parity)
	}
	return o, o.Validate()
}
