package madcap

import "fmt"

// A Kind is what a message is for, as Table 5 of RFC 2730 tells them apart: an ACK is as
// many kinds as there are requests it can answer.
type Kind uint8

// The columns of Table 5. A REQUEST is two: its Server Identifier is needed only when it
// is multicast.
const (
	KindGetInfo Kind = iota
	KindAckGetInfo
	KindDiscover
	KindOffer
	KindRequest
	KindMulticastRequest
	KindAckRequest
	KindRenew
	KindAckRenew
	KindRelease
	KindAckRelease
	KindNak
	numKinds = int(iota)
)

var kindNames = [numKinds]string{"GETINFO", "ACK to GETINFO", "DISCOVER", "OFFER", "REQUEST", "multicast REQUEST",
	"ACK to REQUEST", "RENEW", "ACK to RENEW", "RELEASE", "ACK to RELEASE", "NAK"}

// String returns the name as in Table 5.
func (k Kind) String() string {
	if int(k) < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// presence is Table 5, a line for each option and a letter for each kind: M is MUST, y is
// MAY, and a period is MUST NOT.
var presence = [numOptions]string{
	// GETINFO and its ACK, DISCOVER, OFFER, REQUEST, the same multicast, its ACK, RENEW
	// and its ACK, RELEASE and its ACK, NAK
	OptionLeaseTime:    "..yMyyMyM...",
	OptionServerID:     ".M.MyMM.M.MM",
	OptionLeaseID:      "MMMMMMMMMMMM",
	OptionScope:        "..MMMMM.M...",
	OptionRequestList:  "M...........",
	OptionStartTime:    "..yyyyyyy...",
	OptionCount:        "..y.yy......",
	OptionLanguage:     "y...........",
	OptionScopeList:    ".y..........",
	OptionRanges:       "..yyyyM.M...",
	OptionCurrentTime:  ".yyyyyyyy...",
	OptionFeatures:     "yyyyyyyyyyyy",
	OptionRetryTime:    "......y.y...",
	OptionMinLeaseTime: "..y.yy.y....",
	OptionMaxStartTime: "..y.yy.y....",
	OptionError:        "...........M",
	OptionNesting:      ".y..........", // RFC 2907 section 3.3
}

// must and may are presence as sets: what has to be there, and what can be.
var must, may = func() (must, may [numKinds]Options) {
	for o := Option(1); int(o) < numOptions; o++ {
		for k := range numKinds {
			switch presence[o][k] {
			case 'M':
				must[k] = must[k].With(o)
				fallthrough
			case 'y':
				may[k] = may[k].With(o)
			}
		}
	}
	return must, may
}()

// absolute is the options with a time of day, next to which there must be the Current
// Time (section 2.12).
var absolute = OptionsOf(OptionStartTime, OptionMaxStartTime, OptionRetryTime)

// A Violation is an option that is missing from a message, or should not be in it. The
// zero Violation, whose Option is OptionEnd, is none.
type Violation struct {
	Option  Option
	Missing bool
}

// Ok reports that there is no violation.
func (v Violation) Ok() bool { return v.Option == OptionEnd }

// String says what is wrong.
func (v Violation) String() string {
	switch {
	case v.Ok():
		return "ok"
	case v.Missing:
		return v.Option.String() + " is missing"
	}
	return v.Option.String() + " is not allowed"
}

// Check holds a message's options to Table 5, and to the rules between options: the
// Current Time goes with any time of day, the nesting with a scope list, and a
// server's Feature List requests nothing. It returns the first violation. It does not
// look at the message's type.
func (k Kind) Check(m *Message) Violation {
	if int(k) >= numKinds {
		return Violation{Option: OptionNone}
	}
	for o := range (must[k] &^ m.Has).All() {
		return Violation{o, true}
	}
	for o := range (m.Has &^ may[k]).All() {
		return Violation{o, false}
	}
	switch {
	case m.Has&absolute != 0 && !m.Has.Has(OptionCurrentTime):
		return Violation{OptionCurrentTime, true}
	case m.Has.Has(OptionNesting) && !m.Has.Has(OptionScopeList):
		return Violation{OptionNesting, false}
	case k.fromServer() && m.Has.Has(OptionFeatures) && m.Features.Requested().Len() > 0:
		return Violation{OptionFeatures, false}
	}
	return Violation{}
}

func (k Kind) fromServer() bool {
	switch k {
	case KindAckGetInfo, KindOffer, KindAckRequest, KindAckRenew, KindAckRelease, KindNak:
		return true
	}
	return false
}
