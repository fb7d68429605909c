package sap

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

// A Profile is a set of habits: how often sessions are announced, and where.
type Profile uint8

const (
	// RFC2974 announces every 300 s, or less often when the group is full.
	RFC2974 Profile = iota

	// AES67 announces every 30 s, and all of 239.0.0.0/8 on 239.255.255.255
	// too, where audio devices listen.
	AES67

	// Fast announces every 5 s, as VLC, FFmpeg and PulseAudio do.
	Fast
)

// String returns the name.
func (p Profile) String() string {
	switch p {
	case RFC2974:
		return "RFC 2974"
	case AES67:
		return "AES67"
	case Fast:
		return "fast"
	}
	return fmt.Sprintf("Profile(%d)", uint8(p))
}

// interval returns the least time between two announcements of a session.
func (p Profile) interval() time.Duration {
	switch p {
	case AES67:
		return 30 * time.Second
	case Fast:
		return 5 * time.Second
	}
	return 300 * time.Second // RFC 2974 section 3.1
}

// Bounds of an announcer that no setting changes.
const (
	// DefaultBandwidth is what all announcements on a group may take together,
	// in bits per second (RFC 2974 section 3.1).
	DefaultBandwidth = 4000

	maxHeard   = 4096 // announcements of others counted per group
	maxPeers   = 4    // other announcers of a session of ours believed
	maxClashes = 64   // clashes waiting to be told
	maxParse   = 50   // announcements of others read a second, to find clashes
	burst      = 16 * time.Second
	maxUDP     = datagram.MaxSize
)

var (
	// ErrConfig means that a setting makes no sense.
	ErrConfig = errors.New("sap: config")

	// ErrSize means that an announcement is longer than MaxSize.
	ErrSize = errors.New("sap: announcement too large")

	// ErrSource means that the originating source is not known: neither
	// Sources nor the o= line has an address.
	ErrSource = errors.New("sap: no originating source")

	// ErrNoPath means that no connection carries announcements to a group.
	ErrNoPath = errors.New("sap: no path to the group")

	// ErrFull means that there are as many sessions as MaxSessions.
	ErrFull = errors.New("sap: too many sessions")

	// ErrWithdrawn means that the session is not announced any more.
	ErrWithdrawn = errors.New("sap: session withdrawn")
)

// AnnouncerConfig says how an Announcer works. The zero value announces as RFC 2974
// says.
type AnnouncerConfig struct {
	Profile Profile

	// Interval is the least time between two announcements of a session on a
	// group; 0 is the profile's. Whatever it is, all announcements on a group,
	// those heard too, stay within Bandwidth.
	Interval time.Duration

	// Bandwidth is what all announcements on a group may take together, in
	// bits per second; 0 is DefaultBandwidth, negative is no limit.
	Bandwidth int

	// Zones are the administrative zones of this network, beside those of RFC
	// 2365.
	Zones []group.Zone

	// Sources are this host's addresses, for the originating source of packets:
	// the first of the group's IP version is taken, or else the first. Without
	// one it is the address in the o= line of the session.
	Sources []netip.Addr

	// MaxSize is the longest packet in bytes: 0 is 1452, what an Ethernet
	// carries over IPv6 in one piece, negative is what UDP can carry.
	// Announcements should stay below RecommendedSize.
	MaxSize int

	// MaxSessions is how many sessions can be announced; 0 is 4096.
	MaxSessions int

	// HopLimit is the TTL or hop limit; 0 is 255, as RFC 2974 section 3 wants.
	HopLimit int

	// Deletes is how often a deletion is sent when a session is withdrawn; 0 is
	// 3, negative is none. DeleteGap is the time between two; 0 is 500 ms.
	Deletes   int
	DeleteGap time.Duration

	// FullDelete puts the whole description into deletions, which PipeWire
	// needs, instead of the o= line alone.
	FullDelete bool

	// Compress sends compressed announcements. Few listeners read them.
	Compress bool

	// NoType leaves the payload type out, for listeners of version 1.
	NoType bool

	// Sign, when set, makes the authentication data of each packet: a signature
	// over what it is handed. It is called once for each version of a session,
	// and must not wait.
	Sign func(packet []byte) (Auth, error)

	// NoDefend keeps an announcer from announcing at once when it hears that
	// another session uses a group of one of its own.
	NoDefend bool

	// Seed is where chance comes from; 0 is a random one.
	Seed uint64
}

