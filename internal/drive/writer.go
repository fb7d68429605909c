package drive

import (
	"errors"
	"net"
	"time"
	"unsafe"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A writer collects the engine's datagrams into runs: consecutive ones of equal
// size to the same place are written end to end into one buffer, so that the
// connection can hand a whole run to the kernel as one message.
type writer struct {
	buffers [writeRuns][]byte
	runs    [writeRuns]datagram.Packet
	n       int
	p       datagram.Packet // scratch for Transmit

	errs   []error // of the last write
	closed bool    // as that write found the connection
}

func newWriter() *writer {
	w := new(writer)
	for i := range w.buffers {
		w.buffers[i] = make([]byte, 64<<10)
	}
	return w
}

// write sends the batch. A run that the connection refuses is gone, as on a network.
func (w *writer) write(conn datagram.Conn) {
	w.errs = w.errs[:0]
	for ps := w.runs[:w.n]; len(ps) > 0; {
		n, err := conn.WriteBatch(ps)
		if err == nil {
			return
		}
		if errors.Is(err, net.ErrClosed) {
			w.closed = true
			return
		}
		w.errs = append(w.errs, err)
		ps = ps[min(n+1, len(ps)):]
	}
}

// fill takes datagrams from e until it has none, or the batch is full; then it
// returns true.
func (w *writer) fill(now time.Time, e engine.Engine) (more bool) {
	w.n = 0
	open := false // the last run can take more
	// One buffer is always free, for a datagram that does not join the run
	// it was written behind.
	for w.n < writeRuns {
		space := w.buffers[w.n]
		if open {
			space = w.behind(&w.runs[w.n-1])
		}
		w.p = datagram.Packet{Data: space[:0]}
		if !e.Transmit(now, &w.p) {
			return false
		}
		if len(w.p.Data) == 0 {
			continue
		}
		if open && w.join(&w.runs[w.n-1], space) {
			run := &w.runs[w.n-1]
			open = len(w.p.Data) == run.SegSize && // only the last segment may be short
				run.Segments() < runSegments && len(w.behind(run)) >= run.SegSize
			continue
		}
		if unsafe.SliceData(w.p.Data) != unsafe.SliceData(w.buffers[w.n]) {
			w.p.Data = append(w.buffers[w.n][:0], w.p.Data...)
		}
		w.p.SegSize = len(w.p.Data)
		w.runs[w.n] = w.p
		w.n++
		open = len(w.behind(&w.p)) >= w.p.SegSize
	}
	return true
}

// behind returns the room after a run, up to the largest UDP payload.
func (w *writer) behind(run *datagram.Packet) []byte {
	n := len(run.Data)
	limit := min(cap(run.Data), datagram.MaxSize)
	if n >= limit {
		return nil
	}
	return run.Data[n:limit:limit]
}

// join adds the datagram in w.p to run if it was written right behind it and
// differs in nothing but its contents.
func (w *writer) join(run *datagram.Packet, space []byte) bool {
	p := &w.p
	if len(p.Data) > run.SegSize || unsafe.SliceData(p.Data) != unsafe.SliceData(space) ||
		p.Dst != run.Dst || p.Src != run.Src || p.IfIndex != run.IfIndex ||
		p.HopLimit != run.HopLimit || p.TOS != run.TOS {
		return false
	}
	run.Data = run.Data[:len(run.Data)+len(p.Data)]
	return true
}
