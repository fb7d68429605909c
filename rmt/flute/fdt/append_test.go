package fdt

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// What is appended is parsed as it was meant.
func TestAppend(t *testing.T) {
	for _, tt := range documents {
		b, err := tt.want.Append([]byte("before"), RFC6726)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got, err := Parse(b[6:], Limits{})
		if err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, b)
			continue
		}
		want := tt.want
		if want.Namespace == "" {
			want.Namespace = Namespace2005
		}
		if !reflect.DeepEqual(got, &want) {
			t.Errorf("%s\n got %+v\nwant %+v\n%s", tt.name, got, &want, b)
		}
	}
}

// The OTI is complete at both levels, unless a file has none.
func TestAppendOTI(t *testing.T) {
	o := OTI{EncodingID: 5, HasEncodingID: true, SymbolSize: 1400, HasSymbolSize: true, MaxBlockLen: 64, HasMaxBlockLen: true, MaxSymbols: 80, HasMaxSymbols: true}
	in := Instance{Expires: 1, Files: []File{{TOI: toi(1), ContentLocation: "a", Common: Common{OTI: o}}}}
	const attrs = ` FEC-OTI-FEC-Encoding-ID="5" FEC-OTI-Maximum-Source-Block-Length="64" FEC-OTI-Encoding-Symbol-Length="1400" FEC-OTI-Max-Number-of-Encoding-Symbols="80"`
	want := `<?xml version="1.0" encoding="UTF-8"?>
<FDT-Instance xmlns="urn:IETF:metadata:2005:FLUTE:FDT" Expires="1"` + attrs + `>
<File Content-Location="a" TOI="1"` + attrs + `/>
</FDT-Instance>
`
	b, err := in.Append(nil, RFC6726)
	if err != nil || string(b) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b, want)
	}
	in.Files = append(in.Files, File{TOI: toi(2), ContentLocation: "b"})
	if b, err = in.Append(nil, RFC6726); err != nil || strings.Count(string(b), "Encoding-ID") != 1 {
		t.Errorf("%v\n%s", err, b)
	}
}

func TestAppendBad(t *testing.T) {
	with := func(f File) Instance { return Instance{Files: []File{f}} }
	ok := File{TOI: toi(1), ContentLocation: "a"}
	for _, tt := range []struct {
		name string
		in   Instance
		p    Profile
		want error
	}{
		{"no TOI", with(File{ContentLocation: "a"}), RFC6726, ErrAttribute},
		{"no location", with(File{TOI: toi(1)}), RFC6726, ErrAttribute},
		{"a control character", with(File{TOI: toi(1), ContentLocation: "a\x00"}), RFC6726, ErrAttribute},
		{"not UTF-8", with(File{TOI: toi(1), ContentLocation: "a\xff"}), RFC6726, ErrAttribute},
		{"a group", Instance{Common: Common{Groups: []string{"\x1b"}}}, RFC6726, ErrAttribute},
		{"cache mode", with(File{TOI: toi(1), ContentLocation: "a", CacheControl: CacheControl{Mode: 9}}), RFC6726, ErrAttribute},
		{"encoded with MBMS", with(File{TOI: toi(1), ContentLocation: "a", Common: Common{ContentEncoding: "gzip"}}), MBMS, ErrProfile},
		{"another length with MBMS", with(File{TOI: toi(1), ContentLocation: "a", TransferLength: 5, HasTransferLength: true}), MBMS, ErrProfile},
		{"RaptorQ with MBMS", with(File{TOI: toi(1), ContentLocation: "a", Common: Common{OTI: OTI{EncodingID: 6, HasEncodingID: true}}}), MBMS, ErrProfile},
	} {
		if b, err := tt.in.Append([]byte("x"), tt.p); !errors.Is(err, tt.want) || string(b) != "x" {
			t.Errorf("%s: %v, %q", tt.name, err, b)
		}
	}
	ok.ContentLength, ok.HasContentLength, ok.TransferLength, ok.HasTransferLength = 5, true, 5, true
	in := with(ok)
	b, err := in.Append(nil, MBMS)
	if err != nil || strings.Contains(string(b), "Transfer-Length") {
		t.Errorf("MBMS: %v\n%s", err, b)
	}
}

func TestProfile(t *testing.T) {
	for p, version := range map[Profile]uint8{RFC6726: 2, RFC3926: 1, MBMS: 1} {
		if got, err := ParseProfile(p.String()); err != nil || got != p || p.Version() != version {
			t.Errorf("%v: %v, %v, version %d", p, got, err, p.Version())
		}
	}
	if _, err := ParseProfile("flute"); err == nil {
		t.Error("profile flute")
	}
}
