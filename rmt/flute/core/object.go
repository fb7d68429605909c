package core

import (
	"fmt"
	"io"
	"time"

	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// An ObjectSpec says what to send and how.
type ObjectSpec struct {
	// Source holds the object as it is transferred: after content encoding. It is
	// read at random until ObjectDone, and must not wait long.
	Source io.ReaderAt
	// Size is the transfer length in bytes.
	Size int64

	// File describes it. TOI, TransferLength and OTI are filled in.
	File fdt.File

	// FEC says how it is protected; nil is as SenderConfig.FEC.
	FEC *FEC

	// Passes is how often to send it. Default 1; negative is until it is canceled
	// or stopped.
	Passes int

	// Interval is the time from the end of a pass to the next one's begin.
	Interval time.Duration

	// Priority: objects of a higher one are sent first, as long as they have
	// anything to send, but for one packet in 16; those of one take turns.
	Priority int

	// Channels are the channels it is sent on, by index. Default all: each takes
	// of its packets what its rate allows.
	Channels []int
}

// A txObject is one object on its way out.
type txObject struct {
	s      *Sender
	spec   ObjectSpec
	toi    lct.TOI
	oti    fec.OTI
	part   fec.Partition
	scheme fec.Scheme
	fec    FEC
	codec  alc.Codec
	widths lct.Widths
	ext    []byte // EXT_FTI, or nothing
	lane   *lane
	page   *page

	listed    bool // in an FDT Instance that was made
	described bool // and in one that was sent

	pass    int  // passes done
	stop    bool // with this pass it is done
	active  bool // its turn has come
	sleeps  bool // between passes
	wake    time.Time
	settled bool // done
	doneAt  time.Time
	sent    int64 // bytes of its payload in this pass

	next   uint32    // the next block to begin in this pass
	window []txBlock // those begun
	turn   int
	spare  []txBlock // memory and encoders of blocks done
}

// depthBytes is what blocks that are sent in turns take, if nothing else is said.
const depthBytes = 16 << 20

// newObject plans an object.
func (s *Sender) newObject(spec ObjectSpec) (*txObject, error) {
	if spec.Size < 0 || spec.Source == nil && spec.Size > 0 {
		return nil, fmt.Errorf("%w: an object of %d bytes with source %v", ErrConfig, spec.Size, spec.Source)
	}
	if s.cfg.Plain && spec.Size == 0 {
		return nil, fmt.Errorf("%w: an object of 0 bytes, and no FDT to tell of it", ErrConfig)
	}
	if spec.File.ContentLocation == "" && !s.cfg.Plain {
		return nil, fmt.Errorf("%w: an object without Content-Location", ErrConfig)
	}
	if spec.Passes == 0 {
		spec.Passes = 1
	}
	o := &txObject{s: s, spec: spec, fec: s.cfg.FEC}
	if spec.FEC != nil {
		o.fec = *spec.FEC
		if err := s.cfg.checkFEC(&o.fec); err != nil {
			return nil, err
		}
	}
	var err error
	if o.oti, err = s.cfg.oti(&o.fec, uint64(spec.Size)); err == nil {
		if o.part, err = o.oti.Partition(); err == nil {
			o.scheme, err = fec.Lookup(o.oti.EncodingID)
		}
	}
	if o.fec.Depth == 0 {
		o.fec.Depth = int(min(max(depthBytes/max(fec.BlockMemory(&o.oti), 1), 1), 1024))
	}
	if err == nil && !s.cfg.NoFTI {
		at := 0
		o.ext = lct.BeginExtension(nil, lct.ExtFTI)
		if o.ext, err = fec.AppendFTI(o.ext, &o.oti); err == nil {
			o.ext, err = lct.EndExtension(o.ext, at)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %d bytes by %v: %w", ErrConfig, spec.Size, o.fec.Encoding, err)
	}
	// The layout of the payload ID can depend on more than the encoding ID.
	format, err := o.oti.PayloadIDFormat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if f, _ := o.codec.Format(uint8(o.oti.EncodingID)); f != format {
		formats := alc.EncodingIDs()
		formats[o.oti.EncodingID] = format
		o.codec.Formats = &formats
	}
	mask, err := s.mask(spec.Channels)
	if err != nil {
		return nil, err
	}
	o.lane = s.laneOf(spec.Priority, mask)
	if s.cfg.Plain {
		o.described = true
		return o, nil
	}
	f := &o.spec.File
	if f.OTI, err = fdt.NewOTI(&o.oti); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if !f.Encoded() {
		f.ContentLength, f.HasContentLength = uint64(spec.Size), true
	}
	if s.cfg.Profile != fdt.MBMS {
		f.TransferLength, f.HasTransferLength = uint64(spec.Size), true
	}
	f.TOI = lct.TOI{Lo: 1}
	if _, err := (&fdt.Instance{Files: []fdt.File{*f}}).Append(nil, s.cfg.Profile); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if s.cfg.Profile == fdt.MBMS && f.Encoded() {
		return nil, fmt.Errorf("%w: MBMS cannot describe content encoded files: %w", ErrConfig, fdt.ErrProfile)
	}
	return o, nil
}

// mask makes a set of channels of their indices; none is all.
func (s *Sender) mask(channels []int) (m uint64, err error) {
	for _, i := range channels {
		if i < 0 || i >= len(s.channels) {
			return 0, fmt.Errorf("%w: channel %d of %d", ErrConfig, i, len(s.channels))
		}
		m |= 1 << i
	}
	if m == 0 {
		m = 1<<len(s.channels) - 1
	}
	return m, nil
}

// last reports whether the pass under way is the object's last.
func (o *txObject) last() bool {
	return o.stop || o.spec.Passes > 0 && o.pass+1 >= o.spec.Passes
}

// passOver reports whether all of a pass was sent.
func (o *txObject) passOver() bool {
	return len(o.window) == 0 && uint64(o.next) >= o.part.Blocks()
}
