// Package madcap gives out multicast addresses on lease, as RFC 2730 (MADCAP) says:
// the messages, a client that leases addresses and keeps them, and a server that
// grants them from pools and forgets none it granted, even when it is killed.
//
//	c, err := madcap.RunClient(conn, madcap.ClientConfig{})
//	lease, err := c.Allocate(ctx, madcap.Request{Lifetime: time.Hour})
//	use(lease.Ranges[0].First, lease.End)
//	defer c.Release(ctx, lease.ID)
//
// # Messages
//
// A [Message] is parsed without an allocation and views the bytes it came from; it is
// also what is encoded. [Kind.Check] holds a message to Table 5 of the RFC. Unknown
// options are kept. The nesting of scopes is RFC 2907's.
//
// # Engines
//
// [Client] and [Server] are state machines without a goroutine or clock, which
// [RunClient] and [RunServer] drive over a [datagram.Conn]. [Lease] and [Change] are
// all that a [Store] has to know. A server answers only after its store has said that
// the change is durable:
//
//	request → Server.Changes → Store.Commit → Server.Committed → answer
//
// so no lease that a client was told of can be lost. Several servers may share a
// store: Commit then refuses what conflicts, and the server tries other addresses.
// Package boltstore is a store in one file.
//
// # What a lease is
//
// Addresses are a lease's from its grant until [ServerConfig.Extra] after its end,
// also when it starts in the future: an address is never promised to two leases, not
// even to one after the other. A client knows its lease by the identifier it chose,
// which whoever hears the multicast messages learns too: a server therefore takes
// renewals and releases only from the address that asked for the lease, unless the
// lease is shared. The protocol has no other protection.
package madcap
