package fdt

import "cmp"

// Limits bound what Parse takes. A zero field is its default. An Instance takes less
// than 30 times the document, and all that Parse allocates on the way, most of it for
// a moment, is less than 100 times. A document of a mebibyte can take a tenth of a
// second: do not parse one that was parsed before.
type Limits struct {
	Bytes      int // of the document; 1 MiB
	Files      int // 8,192
	Elements   int // in all; 32,768
	Attributes int // of one element; 64
	Depth      int // of elements within each other; 16
	Groups     int // of one file or instance, and session identities; 64
	Text       int // bytes of one attribute or element of text; 8 KiB
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Bytes:      cmp.Or(l.Bytes, 1<<20),
		Files:      cmp.Or(l.Files, 8192),
		Elements:   cmp.Or(l.Elements, 32768),
		Attributes: cmp.Or(l.Attributes, 64),
		Depth:      cmp.Or(l.Depth, 16),
		Groups:     cmp.Or(l.Groups, 64),
		Text:       cmp.Or(l.Text, 8<<10),
	}
}
