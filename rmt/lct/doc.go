// Package lct is the codec of the Layered Coding Transport building block, version 1
// (RFC 5651): the header that ALC, FLUTE and FCAST packets begin with, and its
// extensions.
//
// [Parse] fills a [Header] in place and allocates nothing: CCI and extensions alias
// the input and are valid as long as it is. [Header.Append] appends a header to a
// slice and allocates nothing when that has room.
//
// Parsing is strict about lengths and lenient about meaning: a header that is cut
// short, or whose extensions do not fill it exactly, is an error; unknown extensions
// and reserved bits are ignored. The two bits by which RFC 3451 announced the words
// SCT and ERT are reserved in RFC 5651; a header in which they are set and that has
// room for the words is read the old way.
//
// Everything here is a pure function over values: no clock, no I/O. Whatever the
// input, nothing panics or loops, and nothing is allocated but errors.
package lct
