package core

import (
	"slices"
	"sort"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// Bounds on the repair state of one object, whatever arrives.
const (
	maxRepairBlocks = 8192 // blocks with requests for single symbols, fewer of more than 256
	maxRepairRanges = 1024 // ranges of blocks asked for whole
)

// A repairSet is what receivers asked for of one object: its INFO, whole blocks,
// and for other blocks how many symbols and which.
type repairSet struct {
	info    bool
	whole   blockSet
	partial []blockNeed // ascending by block
	limit   int         // how many of them; 0 is maxRepairBlocks
}

// A blockNeed is the requests for symbols of one block, of all receivers together.
type blockNeed struct {
	sbn     uint32
	count   int       // most symbols any one receiver asked for
	symbols symbolSet // all that were named
}

// reset makes n the need for nothing of a block, and keeps its memory.
func (n *blockNeed) reset(sbn uint32) {
	n.sbn, n.count = sbn, 0
	n.symbols.clear()
}

// repairBlocks returns how many blocks of so many symbols an object remembers requests for
// single symbols of: all take the same memory.
func repairBlocks(symbols int) int {
	return maxRepairBlocks / max(1, (symbols+lowSymbols-1)/lowSymbols)
}

func (r *repairSet) empty() bool {
	return !r.info && r.whole.empty() && len(r.partial) == 0
}

func (r *repairSet) clear() {
	r.info = false
	r.whole.clear()
	r.partial = r.partial[:0]
}

// has reports whether anything of a block was asked for.
func (r *repairSet) has(sbn uint32) bool {
	i := r.search(sbn)
	return i < len(r.partial) && r.partial[i].sbn == sbn || r.whole.has(sbn)
}

// asked returns how many symbols of a block were asked for.
func (r *repairSet) asked(sbn uint32) int {
	if r.whole.has(sbn) {
		return maxSymbols
	}
	if i := r.search(sbn); i < len(r.partial) && r.partial[i].sbn == sbn {
		return r.partial[i].count
	}
	return 0
}

// covers reports whether all of the symbols of a block were asked for.
func (r *repairSet) covers(sbn uint32, want *symbolSet) bool {
	if r.whole.has(sbn) {
		return true
	}
	i := r.search(sbn)
	return i < len(r.partial) && r.partial[i].sbn == sbn && r.partial[i].symbols.contains(want)
}

// below forgets what was asked for before a block.
func (r *repairSet) below(sbn uint32) {
	r.whole.below(sbn)
	if i := r.search(sbn); i > 0 {
		r.partial = append(r.partial[:0], r.partial[i:]...)
	}
}

// rebase lowers all block numbers by d.
func (r *repairSet) rebase(d uint32) {
	r.below(d)
	r.whole.rebase(d)
	for i := range r.partial {
		r.partial[i].sbn -= d
	}
}

func (r *repairSet) search(sbn uint32) int {
	if n := len(r.partial); n > 0 && r.partial[n-1].sbn < sbn {
		return n
	}
	return sort.Search(len(r.partial), func(i int) bool { return r.partial[i].sbn >= sbn })
}

// addNeed merges one receiver's need for a block. n remains the caller's.
func (r *repairSet) addNeed(n *blockNeed) {
	i := r.search(n.sbn)
	if i < len(r.partial) && r.partial[i].sbn == n.sbn {
		r.partial[i].count = max(r.partial[i].count, n.count)
		r.partial[i].symbols.union(&n.symbols)
		return
	}
	if limit := r.limit; len(r.partial) < limit || limit == 0 && len(r.partial) < maxRepairBlocks {
		r.partial = slices.Insert(r.partial, i, *n)
		r.partial[i].symbols.high = slices.Clone(n.symbols.high)
	}
}

// merge adds all of t.
func (r *repairSet) merge(t *repairSet) {
	r.info = r.info || t.info
	for _, b := range t.whole.ranges {
		r.whole.add(b.lo, b.hi, maxRepairRanges)
	}
	for i := range t.partial {
		r.addNeed(&t.partial[i])
	}
}

// first returns the earliest block asked for; the INFO comes before all blocks.
func (r *repairSet) first() uint32 {
	first, ok := r.whole.first()
	switch {
	case r.info:
		return 0
	case len(r.partial) > 0 && (!ok || r.partial[0].sbn < first):
		return r.partial[0].sbn
	}
	return first
}

// popBlock removes the earliest block asked for and returns what was asked of it.
func (r *repairSet) popBlock() (need blockNeed, whole, ok bool) {
	w, haveWhole := r.whole.first()
	if haveWhole && (len(r.partial) == 0 || w <= r.partial[0].sbn) {
		r.whole.popFirst()
		if len(r.partial) > 0 && r.partial[0].sbn == w {
			r.partial = append(r.partial[:0], r.partial[1:]...)
		}
		return blockNeed{sbn: w}, true, true
	}
	if len(r.partial) == 0 {
		return blockNeed{}, false, false
	}
	need = r.partial[0]
	r.partial = append(r.partial[:0], r.partial[1:]...)
	return need, false, true
}

// A repairCycle is the sender's rhythm of RFC 5740 section 5.4.1: NACKs are
// collected for (K+1)*GRTT, then acted upon, then for one GRTT only what lies
// ahead of the transmit position is taken in. Where receivers are told not to back off, K
// is 0, each is answered at once: whoever wants that has few of them, and no time.
type repairCycle struct {
	collectUntil time.Time // zero when not collecting
	holdUntil    time.Time
	some         bool // there may be repairs to be sent
	// The block being repaired.
	object  *txObject
	sbn     uint32
	symbols symbolSet
	at      int
	flags   wire.Flags
}

func (c *repairCycle) next() time.Time { return c.collectUntil }

func (c *repairCycle) collecting() bool { return !c.collectUntil.IsZero() }

// collect begins the aggregation period when there is none.
func (c *repairCycle) collect(s *Sender, now time.Time) {
	switch {
	case c.collecting():
	case s.cfg.Backoff == 0:
		c.collectUntil = now
	default:
		c.collectUntil = now.Add(s.aggregation())
	}
}

func (c *repairCycle) advance(s *Sender, now time.Time) {
	if !c.collecting() || now.Before(c.collectUntil) {
		return
	}
	c.collectUntil = time.Time{}
	for _, o := range s.objects {
		if !o.want.empty() {
			o.repair.merge(&o.want)
			c.some = true
			o.want.clear()
			o.active = now
		}
	}
	if s.cfg.Backoff > 0 {
		c.holdUntil = now.Add(s.holdoff())
	}
}

// pending reports whether repairs are to be sent.
func (c *repairCycle) pending(s *Sender) bool {
	if c.object != nil || !c.some {
		return c.object != nil
	}
	for _, o := range s.objects {
		if !o.repair.empty() {
			return true
		}
	}
	return false
}

// position is where the sender stands: at the repair it is sending or comes to
// next, or at the end of the new data.
func (s *Sender) position() position {
	if c := &s.repairs; c.object != nil {
		return position{c.object.id, c.sbn, uint32(c.at)}
	}
	for _, o := range s.objects {
		if !o.repair.empty() {
			return position{object: o.id, block: o.repair.first()}
		}
	}
	if s.fresh < len(s.objects) {
		return s.objects[s.fresh].position()
	}
	if len(s.rounds) > 0 {
		r := &s.rounds[0]
		return position{r.o.id, r.sbn, uint32(r.esi)}
	}
	return position{object: s.nextID}
}

// transmitRepair sends the earliest repair.
func (s *Sender) transmitRepair(now time.Time, p *datagram.Packet) bool {
	c := &s.repairs
	for c.object != nil || s.nextRepair(now, p) {
		if c.object == nil {
			return true // that was an INFO
		}
		o, esi := c.object, c.symbols.next(c.at)
		if esi < 0 {
			c.object = nil
			continue
		}
		c.at = esi + 1
		if c.symbols.next(c.at) < 0 {
			c.object = nil
		}
		if !s.appendData(now, o, c.sbn, esi, c.flags, p) {
			c.object = nil
			continue
		}
		s.stats.Repairs++
		if c.flags&wire.FlagExplicit != 0 {
			s.stats.ExplicitRepairs++
		}
		return true
	}
	return false
}

// nextRepair makes the earliest block asked for the current one, or writes the INFO
// asked for to p. It returns false when nothing was asked for.
func (s *Sender) nextRepair(now time.Time, p *datagram.Packet) bool {
	c := &s.repairs
	if !c.some {
		return false // so much for most calls, however many objects are kept
	}
	for _, o := range s.objects {
		if o.repair.info {
			o.repair.info = false
			s.appendInfo(now, o, wire.FlagRepair, p)
			s.stats.Repairs++
			return true
		}
		need, whole, ok := o.repair.popBlock()
		if !ok {
			continue
		}
		c.object, c.sbn, c.at, c.flags = o, need.sbn, 0, wire.FlagRepair
		c.symbols.clear()
		if whole {
			c.flags |= wire.FlagExplicit
			c.symbols.addRange(0, o.sourceSent(need.sbn)-1)
			return true
		}
		s.chooseSymbols(o, &need)
		return true
	}
	c.some = false
	return false
}

// chooseSymbols answers requests for symbols of a block with parity that no one
// has seen, which serves every receiver whatever it lost; when there is not enough
// of it left, with the very symbols that were named (RFC 5740 section 5.4.2).
func (s *Sender) chooseSymbols(o *txObject, need *blockNeed) {
	c := &s.repairs
	k, parity := o.part.BlockLen(need.sbn), int(o.oti.Parity)
	used := max(o.parityUsed.get(need.sbn), s.cfg.AutoParity)
	if sent := o.sourceSent(need.sbn); sent < k {
		// Of a block still being written there is no parity (RFC 5740 section
		// 4.2.3.1).
		c.symbols = need.symbols
		c.symbols.keep(sent)
		if o.stream.ended {
			c.symbols.add(sent - 1) // whoever asks for parity does not know that this is the end
		}
		c.flags |= wire.FlagExplicit
		return
	}
	if count := need.count; used+count <= parity {
		if s.fresh == len(s.objects) {
			// Nothing new is left: a repair that is lost costs a whole cycle of
			// waiting. A little more makes that rare, for few blocks.
			more := 1 + count/4
			if s.endgame.running && used > s.cfg.AutoParity {
				more = 1 + count // few are asked for a second time
			}
			count = min(count+more, parity-used)
		}
		if used == 0 {
			s.endgame.note(o, need.sbn, need.count)
		}
		c.symbols.addRange(k+used, k+used+count-1)
		o.parityUsed.set(need.sbn, used+count)
		return
	}
	c.symbols = need.symbols
	c.flags |= wire.FlagExplicit
	o.parityUsed.set(need.sbn, parity)
}

// A blockMemo remembers a number for each of the blocks set last. To forget one
// only costs a repair that some receiver already has.
type blockMemo struct {
	limit  int
	values map[uint32]int
	ring   []uint32
	at     int
}

// rebase lowers all block numbers by d.
func (m *blockMemo) rebase(d uint32) {
	old := m.values
	m.values = make(map[uint32]int, len(old))
	for i, sbn := range m.ring {
		m.ring[i] = sbn - d // those before d wrap to numbers not in use
		m.values[sbn-d] = old[sbn]
	}
}

func (m *blockMemo) get(sbn uint32) int { return m.values[sbn] }

func (m *blockMemo) set(sbn uint32, v int) {
	if m.values == nil {
		m.values = make(map[uint32]int)
	}
	if _, ok := m.values[sbn]; !ok {
		if len(m.ring) < m.limit {
			m.ring = append(m.ring, sbn)
		} else {
			delete(m.values, m.ring[m.at])
			m.ring[m.at] = sbn
			m.at = (m.at + 1) % m.limit
		}
	}
	m.values[sbn] = v
}
