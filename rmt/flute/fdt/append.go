package fdt

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Append appends the instance as an XML document to dst. The OTI of a file is written in
// full with the file, and, if in.OTI is empty and all files have one, the first file's
// with the instance too: receivers differ in how they merge the two. A field of a File
// that is empty is that of the instance for who reads it.
//
// The error wraps ErrAttribute for a file without TOI or Content-Location and text that
// XML cannot have, or ErrProfile; dst is then returned as it was.
func (in *Instance) Append(dst []byte, p Profile) ([]byte, error) {
	w := writer{b: dst, mbms: p == MBMS}
	ns := in.Namespace
	if ns == "" {
		ns = Namespace2005
	}
	w.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<FDT-Instance")
	w.attr("xmlns", ns)
	if in.hasMBMS() {
		w.attr("xmlns:mbms2005", namespaceMBMS2005)
		w.attr("xmlns:mbms2007", namespaceMBMS2007)
		w.attr("xmlns:mbms2008", namespaceMBMS2008)
	}
	w.number("Expires", true, uint64(in.Expires))
	if in.Complete {
		w.attr("Complete", "true")
	}
	if in.FullFDT {
		w.attr("mbms2008:FullFDT", "true")
	}
	c := in.Common
	if c.OTI == (OTI{}) && len(in.Files) > 0 && !slices.ContainsFunc(in.Files, func(f File) bool { return f.OTI == OTI{} }) {
		c.OTI = in.Files[0].OTI
	}
	w.common(&c)
	w.raw(">\n")
	for i := range in.Files {
		w.file(&in.Files[i], in.Groups)
	}
	w.groups(in.Groups, nil)
	for _, e := range in.SessionExpiries {
		w.raw("<mbms2005:MBMS-Session-Identity-Expiry")
		w.number("value", true, uint64(e.Expires))
		w.raw(">")
		w.b = strconv.AppendUint(w.b, uint64(e.Identity), 10)
		w.raw("</mbms2005:MBMS-Session-Identity-Expiry>\n")
	}
	w.raw("</FDT-Instance>\n")
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

// hasMBMS reports whether there is anything of 3GPP's.
func (in *Instance) hasMBMS() bool {
	return in.FullFDT || len(in.Groups) > 0 || len(in.SessionExpiries) > 0 || slices.ContainsFunc(in.Files, func(f File) bool {
		return len(f.Groups) > 0 || len(f.SessionIdentities) > 0 || f.CacheControl.Mode != CacheUnset
	})
}

// A writer is Append at work. Its error stays.
type writer struct {
	b    []byte
	mbms bool
	err  error
}

func (w *writer) fail(sentinel error, format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{sentinel}, args...)...)
	}
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

// escaped appends text, or fails for what XML cannot have in it.
func (w *writer) escaped(s string) {
	if !utf8.ValidString(s) {
		w.fail(ErrAttribute, "%.60q is not UTF-8", s)
	}
	for _, r := range s {
		switch {
		case r == '&':
			w.raw("&amp;")
		case r == '<':
			w.raw("&lt;")
		case r == '>':
			w.raw("&gt;")
		case r == '"':
			w.raw("&quot;")
		case r == '\t' || r == '\n' || r == '\r':
			w.b = append(strconv.AppendUint(append(w.b, "&#"...), uint64(r), 10), ';')
		case r < 0x20 || r == 0xfffe || r == 0xffff:
			w.fail(ErrAttribute, "%.60q has a character that XML cannot have", s)
		default:
			w.b = utf8.AppendRune(w.b, r)
		}
	}
}

func (w *writer) attr(name, value string) {
	w.raw(" ")
	w.raw(name)
	w.raw("=\"")
	w.escaped(value)
	w.raw("\"")
}

func (w *writer) text(name, value string) {
	if value != "" {
		w.attr(name, value)
	}
}

func (w *writer) number(name string, has bool, v uint64) {
	if has {
		w.raw(" ")
		w.raw(name)
		w.raw("=\"")
		w.b = append(strconv.AppendUint(w.b, v, 10), '"')
	}
}

