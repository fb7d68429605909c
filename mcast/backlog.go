package mcast

import "github.com/gomulticast/multicast/mcast/datagram"

// A backlog is packets that were received together and are handed out one
// datagram at a time.
type backlog struct {
	bufs  []datagram.Packet // with space for a coalesced packet each
	ready []datagram.Packet // those of bufs, or parts, that are not handed out yet
	off   int               // bytes of ready[0] handed out, when it has segments
}

// space returns n packets to receive into. The backlog must be empty.
func (b *backlog) space(n int) []datagram.Packet {
	if b.bufs == nil {
		b.bufs = make([]datagram.Packet, n)
		space := make([]byte, n*OffloadSpace)
		for i := range b.bufs {
			b.bufs[i].Data = space[i*OffloadSpace : (i+1)*OffloadSpace : (i+1)*OffloadSpace]
		}
	}
	return b.bufs
}

// filled says that the first n packets of space have arrived.
func (b *backlog) filled(n int) { b.ready, b.off = b.bufs[:n], 0 }

// empty reports whether all has been handed out.
func (b *backlog) empty() bool { return len(b.ready) == 0 }

// next takes one datagram off the backlog, which is not empty. Its Data is a part
// of a buffer and good until space is used again.
func (b *backlog) next() datagram.Packet {
	p := b.ready[0]
	if b.off > 0 || p.Segments() > 1 {
		end := min(b.off+p.SegSize, len(p.Data))
		rest := len(p.Data) - end
		p.Data = p.Data[b.off:end:end]
		b.off = end
		if rest > 0 {
			p.SegSize = 0
			return p
		}
	}
	p.SegSize = 0
	b.ready, b.off = b.ready[1:], 0
	return p
}

// take copies datagrams into ps and returns how many, and how many it dropped
// because they did not fit.
func (b *backlog) take(ps []datagram.Packet) (n, long int) {
	for n < len(ps) && !b.empty() {
		p := b.next()
		if len(p.Data) > cap(ps[n].Data) {
			long++
			continue
		}
		p.Data = append(ps[n].Data[:0], p.Data...)
		ps[n] = p
		n++
	}
	return n, long
}

// takeOne copies one datagram into b, or as much of it as fits.
func (b *backlog) takeOne(to []byte) datagram.Packet {
	p := b.next()
	p.Truncated = len(p.Data) > len(to)
	p.Data = to[:copy(to, p.Data)]
	return p
}
