// Package fcast is the codec of FCAST (RFC 6968), which delivers objects with their
// metadata over ALC and NORM: compound objects, and the Carousel Instance Descriptor
// that lists those on the air.
//
// A compound object is what the transport calls an object: a header of this package and
// the data. The sender appends the header with [Header.Append] and its data behind it;
// the receiver reads it in pieces as they come in order with a [Reader], or whole with
// [ParseHeader]. Of either transport the object's length, its identifier, the TOI, and
// its bytes are needed, and nothing else: a NORM object's TransportID is a TOI of 16
// bits.
//
// A [Carousel] is told of descriptors and knows which objects are still on the air, and
// which were sent before under another TOI.
//
// There is no clock and no I/O here. What comes from the network is bounded: see
// [Limits].
package fcast
