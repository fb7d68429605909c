// Package norm delivers files, data objects and streams reliably to many receivers at
// once over multicast, with the NACK-Oriented Reliable Multicast protocol (RFC 5740). It
// interoperates with NRL's NORM.
//
// A sender pushes each object once, to all; receivers ask for what they missed, and
// the sender answers with parity that repairs different losses at different
// receivers at the same time. A [Sender] and a [Receiver] are each handed a
// connection, from package mcast for the network or package mcasttest for a test,
// which they then own.
//
// A stream, from [Sender.OpenStream] to [Receiver.AcceptStream], carries bytes or whole
// messages in order. It begins for each receiver where it joins, a gap is told as a
// [*LostError] and reading goes on, and with receivers to wait for nothing is dropped
// that they have not read.
//
// An application can send commands of up to a segment to all receivers at once, ahead of
// what else there is to send ([Sender.Command], [Receiver.Commands]), and ask receivers by
// name for answers of a few bytes ([Sender.Ask], ReceiverConfig.Answer).
//
// Files keep their names, sizes and modification times, and those of a directory
// ([Sender.SendDir]) come with a list by which receivers know that they have all
// ([Object.Set]). A receiver that was interrupted goes on with what it has of a file, and
// need not receive a file that it has ([IfAbsent]). What a sender may put into its
// directory is bounded, in ReceiverConfig. [Sender.Report] and [Receiver.Report] tell how a
// session does; packages normexpvar and normprom show it to the world.
//
// Both are safe for concurrent use. Each runs two goroutines, and a receiver two more: one
// writes files, one reads those that are there already; a third one with
// ReceiverConfig.Answer.
package norm

import "github.com/gomulticast/multicast/rmt/norm/wire"

// A NodeID identifies a participant; 0 and 0xffffffff are reserved (RFC 5740
// section 4.1). Configurations left at 0 get a random one.
type NodeID = wire.NodeID
