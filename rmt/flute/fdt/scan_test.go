package fdt

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"
)

// scan counts what the decoder finds.
func TestScan(t *testing.T) {
	more := []string{
		`<?xml version="1.0"?><!-- "<a b='c'>" --><a b='"' c=">" d = "'" ><b/><![CDATA[<c d="e">]]><?pi <x>?></a>`,
		`<a b="x/>y"/>`, `<a>&lt;b&gt;</a>`,
	}
	for _, tt := range documents {
		more = append(more, tt.xml)
	}
	for _, document := range more {
		elements, attributes := 0, 0
		d := xml.NewDecoder(strings.NewReader(document))
		for {
			token, err := d.RawToken()
			if err != nil {
				break
			}
			if s, ok := token.(xml.StartElement); ok {
				elements++
				attributes = max(attributes, len(s.Attr))
			}
		}
		l := Limits{Elements: elements, Attributes: attributes, Text: 1000}
		if err := scan([]byte(document), &l); err != nil {
			t.Errorf("%.60s: %v with %d elements, %d attributes", document, err, elements, attributes)
		}
		l.Elements--
		if err := scan([]byte(document), &l); !errors.Is(err, ErrLimit) {
			t.Errorf("%.60s: %v with an element less than %d", document, err, elements)
		}
		l.Elements++
		if l.Attributes--; attributes > 0 {
			if err := scan([]byte(document), &l); !errors.Is(err, ErrLimit) {
				t.Errorf("%.60s: %v with an attribute less than %d", document, err, attributes)
			}
		}
		// Whatever is missing, it comes to an end.
		for n := range document {
			_ = scan([]byte(document[:n]), &l)
			_ = scan([]byte(document[n:]), &l)
		}
	}
}
