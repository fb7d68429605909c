package mld

import (
	"testing"
	"time"
)

// All codes both ways. Version 1 counts plainly, version 2 in floating point.
func TestMaxResp(t *testing.T) {
	for c := range 65536 {
		code := uint16(c)
		if got, want := MaxResp(1, code), time.Duration(c)*time.Millisecond; got != want {
			t.Fatalf("v1 code %#x: %v", c, got)
		}
		if got := MaxRespCode(1, MaxResp(1, code)); got != code {
			t.Fatalf("v1 code %#x comes back as %#x", c, got)
		}
		want := time.Duration(c) * time.Millisecond
		if c >= 32768 {
			want = time.Duration(c&0xfff|0x1000) << (c>>12&7 + 3) * time.Millisecond
		}
		if got := MaxResp(2, code); got != want {
			t.Fatalf("v2 code %#x: %v", c, got)
		}
		if got := MaxRespCode(2, MaxResp(2, code)); got != code {
			t.Fatalf("v2 code %#x comes back as %#x", c, got)
		}
	}
	for c := range 256 {
		if got := QueryIntervalCode(QueryInterval(uint8(c))); got != uint8(c) {
			t.Errorf("QQIC %#x comes back as %#x", c, got)
		}
	}
	if MaxResp(2, 0xffff) != MaxResp2Max || MaxResp(1, 0xffff) != MaxResp1Max || QueryInterval(0xff) != QueryIntervalMax {
		t.Error("the largest are not the largest")
	}
	if QueryInterval(0x8a) != 208*time.Second {
		t.Error(QueryInterval(0x8a))
	}
}

func TestRounding(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		version uint8
		d       time.Duration
		want    uint16
	}{
		{1, 0, 0}, {1, -1, 0}, {1, 1, 1}, {1, 1999 * time.Microsecond, 1}, {1, time.Hour, 65535},
		{2, 0, 0}, {2, -1, 0}, {2, 1, 1}, {2, 10 * time.Second, 10000}, {2, 32767 * ms, 32767},
		{2, 32768 * ms, 0x8000}, {2, 32775 * ms, 0x8000}, {2, 32776 * ms, 0x8001}, {2, 24 * time.Hour, 65535},
	} {
		if got := MaxRespCode(tt.version, tt.d); got != tt.want {
			t.Errorf("v%d, %v: %#x, want %#x", tt.version, tt.d, got, tt.want)
		}
	}
	for d, want := range map[time.Duration]uint8{0: 0, -1: 0, 1: 1, 125 * time.Second: 125, 140 * time.Second: 0x81, 1 << 62: 255} {
		if got := QueryIntervalCode(d); got != want {
			t.Errorf("%v: %#x, want %#x", d, got, want)
		}
	}
	q := Query{Version: 2}
	q.SetMaxResp(10 * time.Second)
	q.SetInterval(125 * time.Second)
	if q.Code != 10000 || q.IntervalCode != 125 || q.MaxResp() != 10*time.Second || q.Interval() != 125*time.Second {
		t.Errorf("%+v", q)
	}
	// RFC 3810 section 5.1.10 has 89 sources in an Ethernet frame.
	if MaxSources(1500-HeaderLen) != 89 || MaxSources(0) != 0 || MaxSources(1<<21) != 65535 {
		t.Error(MaxSources(1500 - HeaderLen))
	}
}
