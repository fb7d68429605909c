package core

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A txObject is one object on its way out.
type txObject struct {
	id      wire.TransportID
	spec    ObjectSpec
	oti     fec.OTI
	part    layout
	flags   wire.Flags
	hasInfo bool

	// The first pass: INFO, then symbol esi of block sbn next.
	infoSent bool
	sbn      uint32
	esi      int
	unasked  int  // parity that goes with the block
	sent     bool // the first pass is over

	want       repairSet // asked for in this aggregation period
	repair     repairSet // to be sent
	parityUsed blockMemo // parity symbols sent of each block, when not AutoParity
	active     time.Time // last sent from or asked for
	acked      map[wire.NodeID]bool
	over       bool      // ObjectDone was emitted
	ended      time.Time // the first pass
	closed     bool      // to requests for repair
	stream     *txStream // nil for an object of one piece
}

func (o *txObject) wantsAcks() bool { return o.spec.AckCount > 0 || len(o.spec.AckNodes) > 0 }

// busy reports whether repairs are due or about to be.
func (o *txObject) busy() bool { return !o.want.empty() || !o.repair.empty() }

// due reports whether the first pass has something to send.
func (o *txObject) due(auto int) bool {
	return o.stream == nil || o.hasInfo && !o.infoSent || o.ready(auto)
}

func (o *txObject) progress() int64 {
	if o.stream != nil {
		return int64(o.sentOffset())
	}
	if o.sent {
		return o.spec.Size
	}
	return min(o.part.Offset(o.sbn)+int64(min(o.esi, o.part.BlockLen(o.sbn)))*int64(o.part.SymbolSize()), o.spec.Size)
}

// position is how far the first pass has come; everything before it was sent.
func (o *txObject) position() position {
	return position{o.id, o.sbn, uint32(o.esi)}
}

// last names the object's last source symbol, of a stream the last that was sent: the
// point a FLUSH speaks of.
func (o *txObject) last() fec.PayloadID {
	if t := o.stream; t != nil {
		if o.esi == 0 {
			return o.payloadID(o.sbn-1, t.k-1)
		}
		return o.payloadID(o.sbn, min(o.esi, t.k)-1)
	}
	if o.part.Blocks() == 0 {
		return fec.PayloadID{}
	}
	sbn := uint32(o.part.Blocks() - 1)
	return o.payloadID(sbn, o.part.BlockLen(sbn)-1)
}

func (o *txObject) payloadID(sbn uint32, esi int) fec.PayloadID {
	id := fec.PayloadID{SBN: sbn, ESI: uint32(esi)}
	if o.stream != nil {
		id.SBN = o.stream.ids.wire(sbn)
	}
	if o.oti.EncodingID == fec.SmallBlockSystematic {
		id.SourceBlockLen = uint16(o.part.BlockLen(sbn))
	}
	return id
}

// sourceSent returns how many source symbols of a block were sent in the first pass,
// of one that lies behind that point or before it.
func (o *txObject) sourceSent(sbn uint32) int {
	k := o.part.BlockLen(sbn)
	if o.stream != nil && sbn == o.sbn {
		return min(o.esi, k)
	}
	return k
}

// transmitFresh sends the next message of the first pass.
func (s *Sender) transmitFresh(now time.Time, p *datagram.Packet) bool {
	for s.fresh < len(s.objects) {
		o := s.objects[s.fresh]
		if o.hasInfo && !o.infoSent {
			o.infoSent = true
			s.appendInfo(now, o, 0, p)
			s.endPass(o)
			return true
		}
		if s.endPass(o) {
			continue
		}
		if !o.due(s.cfg.AutoParity) {
			return false // what follows a stream waits for its end
		}
		k := o.part.BlockLen(o.sbn)
		sbn, esi := o.next(s)
		if !s.appendData(now, o, sbn, esi, 0, p) {
			continue // the object failed and is gone
		}
		if esi < k {
			s.stats.DataPackets++
		} else {
			s.stats.AutoParity++
		}
		s.endPass(o)
		return true
	}
	return false
}

