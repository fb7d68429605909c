package flute

import (
	"errors"
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/sdp"
)

// ErrSDP says that a description has no FLUTE session that can be received.
var ErrSDP = errors.New("no FLUTE session in the description")

// A Session is what a description tells of a FLUTE session.
type Session struct {
	// TSI names it together with the source of its channels.
	TSI TSI

	// Channels are what to join: Target writes one as mcast.Open takes it.
	Channels []sdp.Channel

	// FEC are the encoding IDs that may be used; none if it is not told.
	FEC []fec.EncodingID
}

// ParseSDP returns the FLUTE sessions of a description. The error wraps ErrSDP when
// there are none, or when they need FEC schemes that are not registered: those of this
// package are.
func ParseSDP(d *sdp.Description) (list []Session, err error) {
	channels := d.Channels()
	for i, m := range d.Media() {
		f, ok := m.FLUTE()
		if !ok {
			continue
		}
		s := Session{TSI: TSI(f.TSI)}
		if !f.HasTSI {
			err = fmt.Errorf("%w: no TSI", ErrSDP)
			continue
		}
		known := len(f.FEC) == 0
		for _, v := range f.FEC {
			id := fec.EncodingID(v.EncodingID)
			s.FEC = append(s.FEC, id)
			if _, missing := fec.Lookup(id); missing == nil {
				known = true
			}
		}
		if !known {
			err = fmt.Errorf("%w: %w: %v", ErrSDP, ErrUnsupported, s.FEC)
			continue
		}
		for _, c := range channels {
			if c.Media == i {
				s.Channels = append(s.Channels, c)
			}
		}
		if len(s.Channels) == 0 {
			err = fmt.Errorf("%w: nothing to join", ErrSDP)
			continue
		}
		// Media of one session are its channels.
		merged := false
		for j := range list {
			if list[j].TSI == s.TSI && list[j].Channels[0].Source == s.Channels[0].Source {
				list[j].Channels = append(list[j].Channels, s.Channels...)
				merged = true
			}
		}
		if !merged {
			list = append(list, s)
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	if err == nil {
		err = ErrSDP
	}
	return nil, err
}

// Describe writes a description of the session, to be announced or handed out. f says
// where it is sent and what people are to be told; its channel must name the sender.
// TSI and FEC are filled in.
func (s *Sender) Describe(f sdp.FileSession) (*sdp.Description, error) {
	cfg := s.cfg.FEC
	id := cfg.Encoding
	switch {
	case cfg.NoCode:
		id = fec.CompactNoCode
	case id == 0 && s.cfg.Profile == MBMS:
		id = fec.Raptor
	case id == 0:
		id = fec.RaptorQ
	}
	f.TSI = uint64(s.tsi)
	f.FEC = []sdp.FECDeclaration{{EncodingID: uint8(id), HasInstance: id >= 128}}
	if id != fec.CompactNoCode { // the File Delivery Table
		f.FEC = append(f.FEC, sdp.FECDeclaration{Ref: 1, EncodingID: uint8(fec.CompactNoCode)})
	}
	d, err := sdp.NewFLUTE(f)
	if err != nil {
		return nil, fmt.Errorf("flute: %w", err)
	}
	return d, nil
}
