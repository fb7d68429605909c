package madcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Port is the UDP port of MADCAP servers (RFC 2730 section 2).
const Port = 2535

// Sizes of messages, in bytes (section 2.1).
const (
	headerSize = 8
	minMessage = headerSize + optionHeader

	// MaxMessage is what a server makes its messages at most, so that none is
	// fragmented; any size up to datagram.MaxSize is read.
	MaxMessage = 1400
)

var (
	// ErrVersion means that a message has another version than 0; it is to be
	// ignored (section 2.1.1).
	ErrVersion = errors.New("madcap: unknown version")

	// ErrSyntax means that the options do not end with one End option, or that one is
	// there twice; the message is to be ignored (section 2.1.5).
	ErrSyntax = errors.New("madcap: options are not well formed")

	// ErrMessage means that a message cannot be encoded.
	ErrMessage = errors.New("madcap: message cannot be written")

	errShort = fmt.Errorf("madcap: message is cut short: %w", io.ErrUnexpectedEOF)
)

// A MalformedError says which option of a message cannot be read. Servers answer it
// with InvalidRequest (section 2.6).
type MalformedError Option

func (e MalformedError) Error() string { return "madcap: malformed option: " + Option(e).String() }

// Type is the type of a message (section 2.2).
type Type uint8

// The types of messages. Clients send Discover, Request, Renew, Release and GetInfo.
const (
	TypeDiscover Type = 1
	TypeOffer    Type = 2
	TypeRequest  Type = 3
	TypeRenew    Type = 4
	TypeAck      Type = 5
	TypeNak      Type = 6
	TypeRelease  Type = 7
	TypeGetInfo  Type = 8
)

var typeNames = [...]string{1: "DISCOVER", "OFFER", "REQUEST", "RENEW", "ACK", "NAK", "RELEASE", "GETINFO"}

// String returns the name as the RFC writes it.
func (t Type) String() string {
	if t > 0 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Family is an address family by IANA's number.
type Family uint16

// The families that have multicast addresses.
const (
	IPv4 Family = 1
	IPv6 Family = 2
)

// FamilyOf returns the family of an address, 0 for the zero Addr. An IPv4-mapped
// address is IPv4.
func FamilyOf(a netip.Addr) Family {
	switch {
	case !a.IsValid():
		return 0
	case a.Unmap().Is4():
		return IPv4
	}
	return IPv6
}

// String returns "IPv4", "IPv6" or the number.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return fmt.Sprintf("family %d", uint16(f))
}

// size is the size of the family's addresses in bytes, 0 when it is not known.
func (f Family) size() int {
	switch f {
	case IPv4:
		return 4
	case IPv6:
		return 16
	}
	return 0
}

// A Message is a MADCAP message: the header, and of the options those in Has. Slices
// and lists of a parsed message are parts of the bytes it was parsed from. Times have
// whole seconds; absolute ones are from 1970 to 2106.
type Message struct {
	Type   Type
	Family Family // of all addresses but ServerID
	XID    uint32
	Has    Options // OptionEnd never counts

	LeaseTime    time.Duration // from StartTime, or from now
	ServerID     netip.Addr    // the zero Addr: of a family that is not known
	LeaseID      []byte        // at least 1 byte
	Scope        netip.Addr    // the scope's first address
	RequestList  CodeList
	StartTime    time.Time
	MinCount     uint16 // both OptionCount; at most Count
	Count        uint16
	Language     []byte // a tag such as "en" or "de-CH"
	Scopes       ScopeList
	Ranges       RangeList
	CurrentTime  time.Time
	Features     FeatureList
	RetryTime    time.Time
	MinLeaseTime time.Duration
	MaxStartTime time.Time
	Error        Failure
	Nesting      Nesting
	Unknown      Unknown

	serverID []byte // as it came
}

