package pcap

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Bounds of what a capture may ask of a [Reader].
const (
	MaxPacket     = 256 << 10 // bytes of a packet; tcpdump's largest snapshot length
	MaxInterfaces = 4096      // of a pcapng section
)

// Errors of a [Reader]. A file that ends in the middle of something is
// io.ErrUnexpectedEOF.
var (
	// ErrFormat: neither pcap nor pcapng, or damaged.
	ErrFormat = errors.New("pcap: not a capture, or damaged")

	// ErrTooBig: more than MaxPacket or MaxInterfaces.
	ErrTooBig = errors.New("pcap: over the bounds of this reader")
)

// A Packet is a packet of a capture.
type Packet struct {
	// Time is when it was captured; the zero Time if the file does not say.
	Time time.Time

	// Link says what Data begins with.
	Link LinkType

	// Data is the packet as far as it was captured. It is the reader's:
	// valid until the next call of Next.
	Data []byte

	// Len is the length it had on the wire, in bytes.
	Len int

	// Interface is the number of the interface in a pcapng section, 0 in pcap.
	Interface int
}

// A Reader reads the packets of a capture. It is not safe for concurrent use.
type Reader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	buf   []byte
	head  [24]byte // for headers, so that they do not escape one by one
	ng    bool

	// Of pcap:
	link  LinkType
	nanos bool

	// Of pcapng:
	interfaces []iface
}

// NewReader returns a reader of the capture in r, whose format it tells by the
// first bytes. It reads ahead.
func NewReader(r io.Reader) (*Reader, error) {
	c := &Reader{r: bufio.NewReaderSize(r, 32<<10)}
	magic, err := c.r.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("%w: no magic number", ErrFormat)
	}
	if binary.BigEndian.Uint32(magic) == blockSection {
		c.ng = true
		return c, nil // the block is read as any other
	}
	return c, c.classic()
}

// Next reads the next packet into p. It returns io.EOF behind the last one.
func (c *Reader) Next(p *Packet) error {
	if c.ng {
		return c.nextNG(p)
	}
	return c.nextClassic(p)
}

// Magic numbers of classic pcap: microseconds, and nanoseconds.
const (
	magicMicros = 0xa1b2c3d4
	magicNanos  = 0xa1b23c4d
)

// classic reads the file header of pcap: magic, version, two fields that nobody
// uses, snapshot length, link type.
func (c *Reader) classic() error {
	h := c.head[:24]
	if err := c.full(h); err != nil {
		return err
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(h) {
		case magicNanos:
			c.nanos = true
			fallthrough
		case magicMicros:
			c.order = order
			// The upper half may tell of a frame check sequence.
			c.link = LinkType(uint16(order.Uint32(h[20:])))
			return nil
		}
	}
	return fmt.Errorf("%w: magic number %x", ErrFormat, h[:4])
}

func (c *Reader) nextClassic(p *Packet) error {
	h := c.head[:16]
	if _, err := io.ReadFull(c.r, h); err != nil {
		return err // io.EOF is the end of the file
	}
	data, err := c.take(c.order.Uint32(h[8:]))
	if err != nil {
		return err
	}
	frac := int64(c.order.Uint32(h[4:]))
	if !c.nanos {
		frac *= 1000
	}
	*p = Packet{
		Time: time.Unix(int64(c.order.Uint32(h)), frac), Link: c.link,
		Data: data, Len: length(c.order.Uint32(h[12:])),
	}
	return nil
}

// take reads n bytes into the reader's buffer.
func (c *Reader) take(n uint32) ([]byte, error) {
	if n > MaxPacket {
		return nil, fmt.Errorf("%w: a packet of %d bytes", ErrTooBig, n)
	}
	if uint32(cap(c.buf)) < n {
		c.buf = make([]byte, max(n, 2048))
	}
	b := c.buf[:n:n]
	return b, c.full(b)
}

// length makes an int of a length that a file tells, also where it has 32 bits.
func length(n uint32) int { return int(min(n, 1<<31-1)) }

// full reads into b in the middle of something.
func (c *Reader) full(b []byte) error {
	_, err := io.ReadFull(c.r, b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// skip passes over n bytes.
func (c *Reader) skip(n int64) error {
	for n > 0 {
		part := min(n, 1<<20) // an int has 32 bits somewhere
		_, err := c.r.Discard(int(part))
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		n -= part
	}
	return nil
}
