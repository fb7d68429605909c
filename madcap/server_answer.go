package madcap

import (
	"slices"
	"time"
)

// maxAnswerBytes is what all answers kept may take, in bytes.
const maxAnswerBytes = 8 << 20

// asker keeps what the answer to a request needs of it.
func (s *Server) asker(r *request) asker {
	a := asker{kind: r.kind, typ: r.Type, family: r.Family, xid: r.XID, id: ID(r.LeaseID), place: r.place,
		features: r.Has.Has(OptionFeatures)}
	for _, f := range s.features {
		if r.Features.Requested().Has(f) || r.Features.Required().Has(f) {
			a.used = append(a.used, f)
		}
	}
	return a
}

// message begins the answer to an asker.
func (s *Server) messageFor(a *asker, t Type) Message {
	m := Message{Type: t, Family: a.family, XID: a.xid, ServerID: s.cfg.ID, LeaseID: []byte(a.id),
		Has: OptionsOf(OptionServerID, OptionLeaseID)}
	if a.features { // section 3.13
		used := a.used
		if t == TypeNak {
			used = nil
		}
		m.Features, m.Has = NewFeatureList(s.features, nil, used), m.Has.With(OptionFeatures)
	}
	return m
}

func (s *Server) answer(r *request, t Type) Message {
	a := s.asker(r)
	return s.messageFor(&a, t)
}

// reply encodes an answer and puts it on its way.
func (s *Server) reply(to place, m *Message) []byte {
	data, err := m.MarshalBinary()
	if err != nil {
		s.stats.Ignored++
		return nil
	}
	s.send(data, to)
	return data
}

// ack tells a client that its request was fulfilled.
func (s *Server) ack(now time.Time, op *operation) {
	a := &op.asker
	m := s.messageFor(a, TypeAck)
	if !op.Delete {
		l := &op.Change.Lease
		m.Has |= OptionsOf(OptionLeaseTime, OptionScope, OptionRanges, OptionCurrentTime)
		m.Family = FamilyOf(l.Scope)
		m.LeaseTime, m.Scope, m.Ranges, m.CurrentTime = op.terms.life, l.Scope, NewRangeList(m.Family, l.Ranges...), now
		if op.terms.later {
			m.StartTime, m.Has = l.Start, m.Has.With(OptionStartTime)
		}
	}
	if data := s.reply(a.place, &m); data != nil {
		s.stats.Acks++
		s.answers.keep(answerKey{a.id, a.typ, a.xid}, data, now, &s.cfg)
	}
}

// refuse turns a request down that was well formed.
func (s *Server) refuse(r *request, f Failure) {
	s.tell(ServerEvent{Kind: RequestRefused, Lease: Lease{ID: ID(r.LeaseID), Client: r.client}, Client: r.src, Failure: f})
	s.nak(r, f)
}

// nak sends a NAK, and keeps it for when the request comes again.
func (s *Server) nak(r *request, f Failure) {
	a := s.asker(r)
	s.nakTo(r.now, &a, f, r.kind != KindGetInfo && f.Code != InvalidRequest)
}

func (s *Server) nakLater(op *operation, f Failure) {
	s.tell(ServerEvent{Kind: RequestRefused, Lease: op.Change.Lease, Client: op.asker.src, Failure: f})
	s.answers.forget(&op.asker)
	s.nakTo(time.Time{}, &op.asker, f, false)
}

func (s *Server) nakTo(now time.Time, a *asker, f Failure, keep bool) {
	m := s.messageFor(a, TypeNak)
	m.Error, m.Has = f, m.Has.With(OptionError)
	s.stats.Naks++
	if data := s.reply(a.place, &m); data != nil && keep {
		s.answers.keep(answerKey{a.id, a.typ, a.xid}, data, now, &s.cfg)
	}
}

// An answerKey is what a request sent again has in common with the first (section
// 2.1.4).
type answerKey struct {
	id  ID
	typ Type
	xid uint32
}

type kept struct {
	key  answerKey
	at   time.Time
	data []byte // nil: the store is at it
	dead bool
}

// answers is those given lately.
type answers struct {
	byKey map[answerKey]*kept
	order []*kept // the oldest first, dead ones among them
	bytes int
}

func newAnswers() answers { return answers{byKey: make(map[answerKey]*kept)} }

// answerAgain sends the answer to a request that was answered before, and reports
// whether that was so or the answer is still to come.
func (s *Server) answerAgain(r *request) bool {
	if r.kind == KindGetInfo { // the same answer is made anew
		return false
	}
	k := s.answers.byKey[answerKey{ID(r.LeaseID), r.Type, r.XID}]
	if k == nil || k.data != nil && r.now.Sub(k.at) > s.cfg.AnswerHold {
		return false
	}
	if k.data != nil {
		s.send(k.data, r.place)
	}
	return true
}

// expect notes that an answer will come.
func (as *answers) expect(r *request) {
	k := answerKey{ID(r.LeaseID), r.Type, r.XID}
	as.drop(k)
	x := &kept{key: k, at: r.now}
	as.byKey[k] = x
	as.order = append(as.order, x)
}

// keep keeps an answer.
func (as *answers) keep(k answerKey, data []byte, now time.Time, cfg *ServerConfig) {
	as.drop(k)
	x := &kept{key: k, at: now, data: data}
	as.byKey[k] = x
	as.order = append(as.order, x)
	as.bytes += len(data)
	for len(as.order) > 0 {
		old := as.order[0]
		if !old.dead && len(as.order) <= cfg.MaxAnswers && as.bytes <= maxAnswerBytes && now.Sub(old.at) <= cfg.AnswerHold {
			break
		}
		if !old.dead {
			as.drop(old.key)
		}
		as.order[0] = nil
		as.order = as.order[1:]
	}
	if cap(as.order) > 2*len(as.order)+1024 {
		as.order = slices.Clone(as.order)
	}
}

func (as *answers) drop(k answerKey) {
	if x := as.byKey[k]; x != nil {
		as.bytes -= len(x.data)
		x.dead, x.data = true, nil
		delete(as.byKey, k)
	}
}

func (as *answers) forget(a *asker) {
	if a.id != "" {
		as.drop(answerKey{a.id, a.typ, a.xid})
	}
}
