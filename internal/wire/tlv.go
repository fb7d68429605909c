package wire

import "encoding/binary"

// NextTLV takes the first extension off b: a type, a length and a value of that
// length (RFC 9279 section 3). It returns false when there is none, or it does not
// fit b.
func NextTLV(b []byte) (typ uint16, value, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, b, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b)-4 {
		return 0, nil, b, false
	}
	return binary.BigEndian.Uint16(b), b[4 : 4+n : 4+n], b[4+n:], true
}

// ValidTLVs reports whether b is one or more extensions with nothing behind them.
// If not, all of it has to be ignored (RFC 9279 section 5).
func ValidTLVs(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	for len(b) > 0 {
		_, _, rest, ok := NextTLV(b)
		if !ok {
			return false
		}
		b = rest
	}
	return true
}

// AppendTLV appends an extension. The value is at most 65,535 bytes long; ok is
// false, and b returned as it was, if it is longer.
func AppendTLV(b []byte, typ uint16, value []byte) (_ []byte, ok bool) {
	if len(value) > 0xffff {
		return b, false
	}
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...), true
}
