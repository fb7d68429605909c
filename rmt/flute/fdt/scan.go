package fdt

import (
	"bytes"
	"fmt"
)

// scan looks over a document before the XML decoder does, which reads a whole element
// with all its attributes, or a whole text, before anyone can say that it is too much. It
// counts elements, attributes and the length of texts, and refuses document types. It
// does not check the syntax: that the decoder does.
func scan(b []byte, l *Limits) error {
	elements := 0
	for len(b) > 0 {
		text := bytes.IndexByte(b, '<')
		if text < 0 {
			text = len(b)
		}
		// A character can take 10 bytes, as in &#x10FFFF;.
		if text > 10*l.Text && len(bytes.TrimSpace(b[:text])) > 10*l.Text {
			return fmt.Errorf("%w: text of more than %d bytes", ErrLimit, l.Text)
		}
		b = b[text:]
		switch {
		case bytes.HasPrefix(b, []byte("<!--")):
			b = behind(b, "-->")
		case bytes.HasPrefix(b, []byte("<![CDATA[")):
			b = behind(b, "]]>")
		case bytes.HasPrefix(b, []byte("<?")):
			b = behind(b, "?>")
		case bytes.HasPrefix(b, []byte("<!")):
			return fmt.Errorf("%w: it has a document type", ErrSyntax)
		case bytes.HasPrefix(b, []byte("</")):
			b = behind(b, ">")
		case len(b) > 0:
			if elements++; elements > l.Elements {
				return fmt.Errorf("%w: more than %d elements", ErrLimit, l.Elements)
			}
			attributes, n := tag(b)
			if attributes > l.Attributes {
				return fmt.Errorf("%w: element with more than %d attributes", ErrLimit, l.Attributes)
			}
			b = b[n:]
		}
	}
	return nil
}

// behind returns what follows the first end in b.
func behind(b []byte, end string) []byte {
	if i := bytes.Index(b, []byte(end)); i >= 0 {
		return b[i+len(end):]
	}
	return nil
}

// tag returns how many quoted values the start tag at the beginning of b has, and its
// length.
func tag(b []byte) (attributes, n int) {
	for n < len(b) {
		switch c := b[n]; c {
		case '>':
			return attributes, n + 1
		case '"', '\'':
			attributes++
			end := bytes.IndexByte(b[n+1:], c)
			if end < 0 {
				return attributes, len(b)
			}
			n += end + 2
		default:
			n++
		}
	}
	return attributes, n
}
