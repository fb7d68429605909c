package mcast

import "time"

// defaultReadBuffer is what SO_RCVBUF is asked to be: 40 ms of a 800 Mbit/s
// stream. The usual system default of 208 KiB holds 2 ms.
const defaultReadBuffer = 4 << 20

// ioConfig is what the options about moving packets say.
type ioConfig struct {
	readBuffer  int
	writeBuffer int
	offload     offloadMode
	lean        bool
	keep        Field
	hardware    bool  // HardwareTimestamps
	pacing      int64 // bits per second, 0 for none
	txTimes     bool  // TransmitTimes
	spin        time.Duration
}

func ioDefaults() ioConfig { return ioConfig{readBuffer: defaultReadBuffer} }

type offloadMode uint8

const (
	offloadAuto offloadMode = iota
	offloadOn
	offloadOff
)

// ReadBuffer sets how many bytes the kernel may queue for this connection. The
// default is 4 MiB. Without CAP_NET_ADMIN Linux gives at most net.core.rmem_max
// and reports no error; Conn.ReadBuffer tells what was got.
func ReadBuffer(bytes int) Option {
	return func(c *config) error {
		if bytes <= 0 || bytes > 1<<30 {
			return fail(ErrOption, nil, "give mcast.ReadBuffer a size from 1 byte to 1 GiB")
		}
		c.readBuffer = bytes
		return nil
	}
}

// WriteBuffer sets how many bytes may wait in the kernel to be sent. The default
// is the system's. Limits are as for ReadBuffer (net.core.wmem_max).
func WriteBuffer(bytes int) Option {
	return func(c *config) error {
		if bytes <= 0 || bytes > 1<<30 {
			return fail(ErrOption, nil, "give mcast.WriteBuffer a size from 1 byte to 1 GiB")
		}
		c.writeBuffer = bytes
		return nil
	}
}

// Offload sets whether the kernel's segmentation offload (UDP_SEGMENT, UDP_GRO)
// is used. The default is yes where the kernel has it and is not known to corrupt
// packets with it (Linux 7.0 to 7.1.4 does on some network cards). On asks for it
// there too; off never uses it.
func Offload(on bool) Option {
	return func(c *config) error {
		c.offload = offloadOff
		if on {
			c.offload = offloadOn
		}
		return nil
	}
}

// Lean leaves unknown what is not needed to tell whether a packet is wanted:
// HopLimit, TOS and Time, and on Linux, when an IPv4 connection is bound to its one
// group, IfIndex. That saves the kernel a fifth of the work of receiving a datagram
// that comes by itself. The fields to keep are told nevertheless: congestion control that
// heeds ECN, for one, needs TOS. On systems other than Linux all are told as ever.
func Lean(keep ...Field) Option {
	return func(c *config) error {
		c.lean = true
		for _, f := range keep {
			c.keep |= f
		}
		return nil
	}
}

// A Field is one of a received packet's metadata that Lean leaves unknown.
type Field uint8

// What Lean can keep: the fields of datagram.Packet of these names.
const (
	FieldHopLimit Field = 1 << iota
	FieldTOS
	FieldTime
)

// tells reports whether a field is to be known.
func (c *config) tells(f Field) bool { return !c.lean || c.keep&f != 0 }

// Spin has ReadBatch look for packets again and again for so long, up to 100 ms, before it
// sleeps until one comes. To be woken takes some 20 µs, and more where nothing else runs
// and the processor sleeps too: spinning spares that, and keeps a processor busy instead,
// all the time if packets come more often. It is for programs that have processors to
// spare. On systems other than Linux it does nothing.
func Spin(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 || d > 100*time.Millisecond {
			return fail(ErrOption, nil, "give mcast.Spin a time from 0 to 100 ms")
		}
		c.spin = d
		return nil
	}
}

// HardwareTimestamps asks for the network card's own arrival times, in each
// packet's HardwareTime, beside the kernel's. The card must have been told to take
// them, which is for whoever keeps its clock (ptp4l, hwstamp_ctl) and applies to
// all programs; Capabilities.HardwareTimestamps says whether it was. Where it
// cannot be had, the option does nothing.
func HardwareTimestamps() Option {
	return func(c *config) error { c.hardware = true; return nil }
}

// Pacing holds what the connection sends to a rate in bits per second, IP and UDP
// headers included. Where the interface's queueing discipline is fq the kernel
// spaces packets evenly (Capabilities.KernelPacing); it is looked up when the
// connection is opened, and WriteBuffer then has no effect, because fq loses what
// waits in longer queues. Elsewhere WriteBatch and Write block: after a pause, up
// to 4 ms worth of packets may leave at once, and long runs are cut to that.
func Pacing(bitsPerSecond int64) Option {
	return func(c *config) error {
		if bitsPerSecond <= 0 {
			return fail(ErrOption, nil, "give mcast.Pacing a rate in bits per second above 0, or leave it out for no limit")
		}
		c.pacing = bitsPerSecond
		return nil
	}
}

// TransmitTimes makes a packet's Time, on sending, the time for it to leave. Zero
// or past times are now. Packets keep their order: one with an earlier time does
// not overtake. Where the interface's queueing discipline is fq or, with
// CAP_NET_ADMIN, etf on CLOCK_TAI, the kernel or the card keeps the time
// (Capabilities.KernelTransmitTime, SO_TXTIME), and WriteBatch returns up to 100 ms
// earlier; WriteBuffer then has no effect, as with Pacing. Elsewhere WriteBatch
// waits until the time, as exactly as the system wakes sleepers, some 100 µs.
func TransmitTimes() Option {
	return func(c *config) error { c.txTimes = true; return nil }
}
