// Package igmp is the Internet Group Management Protocol, by which IPv4 hosts tell
// their routers which groups they want: versions 1 (RFC 1112 appendix I), 2 (RFC
// 2236) and 3 (RFC 3376, now RFC 9776), with the extensions of RFC 9279.
//
// # Reading
//
// [TypeOf] tells what a message is. The Parse methods of a [Mode] then fill a
// [Query], a [Membership] (a report of version 1 or 2, or a leave) or a [Report3],
// without allocating; records, sources and additional data alias the input and are
// valid as long as it is. [ParseHeader] does for all other types. What a failed
// Parse leaves behind is unspecified, but for [ErrChecksum].
//
//	switch t, _ := igmp.TypeOf(b); t {
//	case igmp.TypeReport3:
//		var r igmp.Report3
//		if err := igmp.Strict.ParseReport3(b, &r); err != nil {
//			return err
//		}
//		for rec := range r.Records.All() {
//			fmt.Println(rec.Type, rec.Group, rec.Sources.Len())
//		}
//	}
//
// Every Parse verifies the checksum. What IP has to say about a message, such as
// the TTL, is checked apart: the Check methods name each [Violations], and a policy
// is a set of those one refuses.
//
// # Writing
//
// AppendBinary appends a whole message with its checksum and allocates nothing when
// the slice has room; on an error it returns the slice as it was. A [ReportBuilder]
// packs records into reports of a given size. [AppendPacket] puts an IPv4 header
// with Router Alert before a message.
//
// # Not kept
//
// Reserved bits and the unused octet of reports are ignored and sent as zero, as
// all the RFCs want. Apart from these, appending a parsed message gives the same
// bytes.
//
// # Engines
//
// [Host] reports what programs want, [Router] asks and learns what a link wants, [Proxy]
// joins several routers to one host (RFC 4605), and [Snooper] learns from what passes
// through a switch (RFC 4541). Each is a state machine without clock, goroutine or socket,
// which is handed the time and whole IP packets. [RunHost], [RunRouter] and [RunProxy]
// run them on connections that move whole IP packets, such as mcast.OpenRaw's:
//
//	conn, err := mcast.OpenRaw(ctx, "eth0", mcast.RawIGMP)
//	router, err := igmp.RunRouter(conn, igmp.RouterConfig{Addr: conn.Addr(true)})
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
package igmp
