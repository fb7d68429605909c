package datagram

import "testing"

func TestTOS(t *testing.T) {
	for _, tt := range []struct{ tos, dscp, ecn uint8 }{{0, 0, 0}, {0xb8, 46, 0}, {0xb9, 46, 1}, {0xff, 63, 3}, {2, 0, 2}} {
		p := Packet{TOS: tt.tos}
		if p.DSCP() != tt.dscp || p.ECN() != tt.ecn {
			t.Errorf("TOS %#x: DSCP %d, ECN %d; want %d, %d", tt.tos, p.DSCP(), p.ECN(), tt.dscp, tt.ecn)
		}
	}
}

func TestSegments(t *testing.T) {
	for _, tt := range []struct{ bytes, size, want int }{{0, 0, 1}, {0, 5, 1}, {5, 5, 1}, {6, 5, 2}, {10, 5, 2}, {11, 5, 3}, {3, -1, 1}} {
		p := Packet{Data: make([]byte, tt.bytes), SegSize: tt.size}
		if got := p.Segments(); got != tt.want {
			t.Errorf("%d bytes in segments of %d: %d, want %d", tt.bytes, tt.size, got, tt.want)
		}
	}
}
