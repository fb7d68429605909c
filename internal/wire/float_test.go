package wire

import (
	"math/rand/v2"
	"testing"
)

// All 256 codes both ways, and every value there is.
func TestCode8(t *testing.T) {
	last := -1
	for c := range 256 {
		v := Code8(uint8(c))
		want := uint32(c)
		if c >= 128 { // RFC 3376 section 4.1.1, bit by bit
			mant, exp := uint32(c&15), uint32(c>>4&7)
			want = (mant | 0x10) << (exp + 3)
		}
		if v != want {
			t.Errorf("code %#x is %d, want %d", c, v, want)
		}
		if int(v) <= last {
			t.Errorf("code %#x is %d, not more than the one before", c, v)
		}
		last = int(v)
		if back := ToCode8(uint64(v)); back != uint8(c) {
			t.Errorf("code %#x is %d, whose code is %#x", c, v, back)
		}
	}
	code := 0
	for v := range uint64(40000) {
		for code < 255 && uint64(Code8(uint8(code+1))) <= v {
			code++
		}
		if got := ToCode8(v); got != uint8(code) {
			t.Fatalf("the code of %d is %#x, want %#x", v, got, code)
		}
	}
	// What other decoders get wrong: exponent and mantissa swapped, the
	// implied bit forgotten, too few bits to shift in.
	for c, want := range map[uint8]uint32{0x7f: 127, 0x80: 128, 0x8a: 208, 0x8f: 248, 0x90: 256, 0xfe: 30720, 0xff: 31744} {
		if got := Code8(c); got != want {
			t.Errorf("code %#x is %d, want %d", c, got, want)
		}
	}
	if ToCode8(1<<63) != 0xff {
		t.Error("too large values are not the largest")
	}
}

// All 65,536 codes both ways, and values between.
func TestCode16(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	last := -1
	for c := range 65536 {
		v := Code16(uint16(c))
		want := uint32(c)
		if c >= 32768 { // RFC 3810 section 5.1.3
			mant, exp := uint32(c&0xfff), uint32(c>>12&7)
			want = (mant | 0x1000) << (exp + 3)
		}
		if v != want {
			t.Fatalf("code %#x is %d, want %d", c, v, want)
		}
		if int(v) <= last {
			t.Fatalf("code %#x is %d, not more than the one before", c, v)
		}
		if c > 0 {
			for _, between := range []int{last, int(v) - 1, last + rng.IntN(int(v)-last)} {
				if got := ToCode16(uint64(between)); got != uint16(c-1) {
					t.Fatalf("the code of %d is %#x, want %#x", between, got, c-1)
				}
			}
		}
		last = int(v)
		if back := ToCode16(uint64(v)); back != uint16(c) {
			t.Fatalf("code %#x is %d, whose code is %#x", c, v, back)
		}
	}
	if last != 8387584 || ToCode16(1<<63) != 0xffff {
		t.Error("the largest code is", last)
	}
}
