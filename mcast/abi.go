package mcast

// This file is what the portable socket knows of the systems it runs on: numbers of
// socket options and control messages, and the layout of their structs. It has no
// build tag, so that the tests of one system check the bytes of all; the files
// abi_darwin.go, abi_freebsd.go and abi_windows.go have the compiler compare the
// numbers with those of golang.org/x/sys.

// An abi is one system's. A number of 0 means that the system has no such thing.
type abi struct {
	inet6      uint16 // AF_INET6
	lengthByte bool   // a sockaddr begins with its length and has a family of one byte

	// groupAt is where the first sockaddr_storage in struct group_req is. It is
	// aligned as a 64-bit integer is.
	groupAt int

	// The length in a control message's header is an integer of cmsgLen bytes.
	// Header and data begin at multiples of cmsgAlign.
	cmsgLen, cmsgAlign int

	// Protocol-independent options (RFC 3678 section 5.1).
	joinGroup, leaveGroup             int
	joinSourceGroup, leaveSourceGroup int
	blockSource, unblockSource        int

	// timestamp brings a struct timeval: seconds of timeval[0] bytes,
	// microseconds of timeval[1].
	solSocket int
	timestamp message
	timeval   [2]int

	// joinAgain: a join may fail for want of memory and work the second time.
	joinAgain bool

	ip4, ip6 ipABI
}

// An ipABI is what one IP version has.
type ipABI struct {
	level         int
	unicastHops   int
	multicastHops int
	multicastLoop int
	multicastIf   int
	tos           int
	hopsSize      int // bytes of multicastHops' value; all others are ints
	ifForm        ifForm

	// What arrives with a packet.
	pktinfo     message
	pktinfoForm pktinfoForm
	recvDst     message // without pktinfo: the destination alone
	recvIf      message // and a sockaddr_dl
	recvHops    message
	recvTOS     message

	// What can be sent with a packet: a pktinfo, with or without an interface
	// that decides where packets to groups leave, or the source address alone.
	sendSource    bool
	sendInterface bool
	sourceAddr    int

	// tosMessage: where tos is 0, the TOS works as a control message of type
	// tosType with each packet.
	tosMessage bool
	tosType    int
}

// A message is an option that asks for a control message, and the type of the
// message, which may be another number.
type message struct{ option, typ int }

// ifForm is the form of the option for the interface that packets to groups leave by.
type ifForm uint8

const (
	ifIndex    ifForm = iota // an int
	ifMreqn                  // struct ip_mreqn
	ifIndexNet               // an address 0.x.x.x in network order that is an index
)

// pktinfoForm is the order of an in_pktinfo's fields. in6_pktinfo has only one:
// address, index (RFC 3542 section 6.1).
type pktinfoForm uint8

const (
	indexLocalAddr pktinfoForm = iota // index, local address, destination
	addrIndex                         // address, index
)

const (
	afInet       = 2
	ipLevel      = 0  // IPPROTO_IP
	ipv6Level    = 41 // IPPROTO_IPV6
	sizeSockIn   = 16 // struct sockaddr_in
	sizeSockIn6  = 28 // struct sockaddr_in6
	sizePktinfo6 = 20 // struct in6_pktinfo
)

// Numbers that the BSD systems share and Windows took over (4.4BSD netinet/in.h,
// ws2ipdef.h).
const (
	bsdTOS           = 3
	bsdTTL           = 4
	bsdMulticastIf   = 9
	bsdMulticastTTL  = 10
	bsdMulticastLoop = 11
	bsdUnicastHops   = 4 // and so on for IPv6: 9, 10, 11
	bsdSolSocket     = 0xffff
)

// Numbers that macOS and FreeBSD share (netinet/in.h, sys/socket.h).
const (
	bsdJoinGroup        = 80
	bsdLeaveGroup       = 81
	bsdJoinSourceGroup  = 82
	bsdLeaveSourceGroup = 83
	bsdBlockSource      = 84
	bsdUnblockSource    = 85
	bsdTimestamp        = 0x400
	bsdScmTimestamp     = 2
	bsdPktinfo6         = 46
	bsdRecvHopLimit     = 37
	bsdHopLimit         = 47
)

