// Package pionsdp converts session descriptions between package sdp and the types of
// github.com/pion/sdp/v3, for programs that use pion's. It is a package of its own so that
// package sdp does not depend on pion.
package pionsdp

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"github.com/gomulticast/multicast/sdp"
)

// From returns the description that pion marshals s to, with a Warning for what the RFCs
// do not allow in it. The error is pion's, or wraps sdp.ErrNotSDP or sdp.ErrTooLarge.
func From(s *pion.SessionDescription) (*sdp.Description, error) {
	b, err := s.Marshal()
	if err != nil {
		return nil, fmt.Errorf("pionsdp: %w", err)
	}
	return sdp.Parse(b)
}

// To returns d in pion's types, and what they could not hold, one Warning for each
// line. Numbers of c= lines are in TTL and Range of pion's Address, which pion's own
// parser leaves inside the text.
//
// What pion has no place for: a second c= line of a media, i=, u=, e=, p= and k= lines after
// the first, session IDs over 64 bits or that are no numbers, unknown lines, line endings and
// order. Attributes keep their bytes, but pion writes a=x: as a=x.
func To(d *sdp.Description) (*pion.SessionDescription, []sdp.Warning) {
	c := converter{d: d, out: &pion.SessionDescription{}}
	c.session()
	for _, m := range d.Media() {
		c.media(m)
	}
	return c.out, c.lost
}

type converter struct {
	d    *sdp.Description
	out  *pion.SessionDescription
	lost []sdp.Warning
}

func (c *converter) lose(line int, why string) {
	if len(c.lost) < sdp.MaxWarnings {
		c.lost = append(c.lost, sdp.Warning{Line: line + 1, Column: 1, Code: sdp.CodeLimit, Reason: "lost in pion's types: " + why})
	}
}

func (c *converter) session() {
	s := c.out
	seen := map[byte]bool{}
	for i, l := range c.d.Session().Lines() {
		typ, v := l.Type(), l.Value()
		if again := seen[typ]; again && strings.IndexByte("vosiuepck", typ) >= 0 {
			c.lose(i, "a second "+string(rune(typ))+"= line")
			continue
		}
		seen[typ] = true
		switch typ {
		case 'v':
			n, err := strconv.Atoi(v)
			if err != nil {
				c.lose(i, "a version that is no number")
			}
			s.Version = pion.Version(n)
		case 'o':
			c.origin(i, v)
		case 's':
			s.SessionName = pion.SessionName(v)
		case 'i':
			s.SessionInformation = ptr(pion.Information(v))
		case 'u':
			var err error
			if s.URI, err = url.Parse(v); err != nil {
				c.lose(i, "a link that is none")
			}
		case 'e':
			s.EmailAddress = ptr(pion.EmailAddress(v))
		case 'p':
			s.PhoneNumber = ptr(pion.PhoneNumber(v))
		case 'c':
			s.ConnectionInformation = c.connection(i, v)
		case 'b':
			s.Bandwidth = c.bandwidth(i, v, s.Bandwidth)
		case 't':
			t, err := sdp.ParseTiming(v)
			if err != nil {
				c.lose(i, err.Error())
				continue
			}
			s.TimeDescriptions = append(s.TimeDescriptions, pion.TimeDescription{Timing: pion.Timing{StartTime: t.Start, StopTime: t.Stop}})
		case 'r':
			c.repeat(i, v)
		case 'z':
			z, err := sdp.ParseZones(v)
			if err != nil {
				c.lose(i, err.Error())
			}
			for _, z := range z {
				s.TimeZones = append(s.TimeZones, pion.TimeZone{AdjustmentTime: z.At, Offset: int64(z.Offset / time.Second)})
			}
		case 'k':
			s.EncryptionKey = ptr(pion.EncryptionKey(v))
		case 'a':
			s.Attributes = append(s.Attributes, attribute(v))
		default:
			c.lose(i, "not a line pion knows")
		}
	}
}

