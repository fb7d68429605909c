// Package pcap reads captures, classic pcap and pcapng, and takes packets apart
// from the link layer down to UDP, IGMP or ICMPv6; and it writes classic pcap.
//
// It is for tests, for playing captures and for the monitors of cmd/mcast, and no
// dissector: fragments are not put together, tunnels not entered. What is in a file
// is not trusted: nothing panics or loops, and a [Reader] holds at most one packet
// of MaxPacket bytes and a note for each of MaxInterfaces interfaces.
package pcap
