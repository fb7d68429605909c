package core

import (
	"slices"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// The window of a sender's objects: which transport IDs are known here, and how it moves.

// object returns the object with an ID in the window, nil if nothing was heard of
// it.
func (m *remote) object(id wire.TransportID) *rxObject {
	if i := id.Sub(m.base); m.synced && i >= 0 && i < len(m.objects) {
		return m.objects[i]
	}
	return nil
}

// open returns the object with an ID, making its record if it is new and moving the
// window if need be. It returns nil for objects that are not to be received.
func (m *remote) open(id wire.TransportID) *rxObject {
	if !m.synced {
		m.synced, m.joined, m.base = true, m.r.now, id
		if m.r.cfg.Sync == SyncAll {
			// Ask for all there may be; the sender says what is gone.
			m.base -= wire.TransportID(m.r.cfg.MaxObjects / 2)
		}
		m.end = position{object: id}
		m.at = m.end
	}
	i := id.Sub(m.base)
	if i < 0 {
		return nil
	}
	if i >= maxJump { // far out of range: begin anew (RFC 5740 section 4.2.1)
		m.discardAll(ErrOverrun)
		clear(m.objects)
		m.base, m.objects, m.over, m.moved, i = id, m.objects[:0], 0, true, 0
		m.end = position{object: id}
		m.at = m.end
	}
	if n := i - m.r.cfg.MaxObjects + 1; n > 0 {
		m.advanceWindow(n)
		i -= n
	}
	for len(m.objects) <= i {
		m.objects = append(m.objects, nil)
	}
	if m.objects[i] == nil {
		m.objects[i] = &rxObject{key: ObjectKey{m.key, m.instance, id}}
	}
	return m.objects[i]
}

// maxJump is how far ahead of the window an object may be and still belong to the
// same sequence of IDs.
const maxJump = 1 << 14

// advanceWindow moves the window on by n objects.
func (m *remote) advanceWindow(n int) {
	gone := min(n, len(m.objects))
	for _, o := range m.objects[:gone] {
		if o != nil {
			m.discard(o, ErrOverrun)
		}
	}
	m.objects = slices.Delete(m.objects, 0, gone)
	m.base += wire.TransportID(n)
	m.over = max(0, m.over-n)
	m.moved = true
}

// reach moves the beginning of the window back to an object before the one that
// was heard first.
func (m *remote) reach(id wire.TransportID) {
	n := m.base.Sub(id)
	if !m.synced || m.moved || n <= 0 || n+len(m.objects) > m.r.cfg.MaxObjects {
		return
	}
	m.objects = slices.Insert(m.objects, 0, make([]*rxObject, n)...)
	m.base, m.over = id, 0
}

// reachData does so for content of the first pass that comes just after joining:
// packets have overtaken one another, and what was heard first was not sent first.
// Later it is another matter, for not every sender marks its repairs: then only an object
// that begins anew, as on a carousel, is taken for one that is to be had.
func (m *remote) reachData(id wire.TransportID, flags wire.Flags, begins bool) {
	switch {
	case flags&wire.FlagRepair != 0:
	case begins && flags&wire.FlagStream == 0, m.r.now.Sub(m.joined) < max(minInactivity, 2*m.grtt):
		m.reach(id)
	}
}