// ParseMessage reads a message into m. It allocates nothing. When the message is to be
// ignored the error is ErrVersion, ErrSyntax or wraps io.ErrUnexpectedEOF, and m is of no
// use. When options cannot be read it is a MalformedError for the first of them; m then
// has all others.
func ParseMessage(b []byte, m *Message) error {
	*m = Message{}
	if len(b) < minMessage {
		return errShort
	}
	if b[0] != 0 {
		return ErrVersion
	}
	m.Type = Type(b[1])
	m.Family = Family(binary.BigEndian.Uint16(b[2:]))
	m.XID = binary.BigEndian.Uint32(b[4:])
	field := b[headerSize:]
	var seen Options
	var bad error
	for {
		o, data, rest, ok := nextOption(field)
		if !ok {
			return errShort
		}
		if o == OptionEnd {
			if len(data) != 0 || len(rest) != 0 {
				return ErrSyntax
			}
			break
		}
		if int(o) < numOptions {
			if seen.Has(o) {
				return ErrSyntax
			}
			seen = seen.With(o)
			if m.parseOption(o, data) {
				m.Has = m.Has.With(o)
			} else if bad == nil {
				bad = MalformedError(o)
			}
		} else if m.Unknown == nil {
			m.Unknown = Unknown(b[headerSize : len(b)-optionHeader])
		}
		field = rest
	}
	m.Nesting.n = 0
	if m.Has.Has(OptionNesting) && m.Has.Has(OptionScopeList) {
		m.Nesting.n = m.Scopes.Len()
		if !m.Nesting.fits() { // to be ignored, RFC 2907 section 5
			m.Nesting.n = 0
		}
	}
	return bad
}

// parseOption reads the data of a known option and reports whether it is sound.
func (m *Message) parseOption(o Option, d []byte) bool {
	switch o {
	case OptionLeaseTime:
		return parseSeconds(d, &m.LeaseTime)
	case OptionMinLeaseTime:
		return parseSeconds(d, &m.MinLeaseTime)
	case OptionStartTime:
		return parseTime(d, &m.StartTime)
	case OptionCurrentTime:
		return parseTime(d, &m.CurrentTime)
	case OptionRetryTime:
		return parseTime(d, &m.RetryTime)
	case OptionMaxStartTime:
		return parseTime(d, &m.MaxStartTime)
	case OptionServerID:
		return m.parseServerID(d)
	case OptionLeaseID:
		m.LeaseID = d
		return len(d) > 0
	case OptionScope:
		a, ok := netip.AddrFromSlice(d)
		m.Scope = a
		return ok && len(d) == m.Family.size() && a.IsMulticast()
	case OptionRequestList:
		m.RequestList = d
		return len(d) >= 2 && len(d)%2 == 0
	case OptionCount:
		if len(d) != 4 {
			return false
		}
		m.MinCount, m.Count = binary.BigEndian.Uint16(d), binary.BigEndian.Uint16(d[2:])
		return m.MinCount <= m.Count && m.Count > 0
	case OptionLanguage:
		m.Language = d
		return len(d) == 0 || validTag(d)
	case OptionScopeList:
		m.Scopes = ScopeList{m.Family, d}
		return m.Scopes.valid()
	case OptionRanges:
		m.Ranges = RangeList{m.Family, d}
		return m.Ranges.valid()
	case OptionFeatures:
		m.Features = d
		return m.Features.valid()
	case OptionError:
		if len(d) < 2 {
			return false
		}
		m.Error = Failure{ErrorCode(binary.BigEndian.Uint16(d)), d[2:]}
		return true
	case OptionNesting:
		m.Nesting = Nesting{data: d}
		return len(d) > 0
	}
	return false
}

func (m *Message) parseServerID(d []byte) bool {
	if len(d) < 3 {
		return false
	}
	m.serverID = d
	if n := Family(binary.BigEndian.Uint16(d)).size(); n > 0 {
		m.ServerID, _ = netip.AddrFromSlice(d[2:])
		return len(d) == 2+n
	}
	return true
}

func parseSeconds(d []byte, to *time.Duration) bool {
	if len(d) != 4 {
		return false
	}
	*to = time.Duration(binary.BigEndian.Uint32(d)) * time.Second
	return true
}

func parseTime(d []byte, to *time.Time) bool {
	if len(d) != 4 {
		return false
	}
	*to = time.Unix(int64(binary.BigEndian.Uint32(d)), 0).UTC()
	return true
}

