package fdt

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Parse reads an FDT Instance, already content decoded. The Instance shares nothing
// with b. Errors wrap ErrSyntax, ErrRoot, ErrLimit or ErrAttribute; the Instance is then
// nil.
func Parse(b []byte, limits Limits) (*Instance, error) {
	l := limits.withDefaults()
	if len(b) > l.Bytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(b), l.Bytes)
	}
	if err := scan(b, &l); err != nil {
		return nil, err
	}
	p := parser{Limits: l, d: xml.NewDecoder(bytes.NewReader(b))}
	if err := p.document(); err != nil {
		return nil, err
	}
	for i := range p.in.Files {
		p.in.Files[i].inherit(&p.in.Common)
	}
	return &p.in, nil
}

// inherit takes from the instance what the file does not have.
func (c *Common) inherit(p *Common) {
	if c.ContentType == "" {
		c.ContentType = p.ContentType
	}
	if c.ContentEncoding == "" {
		c.ContentEncoding = p.ContentEncoding
	}
	c.OTI.inherit(&p.OTI)
	if len(c.Groups) == 0 {
		c.Groups = slices.Clip(p.Groups)
		return
	}
	c.Groups = slices.Grow(c.Groups, len(p.Groups))
	for _, g := range p.Groups {
		if !slices.Contains(c.Groups, g) {
			c.Groups = append(c.Groups, g)
		}
	}
}

// A parser is Parse at work.
type parser struct {
	Limits
	d     *xml.Decoder
	depth int
	in    Instance
}

// token returns the next element's start, end or text. Comments and processing
// instructions are skipped. At the end of the document it returns io.EOF.
func (p *parser) token() (xml.Token, error) {
	for {
		t, err := p.d.Token()
		if err == io.EOF {
			return nil, io.EOF
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if p.depth++; p.depth > p.Depth {
				return nil, fmt.Errorf("%w: elements nested deeper than %d", ErrLimit, p.Depth)
			}
			if len(t.Attr) > p.Attributes {
				return nil, fmt.Errorf("%w: %s with %d attributes, at most %d", ErrLimit, t.Name.Local, len(t.Attr), p.Attributes)
			}
			for i := range t.Attr {
				if len(t.Attr[i].Value) > p.Text {
					return nil, fmt.Errorf("%w: attribute of %d bytes, at most %d", ErrLimit, len(t.Attr[i].Value), p.Text)
				}
			}
			return t, nil
		case xml.EndElement:
			p.depth--
			return t, nil
		case xml.CharData:
			return t, nil
		case xml.Directive:
			return nil, fmt.Errorf("%w: it has a document type", ErrSyntax)
		}
	}
}

// document reads the whole document.
func (p *parser) document() error {
	seen := false
	for {
		t, err := p.token()
		if err == io.EOF && seen {
			return nil
		}
		if err == io.EOF {
			return fmt.Errorf("%w: %w", ErrSyntax, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if seen || t.Name.Local != "FDT-Instance" {
				return fmt.Errorf("%w: %.40q", ErrRoot, t.Name.Local)
			}
			seen = true
			p.in.Namespace = t.Name.Space
			if err := p.instance(t); err != nil {
				return err
			}
		case xml.CharData:
			// The decoder leaves it to us that there is no text outside, but
			// for a byte order mark.
			if len(bytes.Trim(t, " \t\r\n\ufeff")) > 0 {
				return fmt.Errorf("%w: text outside of the root element", ErrSyntax)
			}
		}
	}
}

// instance reads what is in FDT-Instance, to its end.
func (p *parser) instance(t xml.StartElement) error {
	if err := p.instanceAttributes(t.Attr); err != nil {
		return err
	}
	return p.children(func(t xml.StartElement) error {
		switch {
		case !p.ours(t.Name):
			return p.skip()
		case t.Name.Local == "File":
			return p.file(t)
		case t.Name.Local == "Group":
			return p.group(&p.in.Groups)
		case t.Name.Local == "MBMS-Session-Identity-Expiry":
			return p.sessionExpiry(t)
		}
		return p.skip()
	})
}

// children calls child for each element in the one that has begun, to its end. child
// reads its element to the end.
func (p *parser) children(child func(xml.StartElement) error) error {
	for {
		t, err := p.token()
		if err == io.EOF {
			return fmt.Errorf("%w: %w", ErrSyntax, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := child(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// skip reads to the end of the element that has begun.
func (p *parser) skip() error {
	return p.children(func(xml.StartElement) error { return p.skip() })
}

// text reads the text in the element that has begun, to its end, without the spaces
// around it.
func (p *parser) text() (string, error) {
	var b []byte
	for {
		t, err := p.token()
		if err == io.EOF {
			return "", fmt.Errorf("%w: %w", ErrSyntax, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := p.skip(); err != nil {
				return "", err
			}
		case xml.EndElement:
			return strings.TrimSpace(string(b)), nil
		case xml.CharData:
			if len(b)+len(t) > p.Text {
				return "", fmt.Errorf("%w: text of more than %d bytes", ErrLimit, p.Text)
			}
			b = append(b, t...)
		}
	}
}

// ours reports whether an element or attribute can be of FLUTE: it is in no namespace,
// in the root's, or in one that FLUTE or 3GPP made for it. Others may have a File or an
// Expires of their own.
func (p *parser) ours(n xml.Name) bool {
	switch n.Space {
	case "", p.in.Namespace, Namespace2005, NamespaceRFC6726, NamespaceRFC3926, Namespace2022:
		return true
	}
	return strings.HasPrefix(n.Space, "urn:3GPP:metadata:") && strings.Contains(n.Space, ":FLUTE:")
}
