// Package alc is the codec of Asynchronous Layered Coding, version 1 (RFC 5775): an
// LCT header with extensions, a FEC Payload ID, and one or more encoding symbols.
//
// [Codec.Parse] fills a [Packet] in place and allocates nothing: CCI, extensions and
// symbols alias the input and are valid as long as it is. [Codec.Append] and
// [Codec.AppendHeader] append to a slice and allocate nothing when it has room. On an
// error they return the slice as it was.
//
// The Codepoint says which FEC scheme a packet is of, and with it how its Payload ID is
// laid out. In FLUTE it is the FEC Encoding ID (RFC 6726 section 5), which is what the
// zero [Codec] does; sessions with a table of their own give it as [Codec].Formats.
//
// Everything here is a pure function over values: no clock, no I/O. Whatever the
// input, nothing panics or loops, and nothing is allocated but errors.
package alc
