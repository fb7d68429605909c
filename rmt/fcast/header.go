package fcast

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/gomulticast/multicast/internal/wire"
)

// MinHeader is the length of a header without metadata in bytes (RFC 6968 section 2.1).
const MinHeader = 8

// MetadataFormat is the field MDFmt, 0 to 15 (RFC 6968 section 7.1).
type MetadataFormat uint8

// FormatHTTP is lines of "name: value", the only format there is.
const FormatHTTP MetadataFormat = 0

// MetadataEncoding is the field MDEnc, 0 to 15 (RFC 6968 section 7.2).
type MetadataEncoding uint8

// The registered encodings of metadata.
const (
	EncodingText MetadataEncoding = 0 // UTF-8
	EncodingGZIP MetadataEncoding = 1
)

// Limits bound what is taken from the network. A zero field is its default.
type Limits struct {
	Header   int // bytes of a header; 64 KiB
	Inflated int // bytes of metadata once inflated; 64 KiB
	Fields   int // lines of metadata; 64
	List     int // bytes of an object list, 1 MiB
	Items    int // intervals and equivalences in an object list; 32,768
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Header:   cmp.Or(l.Header, 64<<10),
		Inflated: cmp.Or(l.Inflated, 64<<10),
		Fields:   cmp.Or(l.Fields, 64),
		List:     cmp.Or(l.List, 1<<20),
		Items:    cmp.Or(l.Items, 1<<15),
	}
}

// Bits of the first byte.
const (
	flagGlobal = 1 << 1
	flagCID    = 1 << 0
)

// Header is the header of a compound object (RFC 6968 section 2.1).
type Header struct {
	// Global is the flag G: Checksum is of the whole compound object, not only
	// of the header.
	Global bool

	// CID is the flag C: the data is the object list of a Carousel Instance
	// Descriptor.
	CID bool

	Format   MetadataFormat
	Encoding MetadataEncoding

	// Checksum is that on the wire. Append and AppendGlobal compute it.
	Checksum uint16

	// Metadata is as on the wire: for EncodingGZIP compressed. See
	// Header.Fields. It aliases the input.
	Metadata []byte

	// Data is where the data begins, in bytes from the beginning of the compound
	// object: behind the metadata and up to 3 bytes of padding.
	Data int64
}

// HeaderLen returns the length of the header that begins with b, without its padding:
// at least 8 bytes of it have to be there. It fails with ErrVersion, ErrHeaderLen or
// io.ErrUnexpectedEOF.
func HeaderLen(b []byte, limits Limits) (int, error) {
	l := limits.withDefaults()
	if len(b) < MinHeader {
		return 0, fmt.Errorf("fcast: header in %d bytes: %w", len(b), io.ErrUnexpectedEOF)
	}
	if b[0]>>5 != 0 {
		return 0, ErrVersion
	}
	n := binary.BigEndian.Uint32(b[4:])
	if n < MinHeader || uint64(n) > uint64(l.Header) {
		return 0, fmt.Errorf("%w: %d bytes, %d to %d", ErrHeaderLen, n, MinHeader, l.Header)
	}
	return int(n), nil
}

// ParseHeader reads the header at the beginning of b, which holds all of it, or more of
// the compound object. Without Global it verifies the checksum. Errors are those of
// HeaderLen and ErrChecksum.
func ParseHeader(b []byte, limits Limits) (Header, error) {
	n, err := HeaderLen(b, limits)
	if err != nil {
		return Header{}, err
	}
	if n > len(b) {
		return Header{}, fmt.Errorf("fcast: header of %d bytes in %d: %w", n, len(b), io.ErrUnexpectedEOF)
	}
	h := Header{
		Global: b[0]&flagGlobal != 0, CID: b[0]&flagCID != 0,
		Format: MetadataFormat(b[1] >> 4), Encoding: MetadataEncoding(b[1] & 15),
		Checksum: binary.BigEndian.Uint16(b[2:]),
		Metadata: b[MinHeader:n:n],
		Data:     int64(n+3) &^ 3,
	}
	// The sum over data and its own checksum is all ones.
	if !h.Global && wire.Fold(wire.Add(0, b[:n])) != 0xffff {
		return Header{}, ErrChecksum
	}
	return h, nil
}

// Verify returns ErrChecksum unless object, a whole compound object, is what its
// sender sent as far as its checksum says. Its header has to be sound.
func (h *Header) Verify(object []byte) error {
	if h.Global && wire.Fold(wire.Add(0, object)) != 0xffff {
		return ErrChecksum
	}
	return nil
}

// Append appends the header with a checksum of its own, and padding if data follow: if
// not, an object has none. On an error, ErrHeaderLen or ErrFormat for a value over 15,
// it returns dst as it was. Global, Checksum and Data are ignored.
func (h *Header) Append(dst []byte, data bool) ([]byte, error) {
	b, err := h.append(dst, data, 0)
	if err == nil {
		binary.BigEndian.PutUint16(b[len(dst)+2:], wire.Checksum(b[len(dst):len(dst)+MinHeader+len(h.Metadata)]))
	}
	return b, err
}

// AppendGlobal appends the header with a checksum of the whole compound object, and the
// padding if there is data. sum is that of the data, by SumData in pieces. Errors are
// those of Append.
func (h *Header) AppendGlobal(dst []byte, data bool, sum Sum) ([]byte, error) {
	b, err := h.append(dst, data, flagGlobal)
	if err == nil {
		binary.BigEndian.PutUint16(b[len(dst)+2:], ^wire.Fold(wire.Add(sum.fold(), b[len(dst):])))
	}
	return b, err
}

func (h *Header) append(dst []byte, data bool, flags byte) ([]byte, error) {
	n := MinHeader + len(h.Metadata)
	if uint64(n) >= 1<<32 {
		return dst, fmt.Errorf("%w: %d bytes", ErrHeaderLen, n)
	}
	if h.Format > 15 || h.Encoding > 15 {
		return dst, fmt.Errorf("%w: format %d, encoding %d", ErrFormat, h.Format, h.Encoding)
	}
	if h.CID {
		flags |= flagCID
	}
	b := append(dst, flags, byte(h.Format)<<4|byte(h.Encoding), 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, h.Metadata...)
	for data && (len(b)-len(dst))%4 != 0 {
		b = append(b, 0)
	}
	return b, nil
}

// A Sum is the checksum of bytes in pieces of any length. The zero Sum is that of none.
type Sum struct {
	sum uint64
	odd bool
}

// Add adds the next piece.
func (s *Sum) Add(b []byte) {
	if len(b) == 0 {
		return
	}
	if s.odd {
		s.sum = wire.Add(s.sum, []byte{0, b[0]})
		b = b[1:]
	}
	s.odd = len(b)%2 == 1
	s.sum = wire.Add(s.sum, b)
}

// fold returns the sum in 16 bits, to go on with.
func (s *Sum) fold() uint64 { return uint64(wire.Fold(s.sum)) }
