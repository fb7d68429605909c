package raptorq

import "sync"

// maxPlans bounds the memory of plans kept for later use, in bytes. A plan takes
// about 60 bytes a symbol: 60 KB for 1,000, 4 MB for the longest block.
const maxPlans = 16 << 20

var plans struct {
	sync.Mutex
	list  []*plan // the latest used first
	bytes int
}

// encodingPlan returns the plan for all source symbols of a block, from the cache
// if it is there: internal symbol IDs 0 to K'-1, which determine any block (RFC 6330
// section 5.6).
func encodingPlan(m *planner, p *params) *plan {
	if pl := cached(p.kp); pl != nil {
		return pl
	}
	isi := make([]uint32, p.kp)
	for i := range isi {
		isi[i] = uint32(i)
	}
	own := *p // the plan outlives the caller's
	pl := new(plan)
	m.plan(pl, &own, isi)
	keep(pl)
	return pl
}

func cached(kp uint32) *plan {
	plans.Lock()
	defer plans.Unlock()
	for i, pl := range plans.list {
		if pl.p.kp == kp {
			copy(plans.list[1:i+1], plans.list[:i])
			plans.list[0] = pl
			return pl
		}
	}
	return nil
}

func keep(pl *plan) {
	plans.Lock()
	defer plans.Unlock()
	plans.list = append(plans.list, nil)
	copy(plans.list[1:], plans.list)
	plans.list[0] = pl
	plans.bytes += pl.bytes()
	for n := len(plans.list) - 1; plans.bytes > maxPlans && n > 0; n-- {
		plans.bytes -= plans.list[n].bytes()
		plans.list[n] = nil
		plans.list = plans.list[:n]
	}
}
