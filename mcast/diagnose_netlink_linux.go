package mcast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file asks the kernel about one interface or one route, by rtnetlink, which
// needs no privilege and, unlike /sys, shows the thread's network namespace.

// errNoReply means the kernel answered something else than was asked for.
var errNoReply = errors.New("unexpected answer")

// netlinkAttr appends an attribute, padded to 4 bytes.
func netlinkAttr(b []byte, typ uint16, data []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(data)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// netlinkAttrs gives the attributes in b, and stops at the first that does not fit.
func netlinkAttrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			n := int(binary.NativeEndian.Uint16(b))
			if n < 4 || n > len(b) {
				return
			}
			typ := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(typ, b[4:n]) {
				return
			}
			b = b[min(align(n, 4), len(b)):]
		}
	}
}

// netlinkGet sends a request and returns the body of the one message that answers.
func netlinkGet(request, reply uint16, body []byte) ([]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	// The kernel answers at once; the time-out is for imitations of it.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, request)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = append(b, 1, 0, 0, 0, 0, 0, 0, 0) // sequence number, port
	if err := unix.Sendto(fd, append(b, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	in := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(fd, in, 0)
	if err != nil {
		return nil, os.NewSyscallError("recvfrom", err)
	}
	return netlinkReply(in[:n], reply)
}

// netlinkReply takes the body out of the first message.
func netlinkReply(b []byte, want uint16) ([]byte, error) {
	if len(b) < unix.NLMSG_HDRLEN {
		return nil, errNoReply
	}
	n := int(binary.NativeEndian.Uint32(b))
	typ := binary.NativeEndian.Uint16(b[4:])
	if n < unix.NLMSG_HDRLEN || n > len(b) {
		return nil, errNoReply
	}
	body := b[unix.NLMSG_HDRLEN:n]
	switch {
	case typ == want:
		return body, nil
	case typ == unix.NLMSG_ERROR && len(body) >= 4:
		if no := int32(binary.NativeEndian.Uint32(body)); no < 0 {
			return nil, unix.Errno(-no)
		}
	}
	return nil, fmt.Errorf("netlink message %d: %w", typ, errNoReply)
}

// routeOf returns the interface that packets to a unicast address leave by, 0 for
// an address of this host.
func routeOf(a netip.Addr) (ifindex int, err error) {
	family, bits := byte(unix.AF_INET), byte(32)
	if a.Is6() {
		family, bits = unix.AF_INET6, 128
	}
	req := make([]byte, unix.SizeofRtMsg)
	req[0], req[1] = family, bits
	b, err := netlinkGet(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, netlinkAttr(req, unix.RTA_DST, a.AsSlice()))
	if err != nil {
		return 0, err
	}
	return parseRoute(b)
}

// parseRoute reads the body of RTM_NEWROUTE: struct rtmsg and attributes.
func parseRoute(b []byte) (ifindex int, err error) {
	if len(b) < unix.SizeofRtMsg {
		return 0, errNoReply
	}
	switch b[7] { // rtm_type
	case unix.RTN_LOCAL:
		return 0, nil
	case unix.RTN_UNICAST:
	default:
		return 0, unix.ENETUNREACH // blackhole, prohibit and the like
	}
	for typ, data := range netlinkAttrs(b[unix.SizeofRtMsg:]) {
		if typ == unix.RTA_OIF && len(data) >= 4 {
			return int(binary.NativeEndian.Uint32(data)), nil
		}
	}
	return 0, errNoReply
}

// linkInfo is what the kernel says of an interface besides its flags.
type linkInfo struct {
	kind   string // "bridge", "veth", "vrf", "" for real ones
	master int    // index of the bridge, VRF or bond it belongs to
	bridge bridgeInfo
}

// bridgeInfo is what a bridge does about groups.
type bridgeInfo struct {
	snooping bool
	querier  bool // asks itself
	// Queriers the bridge knows of, zero when it knows none.
	querier4, querier6 netip.Addr
}

func linkOf(ifindex int) (linkInfo, error) {
	req := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(req[4:], uint32(ifindex))
	b, err := netlinkGet(unix.RTM_GETLINK, unix.RTM_NEWLINK, req)
	if err != nil {
		return linkInfo{}, err
	}
	return parseLink(b)
}

// parseLink reads the body of RTM_NEWLINK: struct ifinfomsg and attributes.
func parseLink(b []byte) (l linkInfo, err error) {
	if len(b) < unix.SizeofIfInfomsg {
		return l, errNoReply
	}
	for typ, data := range netlinkAttrs(b[unix.SizeofIfInfomsg:]) {
		switch {
		case typ == unix.IFLA_MASTER && len(data) >= 4:
			l.master = int(binary.NativeEndian.Uint32(data))
		case typ == unix.IFLA_LINKINFO:
			for typ, data := range netlinkAttrs(data) {
				switch {
				case typ == unix.IFLA_INFO_KIND:
					l.kind = unix.ByteSliceToString(data)
				case typ == unix.IFLA_INFO_DATA && l.kind == "bridge":
					l.bridge.parse(data)
				}
			}
		}
	}
	return l, nil
}

// Attributes nested in IFLA_BR_MCAST_QUERIER_STATE (linux/if_bridge.h), since 5.15.
const (
	bridgeQuerierIP   = 1
	bridgeQuerierIPv6 = 5
)

func (i *bridgeInfo) parse(b []byte) {
	for typ, data := range netlinkAttrs(b) {
		switch {
		case typ == unix.IFLA_BR_MCAST_SNOOPING && len(data) >= 1:
			i.snooping = data[0] != 0
		case typ == unix.IFLA_BR_MCAST_QUERIER && len(data) >= 1:
			i.querier = data[0] != 0
		case typ == unix.IFLA_BR_MCAST_QUERIER_STATE:
			for typ, data := range netlinkAttrs(data) {
				switch {
				case typ == bridgeQuerierIP && len(data) == 4:
					i.querier4 = netip.AddrFrom4([4]byte(data))
				case typ == bridgeQuerierIPv6 && len(data) == 16:
					i.querier6 = netip.AddrFrom16([16]byte(data))
				}
			}
		}
	}
}

// ethtool reads one of the old single-value settings, such as whether segments are
// coalesced (GRO).
func ethtool(fd int, ifname string, command uint32) (on, ok bool) {
	if len(ifname) >= unix.IFNAMSIZ {
		return false, false
	}
	value := [2]uint32{command} // struct ethtool_value
	var req struct {            // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the rest of the union, at least
	}
	copy(req.name[:], ifname)
	req.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	return value[1] != 0, errno == 0
}
