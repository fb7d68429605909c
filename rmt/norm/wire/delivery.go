package wire

import "encoding/binary"

const deliveryLen = 16 // EXT_DELIVERY in bytes

// Delivery is a header extension of this package's own in NACK and ACK: what had
// reached a receiver of a sender's messages when the probe named by
// CCFeedback.Sequence arrived. The difference of two tells which part of what was sent
// between the probes came through, and in which time. Receivers send it when the probe
// marks them as CLR or PLR; others skip the extension, type 112, as they must any that
// they do not know (RFC 5740 section 4.1). All fields wrap.
//
//	byte 0 is 112, byte 1 is 4, bytes 2 and 3 are 0, then the fields in order
type Delivery struct {
	Packets uint32 // messages received of this sender, the probe included
	Time    uint32 // when the probe arrived, in microseconds of the receiver's clock
	Dropped uint32 // datagrams that this receiver lost for want of room of its own
}

// parseDelivery looks for EXT_DELIVERY among the extensions x, which parseCC has found
// well-formed.
func parseDelivery(x extensions, d *Delivery) (has bool) {
	for len(x) > 0 {
		het, ext, ok := x.next()
		if !ok {
			return has
		}
		if het != extDelivery || len(ext) < deliveryLen {
			continue
		}
		*d = Delivery{
			Packets: binary.BigEndian.Uint32(ext[4:]),
			Time:    binary.BigEndian.Uint32(ext[8:]),
			Dropped: binary.BigEndian.Uint32(ext[12:]),
		}
		has = true
	}
	return has
}

func (d *Delivery) append(dst []byte) []byte {
	dst = append(dst, extDelivery, deliveryLen/4, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, d.Packets)
	dst = binary.BigEndian.AppendUint32(dst, d.Time)
	return binary.BigEndian.AppendUint32(dst, d.Dropped)
}
