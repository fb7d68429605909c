package sap

import (
	"bytes"
	"strings"
)

// maxType is the longest payload type looked for, in bytes.
const maxType = 255

// splitPayload takes the payload type off the front of Payload, if there is one.
func (p *Packet) splitPayload() {
	b := p.Payload
	// A description without its type: v=0 is no MIME type (RFC 2974 section 6), nor
	// is the o= of a deletion.
	if len(b) > 1 && b[1] == '=' || len(b) > 0 && b[0] == 0xef {
		return
	}
	n := bytes.IndexByte(b[:min(len(b), maxType+1)], 0)
	if n == 0 { // an empty type
		p.PayloadType, p.Payload = b[:0:0], b[1:]
		return
	}
	if n > 0 && isType(b[:n]) {
		p.PayloadType, p.Payload = b[:n:n], b[n+1:]
		return
	}
	// Some write no NUL.
	if len(b) > len(TypeSDP) && equalFold(b[:len(TypeSDP)], TypeSDP) {
		rest := b[len(TypeSDP):]
		if text := bytes.TrimLeft(rest, "\r\n \t"); len(text) > 1 && text[1] == '=' {
			p.PayloadType, p.Payload, p.noNUL = b[:len(TypeSDP):len(TypeSDP)], text, true
		}
	}
}

// isType reports whether b could be a MIME type: printable, with a slash.
func isType(b []byte) bool {
	slash := false
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
		slash = slash || c == '/'
	}
	return slash
}

// equalFold compares without regard to the case of ASCII letters. s is in lower case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// IsSDP reports whether the payload type is that of a session description, in any
// case and with any parameters, or was left out. It does not look at the payload,
// and does not know of one that is encrypted or compressed.
func (p *Packet) IsSDP() bool {
	if p.Encrypted || p.Compressed {
		return false
	}
	t, _, _ := bytes.Cut(p.PayloadType, []byte{';'})
	return len(p.PayloadType) == 0 || equalFold(bytes.TrimSpace(t), TypeSDP)
}

// A Quirk is something about a packet that the RFC does not want, and that does no
// harm. Several are a sum.
type Quirk uint16

const (
	QuirkVersion0    Quirk = 1 << iota // version 0
	QuirkReserved                      // the R bit is set
	QuirkNoHash                        // the hash is 0
	QuirkNoOrigin                      // the originating source is 0
	QuirkNoType                        // no payload type, which is allowed
	QuirkNoNUL                         // a payload type, but no NUL behind it
	QuirkTypeForm                      // the payload type in capitals, or with parameters
	QuirkRelayed                       // the sender is not the originating source
	QuirkTrailingNUL                   // NULs behind the description
	QuirkBigPacket                     // longer than RecommendedSize
)

var quirkNames = [...]string{"version 0", "reserved bit", "no hash", "no origin", "no type", "no NUL", "type form", "relayed", "trailing NUL", "big"}

// String returns the names, "none" when there is none.
func (q Quirk) String() string {
	var s []string
	for i, n := range quirkNames {
		if q&(1<<i) != 0 {
			s = append(s, n)
		}
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

// Quirks returns what is odd about the packet itself.
func (p *Packet) Quirks() (q Quirk) {
	set := func(is bool, v Quirk) {
		if is {
			q |= v
		}
	}
	set(p.Version == 0, QuirkVersion0)
	set(p.Reserved, QuirkReserved)
	set(p.Hash == 0, QuirkNoHash)
	set(p.Origin.IsUnspecified(), QuirkNoOrigin)
	if !p.Encrypted && !p.Compressed {
		set(len(p.PayloadType) == 0, QuirkNoType)
		set(p.noNUL, QuirkNoNUL)
		set(len(p.PayloadType) > 0 && string(p.PayloadType) != TypeSDP && p.IsSDP(), QuirkTypeForm)
		set(len(p.Payload) > 0 && p.Payload[len(p.Payload)-1] == 0, QuirkTrailingNUL)
	}
	return q
}
