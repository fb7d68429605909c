// Package tfmcc is TCP-friendly multicast congestion control (RFC 4654, as RFC 5740
// section 5.5.2 adapts it to NORM): a [Receiver] measures loss events and the rate at
// which packets arrive, and says how fast a TCP connection would go in its place; a
// [Sender] follows the receiver that says least, its current limiting receiver (CLR).
//
// It is a building block without a wire format, clock or I/O: its owner hands over the
// time and what messages say. Rates are in bytes per second, IP and UDP headers
// included, unless a name says otherwise.
package tfmcc
