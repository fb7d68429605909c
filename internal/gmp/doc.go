// Package gmp is the group management protocol: IGMPv1 to v3 and MLDv1 to v2 as
// one machine, which a [Profile] turns into the one or the other. It works on
// decoded messages; packages igmp and mld put their codecs and types over it.
//
// There are four engines. A [Host] reports what sockets want (RFC 3376 section 5,
// RFC 3810 section 6), a [Router] asks and learns what a link wants (sections 6
// and 7), a [Proxy] joins several routers to one host (RFC 4605), and a [Snooper]
// learns from what passes through a switch (RFC 4541). All have the same four
// methods, with [Message] in the place of a packet:
//
//	Handle(now, *Message)         takes a message that arrived
//	Advance(now)                  runs what is due
//	Next() time.Time              says when that will be; zero is never
//	Transmit(now, *Message) bool  gives the next message to send
//	Event(*Event) bool            gives the next event
//
// After any call the caller drains Transmit and Event and reads Next. No engine
// has a clock, goroutine, lock or global source of chance, so the same calls with
// the same seed give the same messages.
//
// What arrives is never an error: it is counted in Stats. All that is kept on
// behalf of others has a limit in the engine's configuration. Time that goes back
// is taken for the latest time seen.
//
// A caller checks what only the packet shows before it hands a message in: the
// checksum, TTL or hop limit 1, and the router alert option.
package gmp
