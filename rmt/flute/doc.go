// Package flute delivers files to any number of receivers at once over multicast, with
// the File Delivery over Unidirectional Transport protocol (RFC 6726). Nothing flows
// back: there may be millions of receivers, or a satellite in between.
//
// What is lost is recovered by forward error correction, RaptorQ (RFC 6330) unless told
// otherwise, or comes with the next pass of a carousel. A File Delivery Table that is
// sent along describes the files: a receiver may come at any time.
//
// A [Sender] and a [Receiver] are each handed a connection, from package mcast for the
// network or package mcasttest for a test, which they then own. Both are safe for
// concurrent use. Each runs two goroutines, and a receiver two more: one recovers
// what was lost, one writes files.
//
// FLUTE has no congestion control: set [SenderConfig].Rate to what the network is meant
// to carry.
package flute
