package group

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrTarget means the text is of none of the forms that ParseTarget reads.
var ErrTarget = errors.New(`write "group", "group:port", "source@group:port", "[group]:port" for IPv6, ` +
	`"rtp://source@group:port", "udp://@group:port" or "http://host:659/path?group=G&source=S"`)

// A Target is what people write to name a multicast stream: a channel, a port, and
// perhaps a protocol. The zero Target is not valid.
type Target struct {
	// Scheme is "rtp" or "udp", "http" for a URD link, or empty for an address
	// alone.
	Scheme string

	Channel Channel

	// Port is the UDP port, 1 to 65535; 0 when not told, as in a URD link.
	Port uint16

	// Host and Path are those of a URD link: "www.example.com:659" and
	// "/movie". Both are empty in other targets.
	Host, Path string
}

// ParseTarget reads a channel alone or with a port, an rtp:// or udp:// URL, or a URD
// link:
//
//	239.1.2.3   192.0.2.10@232.1.2.3:5004   [ff15::8000:1]:5004
//	2001:db8::1@[ff3e::8000:1]:5004   [2001:db8::1]@[ff3e::8000:1]:5004
//	rtp://239.1.2.3:5004   rtp://192.0.2.10@232.1.2.3:5004
//	udp://@239.1.2.3:1234   rtp://232.1.2.3:5004?sources=192.0.2.10
//	http://www.example.com:659/movie?group=232.1.2.3&source=192.0.2.10
//
// The @ without a source is how VLC writes any source; sources= is FFmpeg's way to
// name one, and whatever else is behind a ? there is left to others. Zones are
// written %eth0, in a URL also %25eth0 (RFC 6874 section 2). An IPv6 address without
// brackets is one without a port. Schemes may be in upper case. A URD link has port
// 659, or 465, which IANA assigned later. The error wraps ErrTarget,
// ErrNotMulticast or ErrBadSource.
func ParseTarget(s string) (Target, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Target{}, targetError(s, ErrTarget)
	}
	scheme, rest, url := strings.Cut(s, "://")
	if !url {
		t, err := parseAuthority(s, false)
		if err != nil {
			return Target{}, targetError(s, err)
		}
		return t, nil
	}
	var t Target
	var err error
	switch scheme = strings.ToLower(scheme); scheme {
	case "rtp", "udp":
		t, err = parseStream(rest)
	case "http":
		t, err = parseURD(rest)
	default:
		err = fmt.Errorf("scheme %q: %w", scheme, ErrTarget)
	}
	if err != nil {
		return Target{}, targetError(s, err)
	}
	t.Scheme = scheme
	return t, nil
}

func targetError(s string, err error) error {
	return fmt.Errorf("group: %q: %w", s, err)
}

// parseStream reads what is behind rtp:// or udp://.
func parseStream(s string) (Target, error) {
	s, _, _ = strings.Cut(s, "#")
	authority, query, _ := strings.Cut(s, "?")
	authority, path, _ := strings.Cut(authority, "/")
	if path != "" {
		return Target{}, fmt.Errorf("there is no path in such a URL: %w", ErrTarget)
	}
	// VLC's way to write any source.
	t, err := parseAuthority(strings.TrimPrefix(authority, "@"), true)
	if err != nil {
		return Target{}, err
	}
	sources, ok := queryValue(query, "sources")
	if !ok || sources == "" {
		return t, nil
	}
	if strings.Contains(sources, ",") {
		return Target{}, fmt.Errorf("several sources; name one, and join the others as channels of their own: %w", ErrTarget)
	}
	src, err := parseAddr(sources, false)
	if err != nil {
		return Target{}, fmt.Errorf("source %q: %w", sources, ErrTarget)
	}
	if !t.Channel.AnySource() && t.Channel.Source != src {
		return Target{}, fmt.Errorf("two sources, %s and %s: %w", t.Channel.Source, src, ErrTarget)
	}
	t.Channel.Source = src
	return t, t.Channel.Validate()
}

// parseAuthority reads [source@]group[:port].
func parseAuthority(s string, url bool) (t Target, err error) {
	src, rest, both := strings.Cut(s, "@")
	if both {
		if t.Channel.Source, err = parseAddr(unbracket(src), url); err != nil {
			return Target{}, fmt.Errorf("source %q: %w", src, ErrTarget)
		}
		s = rest
	}
	grp, port := s, ""
	switch i := strings.LastIndexByte(s, ':'); {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return Target{}, fmt.Errorf("brackets: %w", ErrTarget)
		}
		grp = s[1:end]
		if end+1 < len(s) {
			port = s[end+1:]
		}
	case i >= 0 && strings.IndexByte(s, ':') == i: // one colon: no IPv6 address has only one
		grp, port = s[:i], s[i:]
	}
	if t.Channel.Group, err = parseAddr(grp, url); err != nil {
		return Target{}, fmt.Errorf("group %q: %w", grp, ErrTarget)
	}
	if port != "" {
		n, err := strconv.ParseUint(port[1:], 10, 16)
		if err != nil || n == 0 || port[1] == '+' {
			return Target{}, fmt.Errorf("port %q is not 1 to 65535: %w", port[1:], ErrTarget)
		}
		t.Port = uint16(n)
	}
	return t, t.Channel.Validate()
}

func unbracket(s string) string {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return s[1 : len(s)-1]
	}
	return s
}

// parseAddr reads an address; in a URL the % before its zone may be written %25.
func parseAddr(s string, url bool) (netip.Addr, error) {
	if a, zone, ok := strings.Cut(s, "%25"); ok && url && zone != "" {
		s = a + "%" + zone
	}
	a, err := netip.ParseAddr(s)
	if err == nil && strings.ContainsFunc(a.Zone(), notInZone) {
		return netip.Addr{}, ErrTarget // it would not be one in a URL
	}
	return a.Unmap(), err
}

func notInZone(r rune) bool {
	return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') && !strings.ContainsRune("-._~", r)
}

// String returns the form that ParseTarget reads: with brackets around an IPv6
// address that has a port or is in a URL, and a URL's zone as %25eth0.
func (t Target) String() string {
	if t.Scheme == "http" {
		return t.urd()
	}
	s := t.authority()
	if t.Scheme != "" {
		s = t.Scheme + "://" + strings.ReplaceAll(s, "%", "%25")
	}
	return s
}

func (t Target) authority() string {
	s := ""
	if !t.Channel.AnySource() {
		s = t.host(t.Channel.Source) + "@"
	}
	s += t.host(t.Channel.Group)
	if t.Port != 0 {
		s += ":" + strconv.Itoa(int(t.Port))
	}
	return s
}

func (t Target) host(a netip.Addr) string {
	if a.Is6() && (t.Scheme != "" || t.Port != 0) {
		return "[" + a.String() + "]"
	}
	return a.String()
}
