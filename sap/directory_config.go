package sap

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

// A DeletePolicy says which deletions a Directory believes. Whatever it says, a session
// that was verified is deleted only by a packet verified for the same signer.
type DeletePolicy uint8

const (
	// DeleteSameSource believes the host that announced the session.
	DeleteSameSource DeletePolicy = iota

	// DeleteVerified believes only who signs, as RFC 2974 section 4 recommends.
	DeleteVerified

	// DeleteNever believes nobody: sessions go when they are not heard any more.
	DeleteNever
)

// An ExpiryPolicy says how long a session is kept that is not heard any more.
type ExpiryPolicy uint8

const (
	// ExpireMeasured is ten times the period at which the session was
	// announced, at least a minute. One heard too rarely to know is kept as
	// long as ExpireRFC says.
	ExpireMeasured ExpiryPolicy = iota

	// ExpireRFC is ten times the period, at least an hour (RFC 2974 section 4).
	ExpireRFC
)

// DirectoryConfig says how a Directory works. The zero value is good for most.
type DirectoryConfig struct {
	Deletes DeletePolicy
	Expiry  ExpiryPolicy

	// MaxSessions is how many sessions are kept; 0 is 4096. When there are as
	// many, a new one takes the place of the one heard but once that is oldest; if
	// all were heard again it is refused.
	MaxSessions int

	// MaxPerSource is how many of them one host may announce; 0 is 64. A new one
	// takes the place of one of the same host that was heard but once.
	MaxPerSource int

	// MaxBytes is how much memory descriptions may take together; 0 is 16 MiB.
	MaxBytes int

	// MaxPacket is the longest packet read, in bytes; 0 is 8192. MaxInflated is
	// the longest compressed payload; 0 is MaxInflated.
	MaxPacket   int
	MaxInflated int

	// Rate is how many packets a second that change anything one host may send,
	// and Burst how many at once; 0 is 32 and 128. Repetitions do not count.
	Rate, Burst int

	// Listen is how long a directory listens before it is Settled; 0 is 30 s.
	// At RFC 2974's intervals hearing of all takes 400 s and more.
	Listen time.Duration

	// MaxStale is how old sessions read from a Store may be; 0 is a day.
	MaxStale time.Duration

	// Verify, when set, is asked about packets that have authentication data:
	// whether auth is a signature over signed, and whose. An error means that
	// it is not, and the packet is dropped. The empty signer is for those it
	// cannot judge: the packet counts as not signed. It must not wait.
	Verify func(auth Auth, signed []byte) (signer string, err error)

	// Store, when set, keeps the sessions from one run to the next. They are
	// written each SaveEvery if something changed, 0 being a minute, and by
	// Close.
	Store     Store
	SaveEvery time.Duration
}

// Validate reports what makes no sense, as an error wrapping ErrConfig.
func (c DirectoryConfig) Validate() error {
	switch {
	case c.Deletes > DeleteNever || c.Expiry > ExpireRFC:
		return fmt.Errorf("%w: unknown policy", ErrConfig)
	case c.MaxSessions < 0 || c.MaxPerSource < 0 || c.MaxBytes < 0 || c.MaxPacket < 0 || c.MaxInflated < 0 || c.Rate < 0 || c.Burst < 0:
		return fmt.Errorf("%w: a limit below 0", ErrConfig)
	case c.MaxPacket > maxUDP || c.MaxInflated > sdp.MaxSize:
		return fmt.Errorf("%w: packets up to %d bytes, %d inflated", ErrConfig, maxUDP, sdp.MaxSize)
	case c.Listen < 0 || c.MaxStale < 0 || c.SaveEvery < 0:
		return fmt.Errorf("%w: a time below 0", ErrConfig)
	}
	return nil
}

func (c DirectoryConfig) filled() DirectoryConfig {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&c.MaxSessions, 4096)
	or(&c.MaxPerSource, 64)
	or(&c.MaxBytes, 16<<20)
	or(&c.MaxPacket, 8192)
	or(&c.MaxInflated, MaxInflated)
	or(&c.Rate, 32)
	or(&c.Burst, 128)
	for _, t := range []struct {
		v *time.Duration
		d time.Duration
	}{{&c.Listen, 30 * time.Second}, {&c.MaxStale, 24 * time.Hour}, {&c.SaveEvery, time.Minute}} {
		if *t.v == 0 {
			*t.v = t.d
		}
	}
	return c
}

