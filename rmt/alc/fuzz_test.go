package alc

import (
	"bytes"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// What is parsed can be appended, and is then parsed the same.
func FuzzParse(f *testing.F) {
	for _, tt := range vectors {
		f.Add(packet(tt.codepoint, tt.id+"aabbcc"))
	}
	f.Add(unhex("10 10 08 00 00000000 0007 0001 c0200001 40 04 000000000100 0000 0040 00000040 00000000 aabb"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q Packet
		if (Codec{}).Parse(b, &p) != nil {
			return
		}
		_, _, _ = p.FTI(fec.EncodingID(p.Codepoint))
		out, err := Codec{}.Append(nil, &p)
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		if err := (Codec{}).Parse(out, &q); err != nil {
			t.Fatal(err)
		}
		if q.ID != p.ID || q.HasPayload != p.HasPayload || !bytes.Equal(q.Symbols, p.Symbols) || q.TSI != p.TSI || q.TOI != p.TOI {
			t.Fatalf("%+v\nis now\n%+v", p, q)
		}
		for f := range 256 {
			_ = q.Reparse(fec.PayloadIDFormat(f))
		}
	})
}
