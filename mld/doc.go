// Package mld is Multicast Listener Discovery, by which IPv6 nodes tell their
// routers which groups they want: versions 1 (RFC 2710, RFC 3590) and 2 (RFC 3810,
// now RFC 9777), with the extensions of RFC 9279. It is the twin of package igmp.
//
// # Reading
//
// MLD messages are ICMPv6 messages. [TypeOf] tells what a message is. The Parse
// methods of a [Mode] then fill a [Query], a [Membership] (a report of version 1 or
// a done) or a [Report2], without allocating; records, sources and additional data
// alias the input and are valid as long as it is. The addresses of the packet are
// needed for the checksum, which every Parse verifies. What a failed Parse leaves
// behind is unspecified, but for [ErrChecksum].
//
//	switch t, _ := mld.TypeOf(b); t {
//	case mld.TypeReport2:
//		var r mld.Report2
//		if err := mld.Strict.ParseReport2(src, dst, b, &r); err != nil {
//			return err
//		}
//		for rec := range r.Records.All() {
//			fmt.Println(rec.Type, rec.Group, rec.Sources.Len())
//		}
//	}
//
// What IP has to say about a message, such as the hop limit, is checked apart: the
// Check methods name each [Violations], and a policy is a set of those one refuses.
//
// # Writing
//
// Append appends a whole message with its checksum and allocates nothing when the
// slice has room; on an error it returns the slice as it was. A [ReportBuilder]
// packs records into reports of a given size. [AppendPacket] puts an IPv6 header
// and a hop-by-hop options header with Router Alert before a message.
//
// # Not kept
//
// Reserved bits, the code of ICMPv6, and the response delay of other messages than
// queries are ignored and sent as zero, as the RFCs want. Apart from these,
// appending a parsed message gives the same bytes.
//
// # Engines
//
// [Listener] reports what programs want, [Router] asks and learns what a link wants, [Proxy]
// joins several routers to one listener (RFC 4605), and [Snooper] learns from what passes
// through a switch (RFC 4541). Each is a state machine without clock, goroutine or socket,
// which is handed the time and whole IP packets. [RunListener], [RunRouter] and [RunProxy]
// run them on connections that move whole IP packets, such as mcast.OpenRaw's:
//
//	conn, err := mcast.OpenRaw(ctx, "eth0", mcast.RawMLD)
//	router, err := mld.RunRouter(conn, mld.RouterConfig{Addr: conn.Addr(false)})
//	for e, err := range router.Events(ctx) {
//		fmt.Println(e.Kind, e.Group, e.Filter, err)
//	}
//
// What a policy refuses, and what is malformed, an engine counts in its statistics, and
// nothing else comes of it. All that it keeps for others has a limit, see [Limits].
//
// # Hostile input
//
// Nothing that is parsed here makes a function panic or loop, or allocate more than
// its error.
package mld
