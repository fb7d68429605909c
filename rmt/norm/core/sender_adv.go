package core

import (
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// An advState tells the group what came by unicast, so that others keep silent:
// what NACKs asked for, and the most limiting answer to a probe (RFC 5740 section
// 5.4.4).
type advState struct {
	wanted bool // requests
	due    time.Time

	answered bool // the latest probe was, and the group does not know
	cc, told wire.CCFeedback
}

func (a *advState) ask(now time.Time) {
	a.wanted = true
	a.soon(now)
}

func (a *advState) soon(now time.Time) {
	if a.due.Before(now) {
		a.due = now
	}
}

// answer takes in a receiver's answer to the latest probe, if it would silence more
// receivers than what they were told already (see ccState.suppress): one that says
// less, or does not know its round-trip time.
func (a *advState) answer(now time.Time, f *wire.CCFeedback) {
	known := &a.told
	if a.answered {
		known = &a.cc
	}
	less := wire.Rate(f.Rate) < 0.9*wire.Rate(known.Rate)
	wider := known.Flags&wire.CCFlagRTT != 0 && f.Flags&wire.CCFlagRTT == 0
	if f.Rate == 0 || f.Sequence == known.Sequence && !less && !wider {
		return
	}
	a.cc, a.answered = *f, true
	a.soon(now)
}

func (a *advState) next() time.Time {
	if !a.wanted && !a.answered {
		return time.Time{}
	}
	return a.due
}

func (a *advState) transmit(s *Sender, now time.Time, p *datagram.Packet) bool {
	if a.next().IsZero() || now.Before(a.due) {
		return false
	}
	a.wanted = a.wanted && s.repairs.collecting()
	if !a.wanted && !a.answered {
		return false
	}
	a.due = now.Add(s.grtt.advertised() / 2)
	m := wire.RepairAdv{Sender: s.common(), HasCC: a.answered, CC: a.cc}
	if a.answered {
		a.told = a.cc
	}
	a.wanted, a.answered = false, false
	var rb wire.RequestBuilder
	rb.Reset(s.nackBuf[:0], s.cfg.SegmentSize, s.codec)
	complete := true
	for _, o := range s.objects {
		complete = complete && appendSet(&rb, s, o)
	}
	if !complete {
		m.Flags |= wire.RepairAdvLimit
	}
	s.nackBuf = rb.Bytes()
	m.Requests = s.codec.Requests(s.nackBuf)
	p.Data, _ = s.codec.AppendRepairAdv(p.Data[:0], &m)
	return true
}

// appendSet writes what is being collected for o as requests.
func appendSet(rb *wire.RequestBuilder, s *Sender, o *txObject) bool {
	item := func(sbn uint32, esi int) wire.Item {
		return wire.Item{FEC: s.cfg.Encoding, Object: o.id, ID: o.payloadID(sbn, esi)}
	}
	if o.want.info && !rb.Add(wire.NackInfo, item(0, 0), item(0, 0)) {
		return false
	}
	// In order (RFC 5740 section 4.3.1), so that what was cut off lies behind
	// what is said.
	whole, partial := o.want.whole.ranges, o.want.partial
	for len(whole)+len(partial) > 0 {
		if len(partial) == 0 || len(whole) > 0 && whole[0].lo <= partial[0].sbn {
			if !rb.Add(wire.NackBlock, item(whole[0].lo, 0), item(whole[0].hi, 0)) {
				return false
			}
			for len(partial) > 0 && partial[0].sbn <= whole[0].hi {
				partial = partial[1:]
			}
			whole = whole[1:]
			continue
		}
		n := &partial[0]
		for lo := n.symbols.next(0); lo >= 0; {
			hi := n.symbols.gap(lo) - 1
			if !rb.Add(wire.NackSegment, item(n.sbn, lo), item(n.sbn, hi)) {
				return false
			}
			lo = n.symbols.next(hi + 1)
		}
		partial = partial[1:]
	}
	return true
}
