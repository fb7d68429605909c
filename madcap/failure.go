package madcap

import (
	"encoding/binary"
	"fmt"
	"time"
)

// An ErrorCode is the reason of a NAK (RFC 2730 section 3.17).
type ErrorCode uint16

// The codes that are defined; 1024 to 2047 are for experiments.
const (
	NotCompleted        ErrorCode = 0 // Valid Request Could Not Be Completed
	InvalidRequest      ErrorCode = 1
	ExcessiveClockSkew  ErrorCode = 2
	LeaseNotRecognized  ErrorCode = 3
	FeatureNotSupported ErrorCode = 4
)

// String returns the name the RFC gives the code.
func (c ErrorCode) String() string {
	switch {
	case c == NotCompleted:
		return "Valid Request Could Not Be Completed"
	case c == InvalidRequest:
		return "Invalid Request"
	case c == ExcessiveClockSkew:
		return "Excessive Clock Skew"
	case c == LeaseNotRecognized:
		return "Lease Identifier Not Recognized"
	case c == FeatureNotSupported:
		return "Required Feature Not Supported"
	case c >= 1024 && c <= 2047:
		return fmt.Sprintf("experimental error %d", uint16(c))
	}
	return fmt.Sprintf("error %d", uint16(c))
}

// A Failure is the data of an Error option. As an error it is a server's refusal.
// Extra may be a part of the message it came from.
type Failure struct {
	Code  ErrorCode
	Extra []byte // depends on Code; Option, Time and Features read it
}

// failed returns a failure that blames an option.
func failed(c ErrorCode, o Option) Failure {
	return Failure{c, binary.BigEndian.AppendUint16(nil, uint16(o))}
}

// Option returns the option that is to blame for NotCompleted and InvalidRequest, else
// OptionNone.
func (f Failure) Option() Option {
	if f.Code <= InvalidRequest && len(f.Extra) >= 2 {
		return Option(binary.BigEndian.Uint16(f.Extra))
	}
	return OptionNone
}

// Time returns the server's time when the code is ExcessiveClockSkew.
func (f Failure) Time() (t time.Time, ok bool) {
	ok = f.Code == ExcessiveClockSkew && len(f.Extra) >= 4 && parseTime(f.Extra[:4], &t)
	return t, ok
}

// Features returns the features that are missing when the code is
// FeatureNotSupported.
func (f Failure) Features() Features {
	if f.Code == FeatureNotSupported {
		return Features(f.Extra)
	}
	return nil
}

// Error says what the server refused and, as far as it told, why.
func (f Failure) Error() string {
	s := "madcap: refused: " + f.Code.String()
	if o := f.Option(); o != OptionNone {
		s += " (" + o.String() + ")"
	}
	if t, ok := f.Time(); ok {
		s += ": the server's clock shows " + t.Format(time.RFC3339) + "; set the clocks right"
	}
	return s
}
