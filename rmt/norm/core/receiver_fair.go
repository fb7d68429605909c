package core

import (
	"net/netip"
	"time"
)

// A holding is what the senders of one host hold of the memory for blocks.
type holding struct {
	host   netip.Addr
	bytes  int64
	most   *remote // the sender that holds most of it
	mostOf int64
}

// fairPause is how long nobody is looked for who holds more than a host after that was in
// vain: it takes time, and the host that makes us do it may be the one that holds most.
const fairPause = time.Millisecond

// share takes a block from the host that holds most of the memory, if that is more than
// the host of m: one that sends blocks it never completes has what nobody else needs. It
// reports whether there is something now.
func (r *Receiver) share(m *remote) bool {
	host := m.key.Addr.Addr()
	if len(r.order) < 2 || host == r.greedy && r.now.Before(r.greedyTill) {
		return false
	}
	r.holdings = r.holdings[:0]
	for _, x := range r.order {
		r.hold(x)
	}
	var mine int64
	var most *holding
	for i := range r.holdings {
		h := &r.holdings[i]
		if h.host == host {
			mine = h.bytes
		} else if most == nil || h.bytes > most.bytes {
			most = h
		}
	}
	if most == nil || most.bytes <= mine || !most.most.yieldLast() {
		r.greedy, r.greedyTill = host, r.now.Add(fairPause)
		return false
	}
	return true
}

// hold adds what a sender holds.
func (r *Receiver) hold(x *remote) {
	host, n := x.key.Addr.Addr(), x.holds
	for i := range r.holdings {
		if h := &r.holdings[i]; h.host == host {
			h.bytes += n
			if n > h.mostOf {
				h.most, h.mostOf = x, n
			}
			return
		}
	}
	r.holdings = append(r.holdings, holding{host, n, x, n})
}

// yieldLast gives up the last block begun.
func (m *remote) yieldLast() bool {
	for i := len(m.objects) - 1; i >= 0; i-- {
		if o := m.objects[i]; o != nil && !o.settled() && len(o.blocks) > 0 {
			last := len(o.blocks) - 1
			m.r.buffers.recycle(o.blocks[last])
			o.blocks[last] = nil
			o.blocks, o.newest = o.blocks[:last], nil
			return true
		}
	}
	return false
}

// crowded returns the sender to give way to one of another host: of the host with the most
// senders, and more than one more than the other has, the one silent for longest.
func (r *Receiver) crowded(by netip.Addr) (oldest *remote) {
	clear(r.crowd)
	for _, m := range r.order {
		r.crowd[m.key.Addr.Addr()]++
	}
	most := r.crowd[by] + 1
	for _, m := range r.order {
		host := m.key.Addr.Addr()
		n := r.crowd[host]
		if n > most || n == most && oldest != nil && oldest.key.Addr.Addr() == host && m.heard.Before(oldest.heard) {
			most, oldest = n, m
		}
	}
	return oldest
}
