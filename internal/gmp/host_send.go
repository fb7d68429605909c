package gmp

import (
	"net/netip"
	"time"
)

// Transmit gives the next message to send, or reports false when there is none at
// now.
func (h *Host) Transmit(now time.Time, m *Message) bool {
	now = h.clock.set(now)
	if h.pace.next(now).After(now) || !h.transmit(now, m) {
		return false
	}
	h.pace.take(now)
	return true
}

func (h *Host) transmit(now time.Time, m *Message) bool {
	if h.mode < V3 {
		return h.transmitOld(now, m)
	}
	for !h.out.pack(h.p, m) {
		if !h.gather(now) {
			return false
		}
	}
	m.Src, m.Dst = h.src(), h.p.Reports
	h.stats.Reports++
	return true
}

// gather writes the records that may be sent now: state changes, which may share a
// message, then answers to specific queries, then a part of the answer to a general
// one. It reports false when there are none.
func (h *Host) gather(now time.Time) bool {
	h.out.clear()
	switch {
	case h.changed.len() > 0:
		for h.changed.len() > 0 {
			m := h.changed.pop()
			m.changeDue = false
			if !m.gone {
				h.appendChange(now, m)
			}
		}
	case h.answers.len() > 0:
		for h.answers.len() > 0 {
			m := h.answers.pop()
			m.answerDue = false
			if !m.gone {
				h.appendAnswer(m)
			}
		}
	case h.general.run && !h.general.next.After(now):
		h.appendGeneral(now)
	default:
		return false
	}
	return true
}

// An outbox holds records until they are packed into messages.
type outbox struct {
	room, record, addr int // bytes: for the records of a message, of a record, of a source
	records            []Record
	next               int
	store              []netip.Addr
}

func (o *outbox) init(report, record, addr, mtu int) {
	o.room, o.record, o.addr = mtu-report, record, addr
}

func (o *outbox) empty() bool { return o.next >= len(o.records) }

func (o *outbox) clear() {
	clear(o.records)
	o.records, o.next, o.store = o.records[:0], 0, o.store[:0]
}

// size returns the bytes of a record with n sources.
func (o *outbox) size(n int) int { return o.record + n*o.addr }

// add writes a record; the sources are copied.
func (o *outbox) add(t RecordType, g netip.Addr, sources []netip.Addr) {
	n := len(o.store)
	o.store = append(o.store, sources...)
	o.records = append(o.records, Record{t, g, o.store[n:len(o.store):len(o.store)]})
}

// addSome writes a record unless it has no sources.
func (o *outbox) addSome(t RecordType, g netip.Addr, sources []netip.Addr) {
	if len(sources) > 0 {
		o.add(t, g, sources)
	}
}

// pack moves as many records into m as fit a packet. A record that is too long for
// one by itself is split over several, or if it lists sources that are not wanted
// cut: what is left out is then forwarded and ignored (RFC 3376 section 4.2.16, RFC
// 3810 section 5.2.15).
func (o *outbox) pack(p *Profile, m *Message) bool {
	if o.empty() {
		return false
	}
	m.reset(KindStateReport, V3)
	m.Group = p.Unspecified
	for left := o.room; !o.empty(); o.next++ {
		r := &o.records[o.next]
		size := o.size(len(r.Sources))
		if size <= left {
			m.Records = append(m.Records, *r)
			left -= size
			continue
		}
		if len(m.Records) > 0 {
			break
		}
		n := (left - o.record) / o.addr
		m.Records = append(m.Records, Record{r.Type, r.Group, r.Sources[:n:n]})
		if r.Type == IsEx || r.Type == ToEx {
			o.next++
		} else {
			r.Sources = r.Sources[n:]
		}
		break
	}
	return true
}
