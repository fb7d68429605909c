package mcast

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// readOne waits for one datagram and receives it into b.
func (r *receiver) readOne(raw syscall.RawConn, b []byte) (datagram.Packet, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b = b
	defer func() { r.b, r.packet.Data = nil, nil }()
	for {
		if err := raw.Read(r.one); err != nil {
			return datagram.Packet{}, err
		}
		if r.err != nil {
			return datagram.Packet{}, r.err
		}
		if r.got > 0 {
			return r.packet, nil
		}
	}
}

// tryOne is tryMany for one datagram.
func (r *receiver) tryOne(fd uintptr) bool {
	var again, ok bool
	ok, again, r.err = r.pollOne(fd, r.b, &r.packet)
	r.got = bit(ok)
	return again || r.err != nil
}

// pollOne is poll for one datagram, which is cut and marked when it does not fit
// into b: one recvmsg at most. ok says that there was one.
func (r *receiver) pollOne(fd uintptr, b []byte, p *datagram.Packet) (ok, again bool, err error) {
	if r.stash.empty() {
		if !r.groOn {
			return r.recvmsg(fd, b, p)
		}
		if again, err = r.refill(fd); r.stash.empty() {
			return false, again, err
		}
	}
	*p = r.stash.takeOne(b)
	return true, true, nil
}

func (r *receiver) recvmsg(fd uintptr, b []byte, p *datagram.Packet) (ok, again bool, err error) {
	m := &r.msgs[0]
	r.iovs[0].Base = unsafe.SliceData(b)
	r.iovs[0].SetLen(len(b))
	r.prepare(nil)
	n, errno := retry(unix.SYS_RECVMSG, fd, unsafe.Pointer(&m.hdr), unix.MSG_DONTWAIT, 0)
	r.iovs[0].Base = nil
	r.used = 1
	if errno != 0 {
		return false, errno != unix.EAGAIN, errnoErr(errno)
	}
	if !r.describe(0, p) {
		return false, true, nil
	}
	p.Data = b[:n]
	p.SegSize = 0
	p.Truncated = m.hdr.Flags&unix.MSG_TRUNC != 0
	return true, true, nil
}
