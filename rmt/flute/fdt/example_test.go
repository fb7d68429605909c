package fdt_test

import (
	"fmt"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A receiver reads which file an object is, and where it may go.
func Example() {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	oti, err := fdt.NewOTI(&fec.OTI{EncodingID: fec.ReedSolomonGF8, SymbolSize: 1400, MaxBlockLen: 64, Parity: 16})
	if err != nil {
		fmt.Println(err)
		return
	}
	in := fdt.Instance{
		Expires:  lct.NTPTime(now.Add(time.Hour)).Seconds(),
		Complete: true,
		Files: []fdt.File{{
			TOI: lct.TOI{Lo: 1}, ContentLocation: "http://example.com/docs/a.txt",
			ContentLength: 5200, HasContentLength: true,
			Common: fdt.Common{ContentType: "text/plain", OTI: oti},
		}},
	}
	document, err := in.Append(nil, fdt.RFC6726)
	if err != nil {
		fmt.Println(err)
		return
	}

	got, err := fdt.Parse(document, fdt.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f := got.File(lct.TOI{Lo: 1})
	size, _ := f.Transfer()
	o, err := f.OTI.FEC(size)
	if err != nil {
		fmt.Println(err)
		return
	}
	path, err := f.Path()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(path, f.ContentType, o.TransferLength, o.EncodingID, o.Parity)
	fmt.Println("until", got.ExpiresAt(now))
	// Output:
	// docs/a.txt text/plain 5200 rs8 (5) 16
	// until 2026-11-23 09:00:00 +0000 UTC
}
