package sdp

import (
	"strconv"
	"strings"
	"time"
)

// ntpEpoch is 1900-01-01 in seconds before 1970 (RFC 8866 section 5.9).
const ntpEpoch = 2208988800

// maxSeconds keeps times and durations where time.Time and time.Duration can hold
// them.
const (
	maxTime    = 1 << 55
	maxSeconds = 1 << 33 // 272 years
)

// NTP returns t in seconds since 1900, which is how SDP counts and what makes a good
// session ID: 0 for the zero Time, or one before 1900.
func NTP(t time.Time) uint64 {
	if t.IsZero() || t.Unix() < -ntpEpoch {
		return 0
	}
	return uint64(t.Unix() + ntpEpoch)
}

func fromNTP(v uint64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.Unix(int64(v)-ntpEpoch, 0).UTC()
}

// A Timing is when a session is on: a t= line (RFC 8866 section 5.9), in seconds since
// 1900, which do not wrap in 2036. A Stop of 0 is without end, and with a Start of 0
// the session is permanent.
type Timing struct {
	Start, Stop uint64

	// Repeats are the r= lines that follow.
	Repeats []Repeat
}

// A Repeat is when a session comes again: an r= line (RFC 8866 section 5.10).
type Repeat struct {
	Interval time.Duration   // from one time to the next
	Active   time.Duration   // how long each lasts
	Offsets  []time.Duration // from Start, and from each repetition of it
}

// ParseTiming reads the value of a t= line. The error wraps ErrValue when the start is
// not a number.
func ParseTiming(s string) (Timing, error) {
	t, bad := parseTiming(s)
	return t, bad.err("timing")
}

func parseTiming(s string) (t Timing, bad fault) {
	f := fields{s: s}
	for i, p := range []*uint64{&t.Start, &t.Stop} {
		v := f.next()
		var ok bool
		*p, ok = parseUint(v, maxTime)
		switch {
		case !ok && i == 0:
			return t, dead(CodeNumber, f.at, "a start time is in seconds since 1900, or 0")
		case !ok:
			bad.note(CodeNumber, f.at, "a stop time is in seconds since 1900, or 0")
		case v != "0" && (len(v) < 10 || v[0] == '0'):
			bad.note(CodeNumber, f.at, "a time is 0 or has ten digits or more")
		}
	}
	f.done(&bad)
	return t, bad
}

// StartTime returns Start, or the zero Time for 0.
func (t Timing) StartTime() time.Time { return fromNTP(min(t.Start, maxTime)) }

// StopTime returns Stop, or the zero Time for 0.
func (t Timing) StopTime() time.Time { return fromNTP(min(t.Stop, maxTime)) }

// Active reports whether the session is on at a time. Adjustments for summer time (z=
// lines) are left out of it.
func (t Timing) Active(at time.Time) bool {
	now := NTP(at)
	if now < t.Start || t.Stop != 0 && now >= t.Stop {
		return false
	}
	if len(t.Repeats) == 0 {
		return true
	}
	since := time.Duration(min(now-t.Start, maxSeconds)) * time.Second
	for _, r := range t.Repeats {
		for _, off := range r.Offsets {
			in := since - off
			if in >= 0 && r.Interval > 0 && in%r.Interval < r.Active {
				return true
			}
		}
	}
	return false
}

// String returns the value of the t= line.
func (t Timing) String() string {
	return strconv.FormatUint(t.Start, 10) + " " + strconv.FormatUint(t.Stop, 10)
}

// parseSeconds reads a typed time such as 7d, 1h, 90m, 3600 or 3600s; negative where
// the grammar lets it be.
func parseSeconds(s string, negative bool) (time.Duration, bool) {
	sign := time.Duration(1)
	if negative && strings.HasPrefix(s, "-") {
		sign, s = -1, s[1:]
	}
	unit := uint64(1)
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 'd':
			unit = 86400
		case 'h':
			unit = 3600
		case 'm':
			unit = 60
		case 's':
		default:
			n++
		}
		s = s[:n-1]
	}
	v, ok := parseUint(s, maxSeconds/unit)
	return sign * time.Duration(v*unit) * time.Second, ok
}

