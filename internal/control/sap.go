package control

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// SAP announces sessions (RFC 2974).
const SAP = "sap"

// Types of a Record of SAP.
const (
	Announce = "announce"
	Delete   = "delete"
)

// Modes of an Entry of SAP: from which senders the session is.
const (
	ModeInclude = "include"
	ModeExclude = "exclude"
)

// harmless are the quirks that are no problems: RFC 2974 allows a packet without a
// payload type, and of version 0 the record tells the version.
const harmless = sap.QuirkNoType | sap.QuirkVersion0

// describeSAP tells SAP by its port and by going to a group.
func describeSAP(f *pcap.Frame, r *Record) bool {
	src, dst, b, ok := f.UDP()
	if !ok || dst.Port() != sap.Port || !dst.Addr().IsMulticast() {
		return false
	}
	r.Proto, r.Type = SAP, Other
	r.SrcPort, r.DstPort = src.Port(), dst.Port()
	whole := envelope(&f.IP, r)
	p, err := sap.ParsePacket(b)
	switch {
	case errors.Is(err, sap.ErrVersion):
		r.problem("unknown version")
		r.Refused = true
		return true
	case errors.Is(err, io.ErrUnexpectedEOF):
		if whole {
			r.problem("cut short: header")
		}
		r.Refused = true
		return true
	}
	r.Version, r.Type, r.Origin = int(p.Version), Announce, p.Origin
	if p.Delete {
		r.Type = Delete
	}
	for q := sap.Quirk(1); q != 0; q <<= 1 {
		if p.Quirks()&^harmless&q != 0 {
			r.problem(q.String())
		}
	}
	r.session(&p, whole)
	return true
}

// session notes what the description in a packet tells.
func (r *Record) session(p *sap.Packet, whole bool) {
	var in sap.Inflater
	if err := in.Inflate(p); err != nil && whole {
		r.problem("does not decompress")
	}
	switch {
	case p.Encrypted:
		r.Detail = "encrypted"
		return
	case p.Compressed: // still
		r.Detail = "compressed"
		return
	case !p.IsSDP():
		r.Detail = "no session description"
		return
	}
	d, err := sdp.Parse(p.Payload)
	if err != nil {
		if whole {
			r.problem("not a session description")
		}
		return
	}
	r.Title = d.Name()
	if !p.Delete && whole { // a deletion may be the o= line alone
		for _, w := range d.Warnings() {
			if text := "description: " + string(w.Code); !slices.Contains(r.Problems, text) {
				r.problem(text)
			}
		}
	}
	for _, ch := range d.Channels() {
		r.channel(ch)
	}
}

// channel notes what to join. Those of several senders to a group come one after the
// other.
func (r *Record) channel(ch sdp.Channel) {
	if n := len(r.Groups); n > 0 && ch.Source.IsValid() {
		if e := &r.Groups[n-1]; e.Group == ch.Group && e.Port == ch.Port && e.Mode == ModeInclude {
			r.sources = append(r.sources, ch.Source) // behind those of e
			e.Sources = r.sources[len(r.sources)-len(e.Sources)-1 : len(r.sources) : len(r.sources)]
			return
		}
	}
	e := Entry{Group: ch.Group, Port: ch.Port, Mode: ModeExclude, Sources: ch.Except}
	if ch.Source.IsValid() {
		e.Mode = ModeInclude
		e.Sources = r.list(func(dst []netip.Addr) []netip.Addr { return append(dst, ch.Source) })
	}
	r.add(e)
}

// textSAP is Text of a session: its name, its origin and what to join.
func (r *Record) textSAP() string {
	parts := make([]string, 0, 4)
	if r.Detail != "" {
		parts = append(parts, r.Detail)
	}
	if r.Title != "" {
		parts = append(parts, `"`+printable(r.Title)+`"`)
	}
	if r.Origin.IsValid() {
		parts = append(parts, "of "+r.Origin.String())
	}
	text := strings.Join(parts, " ")
	for i := range r.Groups {
		e := &r.Groups[i]
		if text != "" {
			text += "; "
		}
		if i == lineGroups {
			text += "and " + strconv.Itoa(len(r.Groups)-i) + " more"
			break
		}
		text += netip.AddrPortFrom(e.Group, e.Port).String()
		if f := (group.Filter{Mode: group.Exclude, Sources: e.Sources}); len(e.Sources) > 0 {
			if e.Mode == ModeInclude {
				f.Mode = group.Include
			}
			more := len(f.Sources) - lineSources
			f.Sources = f.Sources[:min(len(f.Sources), lineSources)]
			text += " " + f.String()
			if more > 0 {
				text = strings.TrimSuffix(text, "}") + ", and " + strconv.Itoa(more) + " more}"
			}
		}
	}
	if len(r.Problems) > 0 {
		if text != "" {
			text += "  "
		}
		text += "! " + strings.Join(r.Problems, ", ")
	}
	return text
}

// lineTitle is how much of a name is shown on a line, in characters.
const lineTitle = 60

// printable takes out of a name what moves a cursor.
func printable(s string) string {
	n := 0
	return strings.Map(func(c rune) rune {
		switch n++; {
		case n == lineTitle+1:
			return '…'
		case n > lineTitle:
			return -1
		case !unicode.IsPrint(c):
			return unicode.ReplacementChar
		}
		return c
	}, s)
}
