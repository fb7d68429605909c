package station

import (
	"fmt"
	"net"
	"sync"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// chunk is how many packets are read from one of several connections at a time.
const chunk = 8

// A joint is several connections as one.
type joint struct {
	conns map[int]datagram.Conn
	full  chan *arrived
	quit  chan struct{}
	once  sync.Once
	wait  sync.WaitGroup
	rest  *arrived // that ReadBatch has not taken all of
}

// arrived is what one connection brought. Its reader may use it again when it comes
// back through free.
type arrived struct {
	packets [chunk]datagram.Packet
	left    []datagram.Packet
	err     error
	free    chan *arrived
}

// Join makes one connection of several, each of which has a number: received packets
// have it as IfIndex, and it says by which of them a packet is sent. A connection that
// breaks ends reading from all. It owns them from then on.
func Join(conns map[int]datagram.Conn) datagram.Conn {
	j := &joint{conns: conns, full: make(chan *arrived), quit: make(chan struct{})}
	for i, c := range conns {
		j.wait.Add(1)
		go j.read(i, c)
	}
	return j
}

func (j *joint) read(index int, c datagram.Conn) {
	defer j.wait.Done()
	a := &arrived{free: make(chan *arrived, 1)}
	var space [chunk][]byte
	for i := range space {
		space[i] = make([]byte, 64<<10)
	}
	for a.err == nil {
		for i := range a.packets {
			a.packets[i] = datagram.Packet{Data: space[i]}
		}
		var n int
		if n, a.err = c.ReadBatch(a.packets[:]); a.err != nil {
			a.err = fmt.Errorf("interface %d: %w", index, a.err)
		}
		a.left = a.packets[:n]
		for i := range a.left {
			a.left[i].IfIndex = index
		}
		select {
		case j.full <- a:
		case <-j.quit:
			return
		}
		select {
		case a = <-a.free:
		case <-j.quit:
			return
		}
	}
}

func (j *joint) ReadBatch(ps []datagram.Packet) (n int, err error) {
	for n == 0 && len(ps) > 0 {
		if j.rest == nil {
			select {
			case j.rest = <-j.full:
			case <-j.quit:
				return 0, net.ErrClosed
			}
		}
		a := j.rest
		for n < len(ps) && len(a.left) > 0 {
			from, to := &a.left[0], &ps[n]
			a.left = a.left[1:]
			if len(from.Data) > cap(to.Data) {
				continue // too long for its space
			}
			data := append(to.Data[:0], from.Data...)
			*to = *from
			to.Data = data
			n++
		}
		if len(a.left) == 0 {
			if n == 0 {
				err = a.err
			}
			if a.err == nil || n == 0 {
				j.rest = nil
				a.free <- a
			}
			if err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (j *joint) WriteBatch(ps []datagram.Packet) (int, error) {
	for i := range ps {
		c := j.conns[ps[i].IfIndex]
		if c == nil {
			return i, fmt.Errorf("no connection for interface %d", ps[i].IfIndex)
		}
		if _, err := c.WriteBatch(ps[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(ps), nil
}

func (j *joint) Close() error {
	j.once.Do(func() {
		close(j.quit)
		for _, c := range j.conns {
			c.Close()
		}
	})
	j.wait.Wait()
	return nil
}
