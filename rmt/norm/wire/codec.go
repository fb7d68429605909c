package wire

import "github.com/gomulticast/multicast/rmt/fec"

// A Codec parses and appends messages. It holds what the wire leaves open; the
// zero Codec is right for FEC Encoding IDs 0, 5 and 129, and for 2 over GF(2^8).
type Codec struct {
	// FTI is how to read and write the last field of EXT_FTI.
	FTI FTIStyle

	// M is the field size exponent assumed for fec.ReedSolomonGF2m where a
	// message does not say: everything but DATA with EXT_FTI. 8 or 16; 0
	// reads as 8 (RFC 5510 section 4.2.3). Once an object's OTI is known it
	// should be the OTI's: whoever hears several senders needs a codec for each.
	// NRL's implementation assumes 16 until then, and sends 8 for codes of up to
	// 255 symbols.
	M uint8
}

// FTIStyle is the meaning of the last field of EXT_FTI for FEC Encoding IDs 2, 5
// and 129. RFC 5510 (sections 4.2.4.1 and 5.2.4.1) and RFC 5445 (section 5.2.2.2)
// put the maximum number of encoding symbols there, max_n; RFC 5740 (section
// 4.2.1, figure 7) for 129, and NRL's implementation for all of them, the number
// of parity symbols.
type FTIStyle uint8

const (
	// FTIAuto reads a value below B as a parity count and any other as max_n,
	// which misreads NRL's codes with at least as much parity as source. It
	// writes what it would read back: the parity count if that is below B,
	// otherwise max_n.
	FTIAuto FTIStyle = iota
	// FTINRL reads and writes the parity count.
	FTINRL
	// FTIRFC5510 reads and writes max_n, and refuses one below B.
	FTIRFC5510
)

// format returns the payload ID layout of id, where no EXT_FTI says more.
func (c Codec) format(id fec.EncodingID) (fec.PayloadIDFormat, error) {
	if ftiLen(id) == 0 { // a scheme that NORM has no EXT_FTI for
		return 0, fec.ErrUnknownScheme
	}
	return fec.PayloadIDFormatOf(id, c.M)
}

// fits reports whether layout f can hold id's symbol ID. Block numbers wrap, in
// streams (RFC 5740 section 4.2.1); symbol IDs never do.
func fits(f fec.PayloadIDFormat, id fec.PayloadID) bool { return int(id.ESI) < f.MaxSymbols() }
