package wire

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// slowSum is RFC 1071 section 1 to the letter.
func slowSum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		sum += w
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

func TestSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 200 {
		b := make([]byte, n)
		for range 50 {
			for i := range b {
				b[i] = byte(rng.Uint32())
				if rng.IntN(3) == 0 {
					b[i] = 0xff // carries
				}
			}
			if got, want := Fold(Add(0, b)), slowSum(b); got != want {
				t.Fatalf("%x: %04x, want %04x", b, got, want)
			}
			half := n / 2 &^ 1
			if got, want := Fold(Add(Add(0, b[:half]), b[half:])), slowSum(b); got != want {
				t.Fatalf("%x in two parts: %04x, want %04x", b, got, want)
			}
			// Its complement makes the sum of everything 0xffff.
			if n >= 2 {
				b[0], b[1] = 0, 0
				sum := Checksum(b)
				b[0], b[1] = byte(sum>>8), byte(sum)
				if Fold(Add(0, b)) != 0xffff {
					t.Fatalf("%x does not verify", b)
				}
			}
		}
	}
	if got := Fold(Add(^uint64(0), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1})); got != 1 {
		t.Errorf("all carries: %04x", got)
	}
}

// The example of RFC 1071 section 3.
func TestRFC1071(t *testing.T) {
	if got := Fold(Add(0, []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7})); got != 0xddf2 {
		t.Errorf("%04x", got)
	}
}

func TestSum6(t *testing.T) {
	src, dst := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::16")
	s, d := src.As16(), dst.As16()
	for n := range 100 {
		m := make([]byte, n)
		for i := range m {
			m[i] = byte(0xf0 + i)
		}
		b := append(append(s[:], d[:]...), 0, 0, 0, byte(n), 0, 0, 0, 58)
		if got, want := Sum6(src, dst, ProtoICMPv6, m), slowSum(append(b, m...)); got != want {
			t.Errorf("%d bytes: %04x, want %04x", n, got, want)
		}
	}
	if Sum6(src.WithZone("eth0"), dst, 1, nil) != Sum6(src, dst, 1, nil) {
		t.Error("a zone counts")
	}
}
