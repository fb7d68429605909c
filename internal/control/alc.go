package control

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// ALC carries FLUTE and FCAST (RFC 5775).
const ALC = "alc"

// Types of a Record of ALC. Data is also NORM's.
const (
	FDT   = "fdt"   // a part of an FDT Instance of FLUTE
	Data  = "data"  // symbols of an object
	Close = "close" // the session or an object ends, without symbols
	Empty = "empty" // a header and nothing else
)

// describeALC reads what goes to a port that Decoder.ALC names: ALC has no mark of its
// own.
func (d *Decoder) describeALC(f *pcap.Frame, r *Record) bool {
	src, dst, b, ok := f.UDP()
	if !ok || !slices.Contains(d.ALC, dst.Port()) {
		return false
	}
	r.Proto, r.Version, r.Type = ALC, lct.Version, Other
	r.SrcPort, r.DstPort = src.Port(), dst.Port()
	whole := envelope(&f.IP, r)
	var p alc.Packet
	err := alc.Codec{}.Parse(b, &p)
	if err != nil && !errors.Is(err, alc.ErrCodepoint) {
		r.refuseALC(err, whole)
		return true
	}
	r.TSI = uint64(p.TSI)
	if p.HasTOI() {
		r.Object = p.TOI.String()
	}
	switch {
	case err != nil:
		r.problem("codepoint " + strconv.Itoa(int(p.Codepoint)) + " of no FEC scheme")
		r.Type = Data
	case p.HasPayload:
		r.Type = Data
	case p.CloseSession || p.CloseObject:
		r.Type = Close
	default:
		r.Type = Empty
	}
	r.Detail = r.alcDetail(&p, whole)
	return true
}

// refuseALC notes why a packet could not be read.
func (r *Record) refuseALC(err error, whole bool) {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		if whole {
			r.problem("cut short")
		}
	case errors.Is(err, lct.ErrVersion):
		r.Version = 0
		r.problem("unknown version")
	case errors.Is(err, lct.ErrExtension):
		r.problem("malformed: header extension")
	case errors.Is(err, alc.ErrNoTSI):
		r.problem("no TSI")
	default:
		r.problem("malformed: header length")
	}
	r.Refused = true
}

// alcDetail says what is in a packet, and makes it an FDT if it is one.
func (r *Record) alcDetail(p *alc.Packet, whole bool) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	instance, hasFDT := p.Extensions.Find(lct.ExtFDT)
	cenc, hasCENC := p.Extensions.Find(lct.ExtCENC)
	scheme := fec.EncodingID(p.Codepoint)
	o, hasFTI, err := p.FTI(scheme)
	if err != nil {
		hasFTI = false
		r.problem("malformed: EXT_FTI")
	}
	if hasFDT {
		x, _ := lct.ParseFDT(instance) // its length is fixed
		r.Type = FDT
		add("FDT instance %d of FLUTE %d", x.InstanceID, x.Version)
		if x.Version != 1 && x.Version != 2 {
			r.problem("unknown version of FLUTE")
		}
		if !p.TOI.IsZero() {
			r.problem("an FDT with another TOI than 0")
		}
	}
	encoding := lct.EncodingNull
	if hasCENC {
		encoding, _ = lct.ParseCENC(cenc)
		add("%v", encoding)
		if !hasFDT {
			r.problem("EXT_CENC without EXT_FDT")
		}
	}
	if p.HasPayload {
		if !p.HasTOI() {
			r.problem("symbols without TOI")
		}
		add("%v, block %d, symbol %d, %s", scheme, p.ID.SBN, p.ID.ESI, number(len(p.Symbols), "byte"))
	}
	if hasFTI {
		add("object of %d bytes, symbols of %d", o.TransferLength, o.SymbolSize)
	}
	if p.CloseSession {
		add("the session closes")
	}
	if p.CloseObject {
		add("the object closes")
	}
	if hasFDT && hasFTI && whole && encoding == lct.EncodingNull && p.HasPayload && p.ID.SBN == 0 && p.ID.ESI == 0 && o.TransferLength <= uint64(len(p.Symbols)) {
		add("%s", r.files(p.Symbols[:o.TransferLength]))
	}
	return strings.Join(parts, "; ")
}

// files says what is in an FDT Instance that fits a packet.
func (r *Record) files(document []byte) string {
	in, err := fdt.Parse(document, fdt.Limits{})
	if err != nil {
		r.problem("the FDT instance cannot be read")
		return "unreadable"
	}
	text := number(len(in.Files), "file")
	if in.Complete {
		text += " in all"
	}
	for i := range in.Files {
		f := &in.Files[i]
		if i == lineGroups {
			return text + fmt.Sprintf(", and %d more", len(in.Files)-i)
		}
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		text += sep + f.TOI.String() + " " + printable(f.ContentLocation)
		if _, err := f.Path(); err != nil {
			if why := "a Content-Location that is no safe file name"; !slices.Contains(r.Problems, why) {
				r.problem(why)
			}
		}
	}
	return text
}

// textALC is Text of a packet of ALC.
func (r *Record) textALC() string {
	text := r.Detail
	if r.Type != Other {
		ids := "TSI " + strconv.FormatUint(r.TSI, 10)
		if r.Object != "" {
			ids += ", TOI " + r.Object
		}
		text = strings.TrimSuffix(ids+"; "+text, "; ")
	}
	if len(r.Problems) > 0 {
		if text != "" {
			text += "  "
		}
		text += "! " + strings.Join(r.Problems, ", ")
	}
	return text
}

// number counts things.
func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
