package wire

import "errors"

// Errors of parsing and appending. Input that ends too early is reported as
// io.ErrUnexpectedEOF instead; a FEC Encoding ID without a known payload ID
// layout as fec.ErrUnknownScheme.
var (
	// ErrVersion: not version 1. Such messages SHOULD be ignored (RFC 5740
	// section 4.1).
	ErrVersion = errors.New("version is not 1")

	// ErrType: a message, command or acknowledgment type other than the one
	// the called method parses.
	ErrType = errors.New("another type than the expected")

	// ErrHeaderLen: hdr_len is less than the message's base header.
	ErrHeaderLen = errors.New("shorter than the base header")

	// ErrExtension: a header extension of length 0, shorter than its type
	// demands, past the end of the header, or contradicting itself.
	ErrExtension = errors.New("malformed header extension")

	// ErrRequest: a repair request that does not divide into items.
	ErrRequest = errors.New("malformed repair request")

	// ErrRange: a value that its field on the wire is too small for.
	ErrRange = errors.New("value does not fit the field")
)

// A ParseError says where in which message parsing or appending failed.
type ParseError struct {
	Msg   string // as in "DATA" or "CMD(FLUSH)"
	Field string // in the words of RFC 5740
	Err   error
}

func (e *ParseError) Error() string {
	return "norm: " + e.Msg + ": " + e.Field + ": " + e.Err.Error()
}

func (e *ParseError) Unwrap() error { return e.Err }

func fail(msg, field string, err error) error {
	return &ParseError{Msg: msg, Field: field, Err: err}
}
