package sap

import (
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/sdp"
)

// directory is the engine of a Directory. It sends nothing.
type directory struct {
	cfg   DirectoryConfig
	clock steady
	seed  maphash.Seed // of keys that are only compared

	sessions map[string][]*entry // by key; several when hosts disagree
	wires    map[wire]*entry
	heads    map[head]*entry
	groups   map[netip.Addr][]*entry
	order    deadlines
	once     struct{ oldest, newest *entry }
	ghosts   []uint64 // by their remainder; see maxGhosts
	hosts    hostTable
	bytes    int
	number   uint64

	inflate Inflater
	signed  []byte
	happens []happening
	lost    int
	changes uint64 // what a Store does not know yet
	stats   DirectoryStats
}

var _ engine.Engine = (*directory)(nil)

// A happening is an event that nobody has looked at yet.
type happening struct {
	kind     Kind
	reason   Reason
	x, other *entry
	old      *sdp.Description
}

// maxHappenings is how many events wait for the shell, which takes them after each
// packet.
const maxHappenings = 1 << 14

// maxSameGroup is how many sessions on one group are watched for clashes.
const maxSameGroup = 16

func newDirectory(cfg DirectoryConfig) (*directory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.filled()
	return &directory{
		cfg: cfg, seed: maphash.MakeSeed(), inflate: Inflater{Limit: cfg.MaxInflated},
		sessions: make(map[string][]*entry),
		wires:    make(map[wire]*entry),
		heads:    make(map[head]*entry),
		groups:   make(map[netip.Addr][]*entry),
		hosts:    hostTable{rate: float64(cfg.Rate), burst: float64(cfg.Burst), max: max(maxHosts, 2*cfg.MaxSessions)},
	}, nil
}

// Transmit implements engine.Engine.
func (e *directory) Transmit(time.Time, *datagram.Packet) bool { return false }

// Next implements engine.Engine.
func (e *directory) Next() time.Time {
	var t time.Time
	if len(e.order) > 0 {
		t = e.order[0].deadline
	}
	return e.clock.next(t)
}

func (e *directory) happen(h happening) {
	if h.kind != Refreshed {
		e.changes++
	}
	if len(e.happens) >= maxHappenings {
		e.lost++
		return
	}
	e.happens = append(e.happens, h)
}
