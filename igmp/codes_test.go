package igmp

import (
	"testing"
	"time"
)

// All codes both ways. Version 2 counts plainly, version 3 in floating point.
func TestMaxResp(t *testing.T) {
	for c := range 256 {
		code := uint8(c)
		if got, want := MaxResp(2, code), time.Duration(c)*100*time.Millisecond; got != want {
			t.Errorf("v2 code %#x: %v", c, got)
		}
		if c > 0 && MaxRespCode(2, MaxResp(2, code)) != code {
			t.Errorf("v2 code %#x does not come back", c)
		}
		if got := MaxRespCode(3, MaxResp(3, code)); got != code {
			t.Errorf("v3 code %#x comes back as %#x", c, got)
		}
		if got := QueryIntervalCode(QueryInterval(code)); got != code {
			t.Errorf("QQIC %#x comes back as %#x", c, got)
		}
		if QueryInterval(code) != 10*MaxResp(3, code) {
			t.Errorf("QQIC %#x: not the same in seconds", c)
		}
		if MaxResp(1, code) != MaxResp1 {
			t.Error("version 1 has a code")
		}
	}
	// These are the ones that gopacket reads as 0 s, 0 s and 12.5 s.
	if MaxResp(3, 0x8a) != 20800*time.Millisecond || MaxResp(3, 0xff) != 3174400*time.Millisecond || QueryInterval(125) != 125*time.Second {
		t.Error(MaxResp(3, 0x8a), MaxResp(3, 0xff), QueryInterval(125))
	}
	if MaxResp(3, 0xff) != MaxResp3Max || MaxResp(2, 0xff) != MaxResp2Max || QueryInterval(0xff) != QueryIntervalMax {
		t.Error("the largest are not the largest")
	}
	// tcpdump's igmpv3-queries.out has 51m12s for this.
	if MaxResp(3, 0xfe) != 51*time.Minute+12*time.Second {
		t.Error(MaxResp(3, 0xfe))
	}
}

func TestRounding(t *testing.T) {
	for _, tt := range []struct {
		version uint8
		d       time.Duration
		want    uint8
	}{
		{1, time.Hour, 0},
		{2, 0, 0}, {2, -1, 0}, {2, 1, 1}, {2, 199 * time.Millisecond, 1}, {2, 25 * time.Second, 250}, {2, time.Hour, 255},
		{3, 0, 0}, {3, -1, 0}, {3, 1, 1}, {3, 12700 * time.Millisecond, 127}, {3, 12799 * time.Millisecond, 127},
		{3, 12800 * time.Millisecond, 0x80}, {3, 13599 * time.Millisecond, 0x80}, {3, 13600 * time.Millisecond, 0x81},
		{3, 24 * time.Hour, 255},
	} {
		if got := MaxRespCode(tt.version, tt.d); got != tt.want {
			t.Errorf("v%d, %v: %#x, want %#x", tt.version, tt.d, got, tt.want)
		}
	}
	for d, want := range map[time.Duration]uint8{0: 0, -1: 0, 1: 1, 1999 * time.Millisecond: 1, 125 * time.Second: 125, 140 * time.Second: 0x81, 1 << 62: 255} {
		if got := QueryIntervalCode(d); got != want {
			t.Errorf("%v: %#x, want %#x", d, got, want)
		}
	}
	q := Query{Version: 3}
	q.SetMaxResp(10 * time.Second)
	q.SetInterval(125 * time.Second)
	if q.Code != 100 || q.IntervalCode != 125 || q.MaxResp() != 10*time.Second || q.Interval() != 125*time.Second {
		t.Errorf("%+v", q)
	}
	if MaxSources(1476) != 366 || MaxSources(0) != 0 || MaxSources(1<<20) != 65535 {
		t.Error("RFC 3376 section 4.1.8 has 366 sources in an Ethernet frame")
	}
}