// next returns the symbol at the object's position and moves on.
func (o *txObject) next(s *Sender) (sbn uint32, esi int) {
	if o.stream != nil {
		return o.nextSymbol(s)
	}
	sbn, esi = o.sbn, o.esi
	k := o.part.BlockLen(sbn)
	if o.esi++; o.esi == k {
		o.unasked = s.unasked(o)
		if o.unasked > s.cfg.AutoParity {
			o.parityUsed.set(sbn, o.unasked)
		}
	}
	if o.esi >= k && o.esi >= k+o.unasked {
		o.sbn, o.esi = o.sbn+1, 0
	}
	return sbn, esi
}

// endPass notes the end of the first pass.
func (s *Sender) endPass(o *txObject) bool {
	if t := o.stream; t != nil {
		if !t.ended || o.due(s.cfg.AutoParity) {
			return false
		}
	} else if uint64(o.sbn) < o.part.Blocks() || (o.hasInfo && !o.infoSent) {
		return false
	}
	if !o.sent {
		o.sent, o.ended = true, s.now
		if o.stream != nil {
			s.repeatEnd(o)
			o.stream.marks.asking = false // now the end is asked for
			clear(o.acked)
		}
		s.fresh++
		s.emit(SenderEvent{Type: ObjectSent, Object: o.id})
		s.flush.watch(s, s.now)
	}
	return true
}

func (s *Sender) appendInfo(now time.Time, o *txObject, flags wire.Flags, p *datagram.Packet) {
	m := wire.Info{
		Sender: s.common(), Flags: o.flags | flags, FEC: s.cfg.Encoding, Object: o.id,
		HasFTI: true, FTI: o.oti, Payload: o.spec.Info,
	}
	p.Data, _ = s.codec.AppendInfo(p.Data[:0], &m)
	o.active = now
}

// appendData writes the NORM_DATA message of one symbol. It returns false when the
// source could not be read; the object has then failed.
func (s *Sender) appendData(now time.Time, o *txObject, sbn uint32, esi int, flags wire.Flags, p *datagram.Packet) bool {
	b, err := s.block(o, sbn)
	if err != nil {
		s.fail(o, err)
		return false
	}
	m := wire.Data{
		Sender: s.common(), Flags: o.flags | flags, FEC: s.cfg.Encoding, Object: o.id,
		ID: o.payloadID(sbn, esi), HasFTI: true, FTI: o.oti,
	}
	p.Data, _ = s.codec.AppendDataHeader(p.Data[:0], &m)
	if k := len(b.symbols); esi < k {
		p.Data = append(p.Data, b.symbols[esi]...)
	} else {
		n := s.cfg.AutoParity - (esi - k) // how many follow one another
		if flags&wire.FlagRepair != 0 {
			n = s.repairs.symbols.gap(esi) - esi
		}
		p.Data = b.appendParity(p.Data, esi-k, n)
	}
	o.active = now
	o.touch(now, sbn)
	return true
}

// block returns the content of a block.
func (s *Sender) block(o *txObject, sbn uint32) (*cachedBlock, error) {
	if o.stream == nil {
		return s.cache.block(o, sbn)
	}
	b := o.stream.block(sbn)
	if b == nil {
		return nil, ErrStreamClosed // cannot be: what was dropped is not repaired
	}
	if b.code == nil {
		code, err := s.cache.code(o, o.stream.k)
		if err != nil {
			return nil, err
		}
		b.code, b.even = code, o.oti.M == 16
	}
	return &b.cachedBlock, nil
}

// A blockCache keeps the blocks read last, so that a block is read once for its
// first pass and once for each repair of it, not once for each symbol.
type blockCache struct {
	cfg   *SenderConfig
	slots [8]cachedBlock
	turn  int
	codes map[int]fec.Code // by source block length; at most two lengths an object
}

