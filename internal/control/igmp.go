package control

import (
	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/wire"
)

// igmpRefused are the violations for which nobody acts on a message. A missing Router
// Alert is not among them: Linux and others do not look for it in IGMP.
const igmpRefused = igmp.PolicyRFC &^ igmp.NoRouterAlert

func describeIGMP(ip *wire.IP, r *Record) {
	r.Proto, r.Type = IGMP, Other
	whole := envelope(ip, r)
	b := ip.Payload
	t, ok := igmp.TypeOf(b)
	if ip.Fragment && !ip.First {
		r.Detail = "fragment"
		return
	}
	if !ok {
		if whole {
			r.problem("cut short: message")
		}
		r.Refused = true
		return
	}
	env := igmp.Envelope{Src: ip.Src, Dst: ip.Dst, HopLimit: ip.HopLimit, RouterAlert: ip.RouterAlert}
	var v igmp.Violations
	switch t {
	case igmp.TypeQuery:
		v = igmpQuery(b, env, whole, r)
	case igmp.TypeReport1, igmp.TypeReport2, igmp.TypeLeave:
		v = igmpMembership(b, env, whole, r)
	case igmp.TypeReport3:
		v = igmpReport3(b, env, whole, r)
	default:
		h, err := igmp.ParseHeader(b)
		r.failed(err, whole)
		switch r.Detail = h.String(); t {
		case igmp.TypeDVMRP:
			r.Type = DVMRP
		case igmp.TypePIM1:
			r.Type, r.Version = PIMv1, 1
		case igmp.TypeMtrace, igmp.TypeMtraceResponse:
			r.Type = Mtrace
		}
		if len(b) < 4 { // there is no header
			r.Detail = t.String()
		}
	}
	for one := range v.All() {
		r.problem(one.String())
	}
	if v&igmpRefused != 0 {
		r.Refused = true
	}
}

func igmpQuery(b []byte, env igmp.Envelope, whole bool, r *Record) igmp.Violations {
	r.Type = Query
	var q igmp.Query
	r.failed(igmp.Strict.ParseQuery(b, &q), whole)
	q = igmp.Query{}
	_ = igmp.Lenient.ParseQuery(b, &q) // what is wrong has been noted
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

func igmpMembership(b []byte, env igmp.Envelope, whole bool, r *Record) igmp.Violations {
	var m igmp.Membership
	t, _ := igmp.TypeOf(b)
	e := Entry{Mode: ModeJoin}
	r.Type, r.Version = Report, 2
	switch t {
	case igmp.TypeReport1:
		r.Version = 1
	case igmp.TypeLeave:
		r.Type, e.Mode = Leave, ModeLeave
	}
	r.failed(igmp.Strict.ParseMembership(b, &m), whole)
	if !m.Group.IsValid() {
		return 0
	}
	e.Group = m.Group
	r.add(e)
	return m.Check(env)
}

func igmpReport3(b []byte, env igmp.Envelope, whole bool, r *Record) igmp.Violations {
	r.Type, r.Version = Report, 3
	var m igmp.Report3
	r.failed(igmp.Strict.ParseReport3(b, &m), whole)
	m = igmp.Report3{}
	_ = igmp.Lenient.ParseReport3(b, &m) // what is wrong has been noted
	for rec := range m.Records.All() {
		r.add(Entry{Group: rec.Group, Mode: recordMode(uint8(rec.Type)), Sources: r.list(rec.Sources.AppendTo)})
	}
	return m.Check(env)
}
