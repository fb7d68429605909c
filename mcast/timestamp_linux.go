package mcast

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// timestamps asks for arrival times and reports which will come. The NEW forms have
// 64-bit seconds on 32-bit machines too; they came in 5.1.
func (o *options) timestamps(cfg *config) (kernel, hardware bool) {
	if cfg.hardware {
		const both = unix.SOF_TIMESTAMPING_RX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE |
			unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
		if o.try(unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, both, "SO_TIMESTAMPING_NEW") ||
			o.try(unix.SOL_SOCKET, unix.SO_TIMESTAMPING, both, "SO_TIMESTAMPING") {
			card, err := unix.IoctlGetHwTstamp(o.fd, cfg.ifi.Name)
			return true, err == nil && card.Rx_filter != unix.HWTSTAMP_FILTER_NONE
		}
	}
	if !cfg.tells(FieldTime) {
		return false, false
	}
	return o.try(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1, "SO_TIMESTAMPNS_NEW") ||
		o.try(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS"), false
}

// timestamping reads struct scm_timestamping: three times, of which the first is the
// kernel's, the second always zero and the third the card's. Each is a timespec.
func (a *arrival) timestamping(d []byte) {
	n := len(d) / 3
	a.time, a.hardware = timespec(d[:n]), timespec(d[2*n:])
}

// timespec reads two 64-bit or, in the old forms on 32-bit machines, two 32-bit
// numbers. Zero is unknown.
func timespec(d []byte) time.Time {
	var sec, nsec int64
	switch {
	case len(d) >= 16:
		sec = int64(binary.NativeEndian.Uint64(d))
		nsec = int64(binary.NativeEndian.Uint64(d[8:]))
	case len(d) >= 8:
		sec = int64(int32(binary.NativeEndian.Uint32(d)))
		nsec = int64(int32(binary.NativeEndian.Uint32(d[4:])))
	}
	if sec == 0 && nsec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, nsec)
}
