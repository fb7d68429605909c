package wire

import (
	"encoding/binary"
	"time"
)

// A Timestamp is a point in time of the sender's choosing, in the send_time of
// CMD(CC) and, moved on by the time a receiver held it, in the grtt_response of
// NACK and ACK (RFC 5740 sections 4.2.3.4 and 4.3.1). Zero in a response means
// that the receiver has not seen a CMD(CC) yet.
type Timestamp struct {
	Sec  uint32
	Usec uint32 // 0 to 999999 if the peer is sane
}

// TimestampOf returns t as the usual Timestamp: the time since 1970.
func TimestampOf(t time.Time) Timestamp {
	return Timestamp{Sec: uint32(t.Unix()), Usec: uint32(t.Nanosecond() / 1000)}
}

// IsZero reports whether t is the zero Timestamp.
func (t Timestamp) IsZero() bool { return t == Timestamp{} }

// Add returns t moved by d, cut to a microsecond.
func (t Timestamp) Add(d time.Duration) Timestamp {
	us := int64(t.Usec) + int64(d/time.Microsecond)
	sec := us / 1e6
	if us %= 1e6; us < 0 {
		us += 1e6
		sec--
	}
	return Timestamp{Sec: t.Sec + uint32(sec), Usec: uint32(us)}
}

// Sub returns the time from u to t. The seconds wrap, so it is right for times
// less than 68 years apart.
func (t Timestamp) Sub(u Timestamp) time.Duration {
	return time.Duration(int32(t.Sec-u.Sec))*time.Second +
		time.Duration(int64(t.Usec)-int64(u.Usec))*time.Microsecond
}

func parseTimestamp(b []byte) Timestamp {
	return Timestamp{Sec: binary.BigEndian.Uint32(b), Usec: binary.BigEndian.Uint32(b[4:])}
}

func (t Timestamp) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, t.Sec), t.Usec)
}
