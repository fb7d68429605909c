package sap

import "fmt"

// AuthType is the format of a signature (RFC 2974 section 8).
type AuthType uint8

const (
	AuthPGP AuthType = 0 // a signature packet of type 0x01 (section 8.1)
	AuthCMS AuthType = 1 // ContentInfo with signedData, without content (section 8.2)
)

// String returns "PGP", "CMS" or a number.
func (t AuthType) String() string {
	switch t {
	case AuthPGP:
		return "PGP"
	case AuthCMS:
		return "CMS"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Auth is authentication data (RFC 2974 section 8, figure 2). This package does not
// check or make signatures: AnnouncerConfig.Sign and DirectoryConfig.Verify do.
type Auth struct {
	Version uint8 // 1
	Type    AuthType
	Data    []byte // the signature, in the format of Type
}

// ParseAuth reads the authentication data of a packet, and takes its padding off.
// Data is a part of b. The error wraps ErrAuth.
func ParseAuth(b []byte) (Auth, error) {
	if len(b) == 0 || len(b)%4 != 0 {
		return Auth{}, fmt.Errorf("%w: %d bytes", ErrAuth, len(b))
	}
	a := Auth{Version: b[0] >> 5, Type: AuthType(b[0] & 0x0f), Data: b[1:]}
	if a.Version != 1 {
		return Auth{}, fmt.Errorf("%w: version %d", ErrAuth, a.Version)
	}
	if b[0]&0x10 != 0 { // P
		n := int(b[len(b)-1])
		if n == 0 || n > len(a.Data) {
			return Auth{}, fmt.Errorf("%w: %d bytes of padding in %d", ErrAuth, n, len(b))
		}
		a.Data = a.Data[:len(a.Data)-n]
	}
	return a, nil
}

// AppendBinary appends the authentication data to b, padded to a multiple of 4
// bytes. The error wraps ErrAuth when it is over MaxAuth.
func (a Auth) AppendBinary(b []byte) ([]byte, error) {
	n := 1 + len(a.Data)
	pad := -n & 3
	if n+pad > MaxAuth || a.Version > 7 || a.Type > 15 {
		return b, fmt.Errorf("%w: version %d, %v, %d bytes", ErrAuth, a.Version, a.Type, n)
	}
	first := a.Version<<5 | uint8(a.Type)
	if pad > 0 {
		first |= 0x10
	}
	b = append(append(b, first), a.Data...)
	for i := range pad {
		v := byte(0)
		if i == pad-1 {
			v = byte(pad)
		}
		b = append(b, v)
	}
	return b, nil
}

// AppendSigned appends to dst what a signature is over: the whole packet with an
// authentication length of 0 and without the authentication data (RFC 2974 section
// 8). The errors are those of ParsePacket.
func AppendSigned(dst, packet []byte) ([]byte, error) {
	p, err := ParsePacket(packet)
	if err != nil {
		return dst, err
	}
	n := headerSize4
	if p.Origin.Is6() {
		n = headerSize6
	}
	at := len(dst)
	dst = append(dst, packet[:n]...)
	dst[at+1] = 0
	return append(dst, packet[n+len(p.Auth):]...), nil
}
