package wire

import (
	"strconv"
	"strings"
)

// Flags are the object flags of DATA and INFO (RFC 5740 section 4.2.1).
type Flags uint8

const (
	FlagRepair     Flags = 0x01 // a repair transmission
	FlagExplicit   Flags = 0x02 // a repair for a specific erasure
	FlagInfo       Flags = 0x04 // the object has NORM_INFO
	FlagUnreliable Flags = 0x08 // the object will not be repaired
	FlagFile       Flags = 0x10 // the object should be stored in a file
	FlagStream     Flags = 0x20 // the object is a stream; overrides FlagFile
)

var flagNames = [...]string{"REPAIR", "EXPLICIT", "INFO", "UNRELIABLE", "FILE", "STREAM"}

// String returns the names of the flags set, as in "INFO|FILE", and the value of
// unknown ones; NRL's implementation has a private 0x40.
func (f Flags) String() string {
	var s []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	if rest := f >> len(flagNames) << len(flagNames); rest != 0 || f == 0 {
		s = append(s, "0x"+strconv.FormatUint(uint64(rest), 16))
	}
	return strings.Join(s, "|")
}
