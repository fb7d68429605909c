package control

import (
	"net/netip"
	"time"
)

// Config holds a Watch's settings. Zero fields take the default in their comment.
type Config struct {
	// Robustness and Interval are assumed of a querier that does not tell, and
	// until one is heard. Default 2 and 125 s (RFC 3376 sections 8.1 and 8.2).
	Robustness int
	Interval   time.Duration

	// StormRate is how many queries, or reports and leaves, of a protocol in a
	// second, for ten seconds on average, are a storm. Default 100.
	StormRate int

	Limits Limits
}

// Limits bound what a Watch remembers. Zero fields take the default in their comment.
type Limits struct {
	Queriers int // of each protocol; default 32
	Groups   int // default 4,096
	Members  int // hosts in groups, default 16,384; one host gets a quarter
	Sources  int // in what hosts reported, default 65,536; one host gets a quarter

	// Registrations of CGMP and GMRP; default 1,024.
	Registrations int
}

// Defaults of the protocols, the same in IGMP and MLD (RFC 3376 section 8, RFC 3810
// section 9).
const (
	defaultRobustness = 2
	defaultInterval   = 125 * time.Second
	defaultMaxResp    = 10 * time.Second
)

func (c *Config) normalize() {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.Robustness, defaultRobustness)
	set(&c.StormRate, 100)
	set(&c.Limits.Queriers, 32)
	set(&c.Limits.Groups, 4096)
	set(&c.Limits.Members, 16384)
	set(&c.Limits.Sources, 65536)
	set(&c.Limits.Registrations, 1024)
	if c.Interval <= 0 {
		c.Interval = defaultInterval
	}
}

// A Watch keeps book of a link by the records it is handed. It is not for concurrent
// use.
type Watch struct {
	cfg      Config
	now      time.Time
	since    time.Time
	swept    time.Time // expired state was looked for
	judged   time.Time
	families [2]family
	groups   map[netip.Addr]*entry
	hosts    map[netip.Addr]*host
	macs     map[[6]byte][]*entry // groups by Ethernet address
	members  int
	sources  int
	refused  uint64
	fullAt   time.Time
	warnings map[warningKey]*Warning
	problems map[string]uint64

	registrations map[registrationKey]*Registration
	cgmp, gmrp    RegistrationCounts
}

// A family is what is known of IGMP or of MLD.
type family struct {
	proto    string
	name     string // for people
	newest   int    // version
	queriers []*Querier
	counts   Counts
	heard    time.Time // the last query that could be one's; zero if never
	queries  rate
	reports  rate
	ssm      int        // source-specific groups that are reported
	ssmGroup netip.Addr // the last one that came

	// What was seen last of what is wrong, and when.
	oldSSM, exclude, badQuery sighting
}

// A sighting is a warning's evidence.
type sighting struct {
	at          time.Time
	host, group netip.Addr
	what        string
}

// Counts are messages of a protocol, refused ones too.
type Counts struct {
	Queries, Reports, Leaves, Other uint64
	Refused                         uint64 // nobody acts on these
}

// NewWatch returns a Watch that has heard nothing.
func NewWatch(now time.Time, cfg Config) *Watch {
	cfg.normalize()
	return &Watch{
		cfg: cfg, now: now, since: now, swept: now, judged: now,
		families: [2]family{{proto: IGMP, name: "IGMP", newest: 3}, {proto: MLD, name: "MLD", newest: 2}},
		groups:   make(map[netip.Addr]*entry), hosts: make(map[netip.Addr]*host), macs: make(map[[6]byte][]*entry),
		warnings: make(map[warningKey]*Warning), problems: make(map[string]uint64),
		registrations: make(map[registrationKey]*Registration),
	}
}

// family returns that of a protocol, nil for those that are not kept book of.
func (w *Watch) family(proto string) *family {
	switch proto {
	case IGMP:
		return &w.families[0]
	case MLD:
		return &w.families[1]
	}
	return nil
}

// Handle takes a packet that was seen at now. It keeps nothing of r. Times that go
// back count as the latest.
func (w *Watch) Handle(now time.Time, r *Record) {
	w.set(now)
	f := w.family(r.Proto)
	if f == nil {
		if c := w.registers(r.Proto); c != nil {
			w.note(r.Problems)
			w.register(c, r)
		}
		return
	}
	w.take(f, r)
	if w.now.Sub(w.judged) >= judgeEvery {
		w.judge()
	}
}

// judgeEvery bounds how often packets make a Watch look at everything.
const judgeEvery = 100 * time.Millisecond

// note counts problems.
func (w *Watch) note(problems []string) {
	for _, p := range problems {
		if _, ok := w.problems[p]; ok || len(w.problems) < 64 {
			w.problems[p]++
		}
	}
}

func (w *Watch) take(f *family, r *Record) {
	now := w.now
	w.note(r.Problems)
	if r.Refused {
		f.counts.Refused++
	}
	src := r.Src.WithZone("")
	switch r.Type {
	case Query:
		f.counts.Queries++
		f.queries.add(now, src)
		if r.Refused {
			f.badQuery = sighting{at: now, host: src}
			if len(r.Problems) > 0 {
				f.badQuery.what = r.Problems[0]
			}
			return
		}
		w.query(f, src, r)
	case Report, Leave, Done:
		if f.reports.add(now, src); r.Type == Report {
			f.counts.Reports++
		} else {
			f.counts.Leaves++
		}
		for i := range r.Groups {
			w.said(f, src, r, &r.Groups[i])
		}
	default:
		f.counts.Other++
	}
}

// Advance tells the time: what has expired goes, and warnings come. Call it about
// once a second when nothing arrives.
func (w *Watch) Advance(now time.Time) {
	w.set(now)
	if w.now.Sub(w.judged) >= time.Second {
		w.judge()
	}
}

// set goes to a time and lets expire what does, once a second.
func (w *Watch) set(now time.Time) {
	if now.After(w.now) {
		w.now = now
	}
	if w.now.Sub(w.swept) < time.Second {
		return
	}
	w.swept = w.now
	for i := range w.families {
		w.expireQueriers(&w.families[i])
	}
	w.expireMembers()
	w.expireRegistrations()
}

// Now returns the latest time that it was told.
func (w *Watch) Now() time.Time { return w.now }

// Counts returns how many messages of IGMP or MLD were seen.
func (w *Watch) Counts(proto string) Counts {
	if f := w.family(proto); f != nil {
		return f.counts
	}
	return Counts{}
}

// Problems returns how often each of Record.Problems was met.
func (w *Watch) Problems() map[string]uint64 {
	m := make(map[string]uint64, len(w.problems))
	for k, v := range w.problems {
		m[k] = v
	}
	return m
}

// Refused returns how many groups, hosts, sources and registrations found no room.
func (w *Watch) Refused() uint64 { return w.refused }

// Usage returns how much is remembered.
func (w *Watch) Usage() (groups, members, sources int) { return len(w.groups), w.members, w.sources }

// full notes that there was no room.
func (w *Watch) full() {
	w.refused++
	w.fullAt = w.now
}
