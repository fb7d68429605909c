package mcast

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// rootParent is the parent of the discipline at the root (TC_H_ROOT).
const rootParent = 0xffffffff

// A qdisc is one queueing discipline of an interface.
type qdisc struct {
	ifindex        int
	handle, parent uint32
	kind           string
	clock          int32         // of etf
	delta          time.Duration // of etf: how long before its time a packet must be there
}

// rootQdisc returns the discipline that every packet leaving an interface goes
// through. A card with several queues has "mq" at its root, which only spreads
// packets over one discipline for each queue; they count if all are alike.
func rootQdisc(all []qdisc, ifindex int) (root qdisc) {
	for _, q := range all {
		if q.ifindex == ifindex && q.parent == rootParent {
			root = q
		}
	}
	if root.kind != "mq" {
		return root
	}
	queue := root
	for _, q := range all {
		if q.ifindex != ifindex || q.parent == rootParent || q.parent>>16 != root.handle>>16 {
			continue
		}
		if queue.kind != "mq" && queue.kind != q.kind {
			return root
		}
		queue = q
	}
	return queue
}

// parseQdiscs reads netlink messages and appends the disciplines in them. done
// says that the last message of the answer was there.
func parseQdiscs(b []byte, to []qdisc) (all []qdisc, done bool, err error) {
	u32 := binary.NativeEndian.Uint32
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(u32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return to, false, errors.New("netlink message of a wrong length")
		}
		d := b[unix.SizeofNlMsghdr:n]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return to, true, nil
		case unix.NLMSG_ERROR:
			if len(d) >= 4 && u32(d) != 0 {
				return to, false, unix.Errno(-int32(u32(d)))
			}
			return to, true, nil
		case unix.RTM_NEWQDISC:
			// struct tcmsg: family and padding, interface, handle, parent, info.
			if len(d) >= 20 {
				q := qdisc{ifindex: int(u32(d[4:])), handle: u32(d[8:]), parent: u32(d[12:])}
				attributes(d[20:], q.attribute)
				to = append(to, q)
			}
		}
		b = b[min(align(n, 4), len(b)):]
	}
	return to, false, nil
}

// attributes walks over netlink attributes.
func attributes(b []byte, each func(typ uint16, d []byte)) {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return
		}
		each(binary.NativeEndian.Uint16(b[2:])&^unix.NLA_F_NESTED, b[4:n])
		b = b[min(align(n, 4), len(b)):]
	}
}

func (q *qdisc) attribute(typ uint16, d []byte) {
	switch {
	case typ == unix.TCA_KIND:
		q.kind = unix.ByteSliceToString(d)
	case typ == unix.TCA_OPTIONS && q.kind == "etf":
		// TCA_ETF_PARMS is a struct tc_etf_qopt: delta in ns, clock, flags.
		attributes(d, func(typ uint16, d []byte) {
			if typ == 1 && len(d) >= 8 {
				q.delta = time.Duration(int32(binary.NativeEndian.Uint32(d)))
				q.clock = int32(binary.NativeEndian.Uint32(d[4:]))
			}
		})
	}
}

// qdiscs asks the kernel for all queueing disciplines of the namespace the thread
// is in.
func qdiscs() (all []qdisc, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	// Nothing should keep the kernel from answering at once.
	tv := unix.NsecToTimeval(int64(time.Second))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Sendto(fd, qdiscRequest(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	b := make([]byte, 64<<10)
	for done := false; !done; {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		if all, done, err = parseQdiscs(b[:n], all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// qdiscRequest is a dump request: a message header and an empty struct tcmsg.
func qdiscRequest() []byte {
	b := make([]byte, unix.SizeofNlMsghdr+20)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_GETQDISC)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	return b
}
