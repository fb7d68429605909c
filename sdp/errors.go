package sdp

import (
	"errors"
	"strconv"
)

// Errors of Parse, Strict and the edits, wrapped with what they are about.
var (
	// ErrNotSDP means that the text has no line a session description has.
	ErrNotSDP = errors.New("sdp: not a session description")

	// ErrTooLarge means that a text or an edit goes over MaxSize, MaxLines or
	// MaxMedia.
	ErrTooLarge = errors.New("sdp: description too large")

	// ErrValue means that a value cannot be written: it would break its line or
	// the fields of it, or is out of range.
	ErrValue = errors.New("sdp: value cannot be written")

	// ErrNoLine means that there is no line to edit at that place.
	ErrNoLine = errors.New("sdp: no such line")
)

// A Code is the sort of a warning or finding: a short word that does not change
// between versions.
type Code string

// Codes of what the grammar does not allow.
const (
	CodeSyntax    Code = "syntax"    // a value does not have the form its RFC gives it
	CodeOrder     Code = "order"     // a line where it does not belong (RFC 8866 section 5)
	CodeMissing   Code = "missing"   // no line where there must be one
	CodeTwice     Code = "twice"     // a second line where there may be one
	CodeEnding    Code = "ending"    // a line that does not end in CRLF or LF
	CodeBytes     Code = "bytes"     // a NUL, a byte order mark or another byte that may not be there
	CodeSpace     Code = "space"     // blanks that should not be there
	CodeLine      Code = "line"      // not of the form x=value, or x is unknown
	CodeVersion   Code = "version"   // a version other than 0
	CodeNumber    Code = "number"    // a number out of range, or none where one must be
	CodeAddress   Code = "address"   // an address that is none, or of another type than told
	CodeTTL       Code = "ttl"       // a TTL missing from an IPv4 group, or present in an IPv6 one
	CodeCount     Code = "count"     // a count that is out of range or not believed
	CodeAttribute Code = "attribute" // an attribute's value does not have the form its RFC gives it
	CodeLimit     Code = "limit"     // more warnings than are kept
)

// A Warning is one thing that the RFCs do not allow and Parse let pass.
type Warning struct {
	Line   int // from 1; for what is missing the line before which it should be
	Column int // from 1, in bytes
	Code   Code
	Reason string // for people
}

// String returns "line 3, column 5: reason".
func (w Warning) String() string {
	return "line " + strconv.Itoa(w.Line) + ", column " + strconv.Itoa(w.Column) + ": " + w.Reason
}

// A ParseError is why Strict refuses a text: its first warning.
type ParseError struct{ Warning }

// Error returns "sdp: line 3, column 5: reason".
func (e *ParseError) Error() string { return "sdp: " + e.String() }

// A fault is what a value's parser has against it. The zero fault is none.
type fault struct {
	code Code
	at   int    // offset in the value
	why  string // a constant, so that a fault costs nothing
	dead bool   // the value cannot be used at all
}

func (f fault) is() bool { return f.why != "" }

// note keeps the first fault, but a deadly one over others.
func (f *fault) note(code Code, at int, why string) {
	if !f.is() {
		*f = fault{code: code, at: at, why: why}
	}
}

func dead(code Code, at int, why string) fault {
	return fault{code: code, at: at, why: why, dead: true}
}

// err returns what the exported parsers do with a fault: only a deadly one is an
// error.
func (f fault) err(what string) error {
	if !f.dead {
		return nil
	}
	return &ValueError{What: what, Column: f.at + 1, Reason: f.why}
}

// A ValueError is why a value could not be used.
type ValueError struct {
	What   string // "origin", "connection" or the name of an attribute
	Column int    // in the value, from 1, in bytes
	Reason string
}

// Error returns "sdp: connection: column 8: reason".
func (e *ValueError) Error() string {
	return "sdp: " + e.What + ": column " + strconv.Itoa(e.Column) + ": " + e.Reason
}

// Unwrap returns ErrValue.
func (e *ValueError) Unwrap() error { return ErrValue }
