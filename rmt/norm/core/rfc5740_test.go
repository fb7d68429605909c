package core_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	_ "github.com/gomulticast/multicast/rmt/fec/rs"
	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// What RFC 5740 section 5 asks of a sender and of a receiver, one requirement a test,
// the other side being played by the test, message by message. Requests are written
// "0/1/5" for symbol 5 of block 1 of object 0, "0/1" for that block, "0" for that
// object and "0i" for its NORM_INFO.

const (
	theSender   wire.NodeID = 1
	theReceiver wire.NodeID = 2
	another     wire.NodeID = 3

	theInstance = 7
	segment     = 64
	robust      = 10
	kFactor     = 4 // K_sender
)

// grtt is what every message advertises: 100 ms as the wire can say it.
var (
	grtt     = wire.GRTT(wire.QuantizeGRTT(100 * time.Millisecond))
	origin   = time.Unix(1_000_000, 0)
	multiple = func(n int) time.Duration { return time.Duration(n) * grtt }
)

// spell writes repair requests as the tests do.
func spell(q wire.Requests, first wire.TransportID) string {
	var s []string
	for r := range q.All() {
		o, a, b := r.First.Object.Sub(first), r.First.ID, r.Last.ID
		if r.Flags&wire.NackInfo != 0 {
			s = append(s, fmt.Sprintf("%di", o))
		}
		switch {
		case r.Flags&wire.NackObject != 0:
			for ; o <= r.Last.Object.Sub(first); o++ {
				s = append(s, fmt.Sprint(o))
			}
		case r.Flags&wire.NackBlock != 0:
			for ; a.SBN <= b.SBN; a.SBN++ {
				s = append(s, fmt.Sprintf("%d/%d", o, a.SBN))
			}
		case r.Flags&wire.NackSegment != 0:
			for ; a.ESI <= b.ESI; a.ESI++ {
				s = append(s, fmt.Sprintf("%d/%d/%d", o, a.SBN, a.ESI))
			}
		}
	}
	return strings.Join(s, " ")
}

// requests is the inverse of spell.
func requests(first wire.TransportID, text string) wire.Requests {
	var rb wire.RequestBuilder
	rb.Reset(nil, 1400, wire.Codec{})
	for _, f := range strings.Fields(text) {
		f, isInfo := strings.CutSuffix(f, "i")
		var n [3]int
		parts := strings.Split(f, "/")
		for i, s := range parts {
			n[i], _ = strconv.Atoi(s)
		}
		flags := [...]wire.NackFlags{1: wire.NackObject, 2: wire.NackBlock, 3: wire.NackSegment}[len(parts)]
		if isInfo {
			flags = wire.NackInfo
		}
		it := wire.Item{
			FEC: fec.ReedSolomonGF8, Object: first + wire.TransportID(n[0]),
			ID: fec.PayloadID{SBN: uint32(n[1]), ESI: uint32(n[2])},
		}
		rb.Add(flags, it, it)
	}
	return rb.Requests()
}

// An rxRig is a receiver and the one sender it hears, whose objects hold nothing but
// zeros: the parity of those is zero too.
type rxRig struct {
	t      *testing.T
	r      *core.Receiver
	now    time.Time
	common wire.Sender
	flags  wire.Flags // of every object
	k      int        // source symbols a block
	parity int
	blocks int // an object
	events []core.ReceiverEvent
}

