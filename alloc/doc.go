// Package alloc gets a program multicast addresses that it may use for as long as it
// needs them, by the abstract interface of RFC 2771: an Allocator grants a Lease, which
// is renewed, released, or lost.
//
//	a, err := alloc.NewStatic(alloc.Config{}, alloc.Prefix("239.192.200.0/24"))
//	lease, err := a.Allocate(ctx, alloc.Request{Lifetime: time.Hour})
//	use(lease.Addrs())
//	defer lease.Release(ctx)
//
// Allocators differ in who else must not have the addresses:
//
//	NewSSM     source-specific groups, which are the host's own; nobody is asked
//	NewGLOP    groups of an AS (RFC 3180), and
//	NewPrefix  of a unicast prefix (RFC 6034, RFC 3306); nobody outside has them
//	NewStatic  ranges that an administrator gave this program
//	NewRandom  anywhere in a scope; good odds in IPv6, for a laboratory in IPv4
//	NewSAP     what no announced session uses, then announced and defended (RFC 2974)
//	NewMADCAP  what a server of the network leases (RFC 2730)
//
// The first five keep their book in this process: two processes with the same range
// do not know of each other, unless Config.InUse tells. RFC 2908 and RFC 6308 say when
// to use which.
//
// # What is given out
//
// No allocator gives out what group.Lint finds fault with for group.Allocate, nor an
// address that shares its Ethernet address with one in use: 32 IPv4 groups share each
// (RFC 1112 section 6.4), and hosts that joined one are woken by all. A server of MADCAP
// knows what else is in use, so NewMADCAP leaves that second rule to it.
//
// Of announced sessions NewSAP takes note of 262,144 addresses that matter to a request.
//
// Addresses belong to a lease from its grant on, also when it starts later, so that
// they are never promised twice.
package alloc
