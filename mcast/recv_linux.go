package mcast

import (
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"
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
// most that can arrive is 200 bytes (IPv6: pktinfo 40, hop limit 24, class 24, three
// timestamps 64, drops 24, GRO 24).
type control struct {
	_ [0]uint64
	b [256]byte
}

// stashSize is how many coalesced packets are received at once for a caller who has
// no space for one: 8 of them are 512 KiB.
const stashSize = 8

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
	info  arrival
	used  int // headers the kernel may have written to since they were set

	// Arguments and results of many and one, which are made once: a closure
	// passed to RawConn.Read escapes.
	many, one func(fd uintptr) bool
	ps        []datagram.Packet
	b         []byte
	got       int
	err       error
	packet    datagram.Packet

	canGRO bool
	groOn  bool
	stash  backlog // what came coalesced when the caller had no space for that
	drops  uint32  // last value of the kernel's counter

	gather coalescer
}

func (r *receiver) init(cfg *config, m *members, count *counters, canGRO bool) {
	r.cfg, r.members, r.count, r.canGRO = cfg, m, count, canGRO
	r.many, r.one = r.tryMany, r.tryOne
	for i := range r.msgs {
		h := &r.msgs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = &r.ctls[i].b[0]
	}
	r.used = len(r.msgs)
}

// renew says that from now on another socket is read, a new one. r.mu is held.
func (r *receiver) renew(canGRO bool) { r.canGRO, r.groOn, r.drops = canGRO, false, 0 }

// read waits for packets and fills ps.
func (r *receiver) read(raw syscall.RawConn, ps []datagram.Packet) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(ps) == 0 {
		return 0, nil
	}
	r.ps = ps
	defer func() { r.ps = nil }()
	for {
		// Asking the poller each time lets Close and deadlines through
		// while nothing but unwanted packets arrives.
		if err := raw.Read(r.many); err != nil {
			return 0, err
		}
		if r.got > 0 || r.err != nil {
			return r.got, r.err
		}
	}
}

// tryMany is run by the poller when the socket may be readable. It returns false to
// wait until it is.
func (r *receiver) tryMany(fd uintptr) bool {
	again := r.tryOnce(fd)
	if !again && r.err == nil && r.gather.on() && r.cfg.spin == 0 {
		if d := r.gather.next(time.Now()); d > 0 {
			rest(d)
			again = r.tryOnce(fd)
			r.gather.gathered(r.got)
		}
	}
	return again || r.err != nil
}

func (r *receiver) tryOnce(fd uintptr) (again bool) {
	if r.got, again, r.err = r.poll(fd, r.ps); r.got > 0 {
		r.gather.came(r.ps[:r.got])
	}
	return again
}

// rest lets d pass. Go's timers would keep its poller busy, and go by the millisecond.
func rest(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&t, nil) // a signal may end it
}

// poll receives without waiting: one recvmmsg at most, of which the packets that
// are wanted come to ps[:n]. Again is false when the socket was empty; n may be 0
// all the same when it is true. r.mu is held, or nobody else reads.
func (r *receiver) poll(fd uintptr, ps []datagram.Packet) (n int, again bool, err error) {
	ps = ps[:min(len(ps), BatchSize)]
	if !r.stash.empty() {
		return r.unstash(ps), true, nil
	}
	least := OffloadSpace
	for i := range ps {
		least = min(least, cap(ps[i].Data))
	}
	if least == 0 {
		return 0, false, fail(ErrNoSpace, nil, "give every packet a Data with some capacity, best %d bytes", OffloadSpace)
	}
	if least < OffloadSpace && r.groOn {
		if again, err = r.refill(fd); !again || err != nil {
			return 0, again, err
		}
		return r.unstash(ps), true, nil
	}
	if least >= OffloadSpace && r.canGRO && !r.groOn {
		r.coalesce(fd)
	}
	return r.recvmmsg(fd, ps)
}

// coalesce switches receive offload on. It stays on, because of packets that are
// queued coalesced when it is switched off the kernel does not tell.
func (r *receiver) coalesce(fd uintptr) {
	// Refusal leaves it off; the packets just come one by one.
	r.groOn = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1) == nil
	r.canGRO = r.groOn
}

// refill receives into the stash.
func (r *receiver) refill(fd uintptr) (again bool, err error) {
	n, again, err := r.recvmmsg(fd, r.stash.space(stashSize))
	r.stash.filled(n)
	return again, err
}

