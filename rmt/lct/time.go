package lct

import (
	"encoding/binary"
	"time"
)

// Flags of the field "Use" of EXT_TIME (RFC 5651 section 5.2.2).
const (
	useSCTHigh = 1 << 15
	useSCTLow  = 1 << 14
	useERT     = 1 << 13
	useSLC     = 1 << 12
)

// Time is the content of EXT_TIME (RFC 5651 section 5.2.2): what the sender's clock
// says.
type Time struct {
	// SCT is the Sender Current Time. Without HasSCTLow its fraction is 0, and
	// not on the wire.
	SCT                   NTP
	HasSCTHigh, HasSCTLow bool

	// ERT is the Expected Residual Time of the packet's object in seconds.
	ERT    uint32
	HasERT bool

	// SLC is the Session Last Changed time in NTP seconds.
	SLC    uint32
	HasSLC bool

	// Specific are the eight flags for the protocol on top.
	Specific uint8
}

// ParseTime reads the content of EXT_TIME. Words that are promised but not there are
// left out, and words behind those known are ignored, so that a sender that counts
// otherwise does no harm. The error is ErrExtension: no field "Use".
func ParseTime(content []byte) (Time, error) {
	if len(content) < 2 {
		return Time{}, ErrExtension
	}
	use, b := binary.BigEndian.Uint16(content), content[2:]
	t := Time{Specific: uint8(use)}
	next := func(flag uint16) (v uint32, ok bool) {
		if use&flag == 0 || len(b) < 4 {
			return 0, false
		}
		v, b = binary.BigEndian.Uint32(b), b[4:]
		return v, true
	}
	var hi, lo uint32
	hi, t.HasSCTHigh = next(useSCTHigh)
	lo, t.HasSCTLow = next(useSCTLow)
	t.ERT, t.HasERT = next(useERT)
	t.SLC, t.HasSLC = next(useSLC)
	t.SCT = NTP(hi)<<32 | NTP(lo)
	return t, nil
}

// AppendTime appends EXT_TIME.
func AppendTime(dst []byte, t Time) []byte {
	start := len(dst)
	use := uint16(t.Specific)
	dst = append(BeginExtension(dst, ExtTime), 0, 0)
	word := func(has bool, flag uint16, v uint32) {
		if has {
			use |= flag
			dst = binary.BigEndian.AppendUint32(dst, v)
		}
	}
	word(t.HasSCTHigh, useSCTHigh, uint32(t.SCT>>32))
	word(t.HasSCTLow, useSCTLow, uint32(t.SCT))
	word(t.HasERT, useERT, t.ERT)
	word(t.HasSLC, useSLC, t.SLC)
	binary.BigEndian.PutUint16(dst[start+2:], use)
	dst, _ = EndExtension(dst, start) // at most 20 bytes
	return dst
}

// NTP is a 64-bit NTP timestamp: seconds since 1900 of the era in the upper, their
// fraction in the lower 32 bits (RFC 5905 section 6).
type NTP uint64

// NTPTime returns t as an NTP timestamp, whose era is lost.
func NTPTime(t time.Time) NTP {
	return NTP(uint32(t.Unix()+ntpUnix))<<32 | NTP(uint64(t.Nanosecond())<<32/1e9)
}

// ntpUnix is the Unix epoch in seconds of NTP's.
const ntpUnix = 2208988800

// Seconds returns the upper 32 bits, as FDT Instances have it.
func (n NTP) Seconds() uint32 { return uint32(n >> 32) }

// Time returns the time in UTC that n means: of all eras that which is nearest to the
// time near, at most 68 years away. So the wraparound in 2036 does no harm.
func (n NTP) Time(near time.Time) time.Time {
	sec := near.Unix() + int64(int32(n.Seconds()-uint32(near.Unix()+ntpUnix)))
	return time.Unix(sec, int64(uint64(uint32(n))*1e9>>32)).UTC()
}
