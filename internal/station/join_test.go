package station

import (
	"errors"
	"net"
	"testing"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A line is a connection whose packets come out of a channel.
type line struct {
	in     chan []string
	broken chan error
	closed chan struct{}
	sent   []string
}

func newLine() *line {
	return &line{in: make(chan []string, 4), broken: make(chan error, 1), closed: make(chan struct{})}
}

func (l *line) ReadBatch(ps []datagram.Packet) (int, error) {
	select {
	case all := <-l.in:
		for i, s := range all {
			ps[i].Data = append(ps[i].Data[:0], s...)
		}
		return len(all), nil
	case err := <-l.broken:
		ps[0].Data = append(ps[0].Data[:0], "last words"...)
		return 1, err
	case <-l.closed:
		return 0, net.ErrClosed
	}
}

func (l *line) WriteBatch(ps []datagram.Packet) (int, error) {
	for _, p := range ps {
		l.sent = append(l.sent, string(p.Data))
	}
	return len(ps), nil
}

func (l *line) Close() error { close(l.closed); return nil }

func TestJoin(t *testing.T) {
	a, b := newLine(), newLine()
	j := Join(map[int]datagram.Conn{3: a, 7: b})
	read := func(space, room int) (got []datagram.Packet, err error) {
		ps := make([]datagram.Packet, room)
		for i := range ps {
			ps[i].Data = make([]byte, 0, space)
		}
		n, err := j.ReadBatch(ps)
		return ps[:n], err
	}
	a.in <- []string{"one", "two", "three"}
	for _, want := range []string{"one", "two"} {
		if got, err := read(10, 1); err != nil || len(got) != 1 || string(got[0].Data) != want || got[0].IfIndex != 3 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	b.in <- []string{"four"}
	seen := map[string]int{}
	for range 2 {
		got, err := read(4, 5) // no room for "three"
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got {
			seen[string(p.Data)] = p.IfIndex
		}
		if seen["four"] == 7 {
			break
		}
	}
	if len(seen) != 1 || seen["four"] != 7 {
		t.Errorf("read %v", seen)
	}

	ps := []datagram.Packet{{Data: []byte("x"), IfIndex: 7}, {Data: []byte("y"), IfIndex: 3}, {Data: []byte("z"), IfIndex: 5}}
	if n, err := j.WriteBatch(ps); n != 2 || err == nil || len(a.sent) != 1 || b.sent[0] != "x" {
		t.Errorf("%d, %v: %v, %v", n, err, a.sent, b.sent)
	}

	fault := errors.New("fault")
	b.broken <- fault
	if got, err := read(20, 5); err != nil || len(got) != 1 || string(got[0].Data) != "last words" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := read(20, 5); len(got) != 0 || !errors.Is(err, fault) {
		t.Errorf("%+v, %v", got, err)
	}
	j.Close()
	j.Close()
	if _, err := read(20, 1); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
