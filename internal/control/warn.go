package control

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Codes of warnings. Scripts rely on them.
const (
	// CodeNoQuerier: for robustness × query interval and the time for answers
	// nobody asked. Switches that snoop then stop to forward groups.
	CodeNoQuerier = "no-querier"

	// CodeTwoQueriers: one asks on although it must have heard another that wins
	// the election.
	CodeTwoQueriers = "two-queriers"

	// CodeZeroQuerier: the querier is 0.0.0.0, to which some do not listen.
	CodeZeroQuerier = "zero-querier"

	// CodeBadQuery: there are queries that hosts ignore.
	CodeBadQuery = "bad-query"

	// CodeOldQuerier: a querier of an old version makes hosts fall back to it, and
	// none can ask for sources.
	CodeOldQuerier = "old-querier"

	// CodeOldVersionSSM: a source-specific group in an old version, which has no
	// sources: routers ignore it (RFC 4604 section 2.2.5).
	CodeOldVersionSSM = "old-version-ssm"

	// CodeExcludeSSM: a source-specific group in EXCLUDE mode, which routers
	// ignore (RFC 4604 section 3.1).
	CodeExcludeSSM = "exclude-ssm"

	// CodeQueryStorm and CodeReportStorm: more than Config.StormRate.
	CodeQueryStorm  = "query-storm"
	CodeReportStorm = "report-storm"

	// CodeLimits: there is more than Limits allow to remember.
	CodeLimits = "limits"
)

// A Warning is something that is or was wrong on the link.
type Warning struct {
	Code    string
	Proto   string // IGMP or MLD; "" for CodeLimits
	Message string // for people

	Since time.Time
	Until time.Time // zero as long as it is so
	Times int       // how often it began
}

type warningKey struct{ code, proto string }

// Warnings returns all that there were, one of a code and protocol, those that are
// over behind the others.
func (w *Watch) Warnings() []Warning {
	w.judge()
	list := make([]Warning, 0, len(w.warnings))
	for _, x := range w.warnings {
		list = append(list, *x)
	}
	slices.SortFunc(list, func(a, b Warning) int {
		if over := b.Until.IsZero(); over != a.Until.IsZero() {
			if over {
				return 1
			}
			return -1
		}
		if c := strings.Compare(a.Proto, b.Proto); c != 0 {
			return c
		}
		return strings.Compare(a.Code, b.Code)
	})
	return list
}

// warn says whether a warning is in force.
func (w *Watch) warn(code, proto string, on bool, format string, args ...any) {
	k := warningKey{code, proto}
	x := w.warnings[k]
	switch {
	case on:
		if x == nil {
			x = &Warning{Code: code, Proto: proto}
			w.warnings[k] = x
		}
		if x.Times == 0 || !x.Until.IsZero() {
			x.Since, x.Until = w.now, time.Time{}
			x.Times++
		}
		x.Message = fmt.Sprintf(format, args...)
	case x != nil && x.Until.IsZero():
		x.Until = w.now
	}
}

// judge looks at everything again.
func (w *Watch) judge() {
	w.judged = w.now
	for i := range w.families {
		f := &w.families[i]
		w.judgeQueriers(f)
		w.judgeVersions(f)
		w.judgeRates(f)
		w.warn(CodeBadQuery, f.proto, w.recent(&f.badQuery), "hosts ignore the queries of %v: %s", f.badQuery.host, f.badQuery.what)
		w.warn(CodeExcludeSSM, f.proto, w.recent(&f.exclude), "%v asks for %v from all but some sources, which is for source-specific multicast: routers ignore it",
			f.exclude.host, f.exclude.group)
	}
	w.warn(CodeLimits, "", !w.fullAt.IsZero() && w.now.Sub(w.fullAt) < memory, "there are more groups, hosts, sources or registrations than are kept; %d did not get in", w.refused)
}

// memory is how long a single event is worth a warning: a membership's life by
// default.
const memory = defaultRobustness*defaultInterval + defaultMaxResp

func (w *Watch) recent(s *sighting) bool { return !s.at.IsZero() && w.now.Sub(s.at) < memory }

func (w *Watch) judgeQueriers(f *family) {
	// An expired querier was waited for already. Where there is the other
	// protocol only, this one is not used.
	alive := f.elected() != nil
	silent := w.now.Sub(w.since)
	used := f.counts != Counts{} || w.families[0].counts == Counts{} && w.families[1].counts == Counts{}
	wait := time.Duration(w.cfg.Robustness)*w.cfg.Interval + defaultMaxResp
	switch {
	case alive || !used:
		w.warn(CodeNoQuerier, f.proto, false, "")
	case !f.heard.IsZero():
		w.warn(CodeNoQuerier, f.proto, true, "the %s querier has not asked for %v: switches that snoop will stop to forward groups", f.name, seconds(w.now.Sub(f.heard)))
	default:
		w.warn(CodeNoQuerier, f.proto, silent >= wait, "no %s querier in %v: switches that snoop will stop to forward groups; mcast querier can be one", f.name, seconds(silent))
	}

	var second *Querier
	for _, q := range f.queriers {
		if o := f.find(q.against); o != nil && q.live(w.now) && o.live(w.now) {
			second = q
		}
	}
	w.warn(CodeTwoQueriers, f.proto, second != nil, "%s", func() string {
		if second == nil {
			return ""
		}
		return fmt.Sprintf("%v asks although %v does, which has the lower address: it does not hear it, or knows no election", second.Addr, second.against)
	}())

	q := f.elected()
	w.warn(CodeZeroQuerier, f.proto, q != nil && q.Addr.IsUnspecified(), "the querier is a switch without address: some hosts and switches ignore its queries")
}

func (w *Watch) judgeVersions(f *family) {
	var old *Querier
	for _, q := range f.queriers {
		if q.live(w.now) && q.Version < f.newest && (old == nil || q.Version < old.Version) {
			old = q
		}
	}
	switch {
	case old == nil:
		w.warn(CodeOldQuerier, f.proto, false, "")
	default:
		w.warn(CodeOldQuerier, f.proto, true, "the querier %v speaks %sv%d: hosts fall back to it and report no sources", old.Addr, f.name, old.Version)
	}
	switch {
	case w.recent(&f.oldSSM):
		w.warn(CodeOldVersionSSM, f.proto, true, "%v reported the source-specific group %v in an old version of %s, without sources: routers ignore that",
			f.oldSSM.host, f.oldSSM.group, f.name)
	case old != nil && f.ssm > 0:
		w.warn(CodeOldVersionSSM, f.proto, true, "the querier %v speaks %sv%d: source-specific groups such as %v will be reported without sources, and routers ignore that",
			old.Addr, f.name, old.Version, f.ssmGroup)
	default:
		w.warn(CodeOldVersionSSM, f.proto, false, "")
	}
}

func (w *Watch) judgeRates(f *family) {
	for _, x := range []struct {
		code, what string
		rate       *rate
	}{{CodeQueryStorm, "queries", &f.queries}, {CodeReportStorm, "reports", &f.reports}} {
		limit := float64(w.cfg.StormRate)
		if k := w.warnings[warningKey{x.code, f.proto}]; k != nil && k.Until.IsZero() {
			limit /= 2 // it is over when it is well below
		}
		v := x.rate.perSecond(w.now)
		w.warn(x.code, f.proto, v >= limit, "%.0f %s %s a second, most of them from %v", v, f.name, x.what, x.rate.most())
	}
}

// seconds rounds a time for people.
func seconds(d time.Duration) time.Duration { return d.Round(time.Second) }
