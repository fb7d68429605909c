package wire

import (
	"math"
	"testing"
	"time"
)

func TestGRTT(t *testing.T) {
	for q := range 256 {
		d := GRTT(uint8(q))
		if got := QuantizeGRTT(d); int(got) != q {
			t.Errorf("code %#x is %v, which is code %#x", q, d, got)
		}
		if q > 0 && d <= GRTT(uint8(q-1)) {
			t.Errorf("code %#x is %v, not more than the one before", q, d)
		}
		// RFC 5401 section 3.7.4, UnquantizeRtt.
		want := 1000 / math.Exp(float64(255-q)/13)
		if q <= 31 {
			want = float64(q+1) * 1e-6
		}
		if got := d.Seconds(); math.Abs(got-want) > 1e-9 {
			t.Errorf("code %#x is %v, want %v s", q, d, want)
		}
	}
	for _, tt := range []struct {
		d    time.Duration
		want uint8
	}{
		{math.MinInt64, 0}, {0, 0}, {time.Microsecond, 0}, {1999, 0}, {2000, 1},
		{32 * time.Microsecond, 31}, {32999, 31}, {33 * time.Microsecond, 32},
		{1000 * time.Second, 255}, {1000*time.Second - 1, 255}, {math.MaxInt64, 255},
		{250 * time.Millisecond, 0x94}, // NRL's start, advertised as 148
		{5 * time.Millisecond, 0x61},
	} {
		if got := QuantizeGRTT(tt.d); got != tt.want {
			t.Errorf("QuantizeGRTT(%v) = %#x, want %#x", tt.d, got, tt.want)
		}
	}
	// 0x61 as captured: 5.27 ms.
	if got := GRTT(0x61).Round(10 * time.Microsecond); got != 5270*time.Microsecond {
		t.Errorf("GRTT(0x61) = %v", got)
	}
}

// The formula of RFC 5401 itself, away from its edges.
func TestGRTTFormula(t *testing.T) {
	for d := 33 * time.Microsecond; d < 1000*time.Second; d += d / 97 {
		want := uint8(math.Ceil(255 - 13*math.Log(1000/d.Seconds())))
		got := QuantizeGRTT(d)
		if got != want {
			t.Errorf("QuantizeGRTT(%v) = %#x, want %#x", d, got, want)
		}
		if GRTT(got) < d {
			t.Errorf("%v became %v: rounded down", d, GRTT(got))
		}
	}
}

func TestGroupSize(t *testing.T) {
	// RFC 5740 section 4.2.1.
	for code, want := range map[uint8]int{0: 10, 8: 50, 1: 100, 3: 10000, 0xf: 500_000_000} {
		if got := GroupSize(code); got != want {
			t.Errorf("GroupSize(%#x) = %d, want %d", code, got, want)
		}
	}
	for code := range uint8(16) {
		if got := QuantizeGroupSize(GroupSize(code)); got != code {
			t.Errorf("code %#x came back as %#x", code, got)
		}
		if GroupSize(code) != GroupSize(code|0xf0) {
			t.Errorf("the backoff changes group size %#x", code)
		}
	}
	for n, want := range map[int]int{
		-1: 10, 0: 10, 11: 50, 50: 50, 51: 100, 1001: 5000, 10000: 10000,
		500_000_000: 500_000_000, math.MaxInt32: 500_000_000,
	} {
		if got := GroupSize(QuantizeGroupSize(n)); got != want {
			t.Errorf("%d became %d, want %d", n, got, want)
		}
	}
}

func TestRate(t *testing.T) {
	for _, tt := range []struct {
		rate float64
		code uint16
	}{
		{32000, 0x51f4},  // RFC 5740 section 4.2.3.4
		{625000, 0xa005}, // as captured
		{0, 0}, {-1, 0}, {math.NaN(), 0}, {math.Inf(-1), 0},
		{1e-9, 0x0010}, // never 0, which means no rate
		{1, 0x19a0},
		{9_999_000, 0xfff6}, // where the formula of the RFC gives 0
		{1e7, 0x19a7},
		{9.99e15, 0xffcf}, {1e16, 0xffff}, {1e300, 0xffff}, {math.Inf(1), 0xffff},
	} {
		if got := QuantizeRate(tt.rate); got != tt.code {
			t.Errorf("QuantizeRate(%v) = %#04x, want %#04x", tt.rate, got, tt.code)
		}
	}
	for code := range 1 << 16 {
		r := Rate(uint16(code))
		back := QuantizeRate(r)
		m, e := code>>4, code&15
		switch {
		case m >= 410 || e == 0: // a normal mantissa, or none is possible
			if int(back) != code {
				t.Fatalf("code %#04x is %v, which is code %#04x", code, r, back)
			}
		default:
			if got := Rate(back); math.Abs(got-r) > r*1e-9 {
				t.Fatalf("code %#04x is %v, which became %v", code, r, got)
			}
		}
	}
	// Monotonic, and half a unit of the mantissa off at most; below a power
	// of ten, where the mantissa is clamped, a little more.
	last := 0.0
	for r := 0.01; r < 9.99e15; r *= 1.0007 {
		got := Rate(QuantizeRate(r))
		if got < last {
			t.Fatalf("%v became %v, less than %v", r, got, last)
		}
		unit := math.Pow(10, math.Floor(math.Log10(r))) * 10 / 4096
		if e := math.Abs(got - r); e > unit*0.501 && r >= 1 && math.Mod(math.Log10(r), 1) < 0.9999 {
			t.Fatalf("%v became %v, off by %v units", r, got, e/unit)
		}
		last = got
	}
}

