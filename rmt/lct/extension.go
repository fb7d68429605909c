package lct

import "fmt"

// ExtensionType is a Header Extension Type (HET). Those below 128 have a length and
// up to 1,018 bytes of content, the others 3 bytes (RFC 5651 section 5.2.1).
type ExtensionType uint8

// Header extension types.
const (
	ExtNOP  ExtensionType = 0   // RFC 5651 section 5.2.1
	ExtAuth ExtensionType = 1   // EXT_AUTH, section 5.2.1; see Auth
	ExtTime ExtensionType = 2   // EXT_TIME, section 5.2.2; see Time
	ExtFTI  ExtensionType = 64  // EXT_FTI, RFC 5775 section 4.2; see rmt/fec
	ExtFDT  ExtensionType = 192 // EXT_FDT, RFC 6726 section 3.4.1; see FDT
	ExtCENC ExtensionType = 193 // EXT_CENC, RFC 6726 section 3.4.3; see ContentEncoding
)

// String returns the name in the RFC, as in "EXT_FDT", or "HET 65".
func (t ExtensionType) String() string {
	switch t {
	case ExtNOP:
		return "EXT_NOP"
	case ExtAuth:
		return "EXT_AUTH"
	case ExtTime:
		return "EXT_TIME"
	case ExtFTI:
		return "EXT_FTI"
	case ExtFDT:
		return "EXT_FDT"
	case ExtCENC:
		return "EXT_CENC"
	}
	return fmt.Sprintf("HET %d", uint8(t))
}

// Extensions are header extensions back to back, a multiple of 4 bytes. Walk them
// with Next on a copy.
type Extensions []byte

// Next cuts the first extension off x and returns its type and content: what follows
// the type, and the length where there is one. The content aliases x. It returns false
// at the end, and when the rest is malformed, which Parse and Validate rule out.
func (x *Extensions) Next() (t ExtensionType, content []byte, ok bool) {
	b := *x
	if len(b) < 4 {
		return 0, nil, false
	}
	t = ExtensionType(b[0])
	n, from := 4, 1
	if t < 128 {
		n, from = int(b[1])*4, 2
	}
	if n == 0 || n > len(b) { // a length of 0 would never end
		return 0, nil, false
	}
	*x = b[n:]
	return t, b[from:n:n], true
}

// Find returns the content of the first extension of type t.
func (x Extensions) Find(t ExtensionType) (content []byte, ok bool) {
	for {
		u, content, ok := x.Next()
		if !ok || u == t {
			return content, ok
		}
	}
}

// Validate returns ErrExtension unless x is a whole number of extensions.
func (x Extensions) Validate() error {
	for len(x) > 0 {
		if _, _, ok := x.Next(); !ok {
			return ErrExtension
		}
	}
	return nil
}

// AppendExtension appends an extension. The content of a type below 128 is padded with
// zeros to whole words; that of others is exactly 3 bytes. On an error, which wraps
// ErrRange, it returns dst as it was.
func AppendExtension(dst []byte, t ExtensionType, content []byte) ([]byte, error) {
	if t >= 128 {
		if len(content) != 3 {
			return dst, fmt.Errorf("%w: %v of %d bytes, want 3", ErrRange, t, len(content))
		}
		return append(append(dst, byte(t)), content...), nil
	}
	start := len(dst)
	return EndExtension(append(BeginExtension(dst, t), content...), start)
}

// BeginExtension appends the beginning of an extension of a type below 128. The caller
// appends its content and calls EndExtension with the length that dst had here.
func BeginExtension(dst []byte, t ExtensionType) []byte { return append(dst, byte(t), 0) }

// EndExtension pads the extension that begins at start to whole words and writes its
// length. If it is too long, it returns dst without it and an error that wraps
// ErrRange.
func EndExtension(dst []byte, start int) ([]byte, error) {
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, 0)
	}
	n := len(dst) - start
	if n/4 > 255 {
		return dst[:start], fmt.Errorf("%w: %v of %d bytes", ErrRange, ExtensionType(dst[start]), n)
	}
	dst[start+1] = byte(n / 4)
	return dst, nil
}
