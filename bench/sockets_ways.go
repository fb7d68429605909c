//go:build linux

package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

//go:embed drain/drain.c
var drainSource []byte

// What others are compared to.
const (
	xnetRead  = "x/net ReadBatch"
	xnetWrite = "x/net WriteBatch"
	cDrain    = "C recvmmsg, UDP_GRO"
)

// socketsWait is how long a receiver waits for datagrams that do not come.
const socketsWait = time.Second

func (b *sockets) address() string {
	b.next++
	return net.JoinHostPort(socketsGroup, strconv.Itoa(b.next-1))
}

func packets(n, space int) []datagram.Packet {
	ps := make([]datagram.Packet, n)
	for i := range ps {
		ps[i].Data = make([]byte, space)
	}
	return ps
}

// segmentsOf is how many datagrams of a size travel as one.
func segmentsOf(size int) int { return min(mcast.BatchSize, datagram.MaxSize/size) }

// fill puts n datagrams into the buffer that w reads from.
func (b *sockets) fill(w *way, n, size int) error {
	conns, offload := &b.plain, false
	if w.runs {
		conns, offload = &b.gso, true
	}
	c := (*conns)[w.to]
	if c == nil {
		if err := b.lab.Sender.Do(func() (err error) {
			c, err = mcast.Dial(b.ctx, w.to, mcast.Interface(netlab.Device), mcast.Offload(offload))
			return err
		}); err != nil {
			return err
		}
		if *conns == nil {
			*conns = map[string]*mcast.Conn{}
		}
		(*conns)[w.to] = c
		b.closers = append(b.closers, c)
	}
	data := make([]byte, datagram.MaxSize)
	for n > 0 {
		k := min(n, segmentsOf(size))
		if _, err := c.WriteBatch([]datagram.Packet{{Data: data[:k*size], SegSize: size}}); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// receivers opens all sockets that are read from.
func (b *sockets) receivers(dir string) (ways []way, err error) {
	host := b.lab.Receivers[0]
	add := func(name string, open func(addr string) (func(n int) error, error)) {
		if err != nil {
			return
		}
		addr := b.address()
		var read func(n int) error
		if err = host.Do(func() (err error) { read, err = open(addr); return err }); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			return
		}
		ways = append(ways, way{name: name, to: addr, once: func(n, _ int) (time.Duration, error) {
			start := time.Now()
			err := read(n)
			return time.Since(start), err
		}})
	}
	add("mcast Read", func(addr string) (func(int) error, error) {
		c, err := b.listen(addr)
		buf := make([]byte, 2048)
		return func(n int) error {
			c.SetReadDeadline(time.Now().Add(socketsWait))
			for range n {
				if _, err := c.Read(buf); err != nil {
					return err
				}
			}
			return nil
		}, err
	})
	add("mcast ReadBatch", func(addr string) (func(int) error, error) { return b.batches(addr, mcast.BatchSize, 2048) })
	add("mcast ReadBatch, Lean", func(addr string) (func(int) error, error) {
		return b.batches(addr, mcast.BatchSize, 2048, mcast.Lean())
	})
	add("mcast ReadBatch, UDP_GRO", func(addr string) (func(int) error, error) {
		return b.batches(addr, b.slots, mcast.OffloadSpace)
	})
	add("mcast ReadBatch, UDP_GRO, Lean", func(addr string) (func(int) error, error) {
		return b.batches(addr, b.slots, mcast.OffloadSpace, mcast.Lean())
	})
	add("net ReadFromUDPAddrPort", func(addr string) (func(int) error, error) {
		c, err := b.listenNet(addr)
		buf := make([]byte, 2048)
		return func(n int) error {
			c.SetReadDeadline(time.Now().Add(socketsWait))
			for range n {
				if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
					return err
				}
			}
			return nil
		}, err
	})
	add(xnetRead, func(addr string) (func(int) error, error) { return b.batchesXnet(addr, 0) })
	// What x/net can tell of a packet; all but the TTL is needed to know
	// whether it was sent to the group at all.
	add("x/net ReadBatch with group, interface, TTL", func(addr string) (func(int) error, error) {
		return b.batchesXnet(addr, ipv4.FlagDst|ipv4.FlagInterface|ipv4.FlagTTL)
	})
	if err != nil {
		return nil, err
	}
	for i := range ways {
		ways[i].runs = strings.Contains(ways[i].name, "UDP_GRO")
	}
	path, err := compileC(dir)
	if err != nil {
		b.note = fmt.Sprintf("Without the C loop: %v.\n", err)
		return ways, nil
	}
	for _, name := range []string{cDrain, "C recvmmsg, UDP_GRO, metadata as mcast's"} {
		c, err := b.drainC(path, name, name != cDrain)
		if err != nil {
			return nil, err
		}
		ways = append(ways, c)
	}
	return ways, nil
}

