package lct

import (
	"bytes"
	"testing"
)

// What is parsed can be appended, and is then parsed the same; the walk ends.
func FuzzParse(f *testing.F) {
	for _, tt := range vectors {
		f.Add(unhex(tt.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, g Header
		if Parse(b, &h) != nil {
			return
		}
		total := 0
		for x := h.Extensions; ; total++ {
			u, c, ok := x.Next()
			if !ok {
				if len(x) != 0 {
					t.Fatalf("the walk stops before %x", []byte(x))
				}
				break
			}
			switch u {
			case ExtTime:
				if tm, err := ParseTime(c); err == nil {
					_ = AppendTime(nil, tm)
				}
			case ExtAuth:
				_, _ = ParseAuth(c)
			case ExtFDT:
				if v, err := ParseFDT(c); err != nil || v.InstanceID > MaxInstanceID {
					t.Fatal(v, err)
				}
			case ExtCENC:
				if _, err := ParseCENC(c); err != nil {
					t.Fatal(err)
				}
			}
		}
		if total > MaxHeaderLen/4 {
			t.Fatalf("%d extensions", total)
		}
		out, err := h.Append(nil)
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		if err := Parse(out, &g); err != nil {
			t.Fatal(err)
		}
		// The reserved bits are not kept.
		want := bytes.Clone(b[:h.Len])
		if !h.HasSCT && !h.HasERT {
			want[1] &^= flagT | flagR
		}
		if !bytes.Equal(out, want) {
			t.Fatalf("%x\nis now\n%x", want, out)
		}
		if u, err := ParseTOI(h.TOI.String()); err != nil || u != h.TOI {
			t.Fatal(u, err)
		}
	})
}
