package sap

import (
	"bytes"
	"container/heap"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

// A record is a session in a Store: a line of JSON. Text is kept as base64, since
// descriptions need not be UTF-8.
type record struct {
	Text   []byte
	Source netip.Addr
	Signer string `json:",omitempty"`
	Origin netip.Addr
	Hash   uint16
	First  time.Time
	Last   time.Time
	Period time.Duration
	Heard  int
}

// maxRecord is the longest line read, in bytes.
const maxRecord = 128 << 10

// dump returns all sessions, a line each.
func (e *directory) dump() []byte {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	all := slices.Clone(e.order)
	slices.SortFunc(all, func(x, y *entry) int { return x.firstWall.Compare(y.firstWall) })
	for _, x := range all {
		// Never an error: nothing in it can fail.
		_ = w.Encode(record{
			Text: []byte(x.text), Source: x.owners[0].addr, Signer: x.owners[0].signer, Origin: x.from, Hash: x.hash,
			First: x.firstWall.Round(0), Last: x.lastWall.Round(0), Period: x.period(), Heard: x.count,
		})
	}
	return b.Bytes()
}

// restore puts sessions from a Store into an empty directory, stale. Lines that cannot
// be read are passed over, and all limits hold. They are kept as if they had been
// heard now.
func (e *directory) restore(wall time.Time, data []byte) (n int) {
	now := e.clock.at(wall)
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		var r record
		if len(line) > maxRecord || json.Unmarshal(line, &r) != nil || !r.Source.IsValid() || !r.Origin.IsValid() {
			continue
		}
		if r.Last.After(wall) { // the clock went back
			r.Last = wall
		}
		if r.First.After(r.Last) {
			r.First = r.Last
		}
		if wall.Sub(r.Last) > e.cfg.MaxStale {
			continue
		}
		d, err := sdp.Parse(r.Text)
		if err != nil {
			continue
		}
		if ends := d.Ends(); !ends.IsZero() && !wall.Before(ends) {
			continue
		}
		a := advert{now: now, wall: wall, d: d, text: d.String(), head: head{r.Source, r.Origin, r.Hash}, party: party{r.Source, r.Signer}}
		key := e.key(&a)
		if slices.ContainsFunc(e.sessions[key], func(x *entry) bool { return x.owns(a.party) >= 0 }) {
			continue
		}
		size := a.weigh()
		if len(e.order) >= e.cfg.MaxSessions || e.bytes+size > e.cfg.MaxBytes || !e.hosts.take(r.Source, now) {
			continue
		}
		h := e.hosts.get(r.Source)
		if h == nil || h.sessions >= e.cfg.MaxPerSource {
			continue
		}
		h.sessions++
		x := &entry{
			key: key, degen: a.degen, owners: []owner{{party: a.party}}, firstWall: r.First, lastWall: r.Last,
			since: now, stale: true, count: max(r.Heard, 1), deadline: now,
		}
		if len(e.sessions[key]) > 0 {
			e.number++
			x.number = e.number
		}
		if r.Period > 0 && r.Period < 24*time.Hour {
			x.known = r.Period
		}
		e.sessions[key] = append(e.sessions[key], x)
		e.set(x, &a, size)
		e.heads[a.head] = x
		x.heads = append(x.heads, a.head)
		heap.Push(&e.order, x)
		e.schedule(x, now, wall)
		if x.count == 1 {
			e.probation(x)
		}
		e.happen(happening{kind: Added, x: x})
		n++
	}
	e.changes = 0
	return n
}
