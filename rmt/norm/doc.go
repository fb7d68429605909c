// Package norm delivers files and data objects reliably to many receivers at once
// over multicast, with the NACK-Oriented Reliable Multicast protocol (RFC 5740). It
// interoperates with NRL's NORM.
//
// A sender pushes each object once, to all; receivers ask for what they missed, and
// the sender answers with parity that repairs different losses at different
// receivers at the same time. A [Sender] and a [Receiver] are each handed a
// connection, from package mcast for the network or package mcasttest for a test,
// which they then own.
//
// Both are safe for concurrent use. Each runs two goroutines, and a receiver a third
// that writes files.
package norm

import "github.com/gomulticast/multicast/rmt/norm/wire"

// A NodeID identifies a participant; 0 and 0xffffffff are reserved (RFC 5740
// section 4.1). Configurations left at 0 get a random one.
type NodeID = wire.NodeID
