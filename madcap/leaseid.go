package madcap

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
)

// An ID is a Lease Identifier (RFC 2730 section 2.4): bytes that the client chose for a
// lease, in a string so that they compare. Servers do not look into it.
type ID string

// The types of Lease Identifiers, their first byte.
const (
	idRandom  = 0
	idAddress = 1
)

// RandomID returns the Random Lease Identifier of random bytes, which should be 16 or
// more (section 2.4.1).
func RandomID(random []byte) ID { return ID(append([]byte{idRandom}, random...)) }

// AddressID returns the Address-Specific Lease Identifier of a client: an address that
// is the client's alone, and what the client tells its leases apart by (section 2.4.2).
func AddressID(a netip.Addr, local []byte) ID {
	b := binary.BigEndian.AppendUint16([]byte{idAddress}, uint16(FamilyOf(a)))
	if a.IsValid() {
		b = appendAddr(b, a)
	}
	return ID(append(b, local...))
}

// Addr returns the address in an Address-Specific Lease Identifier.
func (id ID) Addr() (netip.Addr, bool) {
	if len(id) < 3 || id[0] != idAddress {
		return netip.Addr{}, false
	}
	n := Family(binary.BigEndian.Uint16([]byte(id[1:3]))).size()
	if n == 0 || len(id) < 3+n {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice([]byte(id[3 : 3+n]))
}

// String returns the bytes in hexadecimal; ParseID reads that.
func (id ID) String() string { return hex.EncodeToString([]byte(id)) }

// ParseID reads what String returned.
func ParseID(s string) (ID, error) {
	b, err := hex.DecodeString(s)
	return ID(b), err
}

// MarshalText returns the bytes in hexadecimal, so that an ID can be a JSON string.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText returned.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
