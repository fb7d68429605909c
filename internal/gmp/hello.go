package gmp

import (
	"encoding/binary"
	"time"
)

// ProtoPIM is the protocol number of PIM (RFC 7761 section 4.9).
const ProtoPIM = 103

// PIM hellos (RFC 7761 sections 4.9.2 and 4.11).
const (
	pimVersionHello = 2 << 4 // version 2, type 0
	pimHoldtime     = 1
	pimForever      = 0xffff
	pimDefaultHold  = 105 * time.Second
)

// forever is what a KindRouter message says that names no end.
const forever = time.Duration(1<<63 - 1)

// PIMHello reads a PIM message whose checksum was verified. It returns how long the
// sender shall be taken for a neighbor, 0 for one that says goodbye, and false for what
// is no hello of version 2, or a malformed one.
func PIMHello(b []byte) (hold time.Duration, ok bool) {
	if len(b) < 4 || b[0] != pimVersionHello {
		return 0, false
	}
	hold = pimDefaultHold
	for b = b[4:]; len(b) > 0; {
		if len(b) < 4 {
			return 0, false
		}
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; n > len(b) {
			return 0, false
		}
		if kind == pimHoldtime {
			if n != 2 {
				return 0, false
			}
			if hold = time.Duration(binary.BigEndian.Uint16(b)) * time.Second; hold == pimForever*time.Second {
				hold = forever
			}
		}
		b = b[n:]
	}
	return hold, true
}

// AdvertisedHold returns how long a router lives by its advertisement, from the
// interval between them in seconds that it tells: three times that and its jitter (RFC
// 4286 sections 3.1.2 and 3.1.5).
func AdvertisedHold(interval uint8) time.Duration {
	const least = 4 // section 3.1.1
	return time.Duration(max(interval, least)) * 3 * 1025 * time.Millisecond
}
