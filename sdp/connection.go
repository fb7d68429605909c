package sdp

import (
	"iter"
	"net/netip"
	"strconv"
	"strings"
)

// A Connection is where media is sent: a c= line (RFC 8866 section 5.7).
type Connection struct {
	NetType  string // "IN"
	AddrType string // "IP4" or "IP6"

	// Host is the address or name as written, without TTL and count.
	Host string

	// Addr is Host as an address, the zero Addr when it is a name.
	Addr netip.Addr

	// TTL is that of the sender, 0 to 255, if HasTTL. IPv4 groups must have
	// one, IPv6 groups must not. It is what the announcement tells; VLC for
	// instance always tells 255.
	TTL    uint8
	HasTTL bool

	// Count is how many groups there are, Addr and those behind it; 0 and 1
	// are one.
	Count int
}

// ParseConnection reads the value of a c= line: "IN IP4 239.1.2.3/16/3". A TTL that is
// missing or too many and types that do not fit pass; the error wraps ErrValue when
// there is no address.
func ParseConnection(s string) (Connection, error) {
	c, bad := parseConnection(s)
	return c, bad.err("connection")
}

func parseConnection(s string) (c Connection, bad fault) {
	f := fields{s: s}
	c.NetType = f.next()
	c.AddrType = f.next()
	where := f.next()
	at := f.at
	for where != "" { // cameras write c=IN c=IN IP4 0.0.0.0
		next := f.next()
		if next == "" {
			break
		}
		bad.note(CodeSyntax, at, "a connection is a network type, an address type and an address")
		c.AddrType, where, at = where, next, f.at
	}
	if where == "" {
		return c, dead(CodeSyntax, len(s), "a connection needs a network type, an address type and an address")
	}
	checkTypes(c.NetType, c.AddrType, 0, &bad)
	host, numbers, slash := strings.Cut(where, "/")
	c.Host = host
	var odd bool
	c.Addr, odd = parseAddr(host)
	switch {
	case host == "":
		return c, dead(CodeAddress, at, "no address before the slash")
	case odd:
		bad.note(CodeAddress, at, "an address written in a form that is not allowed")
	case c.Addr.IsValid() && addrType(c.Addr) != c.AddrType:
		bad.note(CodeAddress, at, "the address is not of the type told before it")
	case !c.Addr.IsValid() && !isHost(host):
		return c, dead(CodeAddress, at, "neither an address nor a host name")
	case !c.Addr.IsValid() && looksLike4(host):
		return c, dead(CodeAddress, at, "not an IPv4 address")
	}
	at += len(host) + 1
	switch {
	case slash:
		c.numbers(numbers, at, &bad)
	case c.Addr.Is4() && c.Addr.IsMulticast():
		bad.note(CodeTTL, at-1, "an IPv4 group must have a TTL behind it, such as /16 (RFC 8866 section 5.7)")
	}
	f.done(&bad)
	return c, bad
}

// numbers reads ttl, ttl/count or, in IPv6, count.
func (c *Connection) numbers(s string, at int, bad *fault) {
	if c.Addr.IsValid() && !c.Addr.IsMulticast() {
		bad.note(CodeTTL, at, "a unicast address has no TTL and no count")
	}
	first, second, two := strings.Cut(s, "/")
	v6 := c.Addr.Is6() || !c.Addr.IsValid() && c.AddrType == "IP6"
	if v6 && two {
		bad.note(CodeTTL, at, "an IPv6 group has no TTL (RFC 8866 section 5.7)")
	}
	if !v6 || two {
		ttl, ok := parseUint(first, 255)
		if ok {
			c.TTL, c.HasTTL = uint8(ttl), true
		} else {
			bad.note(CodeTTL, at, "a TTL is 0 to 255")
		}
		if !two {
			return
		}
		at += len(first) + 1
		first = second
	}
	n, ok := parseUint(first, 1<<31-1)
	if !ok || n == 0 {
		bad.note(CodeCount, at, "a count of groups is a number from 1 on")
		return
	}
	c.Count = int(n)
	if n > MaxGroups {
		bad.note(CodeCount, at, "a count of groups that is not believed")
	}
}

// Multicast reports whether Addr is a group.
func (c Connection) Multicast() bool { return c.Addr.IsMulticast() }

// Groups yields the groups of the connection: Addr and the Count-1 addresses behind
// it, at most MaxGroups and no further than the multicast range. An IPv6 count over
// MaxGroups is taken for a TTL, which RFC 4570 section 3.2.5 itself writes there, and
// gives Addr alone.
func (c Connection) Groups() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		n := min(c.Count, MaxGroups)
		if c.Addr.Is6() && c.Count > MaxGroups {
			n = 1
		}
		for a := c.Addr; a.IsMulticast() && yield(a) && n > 1; n-- {
			a = a.Next()
		}
	}
}

// String returns the value of a c= line. A count of IPv4 groups needs a TTL before it: it
// is 1 if there is none.
func (c Connection) String() string {
	s := c.NetType + " " + c.AddrType + " " + c.Host
	switch {
	case c.HasTTL:
		s += "/" + strconv.Itoa(int(c.TTL))
	case c.Count > 1 && c.AddrType != "IP6" && !c.Addr.Is6():
		s += "/1"
	}
	if c.Count > 1 {
		s += "/" + strconv.Itoa(c.Count)
	}
	return s
}

// connectionTo returns the connection for a group.
func connectionTo(g netip.Addr, ttl uint8, count int) Connection {
	c := Connection{NetType: "IN", AddrType: addrType(g), Host: g.WithZone("").String(), Addr: g, Count: count}
	if g.Is4() && g.IsMulticast() {
		c.TTL, c.HasTTL = ttl, true
	}
	return c
}
