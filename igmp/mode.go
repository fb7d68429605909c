package igmp

// A Mode is how much a Parse method forgives. Neither forgives a wrong checksum,
// and both ignore what the RFCs want ignored: reserved bits, additional data,
// records of unknown type.
type Mode uint8

const (
	// Strict refuses what the RFCs want refused, and messages that contradict
	// themselves. It is for everyone who acts on messages.
	Strict Mode = iota

	// Lenient makes the best of a message, for monitors: a query of 9 to 11
	// bytes is read as its first 8, sources or records of which some are
	// missing are those that are there.
	Lenient
)

// String returns "strict" or "lenient".
func (m Mode) String() string {
	if m == Lenient {
		return "lenient"
	}
	return "strict"
}

// clip returns b with no room to append into what follows it, nil if b is empty.
func clip(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b[:len(b):len(b)]
}
