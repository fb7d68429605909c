package fdt

import (
	"reflect"
	"strings"
	"testing"
)

// What is parsed and can be appended is then parsed the same.
func FuzzParse(f *testing.F) {
	for _, tt := range documents {
		f.Add([]byte(tt.xml))
	}
	// Bombs: entities, attributes, depth, text, files, namespaces.
	f.Add([]byte(`<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]><FDT-Instance Expires="&lol2;"/>`))
	f.Add([]byte(`<FDT-Instance Expires="1"` + strings.Repeat(` a=""`, 100) + `/>`))
	f.Add([]byte(strings.Repeat(`<FDT-Instance Expires="1">`, 100)))
	f.Add([]byte(`<FDT-Instance Expires="1"><Group>` + strings.Repeat("&#x41;", 2000) + `</Group></FDT-Instance>`))
	f.Add([]byte(`<FDT-Instance Expires="1">` + strings.Repeat(`<File TOI="1" Content-Location="a"/>`, 100) + `</FDT-Instance>`))
	limits := Limits{Bytes: 64 << 10, Files: 50}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := Parse(b, limits)
		if err != nil {
			if in != nil {
				t.Fatal("an instance and", err)
			}
			return
		}
		if len(in.Files) > 50 {
			t.Fatalf("%d files", len(in.Files))
		}
		for i := range in.Files {
			_, _ = in.Files[i].Path()
			_, _ = in.Files[i].OTI.FEC(1)
		}
		out, err := in.Append(nil, RFC6726)
		if err != nil {
			return // such as text with a control character
		}
		again, err := Parse(out, Limits{Bytes: 64 << 20, Attributes: 1000, Text: 1 << 20, Groups: 1000})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if in.Namespace == "" {
			in.Namespace = Namespace2005
		}
		if len(in.Files) > 0 && in.OTI == (OTI{}) {
			again.OTI = OTI{} // it is that of the first file
		}
		if !reflect.DeepEqual(in, again) {
			t.Fatalf("%+v\nis now\n%+v\n%s", in, again, out)
		}
	})
}
