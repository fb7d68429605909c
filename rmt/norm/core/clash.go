package core

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// ErrNodeClash says that two nodes of a session have the same ID, which RFC 5740 section 4
// wants to be unique: each takes the other's messages for its own.
var ErrNodeClash = errors.New("node ID is not unique")

const (
	// maxClashes is how many are told of; whoever forges addresses makes any number.
	maxClashes = 64
	// strangerMessages is how many messages of another run under its own ID a sender
	// takes for the last ones of a run before it.
	strangerMessages = 8
)

func clash(id wire.NodeID, a, b netip.AddrPort) error {
	return fmt.Errorf("%w: %d is used by %v and by %v; give one of them another", ErrNodeClash, id, a, b)
}

// echo takes in a message under the sender's own ID: mostly its own, which loopback
// brings, or of a receiver of the same program.
func (s *Sender) echo(h *wire.Header, p *datagram.Packet) {
	var foreign bool
	switch h.Type {
	case wire.TypeNack: // to this very sender: nobody repairs what that receiver lacks
		var m wire.Nack
		foreign = s.codec.ParseNack(p.Data, &m) == nil && m.Server == s.cfg.NodeID
	case wire.TypeAck:
		var m wire.Ack
		foreign = s.codec.ParseAck(p.Data, &m) == nil && m.Server == s.cfg.NodeID
	default:
		instance, ok := wire.ParseInstance(p.Data, h)
		foreign = ok && instance != s.cfg.InstanceID
	}
	if !foreign {
		return
	}
	if s.strangers++; s.strangers == strangerMessages {
		s.clash(s.cfg.NodeID, fmt.Errorf("%w: %d is this sender's, and %v has it too; give one of them another", ErrNodeClash, s.cfg.NodeID, p.Src))
	}
}

func (s *Sender) clash(id wire.NodeID, err error) {
	if s.stats.Clashes++; s.stats.Clashes <= maxClashes {
		s.emit(SenderEvent{Type: NodeClash, Node: id, Err: err})
	}
}

// from notes where a receiver speaks from. It may move; but when it is heard again from
// where it was, these are two.
func (n *node) from(s *Sender, src netip.AddrPort) {
	switch {
	case src == n.addr || !src.IsValid():
	case src == n.former && !n.clashed:
		n.clashed = true
		s.clash(n.id, clash(n.id, n.addr, src))
	default:
		n.addr, n.former = src, n.addr
	}
}

// A rival is a newer sender under the same ID.
type rival struct {
	addr netip.AddrPort
	at   time.Time // when it appeared
}

// lastWords is how long messages of a sender that has begun anew elsewhere may be on their
// way.
const lastWords = 500 * time.Millisecond

// rivals notes at those heard of late that there is another sender under their ID. It may
// be the same one, begun anew.
func (r *Receiver) rivals(key SenderKey) {
	for _, m := range r.order {
		if m.key.Node == key.Node && m.key != key && r.now.Sub(m.heard) < max(minInactivity, 4*m.grtt) {
			m.rival = rival{key.Addr, r.now}
		}
	}
}

// contest takes in that a sender with a rival is still there.
func (r *Receiver) contest(m *remote) {
	if r.now.Sub(m.rival.at) < lastWords {
		return
	}
	if r.stats.Clashes++; r.stats.Clashes <= maxClashes {
		r.events.push(ReceiverEvent{Type: SenderClash, Key: ObjectKey{Sender: m.key, Instance: m.instance}, Err: clash(m.key.Node, m.key.Addr, m.rival.addr)})
	}
	m.rival = rival{}
}
