// Package wire is the codec of the NORM protocol, version 1 (RFC 5740 section 4):
// one type per message, parsed from and appended to byte slices.
//
// An engine first calls [ParseHeader], then, for a command, [ParseCmdType], then
// the Parse method of a [Codec] that belongs to the message. Parse methods fill a
// message in place and allocate nothing: payloads, node lists and repair requests
// alias the input and are valid as long as it is. Append methods append a whole
// message to a slice and allocate nothing when it has room; on an error they
// return the slice as it was. What a Parse method leaves in the message when it
// fails is unspecified.
//
// Parsing is strict about lengths and lenient about meaning: a message that is cut
// short, or whose header is not a whole number of sane extensions, is an error
// (truncation wraps [io.ErrUnexpectedEOF]); unknown flags, unknown header
// extensions and reserved bits are ignored. Reserved fields are not kept, so that
// appending a parsed message gives the same bytes only if they were zero, as RFC
// 5740 wants; the exceptions are those in which NRL's implementation stores
// something of its own: [CC].Reserved and [CCFeedback].Reserved.
//
// Everything here is a pure function over values: no clock, no I/O. Whatever the
// input, parsing does not panic or loop, and allocates at most its error.
package wire