func (c *converter) origin(i int, v string) {
	o, err := sdp.ParseOrigin(v)
	if err != nil {
		c.lose(i, err.Error())
		return
	}
	id, err := strconv.ParseUint(o.ID, 10, 64)
	version, err2 := strconv.ParseUint(o.Version, 10, 64)
	if err != nil || err2 != nil {
		c.lose(i, "a session ID or version that is no number of 64 bits")
	}
	c.out.Origin = pion.Origin{Username: o.Username, SessionID: id, SessionVersion: version,
		NetworkType: o.NetType, AddressType: o.AddrType, UnicastAddress: o.Address}
}

func (c *converter) connection(i int, v string) *pion.ConnectionInformation {
	n, err := sdp.ParseConnection(v)
	if err != nil {
		c.lose(i, err.Error())
		return nil
	}
	a := &pion.Address{Address: n.Host}
	if n.HasTTL {
		a.TTL = ptr(int(n.TTL))
	}
	if n.Count > 0 {
		a.Range = ptr(n.Count)
	}
	return &pion.ConnectionInformation{NetworkType: n.NetType, AddressType: n.AddrType, Address: a}
}

func (c *converter) bandwidth(i int, v string, all []pion.Bandwidth) []pion.Bandwidth {
	b, err := sdp.ParseBandwidth(v)
	if err != nil {
		c.lose(i, err.Error())
		return all
	}
	typ, x := strings.CutPrefix(b.Type, "X-")
	return append(all, pion.Bandwidth{Experimental: x, Type: typ, Bandwidth: b.Value})
}

func (c *converter) repeat(i int, v string) {
	r, err := sdp.ParseRepeat(v)
	n := len(c.out.TimeDescriptions)
	if err != nil || n == 0 {
		c.lose(i, "a repetition of nothing, or none that can be read")
		return
	}
	t := &c.out.TimeDescriptions[n-1]
	p := pion.RepeatTime{Interval: int64(r.Interval / time.Second), Duration: int64(r.Active / time.Second)}
	for _, off := range r.Offsets {
		p.Offsets = append(p.Offsets, int64(off/time.Second))
	}
	t.RepeatTimes = append(t.RepeatTimes, p)
}

func (c *converter) media(m sdp.Media) {
	p := &pion.MediaDescription{MediaName: pion.MediaName{Media: m.Kind, Port: pion.RangedPort{Value: int(m.Port)},
		Protos: strings.Split(m.Proto, "/")}}
	if m.Ports > 0 {
		p.MediaName.Port.Range = ptr(m.Ports)
	}
	for f := range m.AllFormats() {
		p.MediaName.Formats = append(p.MediaName.Formats, f)
	}
	c.out.MediaDescriptions = append(c.out.MediaDescriptions, p)
	for i, l := range m.Lines() {
		v := l.Value()
		switch l.Type() {
		case 'm':
			if m.Kind == "" || m.Proto == "" {
				c.lose(i, "an m= line that cannot be read")
			}
		case 'i':
			if p.MediaTitle != nil {
				c.lose(i, "a second i= line")
				continue
			}
			p.MediaTitle = ptr(pion.Information(v))
		case 'c':
			if p.ConnectionInformation != nil {
				c.lose(i, "a second c= line of one media")
				continue
			}
			p.ConnectionInformation = c.connection(i, v)
		case 'b':
			p.Bandwidth = c.bandwidth(i, v, p.Bandwidth)
		case 'k':
			if p.EncryptionKey != nil {
				c.lose(i, "a second k= line")
				continue
			}
			p.EncryptionKey = ptr(pion.EncryptionKey(v))
		case 'a':
			p.Attributes = append(p.Attributes, attribute(v))
		default:
			c.lose(i, "not a line pion knows in a media")
		}
	}
}

// attribute cuts at the colon only, as pion does.
func attribute(v string) pion.Attribute {
	name, value, _ := strings.Cut(v, ":")
	return pion.Attribute{Key: name, Value: value}
}

func ptr[T any](v T) *T { return &v }
