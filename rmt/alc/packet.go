package alc

import (
	"errors"
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

// Errors of parsing and appending, besides those of packages lct and fec.
var (
	// ErrNoTSI: the LCT header has no TSI, which ALC requires (RFC 5775 section
	// 4.1).
	ErrNoTSI = errors.New("alc: no TSI")

	// ErrCodepoint: a codepoint without a known FEC Payload ID layout. It wraps
	// fec.ErrUnknownScheme.
	ErrCodepoint = fmt.Errorf("alc: codepoint without a known payload ID layout: %w", fec.ErrUnknownScheme)

	// ErrRange: a Payload ID that does not fit the scheme's layout.
	ErrRange = errors.New("alc: payload ID does not fit its layout")
)

// PSISource is the Source Packet Indicator in Header.PSI: the packet's Payload ID is of
// the format for source symbols only, with schemes that have two (RFC 5775 section
// 2.1). No scheme known here has.
const PSISource = 1 << 1

// A Packet is an ALC packet (RFC 5775 section 4.1).
type Packet struct {
	lct.Header

	// HasPayload says that there are a Payload ID and symbols. Packets without
	// only close a session or carry header extensions.
	HasPayload bool

	// ID is that of the first symbol.
	ID fec.PayloadID

	// Symbols is one or more encoding symbols back to back, whose length is the
	// object's. The last may be shorter. It can be empty even with a Payload ID.
	Symbols []byte

	// payload is what follows the LCT header.
	payload []byte
}

// A Codec parses and appends the packets of a session. The zero Codec is FLUTE's. It is
// a small value, to be copied, and safe for concurrent use.
type Codec struct {
	// Formats gives the layout of Payload IDs by codepoint; one that is 0 makes
	// its packets an error. Nil means that codepoints are FEC Encoding IDs, with
	// GF(2^8) for fec.ReedSolomonGF2m: see Packet.Reparse.
	Formats *Formats
}

// Formats are layouts of Payload IDs by codepoint.
type Formats [256]fec.PayloadIDFormat

// encodingIDs is the Formats where codepoints are FEC Encoding IDs.
var encodingIDs = func() (f Formats) {
	for i := range f {
		f[i], _ = (&fec.OTI{EncodingID: fec.EncodingID(i)}).PayloadIDFormat()
	}
	return f
}()

// EncodingIDs returns the Formats of the zero Codec, to be changed.
func EncodingIDs() Formats { return encodingIDs }

// Format returns the layout of the Payload IDs of packets with a codepoint, and
// whether there is one.
func (c Codec) Format(codepoint uint8) (fec.PayloadIDFormat, bool) {
	f := encodingIDs[codepoint]
	if c.Formats != nil {
		f = c.Formats[codepoint]
	}
	return f, f != 0
}

// Parse reads the packet b into p, all of which it overwrites; p aliases b. Errors are
// those of lct.Parse, ErrNoTSI, and, with p's LCT header already read, ErrCodepoint or
// an io.ErrUnexpectedEOF for a Payload ID that is cut short. ErrCodepoint makes it
// possible to go on with Reparse, or at least with the header.
func (c Codec) Parse(b []byte, p *Packet) error {
	p.HasPayload, p.ID, p.Symbols, p.payload = false, fec.PayloadID{}, nil, nil
	if err := lct.Parse(b, &p.Header); err != nil {
		return err
	}
	if p.Widths.TSI() == 0 {
		return ErrNoTSI
	}
	if p.payload = b[p.Len:]; len(p.payload) == 0 {
		return nil
	}
	f, ok := c.Format(p.Codepoint)
	if !ok {
		return ErrCodepoint
	}
	return p.Reparse(f)
}

// Reparse reads the Payload ID and symbols of a parsed packet again, in layout f, for
// objects whose scheme is known better than by their codepoint: fec.ReedSolomonGF2m
// with another m than 8.
func (p *Packet) Reparse(f fec.PayloadIDFormat) error {
	p.HasPayload, p.ID, p.Symbols = false, fec.PayloadID{}, nil
	if len(p.payload) == 0 {
		return nil
	}
	if f == 0 {
		return ErrCodepoint
	}
	id, err := f.Parse(p.payload)
	if err != nil {
		return err
	}
	p.HasPayload, p.ID, p.Symbols = true, id, p.payload[f.Len():]
	return nil
}

// Append appends the packet p, with Header.Extensions as they are.
func (c Codec) Append(dst []byte, p *Packet) ([]byte, error) {
	b, err := c.AppendHeader(dst, p)
	if err != nil || !p.HasPayload {
		return b, err
	}
	return append(b, p.Symbols...), nil
}

// AppendHeader appends all of p but Symbols, which the caller can then read right
// behind it.
func (c Codec) AppendHeader(dst []byte, p *Packet) ([]byte, error) {
	w := p.Widths
	if w != 0 && w.TSI() == 0 {
		return dst, ErrNoTSI
	}
	b, err := p.Header.Append(dst)
	if err != nil || !p.HasPayload {
		return b, err
	}
	f, ok := c.Format(p.Codepoint)
	if !ok {
		return dst, ErrCodepoint
	}
	if uint64(p.ID.SBN) >= f.MaxBlocks() || uint64(p.ID.ESI) >= uint64(f.MaxSymbols()) {
		return dst, fmt.Errorf("%w: block %d, symbol %d", ErrRange, p.ID.SBN, p.ID.ESI)
	}
	return f.Append(b, p.ID), nil
}
