// Package sdp reads and writes session descriptions (SDP, RFC 8866, and RFC 4566 and
// RFC 2327 before it) for programs that use multicast: it answers what to join.
//
//	d, err := sdp.Parse(b)
//	for _, ch := range d.Channels() {
//		fmt.Println(ch.Target()) // rtp://192.0.2.10@232.1.2.3:5004
//	}
//
// A [Description] is a list of lines that keeps every byte, the order and the line
// endings: parsed and marshalled, a text is the same again, and an edit changes the
// line it is about and no other. Everything typed is read from the lines when asked
// for: [Description.Origin], [Description.Times], [Description.Media], the attributes
// of a [Section], and [Description.Channels], which brings connection addresses with
// TTL and count, repeated c= lines, port counts, source filters and RTCP ports
// together into the list of (S,G,port) to join.
//
// [Parse] is tolerant, since much of what is announced breaks the grammar somewhere:
// it refuses what is no description at all or over a limit. [Description.Warnings] tells
// each thing the RFCs do not allow, and [Strict] refuses with the first of them.
// [Description.Lint] advises about what is allowed but will not work.
//
// [NewRTP], [NewMPEGTS], [NewAES67], [NewFLUTE] and [NewNORM] write descriptions, and
// package pionsdp converts to and from the types of pion/sdp.
//
// Everything here is a pure function over text: no clock, no I/O, no name look-ups.
// Whatever the input, nothing panics, and memory is bounded by [MaxSize], [MaxLines],
// [MaxMedia], [MaxGroups], [MaxChannels] and [MaxWarnings]. A Description may be read
// by several goroutines at once as long as none edits it.
package sdp
