package mcast

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// A routeReply is what a buffer of rtnetlink messages says.
type routeReply struct {
	events  []linkEvent // changes, and answers to other requests
	answers []linkEvent // to the request with the number asked for
	done    bool        // that request is answered
	broken  bool        // but something changed meanwhile, or it failed
}

// parseChanges reads rtnetlink messages (RFC 3549 section 2.2) about links and
// addresses. It skips what it does not know and stops at what does not fit.
func parseChanges(b []byte, seq uint32) (r routeReply) {
	for len(b) >= unix.NLMSG_HDRLEN {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return r
		}
		typ, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		mine := seq != 0 && binary.NativeEndian.Uint32(b[8:]) == seq
		body := b[unix.NLMSG_HDRLEN:n]
		b = b[min(align(n, unix.NLMSG_ALIGNTO), len(b)):]

		if mine && flags&unix.NLM_F_DUMP_INTR != 0 {
			r.broken = true
		}
		var e linkEvent
		var ok bool
		switch typ {
		case unix.NLMSG_DONE:
			r.done = r.done || mine
			continue
		case unix.NLMSG_ERROR, unix.NLMSG_OVERRUN:
			r.done, r.broken = r.done || mine, r.broken || mine
			continue
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			e, ok = parseLinkChange(body, typ == unix.RTM_DELLINK)
		case unix.RTM_NEWADDR, unix.RTM_DELADDR:
			e, ok = parseAddrChange(body, typ == unix.RTM_DELADDR)
		}
		switch {
		case !ok:
		case mine:
			r.answers = append(r.answers, e)
		default:
			r.events = append(r.events, e)
		}
	}
	return r
}

// parseLinkChange reads a struct ifinfomsg and its attributes. Messages of a family are
// about an interface's part in something, a bridge for instance: one that leaves a
// bridge is "deleted" in that sense only.
func parseLinkChange(b []byte, del bool) (e linkEvent, ok bool) {
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC {
		return e, false
	}
	e.index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	if e.index <= 0 {
		return e, false
	}
	if del {
		e.kind = linkGone
		return e, true
	}
	e.kind = linkSet
	e.flags = linkFlags(binary.NativeEndian.Uint32(b[8:]))
	for typ, d := range netlinkAttrs(b[unix.SizeofIfInfomsg:]) {
		switch {
		case typ == unix.IFLA_IFNAME:
			e.name = unix.ByteSliceToString(d)
		case typ == unix.IFLA_MTU && len(d) >= 4:
			e.mtu = int(binary.NativeEndian.Uint32(d))
		case typ == unix.IFLA_ADDRESS && slices.ContainsFunc(d, func(b byte) bool { return b != 0 }):
			e.mac = net.HardwareAddr(slices.Clone(d))
		}
	}
	return e, e.name != ""
}

func linkFlags(raw uint32) (f net.Flags) {
	for _, m := range [...]struct {
		raw  uint32
		flag net.Flags
	}{
		{unix.IFF_UP, net.FlagUp}, {unix.IFF_RUNNING, net.FlagRunning}, {unix.IFF_BROADCAST, net.FlagBroadcast},
		{unix.IFF_LOOPBACK, net.FlagLoopback}, {unix.IFF_POINTOPOINT, net.FlagPointToPoint}, {unix.IFF_MULTICAST, net.FlagMulticast},
	} {
		if raw&m.raw != 0 {
			f |= m.flag
		}
	}
	return f
}

// parseAddrChange reads a struct ifaddrmsg and its attributes. On a point-to-point link
// IFA_ADDRESS is the peer and IFA_LOCAL this host; elsewhere the two are the same, or
// there is only the first.
func parseAddrChange(b []byte, del bool) (e linkEvent, ok bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return e, false
	}
	e.kind, e.index = addrSet, int(int32(binary.NativeEndian.Uint32(b[4:])))
	if del {
		e.kind = addrGone
	}
	for typ, d := range netlinkAttrs(b[unix.SizeofIfAddrmsg:]) {
		if typ != unix.IFA_LOCAL && (typ != unix.IFA_ADDRESS || e.addr.IsValid()) {
			continue
		}
		if a, ok := netip.AddrFromSlice(d); ok {
			e.addr = a
		}
	}
	return e, e.index > 0 && e.addr.IsValid()
}

// dumpRequest asks for all links, or for all addresses of a family.
func dumpRequest(typ uint16, family byte, seq uint32) []byte {
	size := unix.NLMSG_HDRLEN + unix.SizeofIfInfomsg
	if typ == unix.RTM_GETADDR {
		size = unix.NLMSG_HDRLEN + unix.SizeofIfAddrmsg
	}
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, uint32(size))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(b[8:], seq)
	b[unix.NLMSG_HDRLEN] = family
	return b
}
