package fdt

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

func bad(name, value string) error {
	return fmt.Errorf("%w: %s=%.60q", ErrAttribute, name, value)
}

// number reads an unsigned decimal number of up to bits bits.
func number[T uint8 | uint16 | uint32 | uint64](dst *T, name, value string, bits int) error {
	v, err := strconv.ParseUint(strings.TrimSpace(value), 10, bits)
	if err != nil {
		return bad(name, value)
	}
	*dst = T(v)
	return nil
}

func boolean(dst *bool, name, value string) error {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "1", "true":
		*dst = true
	case "0", "false":
		*dst = false
	default:
		return bad(name, value)
	}
	return nil
}

func base64Bytes(name, value string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil {
		return nil, bad(name, value)
	}
	return b, nil
}

// each calls f for every attribute that can be ours, and refuses one that is there
// twice.
func (p *parser) each(attr []xml.Attr, f func(name, value string) error) error {
	seen := make(map[string]bool, len(attr))
	for _, a := range attr {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" || !p.ours(a.Name) {
			continue
		}
		if seen[a.Name.Local] {
			return fmt.Errorf("%w: %.60q twice", ErrAttribute, a.Name.Local)
		}
		seen[a.Name.Local] = true
		if err := f(a.Name.Local, a.Value); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) instanceAttributes(attr []xml.Attr) error {
	expires := false
	err := p.each(attr, func(name, value string) error {
		switch name {
		case "Expires":
			expires = true
			return number(&p.in.Expires, name, value, 32)
		case "Complete":
			return boolean(&p.in.Complete, name, value)
		case "FullFDT":
			return boolean(&p.in.FullFDT, name, value)
		}
		return p.in.Common.attribute(name, value)
	})
	if err == nil && !expires {
		err = fmt.Errorf("%w: FDT-Instance without Expires", ErrAttribute)
	}
	return err
}

// attribute reads an attribute that both an instance and a file can have, or none.
func (c *Common) attribute(name, value string) error {
	o := &c.OTI
	switch name {
	case "Content-Type":
		c.ContentType = value
	case "Content-Encoding":
		c.ContentEncoding = strings.TrimSpace(value)
	case "FEC-OTI-FEC-Encoding-ID":
		var id uint8
		err := number(&id, name, value, 8)
		o.EncodingID, o.HasEncodingID = fec.EncodingID(id), true
		return err
	case "FEC-OTI-FEC-Instance-ID":
		o.HasInstanceID = true
		return number(&o.InstanceID, name, value, 16)
	case "FEC-OTI-Maximum-Source-Block-Length":
		o.HasMaxBlockLen = true
		return number(&o.MaxBlockLen, name, value, 32)
	case "FEC-OTI-Encoding-Symbol-Length":
		o.HasSymbolSize = true
		return number(&o.SymbolSize, name, value, 16)
	case "FEC-OTI-Max-Number-of-Encoding-Symbols":
		o.HasMaxSymbols = true
		return number(&o.MaxSymbols, name, value, 32)
	case "FEC-OTI-Scheme-Specific-Info":
		b, err := base64Bytes(name, value)
		o.SchemeInfo, o.HasSchemeInfo = string(b), true
		return err
	}
	return nil
}

func (f *File) attribute(name, value string) error {
	switch name {
	case "TOI":
		toi, err := lct.ParseTOI(strings.TrimSpace(value))
		if err != nil || toi.IsZero() {
			return bad(name, value)
		}
		f.TOI = toi
		return nil
	case "Content-Location":
		f.ContentLocation = strings.TrimSpace(value)
		return nil
	case "Content-Length":
		f.HasContentLength = true
		return number(&f.ContentLength, name, value, 64)
	case "Transfer-Length":
		f.HasTransferLength = true
		return number(&f.TransferLength, name, value, 64)
	case "Content-MD5":
		b, err := base64Bytes(name, value)
		if err != nil || len(b) != len(f.ContentMD5) {
			return bad(name, value)
		}
		f.ContentMD5, f.HasMD5 = [16]byte(b), true
		return nil
	}
	return f.Common.attribute(name, value)
}

// file reads a File, to its end.
func (p *parser) file(t xml.StartElement) error {
	if len(p.in.Files) == p.Files {
		return fmt.Errorf("%w: more than %d files", ErrLimit, p.Files)
	}
	var f File
	if err := p.each(t.Attr, f.attribute); err != nil {
		return err
	}
	switch {
	case f.TOI.IsZero():
		return fmt.Errorf("%w: File without TOI", ErrAttribute)
	case f.ContentLocation == "":
		return fmt.Errorf("%w: File %v without Content-Location", ErrAttribute, f.TOI)
	}
	err := p.children(func(t xml.StartElement) error {
		switch {
		case !p.ours(t.Name):
			return p.skip()
		case t.Name.Local == "Group":
			return p.group(&f.Groups)
		case t.Name.Local == "MBMS-Session-Identity":
			return p.sessionIdentity(&f.SessionIdentities)
		case t.Name.Local == "Cache-Control":
			return p.cacheControl(&f.CacheControl)
		}
		return p.skip()
	})
	if err == nil {
		p.in.Files = append(p.in.Files, f)
	}
	return err
}

func (p *parser) group(dst *[]string) error {
	s, err := p.text()
	if err != nil || s == "" {
		return err
	}
	if len(*dst) == p.Groups {
		return fmt.Errorf("%w: more than %d groups", ErrLimit, p.Groups)
	}
	*dst = append(*dst, s)
	return nil
}

// sessionIdentity reads an MBMS-Session-Identity. Of what 3GPP added, what cannot be
// read is left out: the files are no worse for it.
func (p *parser) sessionIdentity(dst *[]uint8) error {
	s, err := p.text()
	if err != nil {
		return err
	}
	if len(*dst) == p.Groups {
		return fmt.Errorf("%w: more than %d session identities", ErrLimit, p.Groups)
	}
	var id uint8
	if number(&id, "", s, 8) == nil {
		*dst = append(*dst, id)
	}
	return nil
}

func (p *parser) sessionExpiry(t xml.StartElement) error {
	var e SessionExpiry
	bad := p.each(t.Attr, func(name, value string) error {
		if name != "value" {
			return nil
		}
		return number(&e.Expires, name, value, 32)
	})
	s, err := p.text()
	if err != nil || bad != nil || number(&e.Identity, "", s, 8) != nil {
		return err
	}
	if len(p.in.SessionExpiries) == p.Groups {
		return fmt.Errorf("%w: more than %d session identities", ErrLimit, p.Groups)
	}
	p.in.SessionExpiries = append(p.in.SessionExpiries, e)
	return nil
}

// cacheControl reads a Cache-Control: a choice of one; if there are more the last
// counts. The first two have only one value, so that they may be empty.
func (p *parser) cacheControl(c *CacheControl) error {
	return p.children(func(t xml.StartElement) error {
		s, err := p.text()
		if err != nil {
			return err
		}
		on := s == ""
		if !on {
			_ = boolean(&on, "", s) // what is neither is not on
		}
		expires := CacheControl{Mode: CacheExpires}
		switch {
		case t.Name.Local == "no-cache" && on:
			*c = CacheControl{Mode: CacheNone}
		case t.Name.Local == "max-stale" && on:
			*c = CacheControl{Mode: CacheMaxStale}
		case t.Name.Local == "Expires" && number(&expires.Expires, "", s, 32) == nil:
			*c = expires
		}
		return nil
	})
}
