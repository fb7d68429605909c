package wire

// Header extension types (RFC 5740 section 8.1.1). EXT_AUTH (1) and all others are
// skipped.
const (
	extAppAck = 65  // NRL's private one, in ACK
	extCC     = 3   // EXT_CC, section 4.2.3.5
	extFTI    = 64  // EXT_FTI, section 4.2.1
	extRate   = 128 // EXT_RATE, section 4.2.3.4

	extDelivery = 112 // this package's own, see Delivery; not registered
	extNumber   = 240 // likewise, see Application
)

// extensions is what is left of a message's header extensions (RFC 5740 section
// 4.1): a multiple of 4 bytes.
type extensions []byte

// next cuts the first extension off x: its type and all of its bytes. The caller
// sees to it that x is not empty.
func (x *extensions) next() (het uint8, ext []byte, ok bool) {
	b := *x
	n := 4 // a type of 128 and above has one word and no hel field
	if b[0] < 128 {
		n = int(b[1]) * 4
	}
	// A hel of 0 would never end.
	if n == 0 || n > len(b) {
		return 0, nil, false
	}
	*x = b[n:]
	return b[0], b[:n], true
}

// skipExtensions checks the extensions of a message that has no use for any.
func skipExtensions(msg string, x extensions) error {
	for len(x) > 0 {
		if _, _, ok := x.next(); !ok {
			return fail(msg, "header extension", ErrExtension)
		}
	}
	return nil
}
