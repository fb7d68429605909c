package lct

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestTOI(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		u := TOI{Hi: r.Uint64() & MaxTOI.Hi >> r.IntN(65), Lo: r.Uint64() >> r.IntN(65)}
		b := new(big.Int).Lsh(new(big.Int).SetUint64(u.Hi), 64)
		b.Or(b, new(big.Int).SetUint64(u.Lo))
		if u.String() != b.String() || u.Len() != b.BitLen() {
			t.Fatalf("%x %x is %v (%d bits), want %v (%d)", u.Hi, u.Lo, u, u.Len(), b, b.BitLen())
		}
		if back, err := ParseTOI(u.String()); err != nil || back != u {
			t.Fatalf("%v: %v, %v", u, back, err)
		}
		if u != MaxTOI {
			if n, _ := new(big.Int).SetString(u.Next().String(), 10); n.Cmp(b.Add(b, big.NewInt(1))) != 0 {
				t.Fatalf("after %v comes %v", u, n)
			}
			if u.Compare(u.Next()) != -1 || u.Next().Compare(u) != 1 || u.Compare(u) != 0 {
				t.Fatalf("%v compares wrong", u)
			}
		}
	}
	const maximum = "5192296858534827628530496329220095" // 2^112 - 1
	if MaxTOI.String() != maximum || !MaxTOI.Next().IsZero() {
		t.Errorf("MaxTOI is %v, then %v", MaxTOI, MaxTOI.Next())
	}
	if u, err := ParseTOI("000" + maximum); err != nil || u != MaxTOI {
		t.Errorf("%v, %v", u, err)
	}
	for _, s := range []string{"", "-1", "+1", " 1", "1 ", "0x1", "5192296858534827628530496329220096", maximum + "0", "99999999999999999999999999999999999999999999999999"} {
		if u, err := ParseTOI(s); !errors.Is(err, ErrTOI) {
			t.Errorf("%q: %v, %v", s, u, err)
		}
	}
	if v, ok := (TOI{Hi: 1}).Uint64(); ok {
		t.Errorf("2^64 is %d", v)
	}
}
