package sdp

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// A FECDeclaration is a FEC scheme that media of FLUTE or NORM refers to: an
// a=FEC-declaration attribute, and the a=FEC-OTI-extension with its reference. Both are of
// draft-ietf-rmt-flute-sdp, which no RFC came of but which 3GPP TS 26.346 section
// 7.3.2 and all who announce FLUTE use.
type FECDeclaration struct {
	Ref        uint32 // what a=FEC:ref refers to
	EncodingID uint8

	// InstanceID is that of an under-specified scheme, 0 to 65535, if
	// HasInstance: for encoding IDs from 128 on.
	InstanceID  uint16
	HasInstance bool

	// OTI is the rest of the object transmission information, decoded from
	// base64; nil without a=FEC-OTI-extension.
	OTI []byte
}

// ParseFECDeclaration reads the value of an a=FEC-declaration attribute: "0
// encoding-id=128; instance-id=0". The error wraps ErrValue.
func ParseFECDeclaration(s string) (FECDeclaration, error) {
	v, bad := parseFECDeclaration(s)
	return v, bad.err("FEC-declaration")
}

func parseFECDeclaration(s string) (v FECDeclaration, bad fault) {
	f := fields{s: s}
	ref, ok := parseUint(f.next(), 1<<32-1)
	if !ok {
		return v, dead(CodeAttribute, 0, "a FEC declaration begins with its number")
	}
	v.Ref = uint32(ref)
	has := false
	for name, value := range (FMTP{Params: f.rest()}).All() {
		n, ok := parseUint(value, 65535)
		switch {
		case name == "encoding-id" && ok && n < 256:
			v.EncodingID, has = uint8(n), true
		case name == "instance-id" && ok:
			v.InstanceID, v.HasInstance = uint16(n), true
		default:
			bad.note(CodeAttribute, f.at, "a FEC declaration is encoding-id=number, and maybe instance-id=number")
		}
	}
	if !has {
		return v, dead(CodeAttribute, len(s), "a FEC declaration has an encoding-id of 0 to 255")
	}
	return v, bad
}

// String returns the value of the attribute, without OTI.
func (v FECDeclaration) String() string {
	s := strconv.FormatUint(uint64(v.Ref), 10) + " encoding-id=" + strconv.Itoa(int(v.EncodingID))
	if v.HasInstance {
		s += "; instance-id=" + strconv.Itoa(int(v.InstanceID))
	}
	return s
}

// FECDeclarations returns the FEC schemes of the media: those it refers to with a=FEC,
// or, if it does not, all of its own and the session's. At most MaxGroups are looked
// at.
func (m Media) FECDeclarations() []FECDeclaration {
	var all []FECDeclaration
	for _, s := range []Section{m.Section, m.d.Session()} {
		for name, value := range s.Attributes() {
			if name != "FEC-declaration" || len(all) == MaxGroups {
				continue
			}
			if v, bad := parseFECDeclaration(value); !bad.dead && m.wantsFEC(v.Ref) {
				v.OTI = m.oti(v.Ref)
				all = append(all, v)
			}
		}
	}
	return all
}

// wantsFEC reports whether the media refers to a declaration, or to none.
func (m Media) wantsFEC(ref uint32) bool {
	some := false
	for name, value := range m.Attributes() {
		if name == "FEC" {
			some = true
			if v, ok := parseUint(strings.Trim(value, " \t"), 1<<32-1); ok && uint32(v) == ref {
				return true
			}
		}
	}
	return !some
}

func (m Media) oti(ref uint32) []byte {
	for _, s := range []Section{m.Section, m.d.Session()} {
		for name, value := range s.Attributes() {
			if name != "FEC-OTI-extension" {
				continue
			}
			f := fields{s: value}
			if v, ok := parseUint(f.next(), 1<<32-1); !ok || uint32(v) != ref {
				continue
			}
			if b, err := base64.StdEncoding.DecodeString(strings.Trim(f.rest(), " \t")); err == nil && len(b) > 0 {
				return b
			}
		}
	}
	return nil
}

// A FLUTE is what a receiver of files must know (RFC 6726 section 6, in the attributes of
// draft-ietf-rmt-flute-sdp); the senders are in the source filter.
type FLUTE struct {
	// TSI is the transport session identifier, of up to 48 bits, if HasTSI:
	// together with the sender's address it names the session.
	TSI    uint64
	HasTSI bool

	// Channels is how many channels the session has, each a media, or a group or a port
	// of one; 0 when not told, which is 1.
	Channels int

	// Content is a URI that describes the content, or is empty.
	Content string

	// FEC has the schemes that may be used.
	FEC []FECDeclaration
}

// maxTSI is the largest transport session identifier (RFC 5651 section 5.1: 48 bits).
const maxTSI = 1<<48 - 1

// FLUTE returns the parameters of a FLUTE media; false when its protocol is
// another.
func (m Media) FLUTE() (FLUTE, bool) {
	if !hasProto(m.Proto, "FLUTE") {
		return FLUTE{}, false
	}
	f := FLUTE{FEC: m.FECDeclarations()}
	if v, ok := m.up("flute-tsi"); ok {
		f.TSI, f.HasTSI = parseUint(strings.Trim(v, " \t"), maxTSI)
	}
	if v, ok := m.up("flute-ch"); ok {
		n, _ := parseUint(strings.Trim(v, " \t"), 1<<16)
		f.Channels = int(n)
	}
	f.Content, _ = m.up("content-desc")
	f.Content = strings.Trim(f.Content, " \t")
	return f, true
}

// A NORM is what a receiver may want to know of a NORM media beside where to join.
// Nothing is registered for NORM in SDP; this package uses the protocol "NORM/UDP" and
// the FEC attributes of FLUTE.
type NORM struct {
	FEC []FECDeclaration // the schemes that may be used
}

// NORM returns the parameters of a NORM media; false when its protocol is another.
func (m Media) NORM() (NORM, bool) {
	if !hasProto(m.Proto, "NORM") {
		return NORM{}, false
	}
	return NORM{FEC: m.FECDeclarations()}, true
}
