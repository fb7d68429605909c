package alloc

import (
	"fmt"

	"github.com/gomulticast/multicast/mcast/group"
)

// NewStatic returns an allocator of the addresses of some ranges, such as 239.192.200.0
// to 239.192.200.255, that were given to this program alone. A range in a part of
// 239.0.0.0/8 without a scope is taken for one that the network has made. The error wraps
// ErrConfig when a range is not valid, overlaps another, has more than 2^32 addresses, or
// has none that may be given out.
func NewStatic(cfg Config, ranges ...group.Zone) (*Local, error) {
	if len(ranges) == 0 {
		return nil, fmt.Errorf("%w: no ranges: give some, as Prefix(%q)", ErrConfig, "239.192.200.0/24")
	}
	var all []group.Zone
	for _, z := range ranges {
		if !z.IsValid() {
			return nil, fmt.Errorf("%w: range %v to %v: give two groups of one IP version, in order", ErrConfig, z.First, z.Last)
		}
		z = normal(z)
		n, ok := sizeOf(z)
		if !ok {
			return nil, fmt.Errorf("%w: range %v to %v has more than 2^32 addresses: give a part of it, as ff15::8000:0 to ff15::ffff:ffff", ErrConfig, z.First, z.Last)
		}
		for _, o := range all {
			if z.Contains(o.First) || o.Contains(z.First) {
				return nil, fmt.Errorf("%w: ranges %v to %v and %v to %v overlap: give each address once", ErrConfig, o.First, o.Last, z.First, z.Last)
			}
		}
		if why := useless(z, n); why != "" {
			return nil, fmt.Errorf("%w: no address of the range %v to %v may be given out: %s", ErrConfig, z.First, z.Last, why)
		}
		all = append(all, z)
	}
	return newLocal(cfg, func(t *terms) (offer, error) { return t.from(all, group.CodeExpansion) })
}

// useless returns why no address of a range may be given out, "" if some may. Of a long
// range both ends are looked at.
func useless(z group.Zone, n uint64) string {
	var why string
	for i := range min(n, maxSteps) {
		for _, off := range [...]uint64{i, n - 1 - i} {
			f := fault(nth(z, off), group.CodeExpansion)
			if f == "" {
				return ""
			}
			if why == "" {
				why = f
			}
		}
	}
	return why
}
