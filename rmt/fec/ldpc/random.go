package ldpc

// A random is the Park-Miller generator (RFC 5170 section 5.7): its state, 1 to 2^31-2.
type random uint32

// next returns the next raw value, 1 to 2^31-2.
func (r *random) next() uint32 {
	*r = random(uint64(*r) * 16807 % (1<<31 - 1))
	return uint32(*r)
}

// below is pmms_rand: a number below limit, scaled in floating point as the RFC demands.
func (r *random) below(limit int) int {
	return int(float64(limit) * float64(r.next()) / float64(0x7fffffff))
}