func (b *sockets) listen(addr string, opts ...mcast.Option) (*mcast.Conn, error) {
	c, err := mcast.Listen(b.ctx, addr, append(opts, mcast.Interface(netlab.Device))...)
	if err == nil {
		b.closers = append(b.closers, c)
	}
	return c, err
}

// batches reads batches of n packets with some space each.
func (b *sockets) batches(addr string, n, space int, opts ...mcast.Option) (func(int) error, error) {
	c, err := b.listen(addr, opts...)
	if err != nil {
		return nil, err
	}
	ps := packets(n, space)
	if space >= mcast.OffloadSpace {
		// Offload begins with the first read.
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		c.ReadBatch(ps)
	}
	return func(n int) error {
		c.SetReadDeadline(time.Now().Add(socketsWait))
		for n > 0 {
			k, err := c.ReadBatch(ps)
			if err != nil {
				return err
			}
			for i := range ps[:k] {
				n -= ps[i].Segments()
			}
		}
		return nil
	}, nil
}

func (b *sockets) batchesXnet(addr string, flags ipv4.ControlFlags) (func(int) error, error) {
	c, err := b.listenNet(addr)
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(c)
	ms := make([]ipv4.Message, mcast.BatchSize)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, 2048)}
		if flags != 0 {
			ms[i].OOB = ipv4.NewControlMessage(flags)
		}
	}
	if flags != 0 {
		if err := p.SetControlMessage(flags, true); err != nil {
			return nil, err
		}
	}
	var cm ipv4.ControlMessage
	return func(n int) error {
		p.SetReadDeadline(time.Now().Add(socketsWait))
		for n > 0 {
			k, err := p.ReadBatch(ms, 0)
			if err != nil {
				return err
			}
			for i := range ms[:k] {
				if flags == 0 {
					break
				}
				if err := cm.Parse(ms[i].OOB[:ms[i].NN]); err != nil {
					return err
				}
			}
			n -= k
		}
		return nil
	}, nil
}

func (b *sockets) listenNet(addr string) (*net.UDPConn, error) {
	ifi, err := net.InterfaceByName(netlab.Device)
	if err != nil {
		return nil, err
	}
	c, err := net.ListenMulticastUDP("udp4", ifi, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, c)
	return c, c.SetReadBuffer(4 << 20)
}

// drainC starts the C loop.
func (b *sockets) drainC(path, name string, metadata bool) (w way, err error) {
	meta := "0"
	if metadata {
		meta = "1"
	}
	addr := b.address()
	_, port, _ := net.SplitHostPort(addr)
	host := b.lab.Receivers[0]
	cmd := host.CommandContext(b.ctx, path, socketsGroup, port, host.IPv4.String(), strconv.Itoa(b.slots), meta)
	in, err := cmd.StdinPipe()
	if err != nil {
		return w, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return w, err
	}
	if err := cmd.Start(); err != nil {
		return w, err
	}
	b.closers = append(b.closers, closer(func() error { in.Close(); return cmd.Wait() }))
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "READY\n" {
		return w, fmt.Errorf("the C loop says %q, %w", line, err)
	}
	return way{name: name, to: addr, runs: true, once: func(n, _ int) (time.Duration, error) {
		if _, err := fmt.Fprintln(in, n); err != nil {
			return 0, err
		}
		var got int
		var d time.Duration
		if _, err := fmt.Fscan(lines, &got, &d); err != nil || got != n {
			return 0, fmt.Errorf("%d of %d datagrams came, %w", got, n, err)
		}
		return d, nil
	}}, nil
}