func (r *receiver) unstash(ps []datagram.Packet) int {
	n, long := r.stash.take(ps)
	r.count.truncated.Add(uint64(long))
	return n
}

// recvmmsg makes the system call and sorts out what it brought.
func (r *receiver) recvmmsg(fd uintptr, ps []datagram.Packet) (n int, again bool, err error) {
	r.prepare(ps)
	got, errno := retry(unix.SYS_RECVMMSG, fd, unsafe.Pointer(&r.msgs[0]), uintptr(len(ps)), unix.MSG_DONTWAIT)
	if errno == unix.EAGAIN && r.cfg.spin > 0 {
		now := time.Now()
		end, next := now.Add(r.cfg.spin), now
		for ; errno == unix.EAGAIN && now.Before(end); now = time.Now() {
			if !now.Before(next) {
				runtime.Gosched() // who is waiting for what came before runs first
				next = now.Add(spinTurn)
			}
			got, errno = retry(unix.SYS_RECVMMSG, fd, unsafe.Pointer(&r.msgs[0]), uintptr(len(ps)), unix.MSG_DONTWAIT)
		}
	}
	if errno == 0 {
		n = r.deliver(ps[:got])
	}
	for i := range r.iovs[:len(ps)] {
		r.iovs[i].Base = nil // the caller's memory
	}
	return n, errno != unix.EAGAIN, errnoErr(errno)
}

// spinTurn is how long Spin looks for packets until it lets another goroutine run. To do so
// wakes another thread, if there is one, which takes a processor then to find nothing to do.
const spinTurn = 200 * time.Microsecond

// retry makes a system call on a socket until no signal interrupts it.
func retry(trap, fd uintptr, msg unsafe.Pointer, a, b uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall6(trap, fd, uintptr(msg), a, b, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// errnoErr makes an error of what is one; an empty socket is none.
func errnoErr(errno syscall.Errno) error {
	if errno == 0 || errno == unix.EAGAIN {
		return nil
	}
	return errno
}

// prepare points the kernel at the space of ps.
func (r *receiver) prepare(ps []datagram.Packet) {
	for i := range ps {
		data := ps[i].Data[:cap(ps[i].Data)]
		r.iovs[i].Base = unsafe.SliceData(data)
		r.iovs[i].SetLen(len(data))
	}
	for i := range r.msgs[:r.used] {
		h := &r.msgs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(r.ctls[i].b))
		h.Flags = 0
	}
	r.used = 0
}

// deliver fills in the packets that are wanted and moves them to the front.
func (r *receiver) deliver(ps []datagram.Packet) int {
	kept := 0
	r.used = len(ps)
	for i := range ps {
		m := &r.msgs[i]
		if i != kept {
			ps[i].Data, ps[kept].Data = ps[kept].Data, ps[i].Data
		}
		p := &ps[kept]
		switch {
		case !r.describe(i, p):
		case m.hdr.Flags&unix.MSG_TRUNC != 0:
			r.count.truncated.Add(1)
		default:
			p.Data = p.Data[:m.n]
			if p.SegSize >= int(m.n) {
				p.SegSize = 0
			}
			kept++
		}
	}
	return kept
}

// describe fills in all of p but its data, from message i, and reports whether the
// packet is wanted.
func (r *receiver) describe(i int, p *datagram.Packet) bool {
	a := &r.info
	parseControl(r.ctls[i].b[:min(int(r.msgs[i].hdr.Controllen), len(r.ctls[i].b))], wordSize, a)
	if a.hasDrops && a.drops != r.drops {
		// The kernel counts in 32 bits; the difference survives its wrap.
		r.count.dropped.Add(uint64(a.drops - r.drops))
		r.drops = a.drops
	}
	if !a.dst.IsValid() {
		// Lean: the socket is bound to the group, and the kernel has compared
		// interface and source.
		a.dst = r.cfg.group.Addr()
	}
	src := getName(&r.names[i])
	if !r.members.accepts(src.Addr(), a.dst, a.ifindex, a.local) {
		r.count.foreign.Add(1)
		return false
	}
	p.Src = src
	p.Dst = netip.AddrPortFrom(a.dst, r.cfg.group.Port())
	p.IfIndex = a.ifindex
	p.HopLimit = a.hopLimit
	p.TOS = a.tos
	p.Truncated = false
	p.SegSize = a.segSize
	p.Time = a.time
	p.HardwareTime = a.hardware
	p.Drops = r.count.dropped.Load()
	return true
}
