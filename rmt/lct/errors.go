package lct

import "errors"

// Errors of parsing and appending. Input that ends too early is reported as
// io.ErrUnexpectedEOF instead.
var (
	// ErrVersion: not version 1. Such packets MUST be discarded (RFC 5651
	// section 5.1).
	ErrVersion = errors.New("lct: version is not 1")

	// ErrHeaderLen: HDR_LEN is less than the fields that the flags promise.
	ErrHeaderLen = errors.New("lct: header length is less than the fields need")

	// ErrExtension: a header extension of length 0, past the end of the header,
	// or shorter than its type demands.
	ErrExtension = errors.New("lct: malformed header extension")

	// ErrRange: a value that its field on the wire is too small for, or a header
	// of more than MaxHeaderLen bytes.
	ErrRange = errors.New("lct: value does not fit its field")

	// ErrTOI: text that is no transport object identifier.
	ErrTOI = errors.New("lct: not a TOI: want a decimal number below 2^112")
)
