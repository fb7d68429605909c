package madcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// ErrLease means that stored bytes are no lease.
var ErrLease = errors.New("madcap: stored lease cannot be read")

// A Lease is addresses that are somebody's for a time.
type Lease struct {
	ID     ID
	Scope  netip.Addr // the scope's first address
	Ranges []Range
	Start  time.Time // both in whole seconds
	End    time.Time

	// Client is the address that asked for the lease, and the only one that may
	// change it unless Shared is set.
	Client netip.Addr
	Shared bool

	// Server is who granted the lease or renewed it last.
	Server netip.Addr

	// Revision is 1 for a new lease and rises by one with every change.
	Revision uint64
}

// Total returns the number of addresses.
func (l *Lease) Total() (n int) {
	for _, r := range l.Ranges {
		n += int(r.Count)
	}
	return n
}

// Equal reports whether two leases are the same in everything.
func (l *Lease) Equal(o *Lease) bool {
	return l.ID == o.ID && l.Scope == o.Scope && slices.Equal(l.Ranges, o.Ranges) && l.Start.Equal(o.Start) &&
		l.End.Equal(o.End) && l.Client == o.Client && l.Shared == o.Shared && l.Server == o.Server && l.Revision == o.Revision
}

func (l *Lease) clone() Lease {
	c := *l
	c.Ranges = slices.Clone(l.Ranges)
	return c
}

// leaseFormat is the first byte of a stored lease.
const leaseFormat = 1

// MarshalBinary encodes the lease for a Store.
func (l *Lease) MarshalBinary() ([]byte, error) { return l.AppendBinary(nil) }

// AppendBinary appends the lease, as UnmarshalBinary reads it.
func (l *Lease) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, leaseFormat)
	b = binary.AppendUvarint(b, l.Revision)
	b = binary.AppendVarint(b, l.Start.Unix())
	b = binary.AppendVarint(b, l.End.Unix())
	if l.Shared {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	for _, a := range [...]netip.Addr{l.Scope, l.Client, l.Server} {
		b = storeAddr(b, a)
	}
	b = binary.AppendUvarint(b, uint64(len(l.ID)))
	b = append(b, l.ID...)
	b = binary.AppendUvarint(b, uint64(len(l.Ranges)))
	for _, r := range l.Ranges {
		b = binary.AppendUvarint(storeAddr(b, r.First), uint64(r.Count))
	}
	return b, nil
}

func storeAddr(b []byte, a netip.Addr) []byte {
	v := a.WithZone("").AsSlice()
	return append(append(b, byte(len(v))), v...)
}

// UnmarshalBinary reads a stored lease. The error wraps ErrLease.
func (l *Lease) UnmarshalBinary(b []byte) error {
	r := leaseReader{b: b}
	if r.byte() != leaseFormat {
		return fmt.Errorf("%w: unknown format", ErrLease)
	}
	*l = Lease{Revision: r.uvarint(), Start: time.Unix(r.varint(), 0).UTC(), End: time.Unix(r.varint(), 0).UTC(), Shared: r.byte() == 1}
	l.Scope, l.Client, l.Server = r.addr(), r.addr(), r.addr()
	l.ID = ID(r.take(int(min(r.uvarint(), 1<<20))))
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.failed = true
	}
	for range n {
		if r.failed {
			break
		}
		a, c := r.addr(), r.uvarint()
		x := Range{a, uint16(c)}
		if _, ok := x.Last(); !ok || c > 0xffff {
			return fmt.Errorf("%w: range %v+%d", ErrLease, a, c)
		}
		l.Ranges = append(l.Ranges, x)
	}
	if r.failed || len(r.b) > 0 || l.ID == "" {
		return fmt.Errorf("%w: %w", ErrLease, io.ErrUnexpectedEOF)
	}
	return nil
}

// A leaseReader takes fields off the front of b; failed stays set.
type leaseReader struct {
	b      []byte
	failed bool
}

func (r *leaseReader) take(n int) []byte {
	if r.failed || n > len(r.b) {
		r.failed = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *leaseReader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *leaseReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.take(n)
	return v
}

func (r *leaseReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.take(n)
	return v
}

func (r *leaseReader) addr() netip.Addr {
	v := r.take(int(r.byte()))
	a, ok := netip.AddrFromSlice(v)
	if len(v) > 0 && !ok {
		r.failed = true
	}
	return a
}