func TestLoss(t *testing.T) {
	for code := range 1 << 16 {
		if got := QuantizeLoss(Loss(uint16(code))); int(got) != code {
			t.Fatalf("code %#04x came back as %#04x", code, got)
		}
	}
	for _, tt := range []struct {
		loss float64
		code uint16
	}{
		{0, 0}, {-1, 0}, {math.NaN(), 0}, {1, 0xffff}, {2, 0xffff}, {math.Inf(1), 0xffff}, {0.5, 0x7fff}, {0.05, 3276},
		{1.9 / 65535, 1}, // floor
	} {
		if got := QuantizeLoss(tt.loss); got != tt.code {
			t.Errorf("QuantizeLoss(%v) = %#04x, want %#04x", tt.loss, got, tt.code)
		}
	}
	last := uint16(0)
	for f := 0.0; f <= 1; f += 1e-6 {
		if q := QuantizeLoss(f); q < last {
			t.Fatalf("QuantizeLoss(%v) = %d after %d", f, q, last)
		} else {
			last = q
		}
	}
}

func TestTimestamp(t *testing.T) {
	a := TimestampOf(time.Unix(1_700_000_000, 123_456_789))
	if a != (Timestamp{1_700_000_000, 123456}) || a.IsZero() || !(Timestamp{}).IsZero() {
		t.Errorf("%+v", a)
	}
	for _, d := range []time.Duration{
		0, time.Microsecond, -time.Microsecond, 900 * time.Millisecond, -900 * time.Millisecond,
		time.Hour, -time.Hour, 60 * 365 * 24 * time.Hour, -60 * 365 * 24 * time.Hour,
	} {
		b := a.Add(d)
		if b.Usec >= 1e6 || b.Sub(a) != d || a.Sub(b) != -d {
			t.Errorf("%+v + %v = %+v, %v later", a, d, b, b.Sub(a))
		}
	}
	if got := (Timestamp{math.MaxUint32, 999_999}).Add(time.Microsecond); !got.IsZero() {
		t.Errorf("wrapped to %+v", got)
	}
	// A hostile peer's microseconds.
	if got := (Timestamp{0, math.MaxUint32}).Sub(Timestamp{}); got != math.MaxUint32*time.Microsecond {
		t.Error(got)
	}
	if got := (Timestamp{0, math.MaxUint32}).Add(0); got.Usec >= 1e6 {
		t.Errorf("%+v", got)
	}
}

func TestStreamHeader(t *testing.T) {
	b := unhex(`0003 0002 fffffffe | 616263`)
	h, data, err := ParseStreamHeader(append(b, 0, 0)) // decoded: padded to a segment
	if err != nil || h != (StreamHeader{3, 2, 0xfffffffe}) || string(data) != "abc" {
		t.Errorf("%+v %q %v", h, data, err)
	}
	if off, ok := h.Message(); off != 1 || !ok {
		t.Errorf("message at %d, %v", off, ok)
	}
	if _, ok := h.Control(); ok {
		t.Error("data is no control code")
	}
	if got := h.Append(nil); string(got) != string(b[:8]) {
		t.Errorf("%x", got)
	}
	for n := range b {
		if _, _, err := ParseStreamHeader(b[:n]); !truncated(err) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	h, data, err = ParseStreamHeader(unhex(`0000 0000 00000007 | 0000`))
	if code, ok := h.Control(); err != nil || code != StreamEnd || !ok || len(data) != 0 {
		t.Errorf("%+v %q %v", h, data, err)
	}
	if _, ok := h.Message(); ok {
		t.Error("a control code starts a message")
	}
	if _, _, err := ParseStreamHeader(unhex(`0001 0002 00000000 61`)); err == nil {
		t.Error("a message that starts behind the data")
	}
}
