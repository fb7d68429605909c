package core

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A sender is told of another under its own ID, and of receivers that share one, once each.
func TestSenderToldOfClashes(t *testing.T) {
	s, err := NewSender(SenderConfig{NodeID: 5, InstanceID: 1, Rand: rand.New(rand.NewPCG(1, 2)), Group: netip.MustParseAddrPort("239.1.1.1:6003")})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	codec := wire.Codec{FTI: wire.FTINRL}
	hear := func(b []byte, err error, src string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(10 * time.Millisecond)
		s.Handle(now, &datagram.Packet{Data: b, Src: netip.MustParseAddrPort(src)})
	}
	told := func() (errs []string) {
		for e, ok := s.Event(); ok; e, ok = s.Event() {
			if e.Type == NodeClash {
				if !errors.Is(e.Err, ErrNodeClash) {
					t.Error(e.Err)
				}
				errs = append(errs, e.Err.Error())
			}
		}
		return errs
	}
	// Its own messages come back, and the last ones of its former run.
	for range 100 {
		b, err := codec.AppendEOT(nil, &wire.EOT{Sender: wire.Sender{Source: 5, InstanceID: 1}})
		hear(b, err, "10.0.0.1:1000")
	}
	for range 3 {
		b, err := codec.AppendEOT(nil, &wire.EOT{Sender: wire.Sender{Source: 5, InstanceID: 9}})
		hear(b, err, "10.0.0.1:999")
	}
	ack := func(id wire.NodeID, src string) {
		t.Helper()
		b, err := codec.AppendAck(nil, &wire.Ack{Feedback: wire.Feedback{Source: id, Server: 5, InstanceID: 1}, AckType: wire.AckCC})
		hear(b, err, src)
	}
	// A receiver moves.
	ack(7, "10.0.0.7:1000")
	ack(7, "10.0.0.7:1000")
	ack(7, "10.0.0.8:1000")
	ack(7, "10.0.0.8:1000")
	if e := told(); len(e) != 0 || s.Stats().Clashes != 0 {
		t.Errorf("told of %q", e)
	}
	for range 10 {
		ack(7, "10.0.0.7:1000")
		ack(7, "10.0.0.8:1000")
	}
	if e := told(); len(e) != 1 || s.Stats().Clashes != 1 || !strings.Contains(e[0], "10.0.0.7:1000") || !strings.Contains(e[0], "10.0.0.8:1000") {
		t.Errorf("two receivers: told of %q", e)
	}
	for range 10 {
		ack(5, "10.0.0.9:1000")
	}
	if e := told(); len(e) != 1 || !strings.Contains(e[0], "10.0.0.9:1000") {
		t.Errorf("a receiver under the sender's ID: told of %q", e)
	}
	for i := range 1000 { // forged
		for range 3 {
			ack(wire.NodeID(100+i), "10.0.0.7:1000")
			ack(wire.NodeID(100+i), "10.0.0.8:1000")
		}
	}
	if e := told(); len(e) > maxClashes {
		t.Errorf("told of %d forged clashes", len(e))
	}
}
