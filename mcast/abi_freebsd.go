package mcast

import (
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// systemABI is this machine's. A 386 program on an amd64 kernel has to use the
// kernel's layout of group_req, which is not translated (as golang.org/x/net does).
var systemABI = func() *abi {
	switch {
	case unsafe.Sizeof(uintptr(0)) == 8:
		return &abiFreeBSD
	case runtime.GOARCH == "arm":
		return &abiFreeBSDArm
	}
	a := abiFreeBSD386
	if archs, err := unix.Sysctl("kern.supported_archs"); err == nil && slices.Contains(strings.Fields(archs), "amd64") {
		a.groupAt = 8
	}
	return &a
}()

// What differs does not compile: an index other than 0 is out of range.
var (
	_ = [1]int{}[unix.AF_INET-afInet]
	_ = [1]int{}[unix.AF_INET6-freebsdInet6]
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
	_ = [1]int{}[unix.IP_RECVDSTADDR-freebsdRecvDstAddr]
	_ = [1]int{}[unix.IP_SENDSRCADDR-freebsdSendSrcAddr]
	_ = [1]int{}[unix.IP_RECVIF-freebsdRecvIf]
	_ = [1]int{}[unix.IP_RECVTTL-freebsdRecvTTL]
	_ = [1]int{}[unix.IP_RECVTOS-freebsdRecvTOS]

	_ = [1]int{}[unix.IPV6_UNICAST_HOPS-bsdUnicastHops]
	_ = [1]int{}[unix.IPV6_MULTICAST_IF-bsdMulticastIf]
	_ = [1]int{}[unix.IPV6_MULTICAST_HOPS-bsdMulticastTTL]
	_ = [1]int{}[unix.IPV6_MULTICAST_LOOP-bsdMulticastLoop]
	_ = [1]int{}[unix.IPV6_RECVPKTINFO-freebsdRecvPktinfo6]
	_ = [1]int{}[unix.IPV6_PKTINFO-bsdPktinfo6]
	_ = [1]int{}[unix.IPV6_RECVHOPLIMIT-bsdRecvHopLimit]
	_ = [1]int{}[unix.IPV6_HOPLIMIT-bsdHopLimit]
	_ = [1]int{}[unix.IPV6_RECVTCLASS-freebsdRecvTClass]
	_ = [1]int{}[unix.IPV6_TCLASS-freebsdTClass]

	_ = [1]int{}[unix.SizeofSockaddrInet4-sizeSockIn]
	_ = [1]int{}[unix.SizeofSockaddrInet6-sizeSockIn6]
	_ = [1]int{}[unix.SizeofCmsghdr-12]
	_ = [1]int{}[unix.SizeofIPMreqn-12]
	_ = [1]int{}[unix.SizeofInet6Pktinfo-sizePktinfo6]
	_ = [1]int{}[unsafe.Offsetof(unix.IPMreqn{}.Ifindex)-8]
	_ = [1]int{}[unsafe.Offsetof(unix.Inet6Pktinfo{}.Ifindex)-16]
	_ = [1]int{}[unsafe.Offsetof(unix.RawSockaddrDatalink{}.Index)-2]
)