func (w *writer) base64(name string, b []byte) {
	w.raw(" ")
	w.raw(name)
	w.raw("=\"")
	w.b = append(base64.StdEncoding.AppendEncode(w.b, b), '"')
}

func (w *writer) common(c *Common) {
	w.text("Content-Type", c.ContentType)
	w.text("Content-Encoding", c.ContentEncoding)
	o := &c.OTI
	if w.mbms && o.HasEncodingID && o.EncodingID != fec.CompactNoCode && o.EncodingID != fec.Raptor {
		w.fail(ErrProfile, "MBMS has FEC encoding IDs 0 and 1, not %v", o.EncodingID)
	}
	w.number("FEC-OTI-FEC-Encoding-ID", o.HasEncodingID, uint64(o.EncodingID))
	w.number("FEC-OTI-FEC-Instance-ID", o.HasInstanceID, uint64(o.InstanceID))
	w.number("FEC-OTI-Maximum-Source-Block-Length", o.HasMaxBlockLen, uint64(o.MaxBlockLen))
	w.number("FEC-OTI-Encoding-Symbol-Length", o.HasSymbolSize, uint64(o.SymbolSize))
	w.number("FEC-OTI-Max-Number-of-Encoding-Symbols", o.HasMaxSymbols, uint64(o.MaxSymbols))
	if o.HasSchemeInfo {
		w.base64("FEC-OTI-Scheme-Specific-Info", []byte(o.SchemeInfo))
	}
}

// file appends a File. Its groups that the instance has too stay there.
func (w *writer) file(f *File, common []string) {
	switch {
	case f.TOI.IsZero():
		w.fail(ErrAttribute, "file %.60q without TOI", f.ContentLocation)
	case f.ContentLocation == "":
		w.fail(ErrAttribute, "file %v without Content-Location", f.TOI)
	case w.mbms && (f.Encoded() || f.HasTransferLength && (!f.HasContentLength || f.TransferLength != f.ContentLength)):
		w.fail(ErrProfile, "file %v: MBMS cannot tell the transfer length of encoded content", f.TOI)
	}
	w.raw("<File")
	w.text("Content-Location", f.ContentLocation)
	w.text("TOI", f.TOI.String())
	w.number("Content-Length", f.HasContentLength, f.ContentLength)
	w.number("Transfer-Length", f.HasTransferLength && !w.mbms, f.TransferLength)
	if f.HasMD5 {
		w.base64("Content-MD5", f.ContentMD5[:])
	}
	w.common(&f.Common)
	begin := len(w.b)
	w.raw(">\n")
	inside := len(w.b)
	w.cacheControl(f.CacheControl)
	w.groups(f.Groups, common)
	for _, id := range f.SessionIdentities {
		w.raw("<mbms2005:MBMS-Session-Identity>")
		w.b = strconv.AppendUint(w.b, uint64(id), 10)
		w.raw("</mbms2005:MBMS-Session-Identity>\n")
	}
	if len(w.b) == inside {
		w.b = append(w.b[:begin], "/>\n"...)
		return
	}
	w.raw("</File>\n")
}

func (w *writer) groups(names, but []string) {
	for _, g := range names {
		if slices.Contains(but, g) {
			continue
		}
		w.raw("<mbms2005:Group>")
		w.escaped(g)
		w.raw("</mbms2005:Group>\n")
	}
}

func (w *writer) cacheControl(c CacheControl) {
	if c.Mode == CacheUnset {
		return
	}
	w.raw("<mbms2007:Cache-Control>")
	switch c.Mode {
	case CacheNone:
		w.raw("<mbms2007:no-cache>true</mbms2007:no-cache>")
	case CacheMaxStale:
		w.raw("<mbms2007:max-stale>true</mbms2007:max-stale>")
	case CacheExpires:
		w.raw("<mbms2007:Expires>")
		w.b = strconv.AppendUint(w.b, uint64(c.Expires), 10)
		w.raw("</mbms2007:Expires>")
	default:
		w.fail(ErrAttribute, "cache mode %d", c.Mode)
	}
	w.raw("</mbms2007:Cache-Control>\n")
}
