package mcast

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/internal/wire"
)

// A tap sees packets as they cross an interface, in both directions, before rules
// and filters had their say. It needs CAP_NET_RAW.
type tap struct {
	*handle
	buf [tapFrame]byte
}

// tapFrame is how much of a packet is looked at, in bytes: all of any query that
// fits a link of the usual MTU.
const tapFrame = 2048

// openTap listens on an interface, or on all of them when ifindex is 0, for IGMP
// and MLD and, when it is valid, for packets to a group.
func openTap(ifindex int, group netip.Addr) (*tap, error) {
	h, err := openPacket(ifindex, true, tapFilter(group))
	if err != nil {
		return nil, err
	}
	return &tap{handle: h}, nil
}

func (t *tap) close() {
	if t != nil {
		t.file.Close()
	}
}

// restrict lets no more packets to the group through.
func (t *tap) restrict() {
	t.control(func(fd int) error { return setFilter(fd, packets(true, tapFilter(netip.Addr{}))) })
}

// each calls f for every packet until f returns false, the time has come or ctx
// ends.
func (t *tap) each(ctx context.Context, until time.Time, f func(frame wireFrame, ifindex int, out bool) bool) {
	t.file.SetReadDeadline(until)
	stop := context.AfterFunc(ctx, func() { t.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		var n int
		var from unix.Sockaddr
		var rerr error
		err := t.raw.Read(func(fd uintptr) bool {
			for rerr = unix.EINTR; rerr == unix.EINTR; {
				n, from, rerr = unix.Recvfrom(int(fd), t.buf[:], 0)
			}
			return rerr != unix.EAGAIN
		})
		if err != nil || ctx.Err() != nil {
			return // the time has come
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		if rerr != nil || !ok {
			if rerr == unix.ENETDOWN { // told once, when an interface goes down
				continue
			}
			return
		}
		if frame := parseFrame(t.buf[:n]); !f(frame, ll.Ifindex, ll.Pkttype == unix.PACKET_OUTGOING) {
			return
		}
	}
}

// tapFilter lets pass, from the IP header on, IGMP, ICMPv6 and IPv6 with options,
// where MLD is, and packets to a group.
func tapFilter(group netip.Addr) []bpf.Instruction {
	is4 := []bpf.Instruction{bpf.LoadAbsolute{Off: 9, Size: 1}, jumpYes{bpf.JumpEqual, wire.ProtoIGMP}}
	is6 := []bpf.Instruction{bpf.LoadAbsolute{Off: 6, Size: 1}, jumpYes{bpf.JumpEqual, wire.ProtoHopByHop}, jumpYes{bpf.JumpEqual, wire.ProtoICMPv6}}
	switch {
	case group.Is4():
		a := group.As4()
		is4 = append(is4, bpf.LoadAbsolute{Off: 16, Size: 4}, jumpYes{bpf.JumpEqual, word32(a[:])})
	case group.Is6():
		a := group.As16()
		for i := range 3 {
			is6 = append(is6, bpf.LoadAbsolute{Off: uint32(24 + 4*i), Size: 4}, jumpNo{bpf.JumpEqual, word32(a[4*i:])})
		}
		is6 = append(is6, bpf.LoadAbsolute{Off: 36, Size: 4}, jumpYes{bpf.JumpEqual, word32(a[12:])})
	}
	return ipFilter(is4, is6, tapFrame)
}

func word32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
