package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng section 11.1).
const (
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
	blockSection   = 0x0a0d0d0a // the same in both byte orders
	orderMagic     = 0x1a2b3c4d
)

// maxOptions is how much of an interface's options is read, in bytes. They are its
// name, addresses and the like; the one that counts is short and early.
const maxOptions = 64 << 10

// An iface is what an interface description block says.
type iface struct {
	link    LinkType
	snapLen uint32
	units   uint64 // of timestamps per second, 0 when they make no sense
	offset  int64  // to be added to timestamps, seconds
}

func (c *Reader) nextNG(p *Packet) error {
	for {
		// Type and total length; the length is there again at the end.
		h := c.head[:8]
		if _, err := io.ReadFull(c.r, h); err != nil {
			return err
		}
		kind := binary.BigEndian.Uint32(h)
		if kind == blockSection {
			if err := c.section([4]byte(h[4:])); err != nil {
				return err
			}
			continue
		}
		if c.order == nil {
			return fmt.Errorf("%w: a block before the section header", ErrFormat)
		}
		kind = c.order.Uint32(h)
		n := c.order.Uint32(h[4:])
		if n < 12 || n%4 != 0 {
			return fmt.Errorf("%w: a block of %d bytes", ErrFormat, n)
		}
		body := int64(n) - 12
		var found bool
		var err error
		switch kind {
		case blockInterface:
			body, err = c.describe(body)
		case blockEnhanced, blockPacket, blockSimple:
			body, err = c.packet(kind, body, p)
			found = true
		}
		if err == nil {
			err = c.skip(body)
		}
		if err == nil {
			err = c.trailer(n)
		}
		if err != nil || found {
			return err
		}
	}
}

// section reads a section header block. It forgets all interfaces and may change
// the byte order.
func (c *Reader) section(length [4]byte) error {
	b := c.head[:16] // magic, version, section length
	if err := c.full(b); err != nil {
		return err
	}
	switch {
	case binary.LittleEndian.Uint32(b) == orderMagic:
		c.order = binary.LittleEndian
	case binary.BigEndian.Uint32(b) == orderMagic:
		c.order = binary.BigEndian
	default:
		return fmt.Errorf("%w: byte order magic %x", ErrFormat, b[:4])
	}
	n := c.order.Uint32(length[:])
	if n < 28 || n%4 != 0 {
		return fmt.Errorf("%w: a section header of %d bytes", ErrFormat, n)
	}
	c.interfaces = c.interfaces[:0]
	if err := c.skip(int64(n) - 28); err != nil {
		return err
	}
	return c.trailer(n)
}

func (c *Reader) trailer(n uint32) error {
	b := c.head[:4]
	if err := c.full(b); err != nil {
		return err
	}
	if c.order.Uint32(b) != n {
		return fmt.Errorf("%w: a block of %d bytes that ends as one of %d", ErrFormat, n, c.order.Uint32(b))
	}
	return nil
}

// describe reads an interface description block and returns how much of its body is
// left to skip.
func (c *Reader) describe(body int64) (int64, error) {
	if len(c.interfaces) == MaxInterfaces {
		return 0, fmt.Errorf("%w: more than %d interfaces", ErrTooBig, MaxInterfaces)
	}
	if body < 8 {
		return 0, fmt.Errorf("%w: a short interface block", ErrFormat)
	}
	b, err := c.take(uint32(min(body, maxOptions)))
	if err != nil {
		return 0, err
	}
	i := iface{link: LinkType(c.order.Uint16(b)), snapLen: c.order.Uint32(b[4:]), units: 1_000_000}
	for o := b[8:]; len(o) >= 4; {
		code, n := c.order.Uint16(o), int(c.order.Uint16(o[2:]))
		if code == 0 || n > len(o)-4 {
			break
		}
		switch v := o[4 : 4+n]; {
		case code == 9 && n == 1: // if_tsresol
			i.units = unitsOf(v[0])
		case code == 14 && n == 8: // if_tsoffset
			i.offset = int64(c.order.Uint64(v))
		}
		o = o[min(4+(n+3)&^3, len(o)):]
	}
	c.interfaces = append(c.interfaces, i)
	return body - int64(len(b)), nil
}

// unitsOf returns units per second of a resolution: a power of ten, or of two if
// the top bit is set. It returns 0 for those finer than 64 bits can count.
func unitsOf(resolution byte) uint64 {
	if resolution&0x80 != 0 {
		if resolution &= 0x7f; resolution > 63 {
			return 0
		}
		return 1 << resolution
	}
	if resolution > 19 {
		return 0
	}
	units := uint64(1)
	for range resolution {
		units *= 10
	}
	return units
}

// packet reads a packet block of one of the three kinds and returns how much of its
// body is left to skip.
func (c *Reader) packet(kind uint32, body int64, p *Packet) (int64, error) {
	fixed := int64(20)
	if kind == blockSimple {
		fixed = 4
	}
	if body < fixed {
		return 0, fmt.Errorf("%w: a short packet block", ErrFormat)
	}
	b := c.head[:fixed]
	if err := c.full(b); err != nil {
		return 0, err
	}
	body -= fixed
	*p = Packet{}
	var size uint32
	switch kind {
	case blockSimple: // always of the first interface, without a time
		size = c.order.Uint32(b)
		p.Len = length(size)
		size = uint32(min(int64(size), body))
		if len(c.interfaces) > 0 && c.interfaces[0].snapLen != 0 {
			size = min(size, c.interfaces[0].snapLen)
		}
	case blockPacket:
		p.Interface = int(c.order.Uint16(b))
	default:
		p.Interface = int(c.order.Uint32(b))
	}
	if p.Interface >= len(c.interfaces) {
		return 0, fmt.Errorf("%w: a packet of interface %d of %d", ErrFormat, p.Interface, len(c.interfaces))
	}
	i := c.interfaces[p.Interface]
	p.Link = i.link
	if kind != blockSimple {
		p.Time = i.time(uint64(c.order.Uint32(b[4:]))<<32 | uint64(c.order.Uint32(b[8:])))
		size = c.order.Uint32(b[12:])
		p.Len = length(c.order.Uint32(b[16:]))
	}
	if int64(size) > body {
		return 0, fmt.Errorf("%w: a packet longer than its block", ErrFormat)
	}
	var err error
	p.Data, err = c.take(size)
	return body - int64(size), err
}

// time returns the time of a timestamp of the interface.
func (i iface) time(ts uint64) time.Time {
	if i.units == 0 {
		return time.Time{}
	}
	sec, frac := ts/i.units, ts%i.units
	hi, lo := bits.Mul64(frac, 1_000_000_000)
	ns, _ := bits.Div64(hi, lo, i.units) // frac is less than units, so this fits
	return time.Unix(int64(sec)+i.offset, int64(ns))
}