type cachedBlock struct {
	used    bool
	object  wire.TransportID
	sbn     uint32
	data    []byte
	symbols [][]byte
	code    fec.Code
	size    int    // of a symbol
	even    bool   // parity takes whole elements of GF(2^16)
	run     []byte // parity symbols from runAt on, made together
	runAt   int
}

// A runEncoder is a code that makes several parity symbols one after the other in less
// time than each alone. It writes to dst as many of size bytes as it holds, from j on.
type runEncoder interface {
	EncodeRun(dst []byte, size int, src [][]byte, j int)
}

// maxRun is how many parity symbols are made together.
const maxRun = 16

func (c *blockCache) init(cfg *SenderConfig) {
	c.cfg = cfg
	c.codes = make(map[int]fec.Code)
}

func (c *blockCache) forget(id wire.TransportID) {
	for i := range c.slots {
		if c.slots[i].object == id {
			c.slots[i].used = false
		}
	}
}

// maxCodes is how many codes are kept: one over GF(2^16) takes up to 30 KB and a symbol.
const maxCodes = 64

// block returns block sbn of o, reading it if need be.
func (c *blockCache) block(o *txObject, sbn uint32) (*cachedBlock, error) {
	for i := range c.slots {
		if b := &c.slots[i]; b.used && b.sbn == sbn && b.object == o.id {
			return b, nil
		}
	}
	b := &c.slots[c.turn]
	c.turn = (c.turn + 1) % len(c.slots)
	return b, b.read(c, o, sbn)
}

func (b *cachedBlock) read(c *blockCache, o *txObject, sbn uint32) error {
	b.used, b.run = false, b.run[:0]
	n, k := o.part.BlockBytes(sbn), o.part.BlockLen(sbn)
	if cap(b.data) < n {
		b.data = make([]byte, c.cfg.SegmentSize*c.cfg.BlockSize)
		b.symbols = make([][]byte, 0, c.cfg.BlockSize)
	}
	b.data, b.symbols, b.size = b.data[:n], b.symbols[:0], o.part.SymbolSize()
	if got, err := o.spec.Source.ReadAt(b.data, o.part.Offset(sbn)); got < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // it got shorter since it was enqueued
		}
		return err
	}
	for i := range k {
		b.symbols = append(b.symbols, b.data[i*b.size:min((i+1)*b.size, n)])
	}
	code, err := c.code(o, k)
	if err != nil {
		return err
	}
	b.object, b.sbn, b.code, b.used = o.id, sbn, code, true
	return nil
}

func (c *blockCache) code(o *txObject, k int) (fec.Code, error) {
	if code := c.codes[k]; code != nil {
		return code, nil
	}
	code, err := c.cfg.Scheme.NewCode(&o.oti, k)
	if err == nil {
		if len(c.codes) >= maxCodes { // of objects of many sizes
			clear(c.codes)
		}
		c.codes[k] = code
	}
	return code, err
}

// appendParity appends parity symbol j, the first of so many that are wanted, computed on
// the spot.
func (b *cachedBlock) appendParity(dst []byte, j, wanted int) []byte {
	n, size := len(dst), b.size
	if b.even { // of a stream's block every segment may be of an odd length
		size += size & 1
	}
	if e, ok := b.code.(runEncoder); ok && size > 0 {
		if at := j - b.runAt; at < 0 || (at+1)*size > len(b.run) {
			n := size * max(1, min(wanted, maxRun))
			b.run, b.runAt = slices.Grow(b.run[:0], n)[:n], j
			e.EncodeRun(b.run, size, b.symbols, j)
		}
		return append(dst, b.run[(j-b.runAt)*size:][:size]...)
	}
	if cap(dst)-n >= size {
		dst = dst[:n+size]
	} else {
		dst = append(dst, make([]byte, size)...)
	}
	b.code.Encode(dst[n:], b.symbols, j)
	return dst
}
