package core

import "github.com/gomulticast/multicast/rmt/norm/wire"

// A position is a point in a sender's sequence of transmission: object, block,
// symbol (RFC 5740 section 5.3).
type position struct {
	object wire.TransportID
	block  uint32
	symbol uint32
}

// compare orders positions; object IDs wrap (RFC 5740 section 4.2.1).
func (p position) compare(q position) int {
	if d := p.object.Sub(q.object); d != 0 {
		return d
	}
	if p.block != q.block {
		if p.block < q.block {
			return -1
		}
		return 1
	}
	return int(p.symbol) - int(q.symbol)
}
