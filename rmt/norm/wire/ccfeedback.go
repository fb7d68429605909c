package wire

import "encoding/binary"

const ccFeedbackLen = 12 // EXT_CC in bytes

// CCFeedback is the NORM-CC feedback header extension, EXT_CC: a receiver's view
// of the path from the sender, in NACK and ACK, or the most limiting of several,
// in CMD(REPAIR_ADV) (RFC 5740 section 4.2.3.5).
type CCFeedback struct {
	Sequence uint16 // the greatest cc_sequence received
	Flags    uint8  // CCFlagCLR and so on
	RTT      uint8  // as QuantizeGRTT gives it; valid if Flags has CCFlagRTT
	Loss     uint16 // as QuantizeLoss gives it
	Rate     uint16 // as QuantizeRate gives it

	// Reserved SHALL be sent as 0 and ignored. NRL's implementation stores
	// the low half of a 32-bit loss fraction here.
	Reserved uint16
}

// parseCC looks for EXT_CC among the extensions x.
func parseCC(msg string, x extensions, cc *CCFeedback) (has bool, err error) {
	for len(x) > 0 {
		het, ext, ok := x.next()
		if !ok {
			return false, fail(msg, "header extension", ErrExtension)
		}
		if het != extCC {
			continue
		}
		if len(ext) < ccFeedbackLen {
			return false, fail(msg, "EXT_CC", ErrExtension)
		}
		*cc = CCFeedback{
			Sequence: binary.BigEndian.Uint16(ext[2:]),
			Flags:    ext[4],
			RTT:      ext[5],
			Loss:     binary.BigEndian.Uint16(ext[6:]),
			Rate:     binary.BigEndian.Uint16(ext[8:]),
			Reserved: binary.BigEndian.Uint16(ext[10:]),
		}
		has = true
	}
	return has, nil
}

func (cc *CCFeedback) append(dst []byte) []byte {
	return append(dst, extCC, ccFeedbackLen/4, byte(cc.Sequence>>8), byte(cc.Sequence),
		cc.Flags, cc.RTT, byte(cc.Loss>>8), byte(cc.Loss),
		byte(cc.Rate>>8), byte(cc.Rate), byte(cc.Reserved>>8), byte(cc.Reserved))
}
