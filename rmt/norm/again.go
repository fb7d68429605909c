package norm

import (
	"fmt"
	"maps"
	"time"
)

// Repeat sends an object again, behind all that is new, for receivers that have joined
// since and for silent ones: call it at intervals and the session is a carousel. It fails
// when the object is not sent a first time yet, or no longer kept
// (SenderConfig.CacheObjects).
func (t *Transfer) Repeat() error {
	var err error
	if closed := t.s.loop.Do(func(now time.Time) { err = t.s.engine.Requeue(now, t.id) }); closed != nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("norm: object %d: %w", t.id, err)
	}
	return nil
}

// SetAckContent sets what every confirmation carries from now on, at most 900 bytes: a
// word of the application to its sender. The wire pads it with zeros, to two bytes less
// than a multiple of four. The slice is kept.
func (r *Receiver) SetAckContent(b []byte) error {
	var err error
	if closed := r.loop.Do(func(time.Time) { err = r.engine.SetAckContent(b) }); closed != nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("norm: receiver: %w", err)
	}
	return nil
}

// AckContents returns what receivers said with their latest confirmation of the object,
// those that said anything.
func (t *Transfer) AckContents() map[NodeID]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.said)
}

func (t *Transfer) hear(id NodeID, content string) {
	if content == "" {
		return
	}
	t.mu.Lock()
	if t.said == nil {
		t.said = make(map[NodeID]string)
	}
	t.said[id] = content
	t.mu.Unlock()
}
