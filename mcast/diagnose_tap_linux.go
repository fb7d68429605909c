package mcast

import (
	"context"
	"math"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A tap sees packets as they cross an interface, in both directions, before rules
// and filters had their say. It needs CAP_NET_RAW.
type tap struct {
	file *os.File
	raw  syscall.RawConn
	buf  [tapFrame]byte
}

// tapFrame is how much of a packet is looked at, in bytes: all of any query that
// fits a link of the usual MTU.
const tapFrame = 2048

// openTap listens on an interface, or on all of them when ifindex is 0, for IGMP
// and MLD and, when it is valid, for packets to a group.
func openTap(ifindex int, group netip.Addr) (*tap, error) {
	// Protocol 0 receives nothing yet, so that the filter is there first.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// All protocols, because a bridge takes packets from its ports before those
	// who want just IP get to see them.
	err = setFilter(fd, tapFilter(group))
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: ifindex}))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	t := &tap{file: os.NewFile(uintptr(fd), "packet")}
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, err
	}
	return t, nil
}

func (t *tap) close() {
	if t != nil {
		t.file.Close()
	}
}

// restrict lets no more packets to the group through.
func (t *tap) restrict() {
	t.raw.Control(func(fd uintptr) { setFilter(int(fd), tapFilter(netip.Addr{})) })
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
			n, from, rerr = unix.Recvfrom(int(fd), t.buf[:], 0)
			return rerr != unix.EAGAIN && rerr != unix.EINTR
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
	// Jumps are counted: "yes" is the last instruction, "no" the one before.
	var is4, is6 []bpf.Instruction
	is4 = append(is4, bpf.LoadAbsolute{Off: 9, Size: 1}, jumpYes{bpf.JumpEqual, protoIGMP})
	is6 = append(is6, bpf.LoadAbsolute{Off: 6, Size: 1}, jumpYes{bpf.JumpEqual, headerHop}, jumpYes{bpf.JumpEqual, protoICMPv6})
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
	is4 = append(is4, always{})
	is6 = append(is6, always{})

	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x40, SkipFalse: uint8(len(is4))},
	}
	p = append(p, is4...)
	p = append(p, jumpNo{bpf.JumpEqual, 0x60})
	p = append(p, is6...)
	p = append(p, bpf.RetConstant{Val: 0}, bpf.RetConstant{Val: tapFrame})
	no, yes := len(p)-2, len(p)-1
	for i, in := range p {
		switch in := in.(type) {
		case jumpYes:
			p[i] = bpf.JumpIf{Cond: in.cond, Val: in.val, SkipTrue: uint8(yes - i - 1)}
		case jumpNo: // when it does not hold
			p[i] = bpf.JumpIf{Cond: in.cond, Val: in.val, SkipFalse: uint8(no - i - 1)}
		case always:
			p[i] = bpf.Jump{Skip: uint32(no - i - 1)}
		}
	}
	return p
}

// Instructions whose target is known only when the program is complete.
type (
	jumpYes struct {
		cond bpf.JumpTest
		val  uint32
	}
	jumpNo struct {
		cond bpf.JumpTest
		val  uint32
	}
	always struct{}
)

func (jumpYes) Assemble() (bpf.RawInstruction, error) { return bpf.RawInstruction{}, nil }
func (jumpNo) Assemble() (bpf.RawInstruction, error)  { return bpf.RawInstruction{}, nil }
func (always) Assemble() (bpf.RawInstruction, error)  { return bpf.RawInstruction{}, nil }

func word32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// setFilter attaches a program behind one that drops what carries a VLAN tag:
// untagged, it would seem to belong to the interface itself.
func setFilter(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(append([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}, program...))
	if err != nil || len(raw) > math.MaxUint8 {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}))
}
