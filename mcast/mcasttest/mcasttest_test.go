package mcasttest_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

func Example() {
	n := mcasttest.New(1)
	sender, _ := n.Open("239.1.2.3:5004")
	receiver, _ := n.Open("239.1.2.3:5004")

	sender.WriteBatch([]datagram.Packet{{Data: []byte("hello")}})

	ps := []datagram.Packet{{Data: make([]byte, 1500)}}
	receiver.ReadBatch(ps)
	fmt.Printf("%s from %v to %v\n", ps[0].Data, ps[0].Src, ps[0].Dst)
	// Output: hello from 10.0.0.1:5004 to 239.1.2.3:5004
}

func open(t *testing.T, n *mcasttest.Network, group string, opts ...mcasttest.Option) *mcasttest.Conn {
	t.Helper()
	c, err := n.Open(group, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func write(t *testing.T, c *mcasttest.Conn, ps ...datagram.Packet) {
	t.Helper()
	if n, err := c.WriteBatch(ps); err != nil || n != len(ps) {
		t.Fatalf("wrote %d of %d: %v", n, len(ps), err)
	}
}

// read returns what is there within a second.
func read(t *testing.T, c *mcasttest.Conn) (got []string) {
	t.Helper()
	stop := time.AfterFunc(time.Second, func() { c.Close() })
	defer stop.Stop()
	for {
		ps := make([]datagram.Packet, 4)
		for i := range ps {
			ps[i].Data = make([]byte, 1500)
		}
		n, err := c.ReadBatch(ps)
		for _, p := range ps[:n] {
			got = append(got, string(p.Data))
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
			return got
		}
	}
}

func TestGroupsSourcesAndUnicast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		a := open(t, n, "239.1.1.1:1000")
		b := open(t, n, "239.1.1.1:1000")
		other := open(t, n, "239.2.2.2:1000")
		port := open(t, n, "239.1.1.1:1001")
		onlyB := open(t, n, "239.1.1.1:1000", mcasttest.Source(b.LocalAddr().Addr()))

		write(t, a, datagram.Packet{Data: []byte("from a")})
		write(t, b, datagram.Packet{Data: []byte("from b")}, datagram.Packet{Data: []byte("to a alone"), Dst: a.LocalAddr()})
		for _, c := range []struct {
			name string
			conn *mcasttest.Conn
			want []string
		}{
			{"a", a, []string{"from b", "to a alone"}}, // not its own
			{"b", b, []string{"from a"}},
			{"another group", other, nil},
			{"another port", port, nil},
			{"source b", onlyB, []string{"from b"}},
		} {
			if got := read(t, c.conn); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%s got %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestRunsArriveAsDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		a, b := open(t, n, "239.1.1.1:1000"), open(t, n, "239.1.1.1:1000")
		write(t, a, datagram.Packet{Data: []byte("onetwosix7"), SegSize: 3})
		if got := fmt.Sprint(read(t, b)); got != "[one two six 7]" {
			t.Error(got)
		}
	})
}

func TestLinkLosesAndDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		a := open(t, n, "239.1.1.1:1000", mcasttest.Out(mcasttest.Link{Delay: 300 * time.Millisecond}))
		b := open(t, n, "239.1.1.1:1000", mcasttest.In(mcasttest.Link{Loss: 0.25}))
		start := time.Now()
		for i := range 1000 {
			write(t, a, datagram.Packet{Data: fmt.Append(nil, i)})
		}
		ps := []datagram.Packet{{Data: make([]byte, 100)}}
		if _, err := b.ReadBatch(ps); err != nil || time.Since(start) != 300*time.Millisecond {
			t.Errorf("first packet after %v, %v", time.Since(start), err)
		}
		got := len(read(t, b)) + 1
		if got < 700 || got > 800 || got+b.Dropped() != 1000 {
			t.Errorf("%d arrived and %d were dropped, of 1000 at 25 %% loss", got, b.Dropped())
		}
	})
}

func TestMistakes(t *testing.T) {
	n := mcasttest.New(1)
	for _, group := range []string{"10.0.0.1:1", "239.1.1.1", "here"} {
		if _, err := n.Open(group); err == nil {
			t.Errorf("opened %q", group)
		}
	}
	c, err := n.Open("239.1.1.1:1", mcasttest.Addr(netip.MustParseAddr("192.0.2.1")))
	if err != nil || c.LocalAddr().String() != "192.0.2.1:1" {
		t.Error(c.LocalAddr(), err)
	}
	c.Close()
	c.Close()
	if _, err := c.WriteBatch(nil); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// A queue that nobody reads overflows, and the next packet tells.
func TestDrops(t *testing.T) {
	n := mcasttest.New(1)
	a, err := n.Open("239.1.2.3:5004")
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Open("239.1.2.3:5004")
	if err != nil {
		t.Fatal(err)
	}
	for range 17 {
		if _, err := a.WriteBatch([]datagram.Packet{{Data: make([]byte, 1000), SegSize: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	ps := make([]datagram.Packet, 17_000)
	for i := range ps {
		ps[i].Data = make([]byte, 1)
	}
	got, err := b.ReadBatch(ps)
	if err != nil || got+b.Dropped() != 17_000 || ps[got-1].Drops != 0 {
		t.Errorf("%d came and %d were dropped of 17,000, %v, %d known", got, b.Dropped(), err, ps[got-1].Drops)
	}
	a.WriteBatch([]datagram.Packet{{Data: []byte("x")}})
	if _, err := b.ReadBatch(ps[:1]); err != nil || int(ps[0].Drops) != b.Dropped() {
		t.Errorf("%d dropped, the packet says %d, %v", b.Dropped(), ps[0].Drops, err)
	}
}
