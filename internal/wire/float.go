package wire

// Code8 returns the value of an 8-bit timer code: itself below 128, otherwise a
// floating-point number with 3 bits of exponent and 4 of mantissa, up to 31,744
// (RFC 3376 sections 4.1.1 and 4.1.7, RFC 3810 section 5.1.9).
func Code8(code uint8) uint32 {
	if code < 0x80 {
		return uint32(code)
	}
	return uint32(code&0x0f|0x10) << (code>>4&7 + 3)
}

// ToCode8 returns the code of the largest value that is not above v.
func ToCode8(v uint64) uint8 {
	if v < 0x80 {
		return uint8(v)
	}
	for exp := uint8(0); exp < 8; exp++ {
		if m := v >> (exp + 3); m < 0x20 {
			return 0x80 | exp<<4 | uint8(m&0x0f)
		}
	}
	return 0xff
}

// Code16 returns the value of a 16-bit timer code: itself below 32,768, otherwise a
// floating-point number with 3 bits of exponent and 12 of mantissa, up to 8,387,584
// (RFC 3810 section 5.1.3).
func Code16(code uint16) uint32 {
	if code < 0x8000 {
		return uint32(code)
	}
	return uint32(code&0x0fff|0x1000) << (code>>12&7 + 3)
}

// ToCode16 returns the code of the largest value that is not above v.
func ToCode16(v uint64) uint16 {
	if v < 0x8000 {
		return uint16(v)
	}
	for exp := uint16(0); exp < 8; exp++ {
		if m := v >> (exp + 3); m < 0x2000 {
			return 0x8000 | exp<<12 | uint16(m&0x0fff)
		}
	}
	return 0xffff
}
