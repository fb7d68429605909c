package sap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A Path is a connection that announcements come and go by. One connection may serve
// several groups and interfaces, or there may be one for each.
type Path struct {
	Conn datagram.Conn

	// Group is the SAP group that Conn joined, and the only one that packets are
	// sent to by it; the zero Addr is all.
	Group netip.Addr

	// IfIndex is the interface that Conn uses. With 0 what paths of one group
	// carry is counted together, as if they were one network, and what is
	// announced is sent by all of them.
	IfIndex int
}

// Packets read ahead for each path.
const (
	pathBatches = 2
	pathPackets = 8
)

// paths makes one connection of several.
type paths struct {
	all   []Path
	full  chan *pathBatch
	quit  chan struct{}
	dead  chan struct{} // closed when all readers have ended
	once  sync.Once
	wg    sync.WaitGroup
	batch *pathBatch // being given out

	mu    sync.Mutex
	fault error
}

type pathBatch struct {
	path    *Path
	packets [pathPackets]datagram.Packet
	buffers [pathPackets][]byte
	next, n int
	free    chan *pathBatch
}

// newPaths begins to read from all, packets of up to size bytes.
func newPaths(all []Path, size int) (*paths, error) {
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no connection", ErrConfig)
	}
	p := &paths{full: make(chan *pathBatch), quit: make(chan struct{}), dead: make(chan struct{})}
	for _, a := range all {
		a.Group = a.Group.Unmap().WithZone("")
		if a.Conn == nil || a.Group.IsValid() && !a.Group.IsMulticast() {
			return nil, fmt.Errorf("%w: path without a connection, or for %v", ErrConfig, a.Group)
		}
		p.all = append(p.all, a)
	}
	for i := range p.all {
		p.wg.Add(1)
		go p.read(&p.all[i], size)
	}
	go func() { p.wg.Wait(); close(p.dead) }()
	return p, nil
}

func (p *paths) ways() (ws []way) {
	for _, a := range p.all {
		ws = append(ws, way{a.Group, a.IfIndex})
	}
	return ws
}

func (p *paths) read(path *Path, size int) {
	defer p.wg.Done()
	free := make(chan *pathBatch, pathBatches)
	for range pathBatches {
		b := &pathBatch{path: path, free: free}
		for i := range b.buffers {
			b.buffers[i] = make([]byte, size)
		}
		free <- b
	}
	for {
		var b *pathBatch
		select {
		case b = <-free:
		case <-p.quit:
			return
		}
		for i := range b.packets {
			b.packets[i] = datagram.Packet{Data: b.buffers[i]}
		}
		n, err := path.Conn.ReadBatch(b.packets[:])
		b.next, b.n = 0, n
		if n > 0 {
			select {
			case p.full <- b:
			case <-p.quit:
				return
			}
		}
		if err != nil {
			p.mu.Lock()
			if p.fault == nil && !errors.Is(err, net.ErrClosed) {
				p.fault = err
			}
			p.mu.Unlock()
			return
		}
	}
}

// Fault returns why a path is not read any more, if one is not.
func (p *paths) Fault() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

// ReadBatch implements datagram.Conn. It fails when no path is left.
func (p *paths) ReadBatch(ps []datagram.Packet) (int, error) {
	if p.batch == nil {
		select {
		case p.batch = <-p.full:
		case <-p.quit:
			return 0, fmt.Errorf("sap: read: %w", net.ErrClosed)
		case <-p.dead:
			if err := p.Fault(); err != nil {
				return 0, err
			}
			return 0, fmt.Errorf("sap: read: %w", net.ErrClosed)
		}
	}
	b, n := p.batch, 0
	for ; n < len(ps) && b.next < b.n; b.next++ {
		in := &b.packets[b.next]
		buf := ps[n].Data
		if len(in.Data) > cap(buf) {
			continue
		}
		ps[n] = *in
		ps[n].Data = append(buf[:0], in.Data...)
		if !in.Dst.Addr().IsMulticast() && b.path.Group.IsValid() {
			ps[n].Dst = netip.AddrPortFrom(b.path.Group, Port)
		}
		if in.IfIndex == 0 {
			ps[n].IfIndex = b.path.IfIndex
		}
		n++
	}
	if b.next == b.n {
		p.batch = nil
		b.free <- b // has room for all there are
	}
	return n, nil
}

// WriteBatch implements datagram.Conn: each packet goes by every path to its group and
// interface.
func (p *paths) WriteBatch(ps []datagram.Packet) (int, error) {
	for i := range ps {
		var failed error
		for k := range p.all {
			a := &p.all[k]
			if a.Group.IsValid() && a.Group != ps[i].Dst.Addr() || a.IfIndex != ps[i].IfIndex {
				continue
			}
			if _, err := a.Conn.WriteBatch(ps[i : i+1]); err != nil {
				failed = err
			}
		}
		if failed != nil {
			return i, failed
		}
	}
	return len(ps), nil
}

// Close implements datagram.Conn.
func (p *paths) Close() error {
	p.once.Do(func() {
		close(p.quit)
		for _, a := range p.all {
			a.Conn.Close()
		}
	})
	p.wg.Wait()
	return nil
}
