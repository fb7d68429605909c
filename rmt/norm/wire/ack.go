package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"strconv"

	"github.com/gomulticast/multicast/rmt/fec"
)

// AckType is the type of an acknowledgment (RFC 5740 section 4.2.3.6). 16 to 255
// are the application's.
type AckType uint8

const (
	AckCC          AckType = 1 // answers CMD(CC)
	AckFlush       AckType = 2 // answers CMD(FLUSH)
	AckApplication AckType = 16
)

// String returns the type's name, as in "ACK(FLUSH)".
func (t AckType) String() string {
	switch t {
	case AckCC:
		return "ACK(CC)"
	case AckFlush:
		return "ACK(FLUSH)"
	}
	return "ACK(" + strconv.Itoa(int(t)) + ")"
}

// Ack is a NORM_ACK message: a receiver's answer to CMD(CC), CMD(FLUSH) or
// CMD(ACK_REQ) (RFC 5740 section 4.3.2).
type Ack struct {
	Feedback
	AckType AckType
	AckID   uint8 // of the CMD(ACK_REQ); not used with AckCC and AckFlush

	// Content is what the receiving application says with it, in NRL's private
	// extension 65. The wire holds it padded with zeros, to two bytes less than a
	// multiple of four; it aliases the message.
	Content []byte

	// Payload is empty with AckCC, a FlushAck with AckFlush, and else the
	// application's.
	Payload []byte
}

// ParseAck parses a NORM_ACK message; m.Payload aliases b.
func (c Codec) ParseAck(b []byte, m *Ack) error {
	h, err := m.parse(b, TypeAck)
	if err != nil {
		return err
	}
	m.AckType, m.AckID, m.Payload = AckType(b[14]), b[15], h.tail(b)
	m.Content = ackContent(b[feedbackBase:h.HeaderLen])
	return nil
}

// AppendAck appends a NORM_ACK message.
func (c Codec) AppendAck(dst []byte, m *Ack) ([]byte, error) {
	if len(m.Content) > MaxAckContent {
		return dst, fail("ACK", "application content", ErrRange)
	}
	start := len(dst)
	dst = m.append(dst, TypeAck, byte(m.AckType), m.AckID)
	if len(m.Content) > 0 {
		words := (len(m.Content) + 2 + 3) / 4
		dst[start+1] += byte(words) // hdr_len
		dst = append(append(dst, extAppAck, byte(words)), m.Content...)
		for range words*4 - 2 - len(m.Content) {
			dst = append(dst, 0)
		}
	}
	return append(dst, m.Payload...), nil
}

// MaxAckContent is the most that fits a header with the other extensions, in bytes.
const MaxAckContent = 900

// ackContent returns the content of NRL's extension among x, which was checked before;
// nil when there is none.
func ackContent(x extensions) []byte {
	for len(x) > 0 {
		het, ext, ok := x.next()
		if !ok {
			return nil
		}
		if het == extAppAck {
			return ext[2:len(ext):len(ext)]
		}
	}
	return nil
}

// FlushAck is the payload of an Ack of type AckFlush: the position of the
// CMD(FLUSH) that it answers (RFC 5740 section 4.3.2).
type FlushAck struct {
	FEC    fec.EncodingID
	Object TransportID
	ID     fec.PayloadID
}

// ParseFlushAck parses the payload of an Ack of type AckFlush. Bytes after it are
// ignored.
func (c Codec) ParseFlushAck(payload []byte, m *FlushAck) error {
	it, n, err := c.parseItem(payload)
	if err != nil {
		return fail("ACK(FLUSH)", "ack_payload", err)
	}
	if n == 0 {
		return fail("ACK(FLUSH)", "ack_payload", io.ErrUnexpectedEOF)
	}
	*m = FlushAck(it)
	return nil
}

// AppendFlushAck appends the payload of an Ack of type AckFlush.
func (c Codec) AppendFlushAck(dst []byte, m *FlushAck) ([]byte, error) {
	f, err := c.format(m.FEC)
	if err != nil {
		return dst, fail("ACK(FLUSH)", "fec_id", err)
	}
	if !fits(f, m.ID) {
		return dst, fail("ACK(FLUSH)", "fec_payload_id", ErrRange)
	}
	return appendItem(dst, f, Item(*m)), nil
}

// An Item names a position in a sender's transmission, in repair requests and
// FLUSH acknowledgments (RFC 5740 section 4.3.1, figure 19).
type Item struct {
	FEC    fec.EncodingID
	Object TransportID
	ID     fec.PayloadID
}

// parseItem reads an item from the start of b and returns its length, 0 when b is
// too short.
func (c Codec) parseItem(b []byte) (Item, int, error) {
	if len(b) < 4 {
		return Item{}, 0, nil
	}
	it := Item{FEC: fec.EncodingID(b[0]), Object: TransportID(binary.BigEndian.Uint16(b[2:]))}
	f, err := c.format(it.FEC)
	if err != nil {
		return Item{}, 0, err
	}
	n := 4 + f.Len()
	if len(b) < n {
		return Item{}, 0, nil
	}
	it.ID, _ = f.Parse(b[4:]) // there is enough
	return it, n, nil
}

func appendItem(dst []byte, f fec.PayloadIDFormat, it Item) []byte {
	return f.Append(append(dst, byte(it.FEC), 0, byte(it.Object>>8), byte(it.Object)), it.ID)
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *Ack) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendAck(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Ack) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *Ack) UnmarshalBinary(b []byte) error { return Codec{}.ParseAck(bytes.Clone(b), m) }
