package fdt

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

func manyFiles(tb testing.TB, n int) Instance {
	oti, err := NewOTI(&fec.OTI{EncodingID: fec.ReedSolomonGF8, SymbolSize: 1400, MaxBlockLen: 64, Parity: 16})
	if err != nil {
		tb.Fatal(err)
	}
	var in Instance
	for i := range n {
		in.Files = append(in.Files, File{
			TOI: toi(uint64(i + 1)), ContentLocation: fmt.Sprintf("http://example.com/files/%d.bin", i), ContentLength: 5000, HasContentLength: true,
			HasMD5: true, Common: Common{ContentType: "application/octet-stream", OTI: oti},
		})
	}
	return in
}

// What hostile documents cost is below what Limits say.
func TestMemory(t *testing.T) {
	const size = 256 << 10
	fill := func(s string) string {
		return `<FDT-Instance Expires="1">` + strings.Repeat(s, (size-50)/len(s)) + `</FDT-Instance>`
	}
	attrs := "<x"
	for i := range 64 {
		attrs += fmt.Sprintf(` a%d=""`, i)
	}
	var groups string
	for i := range 64 {
		groups += fmt.Sprintf("<Group>%d</Group>", i)
	}
	file := `<File TOI="1" Content-Location="a"><Group>x</Group></File>`
	for name, document := range map[string]string{
		"files":       fill(`<File TOI="1" Content-Location="a"/>`),
		"attributes":  fill(attrs + "/>"),
		"one element": `<FDT-Instance Expires="1"` + strings.Repeat(` a=""`, (size-50)/5) + `/>`,
		"elements":    fill("<a/>"),
		"namespaces":  fill(`<a xmlns:b="c"/>`),
		"text":        fill("&#x41;"),
		"groups":      `<FDT-Instance Expires="1">` + strings.Repeat(file, 4096) + groups + `</FDT-Instance>`,
	} {
		var before, after, kept runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		in, _ := Parse([]byte(document), Limits{})
		runtime.ReadMemStats(&after)
		runtime.GC()
		runtime.ReadMemStats(&kept)
		runtime.KeepAlive(in)
		size := uint64(len(document))
		if total := after.TotalAlloc - before.TotalAlloc; total > 100*size {
			t.Errorf("%s: %d bytes allocated for %d", name, total, size)
		}
		if stays := int64(kept.HeapAlloc) - int64(before.HeapAlloc); stays > int64(30*size) {
			t.Errorf("%s: %d bytes kept of %d", name, stays, size)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	in := manyFiles(b, 100)
	document, err := in.Append(nil, RFC6726)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(document, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	in := manyFiles(b, 100)
	buf := make([]byte, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Append(buf, RFC6726); err != nil {
			b.Fatal(err)
		}
	}
}
