package fdt

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// OTI is the FEC Object Transmission Information of a file as its FEC-OTI attributes
// have it (RFC 6726 section 5), each with whether it is there. It can be compared with
// ==.
type OTI struct {
	EncodingID  fec.EncodingID // FEC-OTI-FEC-Encoding-ID
	InstanceID  uint16         // FEC-OTI-FEC-Instance-ID
	MaxBlockLen uint32         // FEC-OTI-Maximum-Source-Block-Length, in symbols
	SymbolSize  uint16         // FEC-OTI-Encoding-Symbol-Length, in bytes
	MaxSymbols  uint32         // FEC-OTI-Max-Number-of-Encoding-Symbols
	SchemeInfo  string         // FEC-OTI-Scheme-Specific-Info, its bytes

	HasEncodingID, HasInstanceID, HasMaxBlockLen bool
	HasSymbolSize, HasMaxSymbols, HasSchemeInfo  bool
}

// NewOTI returns o as attributes, but for the transfer length, which is the file's. The
// error is that of fec.OTI.AppendSchemeInfo.
func NewOTI(o *fec.OTI) (OTI, error) {
	info, err := o.AppendSchemeInfo(nil)
	if err != nil {
		return OTI{}, err
	}
	a := OTI{
		EncodingID: o.EncodingID, HasEncodingID: true,
		SymbolSize: o.SymbolSize, HasSymbolSize: true,
		MaxBlockLen: o.MaxBlockLen, HasMaxBlockLen: o.MaxBlockLen != 0,
		SchemeInfo: string(info), HasSchemeInfo: len(info) > 0,
	}
	if o.EncodingID >= 128 {
		a.InstanceID, a.HasInstanceID = o.InstanceID, true
	}
	if hasMaxN(o.EncodingID) {
		a.MaxSymbols, a.HasMaxSymbols = o.MaxBlockLen+o.Parity, true
	}
	return a, nil
}

// hasMaxN reports whether a scheme's OTI has the maximum number of encoding symbols.
func hasMaxN(id fec.EncodingID) bool {
	switch id {
	case fec.CompactNoCode, fec.Raptor, fec.RaptorQ:
		return false
	}
	return true
}

// FEC returns a as the OTI of an object of transfer bytes. Without an encoding ID that
// is fec.CompactNoCode, FLUTE's default. It returns ErrOTI when an attribute that the
// scheme needs is missing; whether they make sense together fec.OTI.Validate tells.
//
// A maximum number of encoding symbols below the maximum source block length is taken
// for the number of parity symbols, which some senders write there; fec.ParseFTI does
// the same.
func (a *OTI) FEC(transfer uint64) (fec.OTI, error) {
	o := fec.OTI{EncodingID: a.EncodingID, InstanceID: a.InstanceID, TransferLength: transfer, SymbolSize: a.SymbolSize}
	switch {
	case transfer > fec.MaxTransferLength:
		return o, fmt.Errorf("%w: object of %d bytes", ErrOTI, transfer)
	case !a.HasSymbolSize:
		return o, fmt.Errorf("%w: no FEC-OTI-Encoding-Symbol-Length", ErrOTI)
	}
	if a.HasSchemeInfo {
		if err := o.ParseSchemeInfo([]byte(a.SchemeInfo)); err != nil {
			return o, fmt.Errorf("%w: FEC-OTI-Scheme-Specific-Info: %w", ErrOTI, err)
		}
	}
	switch a.EncodingID {
	case fec.Raptor, fec.RaptorQ:
		if !a.HasSchemeInfo {
			return o, fmt.Errorf("%w: no FEC-OTI-Scheme-Specific-Info", ErrOTI)
		}
		return o, nil
	case fec.LDPCStaircase, fec.LDPCTriangle:
		if !a.HasSchemeInfo {
			return o, fmt.Errorf("%w: no FEC-OTI-Scheme-Specific-Info", ErrOTI)
		}
	}
	if !a.HasMaxBlockLen {
		return o, fmt.Errorf("%w: no FEC-OTI-Maximum-Source-Block-Length", ErrOTI)
	}
	o.MaxBlockLen = a.MaxBlockLen
	if !hasMaxN(a.EncodingID) {
		return o, nil
	}
	if !a.HasMaxSymbols {
		return o, fmt.Errorf("%w: no FEC-OTI-Max-Number-of-Encoding-Symbols", ErrOTI)
	}
	if o.Parity = a.MaxSymbols; a.MaxSymbols >= a.MaxBlockLen {
		o.Parity -= a.MaxBlockLen
	}
	return o, nil
}

// inherit takes from parent what a does not have, attribute by attribute.
func (a *OTI) inherit(p *OTI) {
	if !a.HasEncodingID {
		a.EncodingID, a.HasEncodingID = p.EncodingID, p.HasEncodingID
	}
	if !a.HasInstanceID {
		a.InstanceID, a.HasInstanceID = p.InstanceID, p.HasInstanceID
	}
	if !a.HasMaxBlockLen {
		a.MaxBlockLen, a.HasMaxBlockLen = p.MaxBlockLen, p.HasMaxBlockLen
	}
	if !a.HasSymbolSize {
		a.SymbolSize, a.HasSymbolSize = p.SymbolSize, p.HasSymbolSize
	}
	if !a.HasMaxSymbols {
		a.MaxSymbols, a.HasMaxSymbols = p.MaxSymbols, p.HasMaxSymbols
	}
	if !a.HasSchemeInfo {
		a.SchemeInfo, a.HasSchemeInfo = p.SchemeInfo, p.HasSchemeInfo
	}
}
