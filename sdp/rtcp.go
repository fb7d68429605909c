package sdp

import (
	"net/netip"
	"strconv"
	"strings"
)

// An RTCP tells the port of RTCP, and where to send it: an a=rtcp attribute (RFC
// 3605). Together with a=rtcp-unicast a unicast address is that of the feedback
// target (RFC 5760 section 10.2).
type RTCP struct {
	Port uint16
	Host string     // an address or name, "" when not told
	Addr netip.Addr // Host as an address
}

// ParseRTCP reads the value of an a=rtcp attribute. The error wraps ErrValue.
func ParseRTCP(s string) (RTCP, error) {
	r, bad := parseRTCP(s)
	return r, bad.err("rtcp")
}

func parseRTCP(s string) (r RTCP, bad fault) {
	f := fields{s: s}
	v, ok := parseUint(f.next(), 65535)
	if !ok {
		return r, dead(CodeAttribute, f.at, "an RTCP port is 0 to 65535")
	}
	r.Port = uint16(v)
	if net := f.next(); net != "" {
		typ := f.next()
		checkTypes(net, typ, f.at, &bad)
		if r.Host = f.next(); r.Host == "" {
			bad.note(CodeAttribute, len(s), "an address is a network type, an address type and the address")
		}
		r.Host, _, _ = strings.Cut(r.Host, "/")
		r.Addr, _ = parseAddr(r.Host)
	}
	f.done(&bad)
	return r, bad
}

// String returns the value of the attribute.
func (r RTCP) String() string {
	s := strconv.Itoa(int(r.Port))
	if r.Host != "" {
		typ := "IP4"
		if r.Addr.Is6() {
			typ = "IP6"
		}
		s += " IN " + typ + " " + r.Host
	}
	return s
}

// RTCP returns the a=rtcp attribute of the section.
func (s Section) RTCP() (RTCP, bool) {
	v, ok := s.Attribute("rtcp")
	if !ok {
		return RTCP{}, false
	}
	r, bad := parseRTCP(v)
	return r, !bad.dead
}

// RTCPUnicast is how receivers of a source-specific session report: an a=rtcp-unicast
// attribute (RFC 5760 section 10.1).
type RTCPUnicast struct {
	// Mode is "reflection", where the source sends reports on to all, or "rsi",
	// where it sends summaries.
	Mode string

	// Rules has the rules of an rsi for single packet types, with a space
	// between them, such as "forward:206".
	Rules string
}

// ParseRTCPUnicast reads the value of an a=rtcp-unicast attribute. The error wraps
// ErrValue.
func ParseRTCPUnicast(s string) (RTCPUnicast, error) {
	r, bad := parseRTCPUnicast(s)
	return r, bad.err("rtcp-unicast")
}

func parseRTCPUnicast(s string) (r RTCPUnicast, bad fault) {
	f := fields{s: s}
	r.Mode = f.next()
	if r.Mode == "" {
		return r, dead(CodeAttribute, 0, "RTCP feedback is by reflection or rsi")
	}
	if r.Mode != "reflection" && r.Mode != "rsi" {
		bad.note(CodeAttribute, 0, "RTCP feedback is by reflection or rsi (RFC 5760 section 10.1)")
	}
	start := -1
	for v := f.next(); v != ""; v = f.next() {
		if start < 0 {
			start = f.at
		}
		how, typ, _ := strings.Cut(v, ":")
		if n, ok := parseUint(typ, 255); !ok || n < 192 || !isToken(how) || r.Mode == "reflection" {
			bad.note(CodeAttribute, f.at, "a rule of rsi is a word, a colon and a packet type")
		}
	}
	if start >= 0 {
		r.Rules = strings.TrimRight(s[start:], " \t")
	}
	f.done(&bad)
	return r, bad
}

// String returns the value of the attribute.
func (r RTCPUnicast) String() string {
	if r.Rules == "" {
		return r.Mode
	}
	return r.Mode + " " + r.Rules
}

// RTCPUnicast returns the a=rtcp-unicast attribute of the media or, since RFC 5760 says
// both, of the session.
func (s Section) RTCPUnicast() (RTCPUnicast, bool) {
	v, ok := s.up("rtcp-unicast")
	if !ok {
		return RTCPUnicast{}, false
	}
	r, bad := parseRTCPUnicast(v)
	return r, !bad.dead
}

// FeedbackTarget returns where receivers of a source-specific session send their reports
// to, if a=rtcp-unicast asks for that: the address of a=rtcp, or, when it has none or
// there is no such attribute, a zero Addr, for the source itself. The port is never
// 0.
func (m Media) FeedbackTarget() (addr netip.Addr, port uint16, ok bool) {
	if _, ok := m.RTCPUnicast(); !ok || m.Port == 0 || m.Port == 65535 {
		return netip.Addr{}, 0, false
	}
	r, ok := m.RTCP()
	if !ok || r.Port == 0 {
		return netip.Addr{}, m.Port + 1, true
	}
	if r.Addr.IsMulticast() {
		return netip.Addr{}, r.Port, true
	}
	return r.Addr, r.Port, true
}

// rtcpPort returns the port that RTCP is multicast to for the first port of the media,
// and whether it is the same for all its ports.
func (m *Media) rtcpPort() (port uint16, fixed bool) {
	if !m.RTP() {
		return 0, false
	}
	if _, mux := m.Attribute("rtcp-mux"); mux { // RFC 5761 section 5.1.1
		return m.Port, false
	}
	// RFC 3556 section 2: without bandwidth there is no RTCP.
	rs, ok := m.Bandwidth("RS")
	if rr, ok2 := m.Bandwidth("RR"); ok && ok2 && rs.Value == 0 && rr.Value == 0 {
		return 0, true
	}
	if v, ok := m.up("multicast-rtcp"); ok { // RFC 6128
		if p, ok := parseUint(strings.Trim(v, " \t"), 65535); ok {
			return uint16(p), true
		}
	}
	// With a=rtcp-unicast, or a unicast address, a=rtcp is about reports only.
	_, unicast := m.RTCPUnicast()
	if r, ok := m.RTCP(); ok && !unicast && (r.Host == "" || r.Addr.IsMulticast()) {
		return r.Port, true
	}
	if m.Port == 65535 {
		return 0, false
	}
	return m.Port + 1, false
}
