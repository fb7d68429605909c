package fcast

import "errors"

// Errors of parsing and appending. Input that ends too early is reported as
// io.ErrUnexpectedEOF instead.
var (
	// ErrVersion: not FCAST version 0 (RFC 6968 section 2.1).
	ErrVersion = errors.New("fcast: version is not 0")

	// ErrHeaderLen: a header length below 8, or of more than Limits.Header or the
	// object.
	ErrHeaderLen = errors.New("fcast: impossible header length")

	// ErrChecksum: the header or the object is not what the sender sent.
	ErrChecksum = errors.New("fcast: wrong checksum")

	// ErrFormat: metadata in a format or encoding that is not known. The raw
	// metadata is in the Header.
	ErrFormat = errors.New("fcast: unknown metadata format or encoding")

	// ErrMetadata: metadata that is not lines of "name: value", has a bad value,
	// or does not fit Limits.
	ErrMetadata = errors.New("fcast: bad metadata")

	// ErrInflate: encoded metadata that does not inflate within Limits.
	ErrInflate = errors.New("fcast: metadata cannot be inflated")

	// ErrList: an object list against the grammar, or over Limits.
	ErrList = errors.New("fcast: bad object list")
)
