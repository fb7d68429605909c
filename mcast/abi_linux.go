package mcast

import "golang.org/x/sys/unix"

// systemABI is this system's. Linux has a socket of its own; with this its tests run
// the portable one over real sockets.
var systemABI = &abi{
	inet6:   unix.AF_INET6,
	groupAt: wordSize,
	cmsgLen: wordSize, cmsgAlign: wordSize,
	joinGroup: unix.MCAST_JOIN_GROUP, leaveGroup: unix.MCAST_LEAVE_GROUP,
	joinSourceGroup: unix.MCAST_JOIN_SOURCE_GROUP, leaveSourceGroup: unix.MCAST_LEAVE_SOURCE_GROUP,
	blockSource: unix.MCAST_BLOCK_SOURCE, unblockSource: unix.MCAST_UNBLOCK_SOURCE,
	solSocket: unix.SOL_SOCKET,
	timestamp: message{unix.SO_TIMESTAMP_OLD, unix.SO_TIMESTAMP_OLD},
	timeval:   [2]int{wordSize, wordSize},
	ip4: ipABI{
		level: unix.IPPROTO_IP, tos: unix.IP_TOS, unicastHops: unix.IP_TTL,
		multicastHops: unix.IP_MULTICAST_TTL, hopsSize: 4, multicastLoop: unix.IP_MULTICAST_LOOP,
		multicastIf: unix.IP_MULTICAST_IF, ifForm: ifMreqn,
		pktinfo:    message{unix.IP_PKTINFO, unix.IP_PKTINFO},
		recvHops:   message{unix.IP_RECVTTL, unix.IP_TTL},
		recvTOS:    message{unix.IP_RECVTOS, unix.IP_TOS},
		sendSource: true, sendInterface: true,
	},
	ip6: ipABI{
		level: unix.IPPROTO_IPV6, tos: unix.IPV6_TCLASS, unicastHops: unix.IPV6_UNICAST_HOPS,
		multicastHops: unix.IPV6_MULTICAST_HOPS, hopsSize: 4, multicastLoop: unix.IPV6_MULTICAST_LOOP,
		multicastIf: unix.IPV6_MULTICAST_IF,
		pktinfo:     message{unix.IPV6_RECVPKTINFO, unix.IPV6_PKTINFO},
		recvHops:    message{unix.IPV6_RECVHOPLIMIT, unix.IPV6_HOPLIMIT},
		recvTOS:     message{unix.IPV6_RECVTCLASS, unix.IPV6_TCLASS},
		sendSource:  true, sendInterface: true,
	},
}
