package sdp

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Session is what the builders write of a session as a whole. Origin and Name should be
// told; everything else may be zero.
type Session struct {
	// Name is the name people see. "" is written as "-".
	Name string

	// Origin is the address of the host that makes the session. Zero is the
	// source of the first media if that is told, and an error otherwise.
	Origin netip.Addr

	// ID is different for each session of the host. 0 is a number made of Name,
	// Origin and the first group and port, the same at each start of a program.
	// (NTP(time.Now()), which RFC 8866 suggests, is one number for all sessions
	// made within a second.) Version must grow with each change; 0 is 1, and
	// NTP(time.Now()) grows from start to start. See Description.BumpVersion.
	ID, Version uint64

	Username string // "" is "-"
	Info     string // an i= line, if not empty
	URI      string // a u= line, if not empty
	Tool     string // a=tool, if not empty

	// Start and Stop are when the session is on; zero is always and without
	// end.
	Start, Stop time.Time
}

// A Dest is where a media is sent.
type Dest struct {
	// Channel is the group and the sender. With a sender there is a source
	// filter; a group in the source-specific range needs one.
	Channel group.Channel

	// Port is the UDP port, 1 to 65535. RTP should have an even one.
	Port uint16

	// TTL is the sender's TTL, written for IPv4 groups. 0 is 1: one link.
	TTL uint8

	// Groups is how many groups there are from Channel.Group on, for layered
	// streams, at most MaxGroups; 0 is 1.
	Groups int
}

func (d Dest) validate() error {
	if err := d.Channel.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrValue, err)
	}
	last := d.Channel.Group.Unmap()
	for range max(d.Groups, 1) - 1 {
		if d.Groups > MaxGroups {
			break
		}
		last = last.Next()
	}
	switch {
	case d.Channel.AnySource() && group.IsSSM(d.Channel.Group):
		return fmt.Errorf("%w: %s is source-specific: tell the source", ErrValue, d.Channel.Group)
	case d.Port == 0:
		return fmt.Errorf("%w: port 0", ErrValue)
	case d.Groups < 0 || d.Groups > MaxGroups || !last.IsMulticast():
		return fmt.Errorf("%w: %d groups from %s on", ErrValue, d.Groups, d.Channel.Group)
	}
	return nil
}

// A builder adds lines to a description until something is wrong.
type builder struct {
	d   *Description
	err error
}

func (s Session) start(dest Dest) *builder {
	if err := dest.validate(); err != nil {
		return &builder{err: err}
	}
	host := s.Origin.Unmap()
	if !host.IsValid() {
		host = dest.Channel.Source.Unmap()
	}
	if !host.IsValid() {
		return &builder{err: fmt.Errorf("%w: tell the origin's address", ErrValue)}
	}
	host = host.WithZone("")
	if s.Username == "" {
		s.Username = "-"
	}
	if s.ID == 0 {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\n%s\n%s\n%d", s.Name, host, dest.Channel.Group.WithZone(""), dest.Port)
		s.ID = h.Sum64() >> 1 // some read it as a signed number
	}
	o := Origin{Username: s.Username, ID: strconv.FormatUint(s.ID, 10), Version: strconv.FormatUint(max(s.Version, 1), 10),
		NetType: "IN", AddrType: addrType(host), Address: host.String()}
	b := &builder{}
	b.d, b.err = New(o, s.Name, Timing{Start: NTP(s.Start), Stop: NTP(s.Stop)})
	b.optional('i', s.Info)
	b.optional('u', s.URI)
	if s.Tool != "" {
		b.attribute(Section{}, "tool", s.Tool)
	}
	return b
}

func (b *builder) optional(typ byte, value string) {
	if b.err == nil && value != "" {
		b.err = b.d.Session().Add(typ, value)
	}
}

// attribute adds an attribute to a section, of which the zero one is the session.
func (b *builder) attribute(s Section, name, value string) {
	if b.err != nil {
		return
	}
	if s.d == nil {
		s = b.d.Session()
	}
	b.err = s.AddAttribute(name, value)
	if bad := checkValue(name, value); b.err == nil && bad.is() {
		b.err = fmt.Errorf("%w: %s %q: %s", ErrValue, name, value, bad.why)
	}
}

// media adds an m= line with its c= line and source filter.
func (b *builder) media(m MediaLine, to Dest, title string) (s Section) {
	if b.err == nil {
		b.err = to.validate()
	}
	if b.err != nil {
		return
	}
	m.Port = to.Port
	var added Media
	if added, b.err = b.d.AddMedia(m); b.err != nil {
		return
	}
	s = added.Section
	if title != "" {
		b.err = s.Add('i', title)
	}
	g := to.Channel.Group.Unmap().WithZone("")
	if b.err == nil {
		b.err = s.Add('c', connectionTo(g, max(to.TTL, 1), to.Groups).String())
	}
	if !to.Channel.AnySource() {
		src, dest := to.Channel.Source.Unmap().WithZone("").String(), g.String()
		if to.Groups > 1 {
			dest = "*"
		}
		b.attribute(s, "source-filter", SourceFilter{NetType: "IN", AddrType: addrType(g), Dest: dest, Sources: src}.String())
	}
	return s
}

func (b *builder) done() (*Description, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.d, nil
}

// formatPacketTime writes milliseconds without zeros at the end.
func formatPacketTime(t time.Duration) string {
	ms, ns := t/time.Millisecond, t%time.Millisecond
	if ns == 0 {
		return strconv.FormatInt(int64(ms), 10)
	}
	part := strconv.FormatInt(int64(ns+time.Millisecond), 10)[1:]
	return strconv.FormatInt(int64(ms), 10) + "." + strings.TrimRight(part, "0")
}
