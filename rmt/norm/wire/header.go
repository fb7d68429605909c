package wire

import (
	"encoding/binary"
	"io"
	"strconv"
)

// Version is the protocol version this package speaks (RFC 5740 section 4.1).
const Version = 1

// headerLen is the length of the common message header in bytes (RFC 5740
// section 4.1, figure 1).
const headerLen = 8

// Type is a NORM message type (RFC 5740 section 4.1).
type Type uint8

const (
	TypeInfo   Type = 1
	TypeData   Type = 2
	TypeCmd    Type = 3
	TypeNack   Type = 4
	TypeAck    Type = 5
	TypeReport Type = 6
)

var typeNames = [...]string{"", "INFO", "DATA", "CMD", "NACK", "ACK", "REPORT"}

// String returns the type's name without the NORM_ prefix.
func (t Type) String() string {
	if t == 0 || int(t) >= len(typeNames) {
		return "type " + strconv.Itoa(int(t))
	}
	return typeNames[t]
}

// A NodeID is a NormNodeId (RFC 5740 section 4.1), unique within a session.
type NodeID uint32

// Reserved node IDs. RFC 5740 does not name them; they are the convention of
// NRL's implementation.
const (
	NodeNone NodeID = 0
	NodeAny  NodeID = 0xffffffff
)

// String returns the ID in decimal, as administrators assign them (RFC 5740
// section 4.1), or "none" or "any".
func (n NodeID) String() string {
	switch n {
	case NodeNone:
		return "none"
	case NodeAny:
		return "any"
	}
	return strconv.FormatUint(uint64(n), 10)
}

// A TransportID is a NormTransportId: it numbers a sender's objects and wraps
// (RFC 5740 section 4.2.1).
type TransportID uint16

// Sub returns how far a is ahead of b, negative when it is behind, by serial
// number arithmetic (RFC 1982): -32768 to 32767.
func (a TransportID) Sub(b TransportID) int { return int(int16(a - b)) }

// Header is the common message header (RFC 5740 section 4.1, figure 1).
type Header struct {
	Type      Type
	HeaderLen int // bytes, extensions included; the payload starts here
	Sequence  uint16
	Source    NodeID
}

// ParseHeader reads the common header of any message. It checks the version, and
// that the whole header is there; it does not refuse unknown types.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < headerLen {
		return Header{}, fail("header", "length", io.ErrUnexpectedEOF)
	}
	// Messages of another version SHOULD be ignored (section 4.1).
	if b[0]>>4 != Version {
		return Header{}, fail("header", "version", ErrVersion)
	}
	h := Header{
		Type:      Type(b[0] & 0x0f),
		HeaderLen: int(b[1]) * 4,
		Sequence:  binary.BigEndian.Uint16(b[2:]),
		Source:    NodeID(binary.BigEndian.Uint32(b[4:])),
	}
	if h.HeaderLen < headerLen {
		return Header{}, fail(h.Type.String(), "hdr_len", ErrHeaderLen)
	}
	if h.HeaderLen > len(b) {
		return Header{}, fail(h.Type.String(), "hdr_len", io.ErrUnexpectedEOF)
	}
	return h, nil
}

// open parses the common header of a message of type t whose header is at least
// base bytes.
func open(b []byte, t Type, base int) (Header, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return h, err
	}
	if h.Type != t {
		return h, fail(t.String(), "type", ErrType)
	}
	if h.HeaderLen < base {
		return h, fail(t.String(), "hdr_len", ErrHeaderLen)
	}
	return h, nil
}

// tail returns the part of b after the header, nil if there is none; its capacity
// is clipped so that an append to it cannot write into b.
func (h *Header) tail(b []byte) []byte {
	if h.HeaderLen == len(b) {
		return nil
	}
	return b[h.HeaderLen:len(b):len(b)]
}
