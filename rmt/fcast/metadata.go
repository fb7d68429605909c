package fcast

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Metadata is what the header says of the object (RFC 6968 sections 2.2 and 3.3).
type Metadata struct {
	ContentLocation string // the URI that names the object
	ContentType     string
	ContentEncoding string // "gzip", or "" for none

	// ContentLength is the object's size in bytes, before content encoding and
	// without the header.
	ContentLength    uint64
	HasContentLength bool

	// SHA1 and SHA256 are digests of the object before content encoding. They find
	// errors, not attackers.
	SHA1      [20]byte
	HasSHA1   bool
	SHA256    [32]byte
	HasSHA256 bool

	// Slice says which part of a large object this is, if Slice.Count is not 0.
	Slice Slice

	// Complete says that all objects of the session are listed in this CID or
	// were in earlier ones.
	Complete bool

	// Instance is the Carousel Instance ID of a CID.
	Instance    uint64
	HasInstance bool

	// Other are the lines that are none of these, in order.
	Other []Field
}

// Slice is a part of an object that was split (RFC 6968 section 3.3).
type Slice struct {
	Count  uint32 // Fcast-Obj-Slice-Nb
	Index  uint32 // Fcast-Obj-Slice-Idx, below Count
	Offset uint64 // Fcast-Obj-Slice-Offset, in bytes
}

// Field is a line of metadata. Names are alike in any case.
type Field struct{ Name, Value string }

// Names of metadata.
const (
	nameLocation    = "Content-Location"
	nameType        = "Content-Type"
	nameLength      = "Content-Length"
	nameEncoding    = "Content-Encoding"
	nameSHA1        = "Fcast-Obj-Digest-SHA1"
	nameSHA256      = "Fcast-Obj-Digest-SHA256"
	nameSliceNb     = "Fcast-Obj-Slice-Nb"
	nameSliceIdx    = "Fcast-Obj-Slice-Idx"
	nameSliceOffset = "Fcast-Obj-Slice-Offset"
	nameComplete    = "Fcast-CID-Complete"
	nameInstance    = "Fcast-CID-ID"
)

// ParseMetadata decodes and reads the header's metadata. Errors wrap ErrFormat,
// ErrInflate or ErrMetadata.
func (h *Header) ParseMetadata(limits Limits) (Metadata, error) {
	l := limits.withDefaults()
	if h.Format != FormatHTTP {
		return Metadata{}, fmt.Errorf("%w: format %d", ErrFormat, h.Format)
	}
	text := h.Metadata
	switch {
	case h.Encoding == EncodingGZIP && len(text) > 0:
		var err error
		if text, err = inflate(text, l.Inflated); err != nil {
			return Metadata{}, err
		}
	case h.Encoding != EncodingText && h.Encoding != EncodingGZIP:
		return Metadata{}, fmt.Errorf("%w: encoding %d", ErrFormat, h.Encoding)
	}
	return parseFields(text, l)
}

// inflate undoes gzip, to at most limit bytes.
func inflate(b []byte, limit int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInflate, err)
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInflate, err)
	}
	if len(out) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrInflate, limit)
	}
	return out, nil
}

// GZIP appends b compressed, for EncodingGZIP or the content encoding "gzip".
func GZIP(dst, b []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w := gzip.NewWriter(buf)
	_, _ = w.Write(b) // to memory
	_ = w.Close()
	return buf.Bytes()
}

// parseFields reads lines that end in CRLF, LF or the end; one that begins with a space
// goes on with the line before (RFC 2616 section 2.2).
func parseFields(b []byte, l Limits) (Metadata, error) {
	var m Metadata
	if !utf8.Valid(b) {
		return m, fmt.Errorf("%w: not UTF-8", ErrMetadata)
	}
	var fields []Field
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.Trim(line, " \t\x00") == "":
			continue
		case line[0] == ' ' || line[0] == '\t':
			if len(fields) == 0 {
				return m, fmt.Errorf("%w: it begins with a space", ErrMetadata)
			}
			f := &fields[len(fields)-1]
			f.Value = strings.TrimSpace(f.Value + " " + strings.TrimSpace(line))
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return m, fmt.Errorf("%w: line %.40q", ErrMetadata, line)
		}
		if len(fields) == l.Fields {
			return m, fmt.Errorf("%w: more than %d lines", ErrMetadata, l.Fields)
		}
		fields = append(fields, Field{name, strings.TrimSpace(value)})
	}
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		key := strings.ToLower(f.Name)
		known, err := m.set(key, f.Value)
		switch {
		case err != nil:
			return m, fmt.Errorf("%w: %.40s: %.60q", ErrMetadata, f.Name, f.Value)
		case !known:
			m.Other = append(m.Other, f)
		case seen[key]:
			return m, fmt.Errorf("%w: %.40s twice", ErrMetadata, f.Name)
		}
		seen[key] = true
	}
	if m.Slice != (Slice{}) && m.Slice.Index >= m.Slice.Count {
		return m, fmt.Errorf("%w: slice %d of %d", ErrMetadata, m.Slice.Index, m.Slice.Count)
	}
	return m, nil
}

