//go:build linux

package membership

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mld"
)

// A snooper is one of either family that listens at the ports of a bridge.
type snooper struct {
	mu     sync.Mutex
	seen   []datagram.Packet
	engine interface {
		engine.Engine
		RouterPorts([]int) []int
	}
	state func(port int, g netip.Addr) group.Filter
}

func (f *family) newSnooper(t *testing.T, ports ...int) *snooper {
	t.Helper()
	s := new(snooper)
	if f.is4 {
		e, err := igmp.NewSnooper(time.Now(), igmp.SnooperConfig{Ports: ports})
		if err != nil {
			t.Fatal(err)
		}
		s.engine = e
		s.state = func(port int, g netip.Addr) (out group.Filter) {
			st, _ := e.State(port, g)
			out.Mode = st.Mode
			for _, src := range st.Sources {
				if src.Until.IsZero() == (st.Mode == group.Exclude) {
					out.Sources = append(out.Sources, src.Addr)
				}
			}
			return out
		}
		return s
	}
	e, err := mld.NewSnooper(time.Now(), mld.SnooperConfig{Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	s.engine = e
	s.state = func(port int, g netip.Addr) (out group.Filter) {
		st, _ := e.State(port, g)
		out.Mode = st.Mode
		for _, src := range st.Sources {
			if src.Until.IsZero() == (st.Mode == group.Exclude) {
				out.Sources = append(out.Sources, src.Addr)
			}
		}
		return out
	}
	return s
}

// settled is how long ago a packet came for all before it, by other ports, to have been
// read.
const settled = 100 * time.Millisecond

// listen keeps what comes in by a port until the connection is closed.
func (s *snooper) listen(c datagram.Conn, port int) {
	for {
		ps := []datagram.Packet{{Data: make([]byte, 1500)}}
		n, err := c.ReadBatch(ps)
		if err != nil {
			return
		}
		s.mu.Lock()
		for i := range ps[:n] {
			ps[i].IfIndex = port
			s.seen = append(s.seen, ps[i])
		}
		s.mu.Unlock()
	}
}

// learn hands over what was seen, in the order of the kernel's clock.
func (s *snooper) learn() {
	slices.SortStableFunc(s.seen, func(a, b datagram.Packet) int { return a.Time.Compare(b.Time) })
	until := time.Now().Add(-settled)
	for len(s.seen) > 0 && s.seen[0].Time.Before(until) {
		s.engine.Handle(s.seen[0].Time, &s.seen[0])
		s.seen = s.seen[1:]
	}
	s.engine.Advance(until)
}

func (s *snooper) filter(port int, g netip.Addr) group.Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learn()
	return s.state(port, g)
}

func (s *snooper) routers() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learn()
	return s.engine.RouterPorts(nil)
}
