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
// Linux has everything. Elsewhere the same API moves one packet per system call, and
// [Conn.Capabilities] says what the system offers; what it does not is an
// [*UnsupportedError]. Those systems are compiled, not run, in this module's tests,
// but all the code they share, and all the bytes they exchange with their kernels,
// are tested on Linux.
//
//   - macOS, FreeBSD and Windows have source-specific joins, Block and Unblock, for
//     IPv4 and IPv6 by interface index; the group, interface, hop limit and TOS of each
//     packet received; and a source address for each packet sent. macOS and FreeBSD also
//     have arrival times.
//   - None of these has whole filters, batches, offload or a count of drops. All
//     compare what arrives with what was joined after the copy.
//   - On macOS, OpenJDK avoids blocking IPv4 sources and joining IPv6 ones, as not
//     reliable. Here they are used; what arrives that was not asked for is dropped by
//     the comparison and counted in Stats.Foreign. Since macOS 15 the user has to allow
//     a program to use the local network; until then sending fails with ErrNoRoute, or
//     packets vanish. Datagrams of more than 9,216 bytes need a larger [WriteBuffer], on
//     FreeBSD too.
//   - Windows applies [Loopback] to what is received. It does not tell the group and
//     interface of some packets that this host sent itself. [TOS] works on versions
//     that let IPV6_TCLASS be set. Any program of any user can open the same port, as
//     is needed to share it, and a later one may take unicast packets away.
//   - The other BSDs, Solaris and AIX run on golang.org/x/net and have what it has
//     there: mostly any-source joins only.
package mcast