// AppendBinary appends the message to b: the options in Has by their codes, then the
// Unknown ones. The error wraps ErrMessage and names the option that cannot be
// written; b is then returned as it was. Whether the options belong into the message
// is for Kind.Check to say.
func (m *Message) AppendBinary(b []byte) ([]byte, error) {
	out := append(b, 0, byte(m.Type))
	out = binary.BigEndian.AppendUint16(out, uint16(m.Family))
	out = binary.BigEndian.AppendUint32(out, m.XID)
	for o := Option(1); int(o) < numOptions; o++ {
		if !m.Has.Has(o) {
			continue
		}
		at := len(out)
		out = binary.BigEndian.AppendUint32(out, uint32(o)<<16)
		var ok bool
		out, ok = m.appendOption(out, o)
		n := len(out) - at - optionHeader
		if !ok || n > maxOptionData {
			return b, fmt.Errorf("%w: %v", ErrMessage, o)
		}
		binary.BigEndian.PutUint16(out[at+2:], uint16(n))
	}
	for u := []byte(m.Unknown); len(u) > 0; {
		o, data, rest, ok := nextOption(u)
		if !ok {
			return b, fmt.Errorf("%w: unknown options", ErrMessage)
		}
		if int(o) >= numOptions {
			out = AppendOption(out, o, data)
		}
		u = rest
	}
	return append(out, 0, 0, 0, 0), nil
}

// MarshalBinary is AppendBinary into a new slice.
func (m *Message) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

func (m *Message) appendOption(b []byte, o Option) ([]byte, bool) {
	switch o {
	case OptionLeaseTime:
		return appendSeconds(b, m.LeaseTime)
	case OptionMinLeaseTime:
		return appendSeconds(b, m.MinLeaseTime)
	case OptionStartTime:
		return appendTime(b, m.StartTime)
	case OptionCurrentTime:
		return appendTime(b, m.CurrentTime)
	case OptionRetryTime:
		return appendTime(b, m.RetryTime)
	case OptionMaxStartTime:
		return appendTime(b, m.MaxStartTime)
	case OptionServerID:
		a := m.ServerID.Unmap()
		if !a.IsValid() {
			return append(b, m.serverID...), len(m.serverID) >= 3
		}
		b = binary.BigEndian.AppendUint16(b, uint16(FamilyOf(a)))
		return appendAddr(b, a), true
	case OptionLeaseID:
		return append(b, m.LeaseID...), len(m.LeaseID) > 0
	case OptionScope:
		return appendAddr(b, m.Scope), FamilyOf(m.Scope) == m.Family && m.Scope.IsMulticast()
	case OptionRequestList:
		return append(b, m.RequestList...), len(m.RequestList) >= 2
	case OptionCount:
		b = binary.BigEndian.AppendUint16(b, m.MinCount)
		return binary.BigEndian.AppendUint16(b, m.Count), m.MinCount <= m.Count && m.Count > 0
	case OptionLanguage:
		return append(b, m.Language...), len(m.Language) == 0 || validTag(m.Language)
	case OptionScopeList:
		return append(b, m.Scopes.data...), m.Scopes.family == m.Family && m.Scopes.valid()
	case OptionRanges:
		return append(b, m.Ranges.data...), m.Ranges.Len() == 0 && len(m.Ranges.data) == 0 || m.Ranges.family == m.Family && m.Ranges.valid()
	case OptionFeatures:
		return append(b, m.Features...), m.Features.valid()
	case OptionError:
		b = binary.BigEndian.AppendUint16(b, uint16(m.Error.Code))
		return append(b, m.Error.Extra...), true
	case OptionNesting:
		return append(b, m.Nesting.data...), len(m.Nesting.data) > 0
	}
	return b, false
}

func appendSeconds(b []byte, d time.Duration) ([]byte, bool) {
	s := int64(d / time.Second)
	return binary.BigEndian.AppendUint32(b, uint32(s)), d >= 0 && s <= 0xffffffff
}

func appendTime(b []byte, t time.Time) ([]byte, bool) {
	s := t.Unix()
	return binary.BigEndian.AppendUint32(b, uint32(s)), s >= 0 && s <= 0xffffffff
}

// appendAddr appends an address, 4 bytes for an IPv4-mapped one.
func appendAddr(b []byte, a netip.Addr) []byte {
	if a = a.Unmap(); a.Is4() {
		v := a.As4()
		return append(b, v[:]...)
	}
	v := a.As16()
	return append(b, v[:]...)
}
