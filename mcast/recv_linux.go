package mcast

import (
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// mmsghdr is the kernel's struct mmsghdr; Go pads it as C does.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32 // bytes received or sent
}

// control is room for the control messages of one packet, aligned for them. The
// most that can arrive is 176 bytes (IPv6: pktinfo 40, hop limit 24, class 24,
// timestamp 32, drops 24, GRO 24, and 8 to spare).
type control struct {
	_ [0]uint64
	b [192]byte
}

// receiver reads batches with recvmmsg. Everything the kernel needs pointers to
// lives in it, so that reading allocates nothing.
type receiver struct {
	mu      sync.Mutex
	cfg     *config
	members *members
	count   *counters

	msgs  [BatchSize]mmsghdr
	iovs  [BatchSize]unix.Iovec
	names [BatchSize]name
	ctls  [BatchSize]control

	// Arguments and results of call, which is made once: a closure passed to
	// RawConn.Read escapes.
	call  func(fd uintptr) bool
	want  int
	got   int
	errno syscall.Errno

	canGRO  bool
	groOn   bool
	wantGRO bool
	drops   uint32 // last value of the kernel's counter
}

func (r *receiver) init(cfg *config, m *members, count *counters, canGRO bool) {
	r.cfg, r.members, r.count, r.canGRO = cfg, m, count, canGRO
	r.call = r.recvmmsg
	for i := range r.msgs {
		h := &r.msgs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = &r.ctls[i].b[0]
	}
}

// recvmmsg is run by the poller when the socket may be readable. It returns false
// to wait until it is.
func (r *receiver) recvmmsg(fd uintptr) bool {
	if r.wantGRO != r.groOn {
		// Refusal leaves it as it is; the packets just come one by one.
		if unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, bit(r.wantGRO)) == nil {
			r.groOn = r.wantGRO
		} else {
			r.canGRO = r.groOn
		}
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(r.want), unix.MSG_DONTWAIT, 0, 0)
		r.got, r.errno = int(n), errno
		switch errno {
		case 0:
			return true
		case unix.EAGAIN:
			return false
		case unix.EINTR:
		default:
			return true
		}
	}
}

func (r *receiver) read(raw syscall.RawConn, ps []datagram.Packet) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ps = ps[:min(len(ps), BatchSize)]
	if len(ps) == 0 {
		return 0, nil
	}
	least := cap(ps[0].Data)
	for i := range ps {
		least = min(least, cap(ps[i].Data))
	}
	if least == 0 {
		return 0, fail(ErrNoSpace, nil, "give every packet a Data with some capacity, best %d bytes", OffloadSpace)
	}
	r.wantGRO = r.canGRO && least >= OffloadSpace
	for {
		r.prepare(ps)
		err := raw.Read(r.call)
		if err == nil && r.errno != 0 {
			err = syscall.Errno(r.errno)
		}
		if err != nil {
			r.release(len(ps))
			return 0, err
		}
		n := r.deliver(ps[:r.got])
		if n > 0 {
			r.release(len(ps))
			return n, nil
		}
	}
}

// prepare points the kernel at the space of ps.
func (r *receiver) prepare(ps []datagram.Packet) {
	r.want, r.got, r.errno = len(ps), 0, 0
	for i := range ps {
		data := ps[i].Data[:cap(ps[i].Data)]
		r.iovs[i].Base = &data[0]
		r.iovs[i].SetLen(len(data))
		h := &r.msgs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(r.ctls[i].b))
		h.Flags = 0
	}
}

// release lets go of the caller's memory.
func (r *receiver) release(n int) {
	for i := range r.iovs[:n] {
		r.iovs[i].Base = nil
	}
}

// deliver fills in the packets that are wanted and moves them to the front.
func (r *receiver) deliver(ps []datagram.Packet) int {
	kept := 0
	var a arrival
	for i := range ps {
		m := &r.msgs[i]
		parseControl(r.ctls[i].b[:min(int(m.hdr.Controllen), len(r.ctls[i].b))], wordSize, &a)
		if a.hasDrops {
			// The kernel counts in 32 bits; the difference survives its wrap.
			r.count.dropped.Add(uint64(a.drops - r.drops))
			r.drops = a.drops
		}
		if m.hdr.Flags&unix.MSG_TRUNC != 0 {
			r.count.truncated.Add(1)
			continue
		}
		src := getName(&r.names[i])
		if !r.members.accepts(src.Addr(), a.dst, a.ifindex, a.local) {
			r.count.foreign.Add(1)
			continue
		}
		if i != kept {
			ps[i].Data, ps[kept].Data = ps[kept].Data, ps[i].Data
		}
		p := &ps[kept]
		p.Data = p.Data[:m.n]
		p.Src = src
		p.Dst = netip.AddrPortFrom(a.dst, r.cfg.group.Port())
		p.IfIndex = a.ifindex
		p.HopLimit = a.hopLimit
		p.TOS = a.tos
		p.Time = a.time
		p.SegSize = 0
		if a.segSize > 0 && a.segSize < int(m.n) {
			p.SegSize = a.segSize
		}
		kept++
	}
	return kept
}
