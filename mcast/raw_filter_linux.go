package mcast

import (
	"math"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mld"
)

// openPacket returns an AF_PACKET socket that gets the IP packets which a program lets
// through, from the IP header on, as they cross an interface, or all of them when
// ifindex is 0: before rules and the kernel's own filters had their say. With
// outgoing it gets what leaves, too. It needs CAP_NET_RAW.
func openPacket(ifindex int, outgoing bool, program []bpf.Instruction) (*handle, error) {
	return openFiltered(unix.SOCK_DGRAM, ifindex, packets(outgoing, program))
}

// openFiltered returns an AF_PACKET socket with a filter.
func openFiltered(socketType, ifindex int, filter []bpf.Instruction) (*handle, error) {
	// Protocol 0 receives nothing yet, so that the filter is there first.
	fd, err := unix.Socket(unix.AF_PACKET, socketType|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// All protocols, because a bridge takes packets from its ports before those
	// who want just IP get to see them.
	err = setFilter(fd, filter)
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: ifindex}))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return newHandle(fd, "packet")
}

// untagged puts a program behind one that drops what leaves, unless outgoing, and what
// carries a VLAN tag: without it, it would seem to belong to the interface itself.
func untagged(outgoing bool, program []bpf.Instruction) []bpf.Instruction {
	drop := bpf.RetConstant{Val: 0}
	front := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		drop,
	}
	if !outgoing {
		front = append(front,
			bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
			drop,
		)
	}
	return append(front, program...)
}

// packets puts a program for IP packets behind one that drops all others too.
func packets(outgoing bool, program []bpf.Instruction) []bpf.Instruction {
	return untagged(outgoing, append([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtProto},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}, program...))
}

// setFilter attaches a filter to a socket.
func setFilter(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
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

// ipFilter makes a program of one for IPv4 and one for IPv6 packets, of which it lets
// the first size bytes pass. Jumps in them are counted: "yes" is the last instruction
// of the whole, "no" the one before.
func ipFilter(is4, is6 []bpf.Instruction, size uint32) []bpf.Instruction {
	is4, is6 = append(is4, always{}), append(is6, always{})
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x40, SkipFalse: uint8(len(is4))},
	}
	p = append(p, is4...)
	p = append(p, jumpNo{bpf.JumpEqual, 0x60})
	p = append(p, is6...)
	p = append(p, bpf.RetConstant{Val: 0}, bpf.RetConstant{Val: size})
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

// protoPIM is the protocol number of PIM (RFC 7761 section 4.9).
const protoPIM = 103

// mldTypes are the ICMPv6 types of MLD and Multicast Router Discovery.
var mldTypes = []mld.Type{
	mld.TypeQuery, mld.TypeReport, mld.TypeDone, mld.TypeReport2,
	mld.TypeRouterAdvertisement, mld.TypeRouterSolicitation, mld.TypeRouterTermination,
}

func (s rawSet) has(p RawProtocol) bool { return s>>p&1 != 0 }

// socketType: for frames with their Ethernet header, for packets without.
func (s rawSet) socketType() int {
	if s.frames() {
		return unix.SOCK_RAW
	}
	return unix.SOCK_DGRAM
}

// filter is that of a socket for the protocols in the set.
func (s rawSet) filter(outgoing bool) []bpf.Instruction {
	if s.frames() {
		return untagged(outgoing, frameFilter(s.addresses()))
	}
	return packets(outgoing, rawFilter(s))
}

// memberships are what the network card has to let in.
func (s rawSet) memberships() []unix.PacketMreq {
	if !s.frames() {
		return []unix.PacketMreq{{Type: unix.PACKET_MR_ALLMULTI}}
	}
	var list []unix.PacketMreq
	for _, a := range s.addresses() {
		m := unix.PacketMreq{Type: unix.PACKET_MR_MULTICAST}
		m.Alen = uint16(copy(m.Address[:], a[:]))
		list = append(list, m)
	}
	return list
}

// addresses are those that frames of the protocols in the set are sent to.
func (s rawSet) addresses() (list []igmp.MAC) {
	if s.has(RawCGMP) {
		list = append(list, igmp.CGMPAddr)
	}
	if s.has(RawGMRP) {
		list = append(list, igmp.GMRPAddr)
	}
	return list
}

// maxLength is the most that is a length in an Ethernet header, and not a type (IEEE
// 802.3 section 3.2.6).
const maxLength = 1500

// frameFilter lets whole frames of IEEE 802.3 to any of some addresses pass.
func frameFilter(to []igmp.MAC) []bpf.Instruction {
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: maxLength, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
	for _, a := range to {
		p = append(p,
			bpf.LoadAbsolute{Off: 0, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: word32(a[:]), SkipFalse: 3},
			bpf.LoadAbsolute{Off: 4, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(a[4])<<8 | uint32(a[5]), SkipFalse: 1},
			bpf.RetConstant{Val: math.MaxUint16},
		)
	}
	return append(p, bpf.RetConstant{Val: 0})
}

// rawFilter lets whole packets of IGMP and PIM pass, and those of MLD: ICMPv6 of its
// types, right behind the IPv6 header, where it is invalid but of interest, or behind
// hop-by-hop options.
func rawFilter(set rawSet) []bpf.Instruction {
	var is4, is6 []bpf.Instruction
	if set.has(RawPIM) {
		is4 = append(is4, bpf.LoadAbsolute{Off: 9, Size: 1}, jumpYes{bpf.JumpEqual, protoPIM})
		is6 = append(is6, bpf.LoadAbsolute{Off: 6, Size: 1}, jumpYes{bpf.JumpEqual, protoPIM})
	}
	if set.has(RawIGMP) {
		is4 = append(is4, bpf.LoadAbsolute{Off: 9, Size: 1}, jumpYes{bpf.JumpEqual, wire.ProtoIGMP})
	}
	if set.has(RawMLD) {
		is6 = append(is6,
			bpf.LoadConstant{Dst: bpf.RegX, Val: 0},
			bpf.LoadAbsolute{Off: 6, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: wire.ProtoICMPv6, SkipTrue: 7},
			jumpNo{bpf.JumpEqual, wire.ProtoHopByHop},
			bpf.LoadAbsolute{Off: 40, Size: 1},
			jumpNo{bpf.JumpEqual, wire.ProtoICMPv6},
			bpf.LoadAbsolute{Off: 41, Size: 1}, // in units of 8 bytes, less one
			bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 3},
			bpf.TAX{},
			bpf.LoadIndirect{Off: 40, Size: 1},
		)
		for _, t := range mldTypes {
			is6 = append(is6, jumpYes{bpf.JumpEqual, uint32(t)})
		}
	}
	return ipFilter(is4, is6, math.MaxUint16)
}
