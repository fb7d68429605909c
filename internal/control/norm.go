package control

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A normSender is where a sender of NORM was heard: at an address, by two ports.
type normSender struct {
	addr     netip.Addr
	from, to uint16
}

// hears reports whether feedback to dst may be for the sender: to where its messages
// come from, or to the session's port.
func (s *normSender) hears(dst netip.AddrPort) bool {
	return dst.Addr() == s.addr && (dst.Port() == s.from || dst.Port() == s.to)
}

// describeNORM tells NORM by its header and by being sound, and only to a group: it
// has no mark of its own. Feedback may go to a sender that was heard.
func (d *Decoder) describeNORM(f *pcap.Frame, r *Record) bool {
	src, dst, b, ok := f.UDP()
	if !ok {
		return false
	}
	h, err := wire.ParseHeader(b)
	if err != nil || h.Source == wire.NodeNone || h.Source == wire.NodeAny {
		return false
	}
	toGroup := dst.Addr().IsMulticast()
	feedback := h.Type == wire.TypeNack || h.Type == wire.TypeAck
	if !toGroup && !(feedback && slices.ContainsFunc(d.senders[:d.n], func(s normSender) bool { return s.hears(dst) })) {
		return false
	}
	name, ok := normMessage(b, h.Type)
	if !ok {
		return false
	}
	if toGroup && !feedback {
		d.remember(normSender{src.Addr(), src.Port(), dst.Port()})
	}
	r.Proto, r.Version, r.Type = NORM, wire.Version, strings.ToLower(name)
	r.SrcPort, r.DstPort = src.Port(), dst.Port()
	r.Node, r.Sequence = uint32(h.Source), h.Sequence
	r.normWords(b, h.Type)
	if f.IP.Truncated {
		r.problem(notCaptured)
	}
	return true
}

// normMessage returns the name of a message that can be parsed.
func normMessage(b []byte, t wire.Type) (string, bool) {
	var c wire.Codec
	var err error
	switch t {
	case wire.TypeInfo:
		err = c.ParseInfo(b, new(wire.Info))
	case wire.TypeData:
		err = c.ParseData(b, new(wire.Data))
	case wire.TypeNack:
		err = c.ParseNack(b, new(wire.Nack))
	case wire.TypeAck:
		err = c.ParseAck(b, new(wire.Ack))
	case wire.TypeReport:
		err = c.ParseReport(b, new(wire.Report))
	case wire.TypeCmd:
		k, err := wire.ParseCmdType(b)
		return k.String(), err == nil && k >= wire.CmdFlush && k <= wire.CmdApplication
	default:
		return "", false
	}
	return t.String(), err == nil
}

func (d *Decoder) remember(s normSender) {
	switch {
	case slices.Contains(d.senders[:d.n], s):
	case d.n < len(d.senders):
		d.senders[d.n] = s
		d.n++
	default:
		d.senders[d.oldest] = s
		d.oldest = (d.oldest + 1) % len(d.senders)
	}
}