// ParseRepeat reads the value of an r= line: "7d 1h 0 25h". The error wraps ErrValue.
func ParseRepeat(s string) (Repeat, error) {
	r, bad := parseRepeat(s, true)
	return r, bad.err("repeat")
}

// parseRepeat leaves the offsets out when they are only to be checked.
func parseRepeat(s string, keep bool) (r Repeat, bad fault) {
	f := fields{s: s}
	var ok, ok2 bool
	r.Interval, ok = parseSeconds(f.next(), false)
	r.Active, ok2 = parseSeconds(f.next(), false)
	if !ok || !ok2 || r.Interval == 0 {
		return r, dead(CodeNumber, f.at, "a repetition is an interval, a duration and offsets, such as 7d 1h 0 25h")
	}
	n := 0
	for v := f.next(); v != ""; v = f.next() {
		off, ok := parseSeconds(v, false)
		if !ok {
			return r, dead(CodeNumber, f.at, "an offset is a time such as 25h")
		}
		if n++; keep {
			r.Offsets = append(r.Offsets, off)
		}
	}
	if n == 0 {
		return r, dead(CodeSyntax, len(s), "a repetition needs an offset, 0 at least")
	}
	f.done(&bad)
	return r, bad
}

// A ZoneChange is from when on repetitions are moved, for summer time: a part of a z=
// line (RFC 8866 section 5.11).
type ZoneChange struct {
	At     uint64        // seconds since 1900
	Offset time.Duration // to be added to the base time of repetitions
}

// ParseZones reads the value of a z= line: "2882844526 -1h 2898848070 0". The error
// wraps ErrValue.
func ParseZones(s string) ([]ZoneChange, error) {
	z, bad := parseZones(s, true)
	return z, bad.err("zones")
}

func parseZones(s string, keep bool) (z []ZoneChange, bad fault) {
	f := fields{s: s}
	for n := 0; ; n++ {
		at := f.next()
		if at == "" && n > 0 {
			f.done(&bad)
			return z, bad
		}
		v, ok := parseUint(at, maxTime)
		off, ok2 := parseSeconds(f.next(), true)
		if !ok || !ok2 {
			return nil, dead(CodeNumber, f.at, "zone changes are pairs of a time and an offset such as -1h")
		}
		if keep {
			z = append(z, ZoneChange{At: v, Offset: off})
		}
	}
}

// Times returns the t= lines that can be read, each with its r= lines.
func (d *Description) Times() []Timing {
	var times []Timing
	lo, hi := d.bounds(sessionLevel)
	for _, l := range d.lines[lo:hi] {
		switch l.typ {
		case 't':
			if t, bad := parseTiming(l.Value()); !bad.dead {
				times = append(times, t)
			}
		case 'r':
			if r, bad := parseRepeat(l.Value(), true); !bad.dead && len(times) > 0 {
				t := &times[len(times)-1]
				t.Repeats = append(t.Repeats, r)
			}
		}
	}
	return times
}

// Zones returns the changes of the z= lines that can be read.
func (d *Description) Zones() []ZoneChange {
	var zones []ZoneChange
	lo, hi := d.bounds(sessionLevel)
	for _, l := range d.lines[lo:hi] {
		if l.typ == 'z' {
			z, _ := parseZones(l.Value(), true)
			zones = append(zones, z...)
		}
	}
	return zones
}

// Ends returns when the last of the times is over, or the zero Time when one has no
// end or there is none.
func (d *Description) Ends() time.Time {
	var last uint64
	for _, t := range d.Times() {
		if t.Stop == 0 {
			return time.Time{}
		}
		last = max(last, t.Stop)
	}
	return fromNTP(last)
}
