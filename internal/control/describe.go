package control

import (
	"errors"
	"io"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mld"
)

// What can be wrong with a packet besides the rules of its protocol.
const (
	badChecksum   = "wrong checksum"
	badIPChecksum = "wrong IP header checksum"
	aFragment     = "a fragment"
	notCaptured   = "not captured whole"
)

// A Decoder puts packets into words. The zero Decoder is ready. It remembers the
// addresses of up to 64 senders of NORM, so that what receivers tell one of them alone
// is known too, and nothing else.
type Decoder struct {
	// ALC are the UDP ports whose packets are taken for ALC: FLUTE and FCAST.
	ALC []uint16

	senders [64]normSender
	n       int // of them there are
	oldest  int // the next to be forgotten
}

// Describe puts a packet into r, whose room it uses again. It returns false for a
// packet that is nothing of the kind; r is then unspecified.
func (d *Decoder) Describe(f *pcap.Frame, r *Record) bool {
	r.reset()
	r.SrcMAC, r.DstMAC, r.VLAN = f.SrcMAC, f.DstMAC, f.VLAN
	if f.EtherType == pcap.EtherLLC {
		return describeCGMP(f, r) || describeGMRP(f, r)
	}
	ip := &f.IP
	if !ip.Src.IsValid() {
		return false
	}
	r.Src, r.Dst, r.TTL = ip.Src, ip.Dst, ip.HopLimit
	switch is4 := ip.Src.Is4(); {
	case is4 && ip.Protocol == wire.ProtoIGMP:
		describeIGMP(ip, r)
		return true
	case !is4 && ip.Protocol == wire.ProtoICMPv6:
		return describeMLD(ip, r)
	case ip.Protocol == wire.ProtoUDP:
		return d.describeALC(f, r) || describeSAP(f, r) || d.describeNORM(f, r)
	}
	return false
}

// envelope notes what is wrong with the IP packet, and returns whether the message
// in it is all there.
func envelope(ip *wire.IP, r *Record) (whole bool) {
	whole = true
	if ip.BadChecksum {
		r.problem(badIPChecksum)
		r.Refused = true
	}
	if ip.Fragment {
		r.problem(aFragment)
		r.Refused, whole = true, false
	}
	if ip.Truncated {
		r.problem(notCaptured)
		whole = false
	}
	return whole
}

// failed notes why a message could not be read strictly. Where part of it is
// missing, its length and checksum mean nothing.
func (r *Record) failed(err error, whole bool) {
	if err == nil || !whole {
		return
	}
	r.Refused = true
	field := ""
	var pi *igmp.ParseError
	var pm *mld.ParseError
	switch {
	case errors.As(err, &pi):
		field = pi.Field
	case errors.As(err, &pm):
		field = pm.Field
	}
	switch {
	case errors.Is(err, igmp.ErrChecksum), errors.Is(err, mld.ErrChecksum):
		r.problem(badChecksum)
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.problem("cut short: " + field)
	case errors.Is(err, igmp.ErrLength), errors.Is(err, mld.ErrLength):
		r.problem("a length of no version")
	default:
		r.problem("malformed: " + field)
	}
}