// macOS: bsd/netinet/in.h and in6.h with __APPLE_USE_RFC_3542; the sizes of what
// arrives are those of ip_savecontrol in bsd/netinet/ip_input.c.
const (
	darwinInet6        = 30
	darwinRecvTTL      = 24
	darwinRecvPktinfo  = 26
	darwinRecvTOS      = 27
	darwinRecvPktinfo6 = 61
	darwinRecvTClass   = 35
	darwinTClass       = 36
)

var abiDarwin = abi{
	inet6: darwinInet6, lengthByte: true,
	groupAt: 4,               // #pragma pack(4) in netinet/in.h
	cmsgLen: 4, cmsgAlign: 4, // __DARWIN_ALIGNBYTES32
	joinGroup: bsdJoinGroup, leaveGroup: bsdLeaveGroup,
	joinSourceGroup: bsdJoinSourceGroup, leaveSourceGroup: bsdLeaveSourceGroup,
	blockSource: bsdBlockSource, unblockSource: bsdUnblockSource,
	solSocket: bsdSolSocket,
	timestamp: message{bsdTimestamp, bsdScmTimestamp},
	timeval:   [2]int{8, 4},
	joinAgain: true,
	ip4: ipABI{
		level: ipLevel, tos: bsdTOS, unicastHops: bsdTTL,
		multicastHops: bsdMulticastTTL, hopsSize: 1, multicastLoop: bsdMulticastLoop,
		multicastIf: bsdMulticastIf, ifForm: ifMreqn,
		pktinfo:  message{darwinRecvPktinfo, darwinRecvPktinfo},
		recvHops: message{darwinRecvTTL, darwinRecvTTL},
		recvTOS:  message{darwinRecvTOS, darwinRecvTOS},
		// An interface in the pktinfo makes udp_output forget the address.
		sendSource: true,
	},
	ip6: ipABI{
		level: ipv6Level, tos: darwinTClass, unicastHops: bsdUnicastHops,
		multicastHops: bsdMulticastTTL, hopsSize: 4, multicastLoop: bsdMulticastLoop,
		multicastIf: bsdMulticastIf,
		pktinfo:     message{darwinRecvPktinfo6, bsdPktinfo6},
		recvHops:    message{bsdRecvHopLimit, bsdHopLimit},
		recvTOS:     message{darwinRecvTClass, darwinTClass},
		sendSource:  true, sendInterface: true,
	},
}

// FreeBSD: sys/netinet/in.h, sys/netinet6/in6.h; ip_savecontrol in
// sys/netinet/ip_input.c, udp_send in udp_usrreq.c.
const (
	freebsdInet6        = 28
	freebsdRecvDstAddr  = 7
	freebsdSendSrcAddr  = 7
	freebsdRecvIf       = 20
	freebsdRecvTTL      = 65
	freebsdRecvTOS      = 68
	freebsdRecvPktinfo6 = 36
	freebsdRecvTClass   = 57
	freebsdTClass       = 61
)

var (
	abiFreeBSD    = newFreeBSD(8, 8, [2]int{8, 8}) // amd64, arm64, riscv64
	abiFreeBSD386 = newFreeBSD(4, 4, [2]int{4, 4})
	abiFreeBSDArm = newFreeBSD(4, 8, [2]int{8, 4})
)

