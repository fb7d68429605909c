package igmp

import "errors"

// Errors of parsing and appending; those about a whole message are wrapped in a
// [ParseError]. Input that ends too early is io.ErrUnexpectedEOF.
var (
	// ErrType: a message of another type than the called method's.
	ErrType = errors.New("another type than the expected")

	// ErrChecksum: the checksum is wrong and nothing else is. The message has
	// been parsed, for those who watch; one that acts on it must not (RFC 3376
	// sections 4.1.2 and 4.2.2).
	ErrChecksum = errors.New("wrong checksum")

	// ErrLength: a query of 9 to 11 bytes, which is of no version and "MUST be
	// silently ignored" (RFC 3376 section 7.1).
	ErrLength = errors.New("the length is of no version")

	// ErrVersion: a query has a value that its version has no field for.
	ErrVersion = errors.New("not in this version")

	// ErrAddress: an address is not IPv4.
	ErrAddress = errors.New("not an IPv4 address")

	// ErrRange: a value that its field on the wire is too small for.
	ErrRange = errors.New("value does not fit the field")

	// ErrFull: a record has no room in the report any more.
	ErrFull = errors.New("the report is full")
)

// A ParseError says where in which message parsing or appending failed.
type ParseError struct {
	Msg   string // as in "query" or "v3 report"
	Field string // in the words of the RFC
	Err   error
}

func (e *ParseError) Error() string { return "igmp: " + e.Msg + ": " + e.Field + ": " + e.Err.Error() }

func (e *ParseError) Unwrap() error { return e.Err }

func fail(msg, field string, err error) error {
	return &ParseError{Msg: msg, Field: field, Err: err}
}
