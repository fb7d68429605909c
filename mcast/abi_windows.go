package mcast

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var systemABI = func() *abi {
	if unsafe.Sizeof(uintptr(0)) == 4 {
		return &abiWindows32
	}
	return &abiWindows
}()

// What differs does not compile: an index other than 0 is out of range. What
// golang.org/x/sys does not have is in abi.go with its source.
var (
	_ = [1]int{}[windows.AF_INET-afInet]
	_ = [1]int{}[windows.AF_INET6-windowsInet6]
	_ = [1]int{}[windows.IPPROTO_IP-ipLevel]
	_ = [1]int{}[windows.IPPROTO_IPV6-ipv6Level]

	_ = [1]int{}[windows.IP_TOS-bsdTOS]
	_ = [1]int{}[windows.IP_TTL-bsdTTL]
	_ = [1]int{}[windows.IP_MULTICAST_IF-bsdMulticastIf]
	_ = [1]int{}[windows.IP_MULTICAST_TTL-bsdMulticastTTL]
	_ = [1]int{}[windows.IP_MULTICAST_LOOP-bsdMulticastLoop]
	_ = [1]int{}[windows.IP_PKTINFO-windowsPktinfo]

	_ = [1]int{}[windows.IPV6_UNICAST_HOPS-bsdUnicastHops]
	_ = [1]int{}[windows.IPV6_MULTICAST_IF-bsdMulticastIf]
	_ = [1]int{}[windows.IPV6_MULTICAST_HOPS-bsdMulticastTTL]
	_ = [1]int{}[windows.IPV6_MULTICAST_LOOP-bsdMulticastLoop]
	_ = [1]int{}[windows.IPV6_PKTINFO-windowsPktinfo]

	_ = [1]int{}[unsafe.Sizeof(windows.RawSockaddrInet4{})-sizeSockIn]
	_ = [1]int{}[unsafe.Sizeof(windows.RawSockaddrInet6{})-sizeSockIn6]
	_ = [1]int{}[unsafe.Sizeof(windows.WSACMSGHDR{})-unsafe.Sizeof(uintptr(0))-8]
	_ = [1]int{}[unsafe.Offsetof(windows.IN_PKTINFO{}.Ifindex)-4]
	_ = [1]int{}[unsafe.Sizeof(windows.IN_PKTINFO{})-8]
	_ = [1]int{}[unsafe.Offsetof(windows.IN6_PKTINFO{}.Ifindex)-16]
	_ = [1]int{}[unsafe.Sizeof(windows.IN6_PKTINFO{})-sizePktinfo6]

	_ = [1]int{}[windows.WSAEACCES-winsockBase-13]
	_ = [1]int{}[windows.WSAEADDRINUSE-winsockBase-48]
	_ = [1]int{}[windows.WSAEHOSTUNREACH-winsockBase-65]
)
