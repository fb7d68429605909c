// Package glop computes multicast groups from what their owner has: an AS number, a
// unicast prefix, an interface ID, a rendezvous point. And back: whose a group is.
// None of these groups need be asked for anywhere, and no one else has them.
//
//	GLOP          AS 5662                     233.22.30.0/24                   RFC 3180
//	unicast IPv4  198.51.0.0/16               234.198.51.0/24                  RFC 6034
//	unicast IPv6  2001:db8:1::/48, global     ff3e:30:2001:db8:1::/96          RFC 3306
//	link-scoped   fe80::a12:34ff:fe56:7890    ff32:ff:a12:34ff:fe56:7890::/96  RFC 4489
//	embedded RP   2001:db8:beef:feed::1/64    ff7e:140:2001:db8:beef:feed::/96 RFC 3956
//
// The last three leave 32 bits, the group ID, for which [Group] keeps to RFC 3307.
// What else there is to know about a group, package group tells.
//
// All are pure functions that no input makes panic. They allocate only for the text
// of errors.
package glop
