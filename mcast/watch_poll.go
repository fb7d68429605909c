package mcast

import (
	"net"
	"sync"
	"time"
)

// pollInterval is how often interfaces are listed where the system does not tell of
// changes. An interface that is deleted and made again in between is noticed by its
// new index.
const pollInterval = 3 * time.Second

// pollWatch is a watcher that lists all interfaces again and again.
type pollWatch struct {
	list  func() ([]linkEvent, error)
	every time.Duration
	begun bool
	done  chan struct{}
	once  sync.Once
}

func newPollWatch(list func() ([]linkEvent, error), every time.Duration) *pollWatch {
	return &pollWatch{list: list, every: every, done: make(chan struct{})}
}

func (w *pollWatch) next() (linkChange, error) {
	for {
		if w.begun {
			t := time.NewTimer(w.every)
			select {
			case <-w.done:
				t.Stop()
				return linkChange{}, net.ErrClosed
			case <-t.C:
			}
		}
		w.begun = true
		// A list that cannot be had now may be had next time.
		if all, err := w.list(); err == nil {
			return linkChange{events: all, all: true}, nil
		}
	}
}

func (w *pollWatch) close() error {
	w.once.Do(func() { close(w.done) })
	return nil
}

// listLinks lists the interfaces of this system with their addresses of one IP
// version.
func listLinks(is4 bool) ([]linkEvent, error) {
	ifis, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []linkEvent
	for i := range ifis {
		ifi := &ifis[i]
		all = append(all, linkEvent{kind: linkSet, index: ifi.Index, name: ifi.Name, flags: ifi.Flags, mtu: ifi.MTU, mac: ifi.HardwareAddr})
		for _, a := range addrsOf(ifi) {
			if a.Is4() == is4 {
				all = append(all, linkEvent{kind: addrSet, index: ifi.Index, addr: a})
			}
		}
	}
	return all, nil
}
