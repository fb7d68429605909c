package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// A Writer writes a pcap file with nanoseconds. It is not safe for concurrent use.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter writes the file header to w and returns a writer of packets that begin
// as link says.
func NewWriter(w io.Writer, link LinkType) (*Writer, error) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magicNanos)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, MaxPacket)
	b = le.AppendUint32(b, uint32(link))
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	return &Writer{w: w}, nil
}

// Write writes a packet, captured whole at time t, in one call of the underlying
// Write. Packets over MaxPacket bytes and times outside of 1970 to 2106 are refused.
func (w *Writer) Write(t time.Time, packet []byte) error {
	if len(packet) > MaxPacket {
		return fmt.Errorf("%w: a packet of %d bytes", ErrTooBig, len(packet))
	}
	sec := t.Unix()
	if sec != int64(uint32(sec)) {
		return fmt.Errorf("%w: the time %v", ErrTooBig, t)
	}
	le := binary.LittleEndian
	b := le.AppendUint32(w.buf[:0], uint32(sec))
	b = le.AppendUint32(b, uint32(t.Nanosecond()))
	b = le.AppendUint32(b, uint32(len(packet)))
	b = le.AppendUint32(b, uint32(len(packet)))
	w.buf = append(b, packet...)
	_, err := w.w.Write(w.buf)
	return err
}
