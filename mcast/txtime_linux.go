package mcast

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// kernelQueue is what SO_SNDBUF is asked to be when the kernel holds packets back;
// it doubles it. The queueing discipline fq drops what one socket has beyond 100
// packets and says nothing; of the smallest, 85 fill this.
const kernelQueue = 32 << 10

// pacing has the kernel pace, and keep transmit times, if that was asked for and
// the interface's queueing discipline can. Others accept the options and ignore
// them.
func (o *options) pacing(cfg *config, caps *Capabilities) txClock {
	if cfg.pacing == 0 && !cfg.txTimes || o.err != nil {
		return txClock{}
	}
	all, err := qdiscs()
	if err != nil {
		return txClock{} // user space can do it all
	}
	root := rootQdisc(all, cfg.link().Index)
	clock := clockOf(root)
	if cfg.pacing > 0 && root.kind == "fq" {
		caps.KernelPacing = o.maxPacingRate(cfg.pacing)
	}
	if cfg.txTimes && clock.id != 0 {
		caps.KernelTransmitTime = o.txTime(clock.id)
	}
	if caps.KernelPacing || caps.KernelTransmitTime {
		o.set(unix.SOL_SOCKET, unix.SO_SNDBUF, kernelQueue, "SO_SNDBUF")
	}
	if !caps.KernelTransmitTime {
		return txClock{}
	}
	return clock
}

// maxPacingRate sets SO_MAX_PACING_RATE, in bytes a second: an unsigned long, or the
// 32 bits that older kernels know.
func (o *options) maxPacingRate(bitsPerSecond int64) bool {
	rate := uint64(bitsPerSecond+7) / 8
	if wordSize == 8 {
		return unix.SetsockoptUint64(o.fd, unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, rate) == nil
	}
	// All ones are "no limit"; as an int they are -1.
	return rate < math.MaxUint32 && unix.SetsockoptInt(o.fd, unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, int(int32(uint32(rate)))) == nil
}

// txTime sets SO_TXTIME: struct sock_txtime is a clock and flags.
func (o *options) txTime(clock int32) bool {
	var b [8]byte
	binary.NativeEndian.PutUint32(b[:], uint32(clock))
	return unix.SetsockoptString(o.fd, unix.SOL_SOCKET, unix.SO_TXTIME, string(b[:])) == nil
}

// A txClock is the clock that transmit times are told in. The zero txClock is none.
type txClock struct {
	id int32 // CLOCK_MONOTONIC or CLOCK_TAI

	// least is how far ahead a time must be. etf drops what comes late, or has
	// no time; fq sends it at once, and has 0 here.
	least time.Duration
}

// etfMargin is on top of etf's own delta, for the way from the write to the queue.
const etfMargin = 500 * time.Microsecond

func clockOf(q qdisc) txClock {
	switch {
	case q.kind == "fq":
		return txClock{id: unix.CLOCK_MONOTONIC}
	case q.kind == "etf" && q.clock == unix.CLOCK_TAI:
		return txClock{id: unix.CLOCK_TAI, least: q.delta + etfMargin}
	}
	return txClock{}
}

// read returns the clock's reading, in ns, at about the time now.
func (c txClock) read() (ns int64, now time.Time) {
	var ts unix.Timespec
	if unix.ClockGettime(c.id, &ts) != nil {
		return 0, time.Time{}
	}
	return ts.Nano(), time.Now()
}

// departure returns the time in ns to tell the kernel for p, 0 for none, when the
// clock read ns at now.
func (c txClock) departure(p *datagram.Packet, ns int64, now time.Time) uint64 {
	ahead := c.least
	if !p.Time.IsZero() {
		ahead = max(p.Time.Sub(now), c.least)
	}
	if ns == 0 || ahead <= 0 {
		return 0
	}
	return uint64(ns + int64(ahead))
}