// set reads a value. known is false for a name that is not FCAST's.
func (m *Metadata) set(name, value string) (known bool, err error) {
	switch name {
	case strings.ToLower(nameLocation):
		m.ContentLocation = value
	case strings.ToLower(nameType):
		m.ContentType = value
	case strings.ToLower(nameEncoding):
		m.ContentEncoding = value
	case strings.ToLower(nameLength):
		m.HasContentLength = true
		m.ContentLength, err = strconv.ParseUint(value, 10, 64)
	case strings.ToLower(nameSHA1):
		m.HasSHA1, err = true, digest(m.SHA1[:], value)
	case strings.ToLower(nameSHA256):
		m.HasSHA256, err = true, digest(m.SHA256[:], value)
	case strings.ToLower(nameSliceNb):
		m.Slice.Count, err = number32(value)
	case strings.ToLower(nameSliceIdx):
		m.Slice.Index, err = number32(value)
	case strings.ToLower(nameSliceOffset):
		m.Slice.Offset, err = strconv.ParseUint(value, 10, 64)
	case strings.ToLower(nameComplete):
		m.Complete = value == "1"
		if value != "0" && value != "1" {
			err = ErrMetadata
		}
	case strings.ToLower(nameInstance):
		m.HasInstance = true
		m.Instance, err = strconv.ParseUint(value, 10, 64)
	default:
		return false, nil
	}
	return true, err
}

func number32(s string) (uint32, error) {
	v, err := strconv.ParseUint(s, 10, 32)
	return uint32(v), err
}

func digest(dst []byte, s string) error {
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil && len(b) != len(dst) {
		err = ErrMetadata
	}
	if err == nil {
		copy(dst, b)
	}
	return err
}

// Append appends the metadata in the format FormatHTTP, not compressed, to be a
// Header's Metadata. It returns ErrMetadata, and dst as it was, for a value with a line
// end or that is not UTF-8, a name that is none, or a slice without its count.
func (m *Metadata) Append(dst []byte) ([]byte, error) {
	b := dst
	var err error
	line := func(name, value string) {
		if name == "" || strings.ContainsAny(name, ": \t\r\n") || strings.ContainsAny(value, "\r\n") || !utf8.ValidString(name+value) {
			err = fmt.Errorf("%w: %.40q: %.60q", ErrMetadata, name, value)
		}
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	text := func(name, value string) {
		if value != "" {
			line(name, value)
		}
	}
	number := func(name string, has bool, v uint64) {
		if has {
			line(name, strconv.FormatUint(v, 10))
		}
	}
	text(nameLocation, m.ContentLocation)
	text(nameType, m.ContentType)
	text(nameEncoding, m.ContentEncoding)
	number(nameLength, m.HasContentLength, m.ContentLength)
	if m.HasSHA1 {
		line(nameSHA1, base64.StdEncoding.EncodeToString(m.SHA1[:]))
	}
	if m.HasSHA256 {
		line(nameSHA256, base64.StdEncoding.EncodeToString(m.SHA256[:]))
	}
	if m.Slice != (Slice{}) {
		if m.Slice.Index >= m.Slice.Count {
			err = fmt.Errorf("%w: slice %d of %d", ErrMetadata, m.Slice.Index, m.Slice.Count)
		}
		number(nameSliceNb, true, uint64(m.Slice.Count))
		number(nameSliceIdx, true, uint64(m.Slice.Index))
		number(nameSliceOffset, true, m.Slice.Offset)
	}
	if m.Complete {
		line(nameComplete, "1")
	}
	number(nameInstance, m.HasInstance, m.Instance)
	for _, f := range m.Other {
		line(f.Name, f.Value)
	}
	if err != nil {
		return dst, err
	}
	return b, nil
}
