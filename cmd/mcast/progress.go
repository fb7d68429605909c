package main

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars are progress bars on standard error, if a person is looking.
type bars struct{ p *mpb.Progress }

func newBars(quiet bool) *bars {
	st, err := os.Stderr.Stat()
	if quiet || err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return &bars{mpb.New(mpb.WithOutput(io.Discard))}
	}
	return &bars{mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40))}
}

// add shows a new bar for an object of total bytes.
func (b *bars) add(name string, total int64) *mpb.Bar {
	return b.p.AddBar(max(total, 1),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(
			decor.Percentage(decor.WCSyncSpace),
			decor.CountersKiloByte("% .1f / % .1f", decor.WCSyncSpace),
			decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace), "done"),
		))
}

// wait stops drawing; bars not complete stay as they are.
func (b *bars) wait() { b.p.Shutdown() }
