package core

import (
	"bytes"
	"slices"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// Bounds on the commands of one sender: with so many told at once and so many a second
// afterwards, more are refused; of so many it is remembered that they were told.
const (
	commandBurst   = 128
	commandsSecond = 256
	commandsKnown  = 64
)

// A commandLog knows the commands of a sender that were told (RFC 5740 section 4.2.3.7), so
// that each is told once however often it is repeated.
//
// Copies are known by their number, where the sender gives one. Where it does not, as NRL's
// NORM, what says the same as a command before is a copy while there may be more of it.
type commandLog struct {
	told    []toldCommand // longest not heard of first
	allowed allowance
}

type toldCommand struct {
	digest   uint64 // of its content
	numbered bool
	number   uint16

	// Of one without a number.
	copies int           // heard of it, those that came twice or out of order once at most
	latest uint16        // their highest sequence number
	last   time.Time     // when one was heard
	grtt   time.Duration // the longest that was advertised since
}

// hear takes in a CMD(APPLICATION).
func (l *commandLog) hear(m *remote, c *wire.Application) {
	now := m.r.now
	t := toldCommand{
		digest: digest(c.Payload), numbered: c.HasNumber, number: c.Number,
		copies: 1, latest: c.Sequence, last: now, grtt: m.grtt,
	}
	if i := slices.IndexFunc(l.told, t.same); i >= 0 {
		k := l.told[i]
		l.told = slices.Delete(l.told, i, i+1)
		if k.repeated(now, c.Sequence, m.r.cfg.RobustFactor) {
			if k.newer(c.Sequence) {
				k.copies++
				k.latest = c.Sequence
			}
			k.last, k.grtt = now, max(k.grtt, m.grtt)
			l.told = append(l.told, k)
			return
		}
	}
	if l.allowed.refill(now, commandsSecond, commandBurst); l.allowed.left < 1 {
		m.r.stats.Refused++
		return // a copy may find room
	}
	l.allowed.left--
	if len(l.told) >= commandsKnown {
		l.told = slices.Delete(l.told, 0, 1)
	}
	l.told = append(l.told, t)
	m.r.stats.Commands++
	m.r.events.push(ReceiverEvent{
		Type: CommandReceived, Key: ObjectKey{Sender: m.key, Instance: m.instance}, Data: bytes.Clone(c.Payload),
	})
}

func (t *toldCommand) same(k toldCommand) bool {
	return t.digest == k.digest && t.numbered == k.numbered && t.number == k.number
}

// silentCopies is after how many intervals without a copy the same content is another
// command: so many copies are hardly lost one after the other.
const silentCopies = 8

// repeated reports whether the same again, with this sequence number, is a copy. There are
// as many as the robust factor, whatever delays them.
func (t *toldCommand) repeated(now time.Time, sequence uint16, robustFactor int) bool {
	if t.numbered {
		return true
	}
	interval := max(2*t.grtt, 10*time.Millisecond)
	return now.Sub(t.last) < silentCopies*interval && (t.copies < robustFactor || !t.newer(sequence))
}

// newer reports whether a message was sent after all copies heard.
func (t *toldCommand) newer(sequence uint16) bool { return int16(sequence-t.latest) > 0 }

// digest is FNV-1a: whoever makes two commands that have the same is their sender.
func digest(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
