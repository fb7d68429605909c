package sdp

// Bounds on what is taken from a description that may be hostile.
const (
	// MaxSize is the longest text in bytes. An announcement should stay below
	// 1,000 (RFC 2974 section 4); descriptions that name many streams reach
	// some thousands.
	MaxSize = 64 << 10

	// MaxLines is the most lines.
	MaxLines = 4096

	// MaxMedia is the most m= lines.
	MaxMedia = 256

	// MaxGroups is the most groups one c= line can expand to; see
	// [Connection.Groups].
	MaxGroups = 64

	// MaxPorts is the most ports one m= line can expand to.
	MaxPorts = 64

	// MaxChannels is the most channels that a description gives.
	MaxChannels = 1024

	// MaxWarnings is the most warnings and findings kept of each description.
	MaxWarnings = 64
)
