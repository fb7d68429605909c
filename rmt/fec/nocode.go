package fec

import (
	"errors"
	"fmt"
)

// ErrNoCode is the answer of Compact No-Code to missing symbols: it has no parity
// to recover them from, they must be sent again.
var ErrNoCode = errors.New("fec: missing symbols cannot be recovered without a code")

// noCode is the code of Compact No-Code (RFC 5445 section 3): source symbols
// only.
type noCode struct{ k int }

func init() {
	Register(Scheme{
		ID:   CompactNoCode,
		Name: "Compact No-Code",
		NewCode: func(o *OTI, k int) (Code, error) {
			if k < 1 || k > int(o.MaxBlockLen) || o.Parity != 0 {
				return nil, fmt.Errorf("%w: %d source symbols in a block of at most %d with %d parity, %v has none",
					ErrCodeSize, k, o.MaxBlockLen, o.Parity, CompactNoCode)
			}
			return noCode{k}, nil
		},
		NewEncoder: newNoCodeEncoder,
		NewDecoder: newNoCodeDecoder,
		Memory:     noCodeMemory,
	})
}

// Encode panics: there is no parity symbol to ask for.
func (c noCode) Encode(_ []byte, _ [][]byte, j int) {
	panic(fmt.Sprintf("fec: Encode of parity symbol %d, %v has none", j, CompactNoCode))
}

func (c noCode) Decode(_ [][]byte, missing []int, _ [][]byte, _ []int) error {
	if len(missing) > 0 {
		return fmt.Errorf("%w: %d of %d", ErrNoCode, len(missing), c.k)
	}
	return nil
}
