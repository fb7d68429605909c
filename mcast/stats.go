package mcast

import "sync/atomic"

// Stats are counts since the connection was opened.
type Stats struct {
	// Dropped is how many packets the kernel dropped because the receive
	// buffer was full. Linux tells with the next packet that gets through, so a
	// stream that stopped shows nothing; a coalesced packet counts once.
	Dropped uint64

	// Truncated is how many packets were dropped because they were longer than
	// the space given to ReadBatch.
	Truncated uint64

	// Foreign is how many packets were dropped because their group, interface
	// or source was not joined, though the kernel delivered them.
	Foreign uint64

	// OffloadFallbacks is how often send offload was refused at run time and
	// packets went out one by one instead.
	OffloadFallbacks uint64
}

type counters struct {
	dropped, truncated, foreign, fallbacks atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		Dropped:          c.dropped.Load(),
		Truncated:        c.truncated.Load(),
		Foreign:          c.foreign.Load(),
		OffloadFallbacks: c.fallbacks.Load(),
	}
}

// Capabilities tell what the system offers to a connection. What is false is not
// done in some other way unless the field says so.
type Capabilities struct {
	// KernelFilter: the kernel itself keeps out what other programs joined
	// (IP_MULTICAST_ALL off). Without it packets are compared after the copy,
	// as are those of the same IPv6 group from another interface, which Linux
	// lets through in any case.
	KernelFilter bool

	// BindGroup: the socket is bound to its group, so that others at the same
	// port never reach it.
	BindGroup bool

	// WholeFilter: SetFilter and Filter work (RFC 3678 section 5.2).
	WholeFilter bool

	// Destination: the group and interface of each packet are known. Without
	// it packets of another group at the same port cannot be told apart. Windows
	// leaves it out of some packets that this host sent itself; their Dst is then
	// the connection's group.
	Destination bool

	// HopLimit and TOS: those fields of received packets are known.
	HopLimit, TOS bool

	// Timestamps: packets carry the kernel's arrival time.
	Timestamps bool

	// HardwareTimestamps: they were asked for, and when the connection was
	// opened the network card was set to take the arrival time of at least some
	// packets.
	HardwareTimestamps bool

	// DropCounter: Stats.Dropped and each packet's Drops work.
	DropCounter bool

	// Batch is how many packets one system call can move.
	Batch int

	// SendOffload and ReceiveOffload: several datagrams cross the kernel as
	// one (UDP_SEGMENT, UDP_GRO). Receive offload also needs space, see
	// Conn.ReadBatch.
	SendOffload, ReceiveOffload bool

	// KernelPacing and KernelTransmitTime: what Pacing or TransmitTimes asked
	// for is done by the interface's queueing discipline. Without it, WriteBatch
	// waits.
	KernelPacing, KernelTransmitTime bool
}
