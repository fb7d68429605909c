package madcap

import (
	"encoding/binary"
	"fmt"
)

// A Feature is the code of an optional feature (RFC 2730 section 2.13).
type Feature uint16

// The features that are defined.
const (
	// ServerMobility: a lease of one server can be renewed and released at
	// another.
	ServerMobility Feature = 0

	// RetryAfter: a server may ask a client to come back later.
	RetryAfter Feature = 1

	// SharedLease: whoever knows the lease identifier may change the lease.
	SharedLease Feature = 2
)

// String returns the name the RFC gives the feature.
func (f Feature) String() string {
	switch f {
	case ServerMobility:
		return "Server Mobility"
	case RetryAfter:
		return "Retry After"
	case SharedLease:
		return "Shared Lease Identifier"
	}
	return fmt.Sprintf("feature %d", uint16(f))
}

// A FeatureList is the data of a Feature List (section 3.13): the features that the
// sender supports, those it requests, and those it requires or, in a server's message,
// has implemented. It views the message it came from.
type FeatureList []byte

// NewFeatureList returns the list of three lists, each with at most 10,000 features.
func NewFeatureList(supported, requested, required []Feature) FeatureList {
	var l FeatureList
	for _, fs := range [...][]Feature{supported, requested, required} {
		fs = fs[:min(len(fs), 10_000)]
		l = binary.BigEndian.AppendUint16(l, uint16(len(fs)))
		for _, f := range fs {
			l = binary.BigEndian.AppendUint16(l, uint16(f))
		}
	}
	return l
}

// Supported, Requested and Required return the three lists.
func (l FeatureList) Supported() Features { return l.part(0) }

// Requested returns the features asked for; a server's message has none.
func (l FeatureList) Requested() Features { return l.part(1) }

// Required returns the features insisted on, or implemented by the server.
func (l FeatureList) Required() Features { return l.part(2) }

func (l FeatureList) part(i int) Features {
	for ; len(l) >= 2; i-- {
		n := 2 + 2*int(binary.BigEndian.Uint16(l))
		if len(l) < n {
			break
		}
		if i == 0 {
			return Features(l[2:n])
		}
		l = l[n:]
	}
	return nil
}

func (l FeatureList) valid() bool {
	for range 3 {
		if len(l) < 2 {
			return false
		}
		n := 2 + 2*int(binary.BigEndian.Uint16(l))
		if len(l) < n {
			return false
		}
		l = l[n:]
	}
	return len(l) == 0
}

// Features is a list of features. It views the message it came from.
type Features []byte

// Len returns the number of features.
func (s Features) Len() int { return len(s) / 2 }

// At returns the feature at i, 0 to Len()-1.
func (s Features) At(i int) Feature { return Feature(binary.BigEndian.Uint16(s[2*i:])) }

// Has reports whether f is in the list.
func (s Features) Has(f Feature) bool {
	for i := range s.Len() {
		if s.At(i) == f {
			return true
		}
	}
	return false
}
