package wire

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Add returns sum with the 16-bit words of b added in one's complement arithmetic,
// for [Fold]. An odd last byte counts as if a zero followed (RFC 1071 section 1),
// so only the last of several slices may have an odd length.
func Add(sum uint64, b []byte) uint64 {
	var carry uint64
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	if len(b) > 0 {
		sum, carry = bits.Add64(sum, tail(b), carry)
	}
	sum, carry = bits.Add64(sum, 0, carry)
	return sum + carry
}

// tail returns up to seven bytes as the beginning of a word.
func tail(b []byte) (last uint64) {
	if len(b) >= 4 {
		last = uint64(binary.BigEndian.Uint32(b)) << 32
		b = b[4:]
		switch len(b) {
		case 1:
			last |= uint64(b[0]) << 24
		case 2:
			last |= uint64(binary.BigEndian.Uint16(b)) << 16
		case 3:
			last |= uint64(binary.BigEndian.Uint16(b))<<16 | uint64(b[2])<<8
		}
		return last
	}
	switch len(b) {
	case 1:
		last = uint64(b[0]) << 56
	case 2:
		last = uint64(binary.BigEndian.Uint16(b)) << 48
	case 3:
		last = uint64(binary.BigEndian.Uint16(b))<<48 | uint64(b[2])<<40
	}
	return last
}

// Fold returns the 16 bits of a sum. Over data that contains its own checksum
// they are 0xffff (RFC 1071 section 1); over data in which the checksum is still
// zero, their complement is the checksum.
func Fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// Checksum returns the Internet checksum of b (RFC 1071), in which the field for it
// is zero.
func Checksum(b []byte) uint16 { return ^Fold(Add(0, b)) }

// Sum6 returns the sum, as of [Fold], of an upper-layer message b in an IPv6 packet
// and its pseudo-header (RFC 8200 section 8.1). Zones do not count.
func Sum6(src, dst netip.Addr, next uint8, b []byte) uint16 {
	s, d := src.As16(), dst.As16()
	// The two sums do not wait for each other: getting at the bytes of the
	// addresses takes about as long as adding up the message.
	message := Add(uint64(len(b))+uint64(next), b)
	sum, carry := bits.Add64(binary.BigEndian.Uint64(s[:8]), binary.BigEndian.Uint64(s[8:]), 0)
	sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[:8]), carry)
	sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[8:]), carry)
	sum, carry = bits.Add64(sum, message, carry)
	sum, carry = bits.Add64(sum, 0, carry)
	return Fold(sum + carry)
}
