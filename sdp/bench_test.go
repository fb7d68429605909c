package sdp_test

import (
	"testing"

	pion "github.com/pion/sdp/v3"

	"github.com/gomulticast/multicast/sdp"
)

func BenchmarkParse(b *testing.B) {
	in := []byte(aes67)
	b.Run("sdp", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sdp.Parse(in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sdp+Warnings", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d, err := sdp.Parse(in)
			if err != nil || d.Warnings() != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sdp+Channels", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d, err := sdp.Parse(in)
			if err != nil || len(d.Channels()) != 1 {
				b.Fatal(err)
			}
		}
	})
	b.Run("pion", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var d pion.SessionDescription
			if err := d.Unmarshal(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMarshal(b *testing.B) {
	d, _ := sdp.ParseString(aes67)
	e := d.Clone()
	_ = e.BumpVersion()
	var p pion.SessionDescription
	_ = p.UnmarshalString(aes67)
	buf := make([]byte, 0, 2*len(aes67))
	b.Run("sdp", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = d.AppendBinary(buf)
		}
	})
	b.Run("sdp, edited", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = e.AppendBinary(buf)
		}
	})
	b.Run("pion", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = p.Marshal()
		}
	})
}

// A description costs itself, its text and its lines, and one that is shared no text.
func TestAllocations(t *testing.T) {
	in := []byte(aes67)
	if n := testing.AllocsPerRun(100, func() { _, _ = sdp.Parse(in) }); n > 3 {
		t.Errorf("Parse: %v allocations, want 3", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = sdp.ParseString(aes67) }); n > 2 {
		t.Errorf("ParseString: %v allocations, want 2", n)
	}
	d, _ := sdp.ParseString(aes67)
	buf := make([]byte, 0, 2*len(aes67))
	if n := testing.AllocsPerRun(100, func() {
		_, _ = d.Origin()
		_ = d.Name()
		m, _ := d.MediaAt(0)
		m.RTPMap(96)
		m.PacketTime()
		m.MediaClock()
		m.RTCPUnicast()
		_ = m.Direction()
		_, _ = d.AppendBinary(buf)
		_ = d.Warnings()
	}); n != 0 {
		t.Errorf("reading: %v allocations, want 0", n)
	}
}
