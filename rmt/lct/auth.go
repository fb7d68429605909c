package lct

import "fmt"

// AuthScheme is the Authentication Scheme Identifier (ASID) at the beginning of
// EXT_AUTH, 0 to 15 (RFC 6584 section 2, RFC 5776 section 4.3.1). What scheme a number
// means is part of the session description.
type AuthScheme uint8

// Auth is the content of EXT_AUTH, as far as every scheme shares it. Nothing here
// verifies it.
type Auth struct {
	Scheme AuthScheme

	// Flags are the four bits behind the scheme: the lowest is AR of RFC 6584,
	// anti-replay in use.
	Flags uint8

	// Data is the rest: the sequence number and signature or MAC.
	Data []byte
}

// ParseAuth reads the content of EXT_AUTH. Data aliases it. The error is ErrExtension.
func ParseAuth(content []byte) (Auth, error) {
	if len(content) == 0 {
		return Auth{}, ErrExtension
	}
	return Auth{Scheme: AuthScheme(content[0] >> 4), Flags: content[0] & 15, Data: content[1:]}, nil
}

// AppendAuth appends EXT_AUTH. On an error, which wraps ErrRange, it returns dst as it
// was.
func AppendAuth(dst []byte, a Auth) ([]byte, error) {
	if a.Scheme > 15 || a.Flags > 15 {
		return dst, fmt.Errorf("%w: ASID %d, flags %d", ErrRange, a.Scheme, a.Flags)
	}
	start := len(dst)
	dst = append(BeginExtension(dst, ExtAuth), byte(a.Scheme)<<4|a.Flags)
	return EndExtension(append(dst, a.Data...), start)
}
