package mcast

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

var systemABI = &abiDarwin

// What differs does not compile: an index other than 0 is out of range.
var (
	_ = [1]int{}[unix.AF_INET-afInet]
	_ = [1]int{}[unix.AF_INET6-darwinInet6]
	_ = [1]int{}[unix.IPPROTO_IP-ipLevel]
	_ = [1]int{}[unix.IPPROTO_IPV6-ipv6Level]
	_ = [1]int{}[unix.SOL_SOCKET-bsdSolSocket]
	_ = [1]int{}[unix.ETOOMANYREFS-bsdTooManyRefs]
	_ = [1]int{}[unix.SO_TIMESTAMP-bsdTimestamp]
	_ = [1]int{}[unix.SCM_TIMESTAMP-bsdScmTimestamp]

	_ = [1]int{}[unix.MCAST_JOIN_GROUP-bsdJoinGroup]
	_ = [1]int{}[unix.MCAST_LEAVE_GROUP-bsdLeaveGroup]
	_ = [1]int{}[unix.MCAST_JOIN_SOURCE_GROUP-bsdJoinSourceGroup]
	_ = [1]int{}[unix.MCAST_LEAVE_SOURCE_GROUP-bsdLeaveSourceGroup]
	_ = [1]int{}[unix.MCAST_BLOCK_SOURCE-bsdBlockSource]
	_ = [1]int{}[unix.MCAST_UNBLOCK_SOURCE-bsdUnblockSource]

	_ = [1]int{}[unix.IP_TOS-bsdTOS]
	_ = [1]int{}[unix.IP_TTL-bsdTTL]
	_ = [1]int{}[unix.IP_MULTICAST_IF-bsdMulticastIf]
	_ = [1]int{}[unix.IP_MULTICAST_TTL-bsdMulticastTTL]
	_ = [1]int{}[unix.IP_MULTICAST_LOOP-bsdMulticastLoop]
	_ = [1]int{}[unix.IP_PKTINFO-darwinRecvPktinfo]
	_ = [1]int{}[unix.IP_RECVPKTINFO-darwinRecvPktinfo]
	_ = [1]int{}[unix.IP_RECVTTL-darwinRecvTTL]
	_ = [1]int{}[unix.IP_RECVTOS-darwinRecvTOS]

	_ = [1]int{}[unix.IPV6_UNICAST_HOPS-bsdUnicastHops]
	_ = [1]int{}[unix.IPV6_MULTICAST_IF-bsdMulticastIf]
	_ = [1]int{}[unix.IPV6_MULTICAST_HOPS-bsdMulticastTTL]
	_ = [1]int{}[unix.IPV6_MULTICAST_LOOP-bsdMulticastLoop]
	_ = [1]int{}[unix.IPV6_RECVPKTINFO-darwinRecvPktinfo6]
	_ = [1]int{}[unix.IPV6_PKTINFO-bsdPktinfo6]
	_ = [1]int{}[unix.IPV6_RECVHOPLIMIT-bsdRecvHopLimit]
	_ = [1]int{}[unix.IPV6_HOPLIMIT-bsdHopLimit]
	_ = [1]int{}[unix.IPV6_RECVTCLASS-darwinRecvTClass]
	_ = [1]int{}[unix.IPV6_TCLASS-darwinTClass]

	_ = [1]int{}[unix.SizeofSockaddrInet4-sizeSockIn]
	_ = [1]int{}[unix.SizeofSockaddrInet6-sizeSockIn6]
	_ = [1]int{}[unix.SizeofCmsghdr-12]
	_ = [1]int{}[unix.SizeofIPMreqn-12]
	_ = [1]int{}[unix.SizeofInet4Pktinfo-12]
	_ = [1]int{}[unix.SizeofInet6Pktinfo-sizePktinfo6]
	_ = [1]int{}[unsafe.Offsetof(unix.IPMreqn{}.Ifindex)-8]
	_ = [1]int{}[unsafe.Offsetof(unix.Inet4Pktinfo{}.Spec_dst)-4]
	_ = [1]int{}[unsafe.Offsetof(unix.Inet4Pktinfo{}.Addr)-8]
	_ = [1]int{}[unsafe.Offsetof(unix.Inet6Pktinfo{}.Ifindex)-16]
	_ = [1]int{}[unsafe.Offsetof(unix.RawSockaddrDatalink{}.Index)-2]
	_ = [1]int{}[unsafe.Sizeof(unix.Timeval{}.Sec)-8]
	_ = [1]int{}[unsafe.Sizeof(unix.Timeval{}.Usec)-4]
)
