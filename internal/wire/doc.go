// Package wire holds what the codecs of igmp and mld share: the Internet checksum,
// the floating-point codes of their timers, the extensions of RFC 9279, and the IP
// headers both protocols travel under.
//
// Everything here is a pure function over slices. Whatever the input, nothing
// panics, loops or allocates; results alias the input.
package wire
