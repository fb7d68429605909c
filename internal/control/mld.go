package control

import (
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mld"
)

// mldRefused are the violations for which nobody acts on a message; a switch goes by
// reports without a sender's address too.
const mldRefused = mld.PolicySnoop

// describeMLD returns false for other messages of ICMPv6.
func describeMLD(ip *wire.IP, r *Record) bool {
	r.Proto, r.Type = MLD, Other
	b := ip.Payload
	t, ok := mld.TypeOf(b)
	if !ok || ip.Fragment && !ip.First {
		return false
	}
	switch t {
	case mld.TypeQuery, mld.TypeReport, mld.TypeDone, mld.TypeReport2:
	case mld.TypeRouterAdvertisement, mld.TypeRouterSolicitation, mld.TypeRouterTermination:
		envelope(ip, r)
		r.Detail = t.String()
		return true
	default:
		return false
	}
	whole := envelope(ip, r)
	env := mld.Envelope{Src: ip.Src, Dst: ip.Dst, HopLimit: ip.HopLimit, RouterAlert: ip.RouterAlert}
	var v mld.Violations
	switch t {
	case mld.TypeQuery:
		v = mldQuery(b, env, whole, r)
	case mld.TypeReport2:
		v = mldReport2(b, env, whole, r)
	default:
		v = mldMembership(b, env, whole, r)
	}
	for one := range v.All() {
		r.problem(one.String())
	}
	refused := mldRefused
	if t == mld.TypeQuery {
		refused |= mld.NoSender
	}
	if v&refused != 0 {
		r.Refused = true
	}
	return true
}

func mldQuery(b []byte, env mld.Envelope, whole bool, r *Record) mld.Violations {
	r.Type = Query
	var q mld.Query
	r.failed(mld.Strict.ParseQuery(env.Src, env.Dst, b, &q), whole)
	q = mld.Query{}
	_ = mld.Lenient.ParseQuery(env.Src, env.Dst, b, &q) // what is wrong has been noted
	if q.Version == 0 {
		return 0
	}
	r.Version = int(q.Version)
	r.Asked = Asked{General: q.General(), MaxResp: q.MaxResp(), Interval: q.Interval(), Robustness: int(q.Robustness), Suppress: q.Suppress}
	if !q.General() {
		r.add(Entry{Group: q.Group, Mode: ModeQuery, Sources: r.list(q.Sources.AppendTo)})
	}
	return q.Check(env)
}

func mldMembership(b []byte, env mld.Envelope, whole bool, r *Record) mld.Violations {
	e := Entry{Mode: ModeJoin}
	r.Type, r.Version = Report, 1
	if t, _ := mld.TypeOf(b); t == mld.TypeDone {
		r.Type, e.Mode = Done, ModeLeave
	}
	var m mld.Membership
	r.failed(mld.Strict.ParseMembership(env.Src, env.Dst, b, &m), whole)
	if !m.Group.IsValid() {
		return 0
	}
	e.Group = m.Group
	r.add(e)
	return m.Check(env)
}

func mldReport2(b []byte, env mld.Envelope, whole bool, r *Record) mld.Violations {
	r.Type, r.Version = Report, 2
	var m mld.Report2
	r.failed(mld.Strict.ParseReport2(env.Src, env.Dst, b, &m), whole)
	m = mld.Report2{}
	_ = mld.Lenient.ParseReport2(env.Src, env.Dst, b, &m) // what is wrong has been noted
	for rec := range m.Records.All() {
		r.add(Entry{Group: rec.Group, Mode: recordMode(uint8(rec.Type)), Sources: r.list(rec.Sources.AppendTo)})
	}
	return m.Check(env)
}
