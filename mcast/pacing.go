package mcast

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// kernelLead is how long before its time a packet is given to a kernel that will
// keep it until then. The queueing discipline fq keeps nothing for longer than 10
// seconds.
const kernelLead = 100 * time.Millisecond

// A pacer holds packets back until the rate allows them, or until their own time.
// It stands before the socket, and works on every system.
type pacer struct {
	mu     sync.Mutex // held by the writer that waits; others take turns
	bucket pace.Bucket
	header int // bytes that IP and UDP add to a datagram
	times  bool
	lead   time.Duration
	part   [1]datagram.Packet // a piece of a run, or what Write was given
	nap    nap
}

// newPacer returns what the options ask for and the kernel does not do, nil if
// that is nothing.
func newPacer(cfg *config, caps Capabilities) *pacer {
	w := &pacer{header: 20 + 8, times: cfg.txTimes}
	if cfg.group.Addr().Is6() {
		w.header = 40 + 8
	}
	if !caps.KernelPacing {
		w.bucket.SetRate(cfg.pacing, 0)
	}
	if caps.KernelTransmitTime {
		w.lead = kernelLead
	}
	if w.bucket.Rate() == 0 && !w.times {
		return nil
	}
	w.nap.init()
	return w
}

// write sends ps as time allows, and counts as WriteBatch does.
func (w *pacer) write(sock packetSocket, ps []datagram.Packet) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.send(sock, ps)
}

// writeOne sends one datagram.
func (w *pacer) writeOne(sock packetSocket, b []byte, dst netip.AddrPort) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part[0] = datagram.Packet{Data: b, Dst: dst}
	defer w.forget()
	_, err := w.send(sock, w.part[:])
	return err
}

func (w *pacer) forget() { w.part[0] = datagram.Packet{} }

func (w *pacer) send(sock packetSocket, ps []datagram.Packet) (int, error) {
	for i := 0; i < len(ps); {
		now, err := w.wait(&ps[i])
		if err != nil {
			return i, err
		}
		if w.large(&ps[i]) {
			if err := w.sendRun(sock, &ps[i]); err != nil {
				return i, err
			}
			i++
			continue
		}
		// What the bucket holds goes in one batch.
		end := i
		for end < len(ps) && end-i < BatchSize && w.bucket.Ready(now) && w.due(&ps[end], now) && !w.large(&ps[end]) {
			w.bucket.Take(now, w.size(&ps[end]))
			end++
		}
		n, err := sock.writeBatch(ps[i:end])
		if i += n; err != nil {
			return i, err
		}
	}
	return len(ps), nil
}

// wait returns when p may leave.
func (w *pacer) wait(p *datagram.Packet) (time.Time, error) {
	now := time.Now()
	for {
		var at time.Time
		if !w.bucket.Ready(now) {
			at = w.bucket.Next()
		}
		if !w.due(p, now) && p.Time.Add(-w.lead).After(at) {
			at = p.Time.Add(-w.lead)
		}
		if !at.After(now) {
			return now, nil
		}
		if err := w.nap.until(at); err != nil {
			return now, err
		}
		now = time.Now()
	}
}

func (w *pacer) due(p *datagram.Packet, now time.Time) bool {
	return !w.times || !p.Time.Add(-w.lead).After(now)
}

// size is how many bytes p has on the wire, link headers aside.
func (w *pacer) size(p *datagram.Packet) int { return len(p.Data) + p.Segments()*w.header }

// large reports whether p is a run that would be a longer burst than the bucket
// allows.
func (w *pacer) large(p *datagram.Packet) bool {
	rate := w.bucket.Rate()
	return rate > 0 && p.Segments() > 1 && pace.Duration(w.size(p), rate) > pace.DefaultDepth
}

// sendRun sends a large run in pieces that the bucket allows, at least one
// datagram each.
func (w *pacer) sendRun(sock packetSocket, p *datagram.Packet) error {
	defer w.forget()
	one := pace.Duration(p.SegSize+w.header, w.bucket.Rate())
	step := max(int(pace.DefaultDepth/2/max(one, 1)), 1) * p.SegSize
	for off := 0; off < len(p.Data); off += step {
		w.part[0] = *p
		w.part[0].Data = p.Data[off:min(off+step, len(p.Data))]
		now, err := w.wait(p)
		if err != nil {
			return err
		}
		w.bucket.Take(now, w.size(&w.part[0]))
		if _, err := sock.writeBatch(w.part[:]); err != nil {
			return err
		}
	}
	return nil
}

// A nap is a wait that Close and deadlines end.
type nap struct {
	timer *time.Timer
	stir  chan struct{} // holds one: look again

	mu       sync.Mutex
	deadline time.Time
	closed   bool
}

func (n *nap) init() {
	n.timer = time.NewTimer(0)
	n.timer.Stop()
	n.stir = make(chan struct{}, 1)
}

// until sleeps until t. It is for one goroutine at a time.
func (n *nap) until(t time.Time) error {
	for {
		n.mu.Lock()
		deadline, closed := n.deadline, n.closed
		n.mu.Unlock()
		now := time.Now()
		switch {
		case closed:
			return net.ErrClosed
		case !deadline.IsZero() && !deadline.After(now):
			return os.ErrDeadlineExceeded
		case !t.After(now):
			return nil
		}
		d := t.Sub(now)
		if !deadline.IsZero() {
			d = min(d, deadline.Sub(now))
		}
		n.timer.Reset(d)
		select {
		case <-n.timer.C:
		case <-n.stir:
			n.timer.Stop()
		}
	}
}

func (n *nap) setDeadline(t time.Time) {
	n.mu.Lock()
	n.deadline = t
	n.mu.Unlock()
	n.wake()
}

func (n *nap) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.wake()
}

func (n *nap) wake() {
	select {
	case n.stir <- struct{}{}:
	default:
	}
}
