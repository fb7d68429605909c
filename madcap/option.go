package madcap

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// An Option is the code of an option (RFC 2730 section 3).
type Option uint16

// The options of RFC 2730 section 3 and, the last one, RFC 2907.
const (
	OptionEnd          Option = 0
	OptionLeaseTime    Option = 1
	OptionServerID     Option = 2
	OptionLeaseID      Option = 3
	OptionScope        Option = 4
	OptionRequestList  Option = 5
	OptionStartTime    Option = 6
	OptionCount        Option = 7 // Number of Addresses Requested
	OptionLanguage     Option = 8
	OptionScopeList    Option = 9
	OptionRanges       Option = 10 // List of Address Ranges
	OptionCurrentTime  Option = 11
	OptionFeatures     Option = 12
	OptionRetryTime    Option = 13
	OptionMinLeaseTime Option = 14
	OptionMaxStartTime Option = 15
	OptionError        Option = 16
	OptionNesting      Option = 17     // Multicast Scope Nesting State
	OptionNone         Option = 0xffff // in errors: no specific option

	numOptions = 18 // known ones
)

// Sizes in an options field (section 2.1.5), in bytes.
const (
	optionHeader  = 4 // code and length
	maxOptionData = 0xffff
)

var optionNames = [numOptions]string{"End", "Lease Time", "Server Identifier", "Lease Identifier", "Multicast Scope",
	"Option Request List", "Start Time", "Number of Addresses Requested", "Requested Language", "Multicast Scope List",
	"List of Address Ranges", "Current Time", "Feature List", "Retry Time", "Minimum Lease Time", "Maximum Start Time",
	"Error", "Multicast Scope Nesting State"}

// String returns the name the RFC gives the option.
func (o Option) String() string {
	switch {
	case int(o) < numOptions:
		return optionNames[o]
	case o == OptionNone:
		return "no option"
	}
	return fmt.Sprintf("option %d", uint16(o))
}

// Options is a set of known options. The zero value is empty.
type Options uint32

// OptionsOf returns the set of os; codes that are not known are left out.
func OptionsOf(os ...Option) (s Options) {
	for _, o := range os {
		s = s.With(o)
	}
	return s
}

// Has reports whether o is in the set.
func (s Options) Has(o Option) bool { return int(o) < numOptions && s&(1<<o) != 0 }

// With returns the set with o in it.
func (s Options) With(o Option) Options {
	if int(o) >= numOptions {
		return s
	}
	return s | 1<<o
}

// Without returns the set without o.
func (s Options) Without(o Option) Options {
	if int(o) >= numOptions {
		return s
	}
	return s &^ (1 << o)
}

// All yields the options of the set in the order of their codes.
func (s Options) All() iter.Seq[Option] {
	return func(yield func(Option) bool) {
		for o := range Option(numOptions) {
			if s.Has(o) && !yield(o) {
				return
			}
		}
	}
}

// AppendOption appends one option, its header in front; data beyond 65,535 bytes is
// cut off.
func AppendOption(b []byte, o Option, data []byte) []byte {
	data = data[:min(len(data), maxOptionData)]
	b = binary.BigEndian.AppendUint16(b, uint16(o))
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// nextOption takes one option off the front of an options field. ok is false at its
// end, and when the field is broken.
func nextOption(b []byte) (o Option, data, rest []byte, ok bool) {
	if len(b) < optionHeader {
		return 0, nil, nil, false
	}
	n := optionHeader + int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < n {
		return 0, nil, nil, false
	}
	return Option(binary.BigEndian.Uint16(b)), b[optionHeader:n:n], b[n:], true
}

// Unknown is the options of a message whose codes are not known, which receivers
// ignore (section 2.1.5). It views the message. The zero value has none; one to be
// sent is made with AppendOption.
type Unknown []byte // options of all kinds, the known ones skipped

// All yields code and data of each.
func (u Unknown) All() iter.Seq2[Option, []byte] {
	return func(yield func(Option, []byte) bool) {
		for b := []byte(u); ; {
			o, data, rest, ok := nextOption(b)
			if !ok {
				return
			}
			if int(o) >= numOptions && !yield(o, data) {
				return
			}
			b = rest
		}
	}
}

// A CodeList is the data of an Option Request List: option codes. It views the
// message it came from.
type CodeList []byte

// NewCodeList returns the list of os.
func NewCodeList(os ...Option) CodeList {
	var l CodeList
	for _, o := range os {
		l = binary.BigEndian.AppendUint16(l, uint16(o))
	}
	return l
}

// Len returns the number of codes.
func (l CodeList) Len() int { return len(l) / 2 }

// At returns the code at i, 0 to Len()-1.
func (l CodeList) At(i int) Option { return Option(binary.BigEndian.Uint16(l[2*i:])) }

// Has reports whether o is in the list.
func (l CodeList) Has(o Option) bool {
	for i := range l.Len() {
		if l.At(i) == o {
			return true
		}
	}
	return false
}