// newFreeBSD makes FreeBSD's of a machine: _ALIGN of machine/_align.h, the alignment
// of an int64_t, and struct timeval.
func newFreeBSD(alignment, int64At int, timeval [2]int) abi {
	return abi{
		inet6: freebsdInet6, lengthByte: true,
		groupAt: int64At,
		cmsgLen: 4, cmsgAlign: alignment,
		joinGroup: bsdJoinGroup, leaveGroup: bsdLeaveGroup,
		joinSourceGroup: bsdJoinSourceGroup, leaveSourceGroup: bsdLeaveSourceGroup,
		blockSource: bsdBlockSource, unblockSource: bsdUnblockSource,
		solSocket: bsdSolSocket,
		timestamp: message{bsdTimestamp, bsdScmTimestamp},
		timeval:   timeval,
		ip4: ipABI{
			level: ipLevel, tos: bsdTOS, unicastHops: bsdTTL,
			multicastHops: bsdMulticastTTL, hopsSize: 1, multicastLoop: bsdMulticastLoop,
			multicastIf: bsdMulticastIf, ifForm: ifMreqn, // since FreeBSD 7
			recvDst:    message{freebsdRecvDstAddr, freebsdRecvDstAddr},
			recvIf:     message{freebsdRecvIf, freebsdRecvIf},
			recvHops:   message{freebsdRecvTTL, freebsdRecvTTL},
			recvTOS:    message{freebsdRecvTOS, freebsdRecvTOS},
			sendSource: true, sourceAddr: freebsdSendSrcAddr,
		},
		ip6: ipABI{
			level: ipv6Level, tos: freebsdTClass, unicastHops: bsdUnicastHops,
			multicastHops: bsdMulticastTTL, hopsSize: 4, multicastLoop: bsdMulticastLoop,
			multicastIf: bsdMulticastIf,
			pktinfo:     message{freebsdRecvPktinfo6, bsdPktinfo6},
			recvHops:    message{bsdRecvHopLimit, bsdHopLimit},
			recvTOS:     message{freebsdRecvTClass, freebsdTClass},
			sendSource:  true, sendInterface: true,
		},
	}
}

// Windows: ws2ipdef.h; ws2def.h for the alignments (WSA_CMSGHDR_ALIGN and
// WSA_CMSGDATA_ALIGN, both of a SIZE_T). Which types arrive for IP_RECVTTL and
// IP_RECVTOS, and that they are INTs, is as Microsoft's msquic reads them
// (datapath_winuser.c).
const (
	windowsInet6            = 23
	windowsJoinGroup        = 41
	windowsLeaveGroup       = 42
	windowsBlockSource      = 43
	windowsUnblockSource    = 44
	windowsJoinSourceGroup  = 45
	windowsLeaveSourceGroup = 46
	windowsPktinfo          = 19 // of both IP versions
	windowsRecvTTL          = 21
	windowsHopLimit         = 21
	windowsTClass           = 39
	windowsRecvTOS          = 40
	windowsRecvTClass       = 40
)

var (
	abiWindows   = newWindows(8)
	abiWindows32 = newWindows(4)
)

// newWindows makes Windows's for a word size. An __int64 is aligned to 8 bytes on 386
// too. IP_ECN is left alone: it brings two bits of what IP_RECVTOS brings.
func newWindows(word int) abi {
	return abi{
		inet6:   windowsInet6,
		groupAt: 8,
		cmsgLen: word, cmsgAlign: word,
		joinGroup: windowsJoinGroup, leaveGroup: windowsLeaveGroup,
		joinSourceGroup: windowsJoinSourceGroup, leaveSourceGroup: windowsLeaveSourceGroup,
		blockSource: windowsBlockSource, unblockSource: windowsUnblockSource,
		ip4: ipABI{
			level: ipLevel, unicastHops: bsdTTL,
			multicastHops: bsdMulticastTTL, hopsSize: 4, multicastLoop: bsdMulticastLoop,
			multicastIf: bsdMulticastIf, ifForm: ifIndexNet,
			pktinfo:    message{windowsPktinfo, windowsPktinfo},
			recvHops:   message{windowsRecvTTL, bsdTTL},
			recvTOS:    message{windowsRecvTOS, bsdTOS},
			sendSource: true, sendInterface: true, pktinfoForm: addrIndex,
			// IP_TOS can be set, succeeds, and does nothing.
			tosMessage: true, tosType: bsdTOS,
		},
		ip6: ipABI{
			level: ipv6Level, unicastHops: bsdUnicastHops,
			multicastHops: bsdMulticastTTL, hopsSize: 4, multicastLoop: bsdMulticastLoop,
			multicastIf: bsdMulticastIf,
			pktinfo:     message{windowsPktinfo, windowsPktinfo},
			recvHops:    message{windowsHopLimit, windowsHopLimit},
			recvTOS:     message{windowsRecvTClass, windowsTClass},
			sendSource:  true, sendInterface: true,
			tosMessage: true, tosType: windowsTClass,
		},
	}
}

func (a *abi) of(is4 bool) *ipABI {
	if is4 {
		return &a.ip4
	}
	return &a.ip6
}
