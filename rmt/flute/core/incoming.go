package core

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

// An rxObject is one object being received: a file, or an FDT Instance.
type rxObject struct {
	r       *Receiver
	s       *session
	key     ObjectKey
	table   *table       // of an FDT Instance, otherwise nil
	file    *description // what describes it, if anything does yet
	handed  bool         // ObjectReceived was told; the application is storing it
	started time.Time
	heard   time.Time // when its last packet came
	lenient bool      // EXT_FTI is passed over
	dead    bool      // the application refused it before anything described it
	closed  bool      // the sender marked its end: nothing more for a while ends it

	oti       fec.OTI
	part      fec.Partition
	format    fec.PayloadIDFormat
	repairs   uint64 // repair symbols a block can have
	scattered bool   // blocks are not their source symbols in order: sub-blocks
	fti       []byte // EXT_FTI that agrees with oti, as it came
	misfits   int    // packets and symbols that do not fit since the last that did

	done   blockSet
	blocks []*rxBlock // begun and not done, ascending
	newest *rxBlock   // looked up last

	hold *decoderHold // if any block took a decoder
}

// newObject returns an object with the FEC parameters oti, or why it cannot be received
// here.
func (s *session) newObject(now time.Time, toi lct.TOI, oti *fec.OTI) (*rxObject, error) {
	r := s.r
	if err := oti.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	part, err := oti.Partition()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if n := fec.BlockMemory(oti); n > r.cfg.BufferBytes/3 {
		return nil, fmt.Errorf("%w: source blocks of %d bytes", ErrUnsupported, n)
	}
	scheme, err := r.cfg.Scheme(oti.EncodingID)
	if err != nil || scheme.NewDecoder == nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if scheme.Memory != nil && scheme.Memory(oti) > r.cfg.DecoderBytes {
		return nil, fmt.Errorf("%w: a decoder of %d bytes", ErrUnsupported, scheme.Memory(oti))
	}
	format, err := oti.PayloadIDFormat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	r.run++
	return &rxObject{
		r: r, s: s, key: ObjectKey{Session: s.key, TOI: toi, Run: r.run},
		started: now, heard: now, oti: *oti, part: part, format: format,
		repairs: repairLimit(oti), scattered: oti.SubBlocks > 1,
	}, nil
}

// packet takes in a packet of the object, as parsed into the receiver's.
func (o *rxObject) packet(now time.Time, p *alc.Packet) {
	r := o.r
	if fec.EncodingID(p.Codepoint) != o.oti.EncodingID {
		r.stats.Malformed++
		o.misfits++
		return
	}
	if f, ok := r.codec.Format(p.Codepoint); !ok || f != o.format {
		if p.Reparse(o.format) != nil {
			r.stats.Malformed++
			return
		}
	}
	o.heard = now
	if p.CloseObject {
		o.closed = true
	}
	if r.credit < maxCredit {
		r.credit += creditPerSymbol
	}
	size := o.part.SymbolSize()
	data := p.Symbols
	for esi := p.ID.ESI; len(data) > 0; esi++ { // one or more symbols
		n := min(size, len(data))
		o.symbol(p.ID.SBN, esi, data[:n])
		data = data[n:]
	}
}

// agrees reports whether a packet's EXT_FTI, if it has one, says what is known. The
// content that agreed once is remembered, for it is mostly the same bytes.
func (o *rxObject) agrees(p *alc.Packet) bool {
	content, ok := p.Extensions.Find(lct.ExtFTI)
	if !ok || o.lenient {
		return true
	}
	if !bytes.Equal(content, o.fti) || o.fti == nil {
		oti, err := fec.ParseFTI(fec.EncodingID(p.Codepoint), content)
		if err != nil || !sameOTI(&oti, &o.oti) {
			o.r.stats.FTIConflicts++
			o.misfits++
			return false
		}
		o.fti = append(o.fti[:0], content...)
	}
	return true
}

// sameOTI reports whether two descriptions of an object's FEC mean the same. An
// instance ID, and of the LDPC codes a default, may be told by one alone.
func sameOTI(a, b *fec.OTI) bool {
	x, y := *a, *b
	if x.EncodingID == fec.Raptor || x.EncodingID == fec.RaptorQ {
		x.MaxBlockLen, x.Parity = y.MaxBlockLen, y.Parity
	}
	for _, o := range [...]*fec.OTI{&x, &y} {
		if o.M == 0 {
			o.M = 8
		}
		o.G, o.N1 = max(o.G, 1), max(o.N1, 3)
	}
	return x == y
}

// resume marks blocks that the application has from an earlier run.
func (o *rxObject) resume(list []BlockRange) {
	for _, g := range list {
		for sbn := uint64(g.First); sbn <= uint64(g.Last) && sbn < o.part.Blocks(); sbn++ {
			if o.done.has(uint32(sbn)) || !o.done.add(uint32(sbn), maxDoneRanges) {
				continue
			}
			if b := o.begun(uint32(sbn)); b != nil {
				o.drop(b)
			}
		}
	}
}

// free gives back all memory the object holds.
func (o *rxObject) free() {
	for _, b := range o.blocks {
		o.r.recycle(b)
	}
	o.blocks, o.newest, o.done = nil, nil, blockSet{}
	o.freeDecoder()
}