func newReceiver(t *testing.T, seed uint64) *rxRig {
	t.Helper()
	r, err := core.NewReceiver(core.ReceiverConfig{
		NodeID: theReceiver, RobustFactor: robust, Rand: rand.New(rand.NewPCG(seed, 0)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &rxRig{
		t: t, r: r, now: origin, k: 4, parity: 3, blocks: 4,
		common: wire.Sender{Source: theSender, InstanceID: theInstance, GRTT: wire.QuantizeGRTT(grtt), Backoff: kFactor},
	}
}

func (x *rxRig) hear(m interface{ MarshalBinary() ([]byte, error) }) {
	x.t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		x.t.Fatal(err)
	}
	x.r.Handle(x.now, &datagram.Packet{Data: b, Src: netip.MustParseAddrPort("192.0.2.1:6003")})
}

func (x *rxRig) oti() fec.OTI {
	return fec.OTI{
		EncodingID: fec.ReedSolomonGF8, TransferLength: uint64(x.blocks * x.k * segment), M: 8,
		SymbolSize: segment, MaxBlockLen: uint32(x.k), Parity: uint32(x.parity),
	}
}

// data lets it hear symbols of one block.
func (x *rxRig) data(object, sbn int, symbols ...int) {
	x.t.Helper()
	for _, esi := range symbols {
		m := wire.Data{
			Sender: x.common, Flags: x.flags, FEC: fec.ReedSolomonGF8, Object: wire.TransportID(object),
			ID: fec.PayloadID{SBN: uint32(sbn), ESI: uint32(esi)}, HasFTI: true, FTI: x.oti(), Payload: make([]byte, segment),
		}
		if esi >= x.k {
			m.Flags |= wire.FlagRepair
		}
		x.hear(&m)
	}
}

func (x *rxRig) flush(object, sbn int, nodes ...wire.NodeID) {
	x.t.Helper()
	m := wire.Flush{Sender: x.common, FEC: fec.ReedSolomonGF8, Object: wire.TransportID(object), ID: fec.PayloadID{SBN: uint32(sbn), ESI: uint32(x.k - 1)}}
	for _, n := range nodes {
		m.AckingNodes = m.AckingNodes.Append(n)
	}
	x.hear(&m)
}

func (x *rxRig) overhear(from wire.NodeID, text string) {
	x.t.Helper()
	x.hear(&wire.Nack{
		Feedback: wire.Feedback{Source: from, Server: theSender, InstanceID: theInstance}, Requests: requests(0, text),
	})
}

// A spoken is one message of the receiver.
type spoken struct {
	wire.Feedback
	at   time.Time
	nack string
	ack  wire.AckType
	echo wire.FlushAck
}

// pass lets time go by and returns what the receiver says in it.
func (x *rxRig) pass(d time.Duration) (out []spoken) {
	x.t.Helper()
	end := x.now.Add(d)
	for range 10000 {
		x.r.Advance(x.now)
		for p := (datagram.Packet{}); x.r.Transmit(x.now, &p); p = (datagram.Packet{}) {
			out = append(out, x.parse(p.Data))
		}
		for e, ok := x.r.Event(); ok; e, ok = x.r.Event() {
			x.events = append(x.events, e)
		}
		next := x.r.Next()
		if next.IsZero() || next.After(end) {
			x.now = end
			return out
		}
		if next.After(x.now) {
			x.now = next
		}
	}
	x.t.Fatal("the receiver wants to be called again and again")
	return nil
}

func (x *rxRig) parse(b []byte) spoken {
	x.t.Helper()
	var c wire.Codec
	var n wire.Nack
	var a wire.Ack
	s := spoken{at: x.now}
	if c.ParseNack(b, &n) == nil {
		s.Feedback, s.nack = n.Feedback, spell(n.Requests, 0)
	} else if err := c.ParseAck(b, &a); err != nil {
		x.t.Fatal(err)
	} else if s.Feedback, s.ack = a.Feedback, a.AckType; a.AckType == wire.AckFlush {
		if err := c.ParseFlushAck(a.Payload, &s.echo); err != nil {
			x.t.Fatal(err)
		}
	}
	return s
}

// asks lets time go by and compares what the receiver asks for in it, NACK by NACK.
func (x *rxRig) asks(d time.Duration, want ...string) {
	x.t.Helper()
	var got []string
	for _, s := range x.pass(d) {
		if s.nack != "" {
			got = append(got, s.nack)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		x.t.Errorf("within %v it asked for %q, want %q", d, got, want)
	}
}

// aborted returns why an object ended, nil if it did not.
func (x *rxRig) aborted(object int) error {
	for _, e := range x.events {
		if e.Type == core.ObjectAborted && e.Key.Object == wire.TransportID(object) {
			return e.Err
		}
	}
	return nil
}

// stored completes an object of one block.
func (x *rxRig) stored(object int) {
	x.t.Helper()
	x.data(object, 0, 0, 1, 2, 3)
	x.pass(0)
	e := x.events[len(x.events)-1]
	if e.Type != core.ObjectReceived {
		x.t.Fatalf("object %d is not received", object)
	}
	x.r.Stored(x.now, e.Key, nil)
}

// A txRig is a sender and what it says. Messages are written as in "DATA 0/1/5
// REPAIR", CMD(CC) left out where it is not the point.
type txRig struct {
	t      *testing.T
	s      *core.Sender
	now    time.Time
	first  wire.TransportID
	n      int // objects enqueued
	events []core.SenderEvent
}

// A sent is one message of the sender.
type sent struct {
	wire.Sender
	at   time.Time
	text string
}

func newSender(t *testing.T, change func(*core.SenderConfig)) *txRig {
	t.Helper()
	cfg := core.SenderConfig{
		NodeID: theSender, InstanceID: theInstance, Rate: -1, SegmentSize: segment, BlockSize: 4, Parity: 3,
		GRTT: 100 * time.Millisecond, Backoff: kFactor, RobustFactor: 5, Rand: rand.New(rand.NewPCG(1, 0)),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := core.NewSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &txRig{t: t, s: s, now: origin}
}

// enqueue adds an object of so many blocks.
func (x *txRig) enqueue(blocks int, spec core.ObjectSpec) {
	x.t.Helper()
	spec.Size = int64(blocks * 4 * segment)
	spec.Source = bytes.NewReader(make([]byte, spec.Size))
	id, err := x.s.Enqueue(x.now, spec)
	if err != nil {
		x.t.Fatal(err)
	}
	if x.n++; x.n == 1 {
		x.first = id
	}
}

// one returns the next message that may leave now.
func (x *txRig) one() (m sent, ok bool) {
	x.t.Helper()
	var p datagram.Packet
	if !x.s.Transmit(x.now, &p) {
		return sent{}, false
	}
	m = x.parse(p.Data)
	m.at = x.now
	return m, true
}

// take returns the next n messages that may leave now, probes aside.
func (x *txRig) take(n int) (out []string) {
	x.t.Helper()
	for len(out) < n {
		m, ok := x.one()
		if !ok {
			break
		}
		if m.text != "CC" {
			out = append(out, m.text)
		}
	}
	return out
}

// expect compares the next messages that may leave now.
func (x *txRig) expect(want ...string) {
	x.t.Helper()
	if got := x.take(len(want)); !slices.Equal(got, want) {
		x.t.Errorf("sent %q, want %q", got, want)
	}
}

// wait lets time go by in which nothing can be sent.
func (x *txRig) wait(d time.Duration) {
	x.now = x.now.Add(d)
	x.s.Advance(x.now)
}

// pass lets time go by and returns what is sent in it that begins with prefix.
func (x *txRig) pass(d time.Duration, prefix string) (out []sent) {
	x.t.Helper()
	end := x.now.Add(d)
	for range 10000 {
		x.s.Advance(x.now)
		for m, ok := x.one(); ok; m, ok = x.one() {
			if strings.HasPrefix(m.text, prefix) {
				out = append(out, m)
			}
		}
		for e, ok := x.s.Event(); ok; e, ok = x.s.Event() {
			x.events = append(x.events, e)
		}
		next := x.s.Next()
		if next.IsZero() || next.After(end) {
			x.now = end
			return out
		}
		if next.After(x.now) {
			x.now = next
		}
	}
	x.t.Fatal("the sender wants to be called again and again")
	return nil
}

func (x *txRig) point(o wire.TransportID, id fec.PayloadID) string {
	return fmt.Sprintf("%d/%d/%d", o.Sub(x.first), id.SBN, id.ESI)
}

func (x *txRig) parse(b []byte) sent {
	x.t.Helper()
	c := wire.Codec{FTI: wire.FTINRL}
	var (
		data  wire.Data
		info  wire.Info
		flush wire.Flush
		sq    wire.Squelch
		cc    wire.CC
		adv   wire.RepairAdv
		eot   wire.EOT
	)
	marks := func(f wire.Flags) (s string) {
		if f&wire.FlagRepair != 0 {
			s += " REPAIR"
		}
		if f&wire.FlagExplicit != 0 {
			s += " EXPLICIT"
		}
		return s
	}
	switch {
	case c.ParseData(b, &data) == nil:
		return sent{Sender: data.Sender, text: "DATA " + x.point(data.Object, data.ID) + marks(data.Flags)}
	case c.ParseInfo(b, &info) == nil:
		return sent{Sender: info.Sender, text: fmt.Sprint("INFO ", info.Object.Sub(x.first)) + marks(info.Flags)}
	case c.ParseFlush(b, &flush) == nil:
		s := sent{Sender: flush.Sender, text: "FLUSH " + x.point(flush.Object, flush.ID)}
		for i := range flush.AckingNodes.Len() {
			s.text += fmt.Sprint(" ask ", flush.AckingNodes.At(i))
		}
		return s
	case c.ParseSquelch(b, &sq) == nil:
		s := sent{Sender: sq.Sender, text: "SQUELCH " + x.point(sq.Object, sq.ID)}
		for i := range sq.Invalid.Len() {
			s.text += fmt.Sprint(" not ", sq.Invalid.At(i).Sub(x.first))
		}
		return s
	case c.ParseCC(b, &cc) == nil:
		return sent{Sender: cc.Sender, text: "CC"}
	case c.ParseRepairAdv(b, &adv) == nil:
		return sent{Sender: adv.Sender, text: "ADV " + spell(adv.Requests, x.first)}
	case c.ParseEOT(b, &eot) == nil:
		return sent{Sender: eot.Sender, text: "EOT"}
	}
	x.t.Fatalf("cannot parse % x", b)
	return sent{}
}

func (x *txRig) hear(m interface{ MarshalBinary() ([]byte, error) }, dst string) {
	x.t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		x.t.Fatal(err)
	}
	x.s.Handle(x.now, &datagram.Packet{Data: b, Dst: netip.MustParseAddrPort(dst)})
}

func feedback(from wire.NodeID) wire.Feedback {
	return wire.Feedback{Source: from, Server: theSender, InstanceID: theInstance}
}

const group = "239.1.2.3:6003"

func (x *txRig) nack(from wire.NodeID, text string) {
	x.t.Helper()
	x.hear(&wire.Nack{Feedback: feedback(from), Requests: requests(x.first, text)}, group)
}

// acknowledge confirms an object of one block.
func (x *txRig) acknowledge(from wire.NodeID, object, sbn, esi int) {
	x.t.Helper()
	payload, _ := wire.Codec{}.AppendFlushAck(nil, &wire.FlushAck{
		FEC: fec.ReedSolomonGF8, Object: x.first + wire.TransportID(object), ID: fec.PayloadID{SBN: uint32(sbn), ESI: uint32(esi)},
	})
	x.hear(&wire.Ack{Feedback: feedback(from), AckType: wire.AckFlush, Payload: payload}, group)
}
