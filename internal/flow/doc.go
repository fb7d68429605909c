// Package flow watches what arrives from a group: who sends, how much, what it is,
// and what was lost on the way. It also is the codec of the numbered test packets
// that make loss, reordering and latency visible.
//
// A [Monitor] is handed packets and gives a [Flow] per sender and group. It knows
// no clock: all times come with the packets.
package flow
