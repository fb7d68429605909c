// Package mcast opens UDP multicast sockets: it joins groups, any-source or
// source-specific, on one named interface, and moves packets in batches with
// what the kernel knows about each: sender, group, interface, hop limit, traffic
// class and arrival time.
//
//	c, err := mcast.Open(ctx, "232.1.2.3:5004", mcast.Source("192.0.2.10"), mcast.Interface("eth0"))
//	for p, err := range c.Packets(ctx) {
//		use(p.Data, p.Src)
//	}
//
// [Open] joins and can send, [Listen] only receives, [Dial] only sends. All give
// a [Conn], for IPv4 and IPv6 alike, which implements [datagram.Conn], the seam
// that every protocol of this module takes.
//
// # What is delivered
//
// Only packets sent to a group this connection joined, arriving on its interface
// and, for a source-specific join, from a source it asked for. Linux by itself
// also hands a socket what other programs on the host joined, when port or group
// match; mcast switches that off (IP_MULTICAST_ALL, IPV6_MULTICAST_ALL), binds to
// the group when there is only one, and compares the destination and interface of
// every packet as a last resort. [Stats] counts what that comparison dropped.
//
// Any number of programs may open the same group and port; each gets its own copy
// of every packet.
//
// # Memberships
//
// [Conn.Join] and [Conn.Leave] work on channels, [Conn.Block] and [Conn.Unblock] leave
// single senders out, [Conn.SetFilter] and [Conn.Filter] set and read a group's whole
// filter. [Interface] given several times, and [AllInterfaces], join everywhere at
// once; [Conn.Memberships] tells what became of it, one result for each group and
// interface.
//
// What was asked for outlasts the kernel's state: when an interface is deleted and
// made again under its name, the connection joins again on the new one, in place;
// what is queued and who is blocked in a read stays. When it merely goes down and up,
// or loses its addresses, nothing is left or joined, since the kernel keeps
// memberships through that. [OnEvent] reports both.
//
// The kernel allows a socket 20 groups over IPv4 and few sources of each. [MultiGroup]
// goes beyond with more sockets and exact filters, [Funnel] with one data socket
// and a filter in the program.
//
// # Defaults
//
// TTL and hop limit are 1, so nothing leaves the local network until [TTL] says
// so. Packets are looped back to programs on the same host. The receive buffer is
// asked to be 4 MiB; [Conn.ReadBuffer] tells what the kernel gave. The interface
// is the one the routing table picks, reported by [Conn.Interface]; on a host with
// more than one network, name it.
//
// # Offload
//
// On Linux several datagrams can cross the kernel as one: UDP_SEGMENT on sending,
// UDP_GRO on receiving. Both are used when the kernel has them and given up at run
// time, with nothing lost or sent twice, when an interface refuses. See
// [Conn.ReadBatch] and [Conn.WriteBatch].
//
// # Errors
//
// Errors are an [*OpError] around one of this package's Err values and the
// system's errno, and name a remedy. Use errors.Is with ErrX, with a
// [syscall.Errno], or with [net.ErrClosed].
//
// # Systems
//
// Linux has everything. Elsewhere the same API runs on golang.org/x/net with one
// packet per system call and the filters the system offers;
// [Conn.Capabilities] says which. Those systems are compiled, not run, in this
// module's tests, except that the code they share is also run on Linux.
package mcast
