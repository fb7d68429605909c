package mld

import (
	"iter"

	"github.com/gomulticast/multicast/internal/wire"
)

// ExtensionNoOp is the extension type that is ignored, whatever its value (RFC 9279
// section 4).
const ExtensionNoOp uint16 = 0

// Extensions is a list of extensions as it is on the wire, for Additional of a
// query of version 2 or a report of version 2 whose bit E is set (RFC 9279).
type Extensions []byte

// extensions returns additional as extensions if it is that: the bit is set and the
// list sound. If the bit is set and the list is not, all of it is to be ignored
// (RFC 9279 section 5), and the message is not.
func extensions(extended bool, additional []byte) (Extensions, bool) {
	if !extended || !wire.ValidTLVs(additional) {
		return nil, false
	}
	return Extensions(additional), true
}

// Valid reports whether the list is sound: at least one extension and nothing
// behind the last.
func (e Extensions) Valid() bool { return wire.ValidTLVs(e) }

// All returns types and values in order. The values alias the list. Types one does
// not know MUST be ignored (RFC 9279 section 5).
func (e Extensions) All() iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for b := []byte(e); ; {
			t, v, rest, ok := wire.NextTLV(b)
			if !ok || !yield(t, v) {
				return
			}
			b = rest
		}
	}
}

// Append returns the list with an extension behind, or as it was and [ErrRange] when
// the value is longer than 65,535 bytes.
func (e Extensions) Append(typ uint16, value []byte) (Extensions, error) {
	out, ok := wire.AppendTLV(e, typ, value)
	if !ok {
		return e, ErrRange
	}
	return out, nil
}
