// Package datagram is the seam between protocols and the network: a packet with
// its multicast metadata, and a connection that moves packets in batches.
//
// Protocols in this module take a [Conn] and never open a socket. Package mcast
// implements it over the kernel, package mcasttest over memory; a tunnel or a
// capture player can implement it too.
package datagram

import (
	"net/netip"
	"time"
)

// MaxSize is the largest UDP payload over IPv4 without options, in bytes
// (RFC 791 section 3.1: 65535, less 20 for IP and 8 for UDP).
const MaxSize = 65507

// A Packet is one datagram, or a run of datagrams that travel as one, with what
// the network knows about it.
type Packet struct {
	// Data is the UDP payload. It is borrowed: valid until the call that
	// passed it returns. Before ReadBatch its capacity is the space to
	// receive into; after, its length is what arrived.
	Data []byte

	// Src is the sender's address. On sending, a valid Src asks for that
	// source address; zero leaves the choice to the connection.
	Src netip.AddrPort

	// Dst is the group (or unicast address) and port. On sending, zero means
	// the connection's own group.
	Dst netip.AddrPort

	// IfIndex is the interface it arrived on or should leave by; 0 is
	// unknown, or the connection's own interface.
	IfIndex int

	// HopLimit is the IPv4 TTL or IPv6 hop limit, 1 to 255. On receiving, 0
	// is unknown; on sending, 0 means the connection's own setting.
	HopLimit int

	// TOS is the IPv4 TOS or IPv6 traffic class octet: DSCP in the upper six
	// bits, ECN in the lower two; see the methods of these names. On sending,
	// 0 means the connection's own, and ECN without DSCP leaves the
	// connection's DSCP as it is.
	TOS uint8

	// Truncated says that the datagram was longer than the space given and
	// that Data is its beginning. Only reads that say so deliver such a
	// packet; ReadBatch drops it.
	Truncated bool

	// SegSize, when positive and less than len(Data), says that Data is
	// several datagrams end to end, each SegSize bytes but for the last,
	// which may be shorter. All share the rest of the metadata.
	SegSize int

	// Time is when the kernel received it; zero is unknown. On sending it is
	// when the packet is to leave, for connections that were opened to heed
	// it; others ignore it.
	Time time.Time

	// HardwareTime is when the network card received it, by the card's own
	// clock, which need not show the time of day; zero is unknown. Not used on
	// sending.
	HardwareTime time.Time

	// Drops is how many packets the connection had lost since it was opened,
	// for want of room to queue them, when this one was queued, as far as
	// known then. It never falls from packet to packet; a rise is a gap before
	// this one. Not used on sending.
	Drops uint64
}

// DSCP returns the differentiated services code point of TOS, 0 to 63 (RFC 2474
// section 3).
func (p *Packet) DSCP() uint8 { return p.TOS >> 2 }

// ECN returns the congestion notification bits of TOS: 0 not capable, 1 ECT(1),
// 2 ECT(0), 3 congestion experienced (RFC 3168 section 5).
func (p *Packet) ECN() uint8 { return p.TOS & 3 }

// Segments returns the number of datagrams in p, at least 1.
func (p *Packet) Segments() int {
	if p.SegSize <= 0 || len(p.Data) <= p.SegSize {
		return 1
	}
	return (len(p.Data) + p.SegSize - 1) / p.SegSize
}

// A Conn sends and receives packets in batches. ReadBatch and WriteBatch may be
// called at the same time from two goroutines; each one alone is not for
// concurrent use. Close may be called at any time, more than once, and makes
// blocked calls return an error wrapping net.ErrClosed.
type Conn interface {
	// ReadBatch blocks until at least one packet has arrived and fills
	// ps[:n], using cap(ps[i].Data) bytes of each packet as space. A packet
	// longer than its space is dropped and counted by the connection, never
	// delivered cut short. Packets with SegSize set may be delivered if the
	// space allows.
	ReadBatch(ps []Packet) (n int, err error)

	// WriteBatch sends ps in order and returns how many were taken before
	// the first error. A packet with SegSize set is sent as separate
	// datagrams whether or not the system has offload for it. Data is not
	// kept.
	WriteBatch(ps []Packet) (n int, err error)

	// Close releases the connection.
	Close() error
}
