package control

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Words is a Record as a JSON object. Scripts rely on these names; add fields, never
// change one. Durations are in seconds.
type Words struct {
	Event    string      `json:"event"`          // always "packet"
	Time     string      `json:"time,omitempty"` // RFC 3339 in UTC; left out if not known
	Proto    string      `json:"proto"`
	Version  int         `json:"version"`
	Type     string      `json:"type"`
	Detail   string      `json:"detail,omitempty"`
	Src      string      `json:"src"`
	Dst      string      `json:"dst"`
	VLAN     uint16      `json:"vlan,omitempty"`
	TTL      uint8       `json:"ttl,omitempty"`
	Query    *QueryWords `json:"query,omitempty"`
	Node     *uint32     `json:"node,omitempty"` // NORM's node ID
	Sequence *uint16     `json:"sequence,omitempty"`
	TSI      *uint64     `json:"tsi,omitempty"`    // of ALC
	Object   string      `json:"object,omitempty"` // ALC's TOI or NORM's transport ID
	Origin   *string     `json:"origin,omitempty"` // SAP's originating source
	Name     *string     `json:"name,omitempty"`   // of a session of SAP
	Groups   []Said      `json:"groups"`
	Problems []string    `json:"problems"`
}

// QueryWords is the Asked of a query.
type QueryWords struct {
	General    bool    `json:"general"`
	MaxResp    float64 `json:"max_resp"`
	Interval   float64 `json:"interval,omitempty"`
	Robustness int     `json:"robustness,omitempty"`
	Suppress   bool    `json:"suppress,omitempty"`
}

// Said is an Entry.
type Said struct {
	Group   string       `json:"group"`
	Mode    string       `json:"mode"`
	Sources []netip.Addr `json:"sources"`
	Port    uint16       `json:"port,omitempty"` // of SAP
	Station string       `json:"station,omitempty"`
}

// Words returns the record as a JSON object. It aliases the record.
func (r *Record) Words() Words {
	w := Words{
		Event: "packet", Proto: r.Proto, Version: r.Version, Type: r.Type, Detail: r.Detail,
		Src: r.from(), Dst: r.to(), VLAN: r.VLAN, TTL: r.TTL,
		Groups: make([]Said, len(r.Groups)), Problems: r.Problems,
	}
	if !r.Time.IsZero() {
		w.Time = r.Time.UTC().Format(time.RFC3339Nano)
	}
	if w.Problems == nil {
		w.Problems = []string{}
	}
	if r.Type == Query {
		a := &r.Asked
		w.Query = &QueryWords{a.General, a.MaxResp.Seconds(), a.Interval.Seconds(), a.Robustness, a.Suppress}
	}
	if r.Proto == NORM {
		w.Node, w.Sequence = &r.Node, &r.Sequence
	}
	w.Object = r.Object
	if r.Proto == ALC && r.Type != Other {
		w.TSI = &r.TSI
	}
	if r.Proto == SAP {
		origin := ""
		if r.Origin.IsValid() {
			origin = r.Origin.String()
		}
		w.Origin, w.Name = &origin, &r.Title
	}
	for i := range r.Groups {
		e := &r.Groups[i]
		s := Said{Group: e.name(), Mode: e.Mode, Sources: e.Sources, Port: e.Port}
		if s.Sources == nil {
			s.Sources = []netip.Addr{}
		}
		if r.Proto == CGMP {
			s.Station = e.Station.String()
		}
		w.Groups[i] = s
	}
	return w
}

func (r *Record) from() string {
	switch {
	case r.Proto == NORM || r.Proto == SAP || r.Proto == ALC:
		return netip.AddrPortFrom(r.Src, r.SrcPort).String()
	case !r.Src.IsValid():
		return r.SrcMAC.String()
	}
	return r.Src.String()
}

func (r *Record) to() string {
	switch {
	case r.Proto == NORM || r.Proto == SAP || r.Proto == ALC:
		return netip.AddrPortFrom(r.Dst, r.DstPort).String()
	case !r.Dst.IsValid():
		return r.DstMAC.String()
	}
	return r.Dst.String()
}

func (e *Entry) name() string {
	if !e.Group.IsValid() {
		return e.MAC.String()
	}
	return e.Group.String()
}

// Ends returns the addresses as they are in Words.
func (r *Record) Ends() (src, dst string) { return r.from(), r.to() }

// Name returns the protocol with its version, as in "IGMPv3".
func (r *Record) Name() string {
	name := strings.ToUpper(r.Proto)
	if r.Version == 0 || r.Proto == NORM || r.Proto == ALC || r.Type == PIMv1 {
		return name
	}
	return name + "v" + strconv.Itoa(r.Version)
}

// Bounds of what a line says of a packet; Words says all.
const (
	lineGroups  = 8
	lineSources = 8
)

// Text returns what the record says, in one line for people: who is asked about
// what, or which groups with their modes and sources, and what is wrong.
func (r *Record) Text() string {
	if r.Proto == SAP {
		return r.textSAP()
	}
	if r.Proto == ALC {
		return r.textALC()
	}
	var b strings.Builder
	sep := func(s string) {
		if b.Len() > 0 {
			b.WriteString(s)
		}
	}
	if r.Detail != "" {
		b.WriteString(r.Detail)
	}
	if r.Type == Query && r.Asked.General {
		b.WriteString("general")
	}
	for i := range r.Groups {
		if i == lineGroups {
			sep("; ")
			b.WriteString("and " + strconv.Itoa(len(r.Groups)-i) + " more")
			break
		}
		sep("; ")
		r.Groups[i].text(&b)
	}
	if r.Type == Query && r.Version > 0 {
		r.Asked.text(&b)
	}
	if r.Proto == NORM {
		sep(", ")
		b.WriteString("node " + strconv.FormatUint(uint64(r.Node), 10) + ", sequence " + strconv.Itoa(int(r.Sequence)))
	}
	if len(r.Problems) > 0 {
		sep("  ")
		b.WriteString("! " + strings.Join(r.Problems, ", "))
	}
	return b.String()
}

func (a *Asked) text(b *strings.Builder) {
	b.WriteString(", answer within " + a.MaxResp.String())
	if a.Interval > 0 {
		b.WriteString(", asks every " + a.Interval.String())
	}
	if a.Robustness > 0 {
		b.WriteString(", robustness " + strconv.Itoa(a.Robustness))
	}
	if a.Suppress {
		b.WriteString(", suppress")
	}
}

func (e *Entry) text(b *strings.Builder) {
	b.WriteString(e.name())
	if e.Mode != ModeQuery {
		b.WriteString(" " + e.Mode)
	}
	if e.Station != [6]byte{} {
		b.WriteString(" " + e.Station.String())
	}
	if len(e.Sources) == 0 && (e.Mode == ModeQuery || !e.Group.IsValid() || e.Mode == ModeJoin || e.Mode == ModeLeave) {
		return
	}
	b.WriteString(" {")
	for i, s := range e.Sources {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == lineSources {
			b.WriteString("and " + strconv.Itoa(len(e.Sources)-i) + " more")
			break
		}
		b.WriteString(s.String())
	}
	b.WriteString("}")
}