// Validate reports what makes no sense, as an error wrapping ErrConfig.
func (c AnnouncerConfig) Validate() error {
	switch {
	case c.Profile > Fast:
		return fmt.Errorf("%w: %v", ErrConfig, c.Profile)
	case c.Interval < 0 || c.Interval > 24*time.Hour:
		return fmt.Errorf("%w: an interval of %v; up to a day", ErrConfig, c.Interval)
	case c.HopLimit < 0 || c.HopLimit > 255:
		return fmt.Errorf("%w: a hop limit of %d", ErrConfig, c.HopLimit)
	case c.MaxSessions < 0:
		return fmt.Errorf("%w: %d sessions", ErrConfig, c.MaxSessions)
	case c.DeleteGap < 0:
		return fmt.Errorf("%w: a gap of %v between deletions", ErrConfig, c.DeleteGap)
	}
	for _, z := range c.Zones {
		if !z.IsValid() {
			return fmt.Errorf("%w: zone %v to %v", ErrConfig, z.First, z.Last)
		}
	}
	for _, a := range c.Sources {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("%w: source %v", ErrConfig, a)
		}
	}
	return nil
}

// filled returns c with its defaults.
func (c AnnouncerConfig) filled() AnnouncerConfig {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&c.Bandwidth, DefaultBandwidth)
	or(&c.MaxSize, 1452)
	or(&c.MaxSessions, 4096)
	or(&c.HopLimit, 255)
	or(&c.Deletes, 3)
	if c.MaxSize < 0 || c.MaxSize > maxUDP {
		c.MaxSize = maxUDP
	}
	if c.Interval == 0 {
		c.Interval = c.Profile.interval()
	}
	if c.DeleteGap == 0 {
		c.DeleteGap = 500 * time.Millisecond
	}
	for i, a := range c.Sources {
		if i == 0 {
			c.Sources = append([]netip.Addr(nil), c.Sources...)
		}
		c.Sources[i] = a.Unmap().WithZone("")
	}
	return c
}

// An Announcement is a session to be announced.
type Announcement struct {
	// Description is what is announced. It is copied.
	Description *sdp.Description

	// Func, when set, is asked for the description before each packet, for
	// what changes by itself, such as the PTP clock in it. It must not wait, nor
	// call the announcer. What it returns is as if handed to Update; nil is no
	// change. Description may then be nil.
	Func func() *sdp.Description

	// Groups are the SAP groups to announce on; none is GroupsFor.
	Groups []netip.Addr
}

// AnnouncerStats counts what an announcer did.
type AnnouncerStats struct {
	Sessions  int    // being announced
	Sent      uint64 // announcements
	SentBytes uint64 // in packets, deletions too
	Deletes   uint64 // deletions sent
	Heard     uint64 // announcements and deletions of others
	Bad       uint64 // packets that could not be read
	Postponed uint64 // announcements put off when their time came, because the group had filled up
	Defended  uint64 // announcements made because of a clash
	Errors    uint64 // descriptions of a Func that could not be announced
}

// SessionStatus tells of a session being announced.
type SessionStatus struct {
	Hash    uint16
	Size    int  // of the largest packet, in bytes
	Large   bool // Size is over RecommendedSize
	Version string
	Groups  []GroupStatus
}

// GroupStatus tells of a session on one group.
type GroupStatus struct {
	Group    netip.Addr
	IfIndex  int // of the path; 0 is its connection's own
	Sent     uint64
	Last     time.Time     // when it was announced last
	Interval time.Duration // between announcements, as of now
	Heard    int           // announcements by others on the group
	Peers    int           // others that announce the same session
}

// A Clash is an announcement by somebody else of a session on a group that one of
// ours uses.
type Clash struct {
	Session *Session // ours
	Group   netip.Addr
	Source  netip.Addr // who announced the other

	// Description is that of the other session.
	Description *sdp.Description

	// Yield tells that the other session was there first, so that ours should
	// move to another group. Otherwise ours was announced again at once, so that
	// the other moves.
	Yield bool
}
