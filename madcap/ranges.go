package madcap

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
)

// A Range is a run of Count addresses from First on.
type Range struct {
	First netip.Addr
	Count uint16 // at least 1
}

// RangeOf returns the range of a single address.
func RangeOf(a netip.Addr) Range { return Range{a, 1} }

// Last returns the last address, and false when the range has none or runs out of the
// multicast addresses.
func (r Range) Last() (netip.Addr, bool) {
	last, ok := addOffset(r.First, uint64(r.Count)-1)
	return last, ok && r.Count > 0 && r.First.IsMulticast() && last.IsMulticast()
}

// Contains reports whether a is in the range.
func (r Range) Contains(a netip.Addr) bool {
	d, ok := offsetOf(r.First, a.Unmap())
	return ok && d < uint64(r.Count)
}

// All yields the addresses in order.
func (r Range) All() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		a := r.First
		for range r.Count {
			if !a.IsValid() || !yield(a) {
				return
			}
			a = a.Next()
		}
	}
}

// String returns the address, or first and last address with a hyphen.
func (r Range) String() string {
	if r.Count == 1 {
		return r.First.String()
	}
	last, ok := r.Last()
	if !ok {
		return fmt.Sprintf("%v+%d", r.First, r.Count)
	}
	return fmt.Sprintf("%v-%v", r.First, last)
}

// A RangeList is the data of a List of Address Ranges (section 3.11). It views the
// message it came from.
type RangeList struct {
	family Family
	data   []byte
}

// NewRangeList returns the list of rs, which are of one family.
func NewRangeList(f Family, rs ...Range) RangeList {
	l := RangeList{family: f}
	for _, r := range rs {
		l.data = appendAddr(l.data, r.First)
		l.data = binary.BigEndian.AppendUint16(l.data, r.Count)
	}
	return l
}

func (l RangeList) step() int { return l.family.size() + 2 }

// valid reports whether there are ranges of multicast addresses, and only those.
func (l RangeList) valid() bool {
	if l.family.size() == 0 || len(l.data)%l.step() != 0 {
		return false
	}
	for i := range l.Len() {
		if _, ok := l.At(i).Last(); !ok {
			return false
		}
	}
	return true
}

// Len returns the number of ranges.
func (l RangeList) Len() int { return len(l.data) / l.step() }

// At returns the range at i, 0 to Len()-1.
func (l RangeList) At(i int) Range {
	n := l.family.size()
	d := l.data[i*l.step():]
	a, _ := netip.AddrFromSlice(d[:n])
	return Range{a, binary.BigEndian.Uint16(d[n:])}
}

// All yields the ranges in order.
func (l RangeList) All() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}

// Total returns the number of addresses.
func (l RangeList) Total() (n int) {
	for r := range l.All() {
		n += int(r.Count)
	}
	return n
}

// AppendTo appends the ranges to rs.
func (l RangeList) AppendTo(rs []Range) []Range {
	for r := range l.All() {
		rs = append(rs, r)
	}
	return rs
}

// offsetOf returns how far a lies above base, and false when it does not, is of
// another family, or is farther than 2^48.
func offsetOf(base, a netip.Addr) (uint64, bool) {
	if base.BitLen() != a.BitLen() || !base.IsValid() || a.Less(base) {
		return 0, false
	}
	b, c := base.As16(), a.As16()
	hi := binary.BigEndian.Uint64(c[:8]) - binary.BigEndian.Uint64(b[:8])
	lo, low := binary.BigEndian.Uint64(c[8:]), binary.BigEndian.Uint64(b[8:])
	if lo < low {
		hi--
	}
	d := lo - low
	return d, hi == 0 && d < 1<<48
}

// addOffset returns the address n above base, and false when there is none.
func addOffset(base netip.Addr, n uint64) (netip.Addr, bool) {
	if base.Is4() {
		v := base.As4()
		u := uint64(binary.BigEndian.Uint32(v[:]))
		if n > 0xffffffff-u {
			return netip.Addr{}, false
		}
		binary.BigEndian.PutUint32(v[:], uint32(u+n))
		return netip.AddrFrom4(v), true
	}
	if !base.IsValid() {
		return netip.Addr{}, false
	}
	v := base.As16()
	lo := binary.BigEndian.Uint64(v[8:])
	binary.BigEndian.PutUint64(v[8:], lo+n)
	if lo+n < lo {
		hi := binary.BigEndian.Uint64(v[:8])
		if hi+1 == 0 {
			return netip.Addr{}, false
		}
		binary.BigEndian.PutUint64(v[:8], hi+1)
	}
	return netip.AddrFrom16(v), true
}
