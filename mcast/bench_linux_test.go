package mcast

import (
	"testing"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// Both ways over lo, 64 datagrams of 1400 bytes at a time; b.N counts datagrams.
func BenchmarkLoopback(b *testing.B) {
	run := []datagram.Packet{{Data: make([]byte, 46*1400), SegSize: 1400}, {Data: make([]byte, 18*1400), SegSize: 1400}}
	for _, tt := range []struct {
		name string
		out  []datagram.Packet
		in   int
		opts []Option
	}{
		{"single", spaces(64, 1400), 1500, []Option{Offload(false)}},
		{"gathered", spaces(64, 1400), 1500, nil},
		{"gathered-coalesced", spaces(64, 1400), OffloadSpace, nil},
		{"run-coalesced", run, OffloadSpace, nil},
	} {
		b.Run(tt.name, func(b *testing.B) {
			cfg := defaults()
			cfg.join, cfg.send = true, true
			c, err := openConn(b.Context(), loAddr("239.255.9.9"), append(tt.opts, onLo), &cfg, openSocket)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			in := spaces(64, tt.in)
			b.SetBytes(1400)
			b.ReportAllocs()
			for i := 0; i < b.N; i += 64 {
				if _, err := c.WriteBatch(tt.out); err != nil {
					b.Fatal(err)
				}
				for got := 0; got < 64; {
					n, err := c.ReadBatch(in)
					if err != nil {
						b.Fatal(err)
					}
					for j := range in[:n] {
						got += in[j].Segments()
					}
				}
			}
		})
	}
}