type closer func() error

func (c closer) Close() error { return c() }

var _ io.Closer = closer(nil)

// senders opens all sockets that are sent from, and the one they send to.
func (b *sockets) senders() (ways []way, err error) {
	addr := b.address()
	var sink func(int) error
	if err := b.lab.Receivers[0].Do(func() (err error) {
		sink, err = b.batches(addr, 64, mcast.OffloadSpace)
		return err
	}); err != nil {
		return nil, err
	}
	add := func(name string, open func() (func(n, size int) error, error)) {
		if err != nil {
			return
		}
		var write func(n, size int) error
		if err = b.lab.Sender.Do(func() (err error) { write, err = open(); return err }); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			return
		}
		ways = append(ways, way{name: name, once: func(n, size int) (time.Duration, error) {
			start := time.Now()
			err := write(n, size)
			d := time.Since(start)
			if err == nil {
				err = sink(n)
			}
			return d, err
		}})
	}
	dial := func(offload bool) (*mcast.Conn, error) {
		c, err := mcast.Dial(b.ctx, addr, mcast.Interface(netlab.Device), mcast.Offload(offload))
		if err == nil {
			b.closers = append(b.closers, c)
		}
		return c, err
	}
	single := func(offload bool) (func(n, size int) error, error) {
		c, err := dial(offload)
		ps := packets(mcast.BatchSize, 1400)
		return func(n, size int) error {
			for i := range ps {
				ps[i].Data = ps[i].Data[:size]
			}
			for n > 0 {
				k, err := c.WriteBatch(ps[:min(n, len(ps))])
				if err != nil {
					return err
				}
				n -= k
			}
			return nil
		}, err
	}
	buf := make([]byte, 1400)
	add("mcast Write", func() (func(n, size int) error, error) {
		c, err := dial(false)
		return func(n, size int) error {
			for range n {
				if _, err := c.Write(buf[:size]); err != nil {
					return err
				}
			}
			return nil
		}, err
	})
	add("mcast WriteBatch", func() (func(n, size int) error, error) { return single(false) })
	add("mcast WriteBatch, UDP_SEGMENT", func() (func(n, size int) error, error) { return single(true) })
	add("mcast WriteBatch of runs, UDP_SEGMENT", func() (func(n, size int) error, error) {
		c, err := dial(true)
		ps := make([]datagram.Packet, 1)
		data := make([]byte, datagram.MaxSize)
		return func(n, size int) error {
			most := segmentsOf(size)
			for n > 0 {
				k := min(n, most)
				ps[0] = datagram.Packet{Data: data[:k*size], SegSize: size}
				if _, err := c.WriteBatch(ps); err != nil {
					return err
				}
				n -= k
			}
			return nil
		}, err
	})
	dialNet := func() (*net.UDPConn, error) {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return nil, err
		}
		c, err := net.ListenUDP("udp4", nil)
		if err != nil {
			return nil, err
		}
		b.closers = append(b.closers, c)
		return c, ipv4.NewPacketConn(c).SetMulticastInterface(ifi)
	}
	to := netip.MustParseAddrPort(addr)
	add("net WriteToUDPAddrPort", func() (func(n, size int) error, error) {
		c, err := dialNet()
		return func(n, size int) error {
			for range n {
				if _, err := c.WriteToUDPAddrPort(buf[:size], to); err != nil {
					return err
				}
			}
			return nil
		}, err
	})
	add(xnetWrite, func() (func(n, size int) error, error) {
		c, err := dialNet()
		ms := make([]ipv4.Message, mcast.BatchSize)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 1400)}
			ms[i].Addr = net.UDPAddrFromAddrPort(to)
		}
		return func(n, size int) error {
			p := ipv4.NewPacketConn(c)
			for i := range ms {
				ms[i].Buffers[0] = ms[i].Buffers[0][:size]
			}
			for n > 0 {
				k, err := p.WriteBatch(ms[:min(n, len(ms))], 0)
				if err != nil {
					return err
				}
				n -= k
			}
			return nil
		}, err
	})
	return ways, err
}
