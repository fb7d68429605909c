package wire

import (
	"encoding/binary"
	"io"
)

// StreamHeaderLen is the length of a StreamHeader in bytes.
const StreamHeaderLen = 8

// StreamEnd is the stream control code NORM_STREAM_END: the stream ends at this
// position (RFC 5740 sections 4.2.1 and 8.1.2).
const StreamEnd = 0

// StreamHeader is what the payload of DATA begins with if the object is a stream
// (RFC 5740 section 4.2.1). It is part of the symbol: the FEC code covers it, and
// in a parity symbol it has no meaning before decoding.
type StreamHeader struct {
	// Len is payload_len, the number of bytes that follow. 0 makes MsgStart a
	// stream control code.
	Len uint16
	// MsgStart is payload_msg_start: one more than where in the payload an
	// application message starts, 0 when none does.
	MsgStart uint16
	// Offset is payload_offset, the position of the payload in the stream. It
	// wraps.
	Offset uint32
}

// ParseStreamHeader splits the payload of a source symbol of a stream into its
// header and the data, which aliases b.
func ParseStreamHeader(b []byte) (StreamHeader, []byte, error) {
	if len(b) < StreamHeaderLen {
		return StreamHeader{}, nil, fail("stream", "payload header", io.ErrUnexpectedEOF)
	}
	h := StreamHeader{
		Len:      binary.BigEndian.Uint16(b),
		MsgStart: binary.BigEndian.Uint16(b[2:]),
		Offset:   binary.BigEndian.Uint32(b[4:]),
	}
	// A decoded symbol is as long as a segment, its data may be shorter.
	end := StreamHeaderLen + int(h.Len)
	if end > len(b) {
		return StreamHeader{}, nil, fail("stream", "payload_len", io.ErrUnexpectedEOF)
	}
	if h.Len > 0 && h.MsgStart > h.Len {
		return StreamHeader{}, nil, fail("stream", "payload_msg_start", ErrRange)
	}
	return h, b[StreamHeaderLen:end:end], nil
}

// Control returns the stream control code, if h holds one.
func (h StreamHeader) Control() (code uint16, ok bool) { return h.MsgStart, h.Len == 0 }

// Message returns where in the data an application message starts, if one does.
func (h StreamHeader) Message() (offset int, ok bool) {
	if h.Len == 0 || h.MsgStart == 0 {
		return 0, false
	}
	return int(h.MsgStart) - 1, true
}

// Append appends the header; the data goes behind it.
func (h StreamHeader) Append(dst []byte) []byte {
	return append(dst, byte(h.Len>>8), byte(h.Len), byte(h.MsgStart>>8), byte(h.MsgStart),
		byte(h.Offset>>24), byte(h.Offset>>16), byte(h.Offset>>8), byte(h.Offset))
}
