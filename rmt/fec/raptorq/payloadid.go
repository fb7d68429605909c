package raptorq

import (
	"encoding/binary"
	"fmt"
	"io"
)

// PayloadIDLen is the length of a FEC Payload ID in bytes (RFC 6330 section 3.2).
const PayloadIDLen = 4

// A PayloadID is RaptorQ's FEC Payload ID (RFC 6330 section 3.2). It numbers the
// first symbol of its packet; others follow in sequence (section 4.4.2).
type PayloadID struct {
	SBN uint8
	ESI uint32 // of 24 bits
}

// AppendBinary appends the payload ID to dst, four bytes. It panics when the ESI is
// over MaxESI.
func (id PayloadID) AppendBinary(dst []byte) []byte {
	if id.ESI > MaxESI {
		panic(fmt.Sprintf("raptorq: encoding symbol ID %d", id.ESI))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(id.SBN)<<24|id.ESI)
}

// ParsePayloadID reads a payload ID from the start of b, which must hold
// PayloadIDLen bytes.
func ParsePayloadID(b []byte) (PayloadID, error) {
	if len(b) < PayloadIDLen {
		return PayloadID{}, fmt.Errorf("raptorq: payload ID of %d bytes in %d: %w", PayloadIDLen, len(b), io.ErrUnexpectedEOF)
	}
	v := binary.BigEndian.Uint32(b)
	return PayloadID{SBN: uint8(v >> 24), ESI: v & MaxESI}, nil
}