// Bounds of a directory that no setting changes.
const (
	maxSources = 8    // announcers of one session
	maxPlaces  = 16   // groups, interfaces and senders that one session is heard by
	maxHosts   = 8192 // senders whose rate is measured
	maxGroups  = 64   // groups of one session watched for clashes
)

// A Listing is a session that a directory knows.
type Listing struct {
	// Key stays the same as long as the session is known, and is that of no
	// other.
	Key string

	// Description is what is announced. It must not be edited; Clone it.
	Description *sdp.Description

	// Source is the host that announced the session, and may change and delete
	// it. Others are hosts that announced the very same.
	Source netip.Addr
	Others []netip.Addr

	Origin netip.Addr // originating source in the packet
	Hash   uint16
	Signer string // who signed it, as Verify told; "" is nobody
	Quirks Quirk  // of the packet

	Places []Place // where it is heard

	First, Last time.Time // when it was heard
	Heard       int       // how often
	Period      time.Duration
	Expires     time.Time

	// Stale is set for sessions from a Store that were not heard since.
	Stale bool
}

// A Place is a group and an interface.
type Place struct {
	Group   netip.Addr
	IfIndex int
}

// Channels returns what to join. For source-specific groups that have no source
// filter the host that announced the session is taken for the sender, when it has the
// same IP version: VLC announces such.
func (l Listing) Channels() []sdp.Channel {
	return l.Description.ChannelsWith(sdp.ChannelOptions{Source: l.Source.WithZone("")})
}

// A Kind says what an Event tells.
type Kind uint8

const (
	Added     Kind = iota // a session was heard for the first time
	Updated               // its description changed
	Refreshed             // it was heard again
	Removed               // it is gone; see Reason
	Conflict              // it is at odds with Other
)

var kindNames = [...]string{"added", "updated", "refreshed", "removed", "conflict"}

// String returns a word in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Reason says why a session was removed, or is at odds with another.
type Reason uint8

const (
	_            Reason = iota
	Deleted             // its announcer deleted it
	Expired             // it was not heard any more
	Ended               // its time is over
	Evicted             // others took its place; see MaxSessions
	SameOrigin          // another host announces something else with the same o= line
	SameGroup           // another session uses the same group
	UpdateLimits        // it changed, and the limits leave no room for it
	Merged              // its announcer now announces the same as another
)

var reasonNames = [...]string{"", "deleted", "expired", "ended", "evicted", "same origin", "same group", "over limits", "merged"}

// String returns a word or two in lower case.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// An Event tells of a change of the directory.
type Event struct {
	Kind    Kind
	Reason  Reason // of Removed and Conflict
	Listing Listing
	Old     *sdp.Description // of Updated: what it was
	Other   Listing          // of Conflict
	Missed  int              // how many events before this one were lost, because nobody took them
}

// DirectoryStats counts what a directory has seen.
type DirectoryStats struct {
	Sessions, Stale, Bytes int // as of now

	Packets    uint64
	Bad        uint64 // that could not be read
	Encrypted  uint64 // that are encrypted, and so not listed
	Foreign    uint64 // with another payload than a session description
	Unverified uint64 // refused by Verify
	Old        uint64 // versions older than the one known
	Over       uint64 // sessions whose time is over
	Limited    uint64 // over the rate of their host
	Full       uint64 // new sessions for which the limits leave no room
	Deletes    uint64 // deletions believed
	Ignored    uint64 // deletions not believed, or of nothing known
	Quirks     uint64 // packets with something odd, but for a missing type
}

// Groups returns the groups that the session uses, each once.
func (l Listing) Groups() []netip.Addr {
	var all []netip.Addr
	for _, c := range l.Description.Channels() {
		if !slices.Contains(all, c.Group) {
			all = append(all, c.Group)
		}
	}
	return all
}

// A Store keeps what a directory knows from one run to the next. FileStore is one.
type Store interface {
	// Load returns what Save was handed last, nothing and no error when it never
	// was.
	Load() ([]byte, error)

	// Save replaces what is stored. After a crash Load must return this or what
	// was there before, whole.
	Save(b []byte) error
}
