package fdt

import "fmt"

// Profile is which of the incompatible kinds of FLUTE a sender speaks. Receivers take
// all.
type Profile uint8

const (
	RFC6726 Profile = iota // FLUTE version 2
	RFC3926                // FLUTE version 1

	// MBMS is 3GPP's (TS 26.346 section 7.2): FLUTE version 1, a TSI of 16 bits,
	// FEC Encoding IDs 0 and 1 only. Transfer-Length is not used, so that
	// content encoded files cannot be described.
	MBMS
)

// Version returns the FLUTE version in EXT_FDT.
func (p Profile) Version() uint8 {
	if p == RFC6726 {
		return 2
	}
	return 1
}

// String returns the profile's name, which ParseProfile reads.
func (p Profile) String() string {
	switch p {
	case RFC6726:
		return "rfc6726"
	case RFC3926:
		return "rfc3926"
	case MBMS:
		return "mbms"
	}
	return fmt.Sprintf("profile %d", uint8(p))
}

// ParseProfile reads "rfc6726", "rfc3926" or "mbms".
func ParseProfile(s string) (Profile, error) {
	for p := RFC6726; p <= MBMS; p++ {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("fdt: no profile %q: want rfc6726, rfc3926 or mbms", s)
}
