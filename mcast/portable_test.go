//go:build linux

package mcast

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// poorIP is IPv4 as x/net has it on Windows: no control messages either way, no
// joins by source.
type poorIP struct{ connIPv4 }

func (poorIP) controls() (destination, hopLimit, tos bool) { return false, false, false }
func (poorIP) sources() bool                               { return false }

func (c poorIP) read(b []byte) (int, net.Addr, origin, error) {
	n, src, err := c.p.PacketConn.ReadFrom(b)
	return n, src, origin{}, err
}

func (c poorIP) write(b []byte, src netip.Addr, ifindex int, to *net.UDPAddr) error {
	if src.IsValid() {
		return unsupported("a source address per packet")
	}
	return c.connIPv4.write(b, src, ifindex, to)
}

func (c poorIP) join(ifi *net.Interface, ch group.Channel) error {
	if !ch.AnySource() {
		return errors.New("not implemented")
	}
	return c.connIPv4.join(ifi, ch)
}

func openPoor(cfg *config, m *members, count *counters) (socket, error) {
	return openPortableOn(cfg, m, count, func(c *net.UDPConn) ipConn { return poorIP{newIPv4(c)} })
}

func TestPortableWithoutControlMessages(t *testing.T) {
	c := mustOpen(t, openPoor, both, loAddr("239.255.10.1"), onLo)
	if caps := c.Capabilities(); caps != (Capabilities{Batch: 1}) {
		t.Errorf("capabilities %+v, want none", caps)
	}
	send(t, c, text("x"))
	p := receive(t, c, 1)[0]
	if string(p.Data) != "x" || p.Dst != c.Group() || p.IfIndex != 0 || p.HopLimit != 0 || !p.Time.IsZero() {
		t.Errorf("got %+v, want the group as Dst and nothing else known", p)
	}
	if _, err := c.WriteBatch([]datagram.Packet{{Data: []byte("x"), Src: c.LocalAddr()}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a source address per packet: %v", err)
	}
	var ue *UnsupportedError
	err := c.Join(group.Channel{Group: c.Group().Addr(), Source: netip.MustParseAddr("127.0.0.1")})
	if !errors.Is(err, ErrMixedFilter) {
		t.Errorf("mixed join: %v", err)
	}
	cfg := defaults()
	cfg.join = true
	if _, err = openConn(context.Background(), loAddr("232.255.10.1"), []Option{onLo, Source("127.0.0.1")}, &cfg, openPoor); !errors.As(err, &ue) {
		t.Errorf("source-specific join: %v, want an UnsupportedError", err)
	}
}

// On Linux x/net has them all.
func TestPortableCapabilities(t *testing.T) {
	c := mustOpen(t, openPortable, both, loAddr("239.255.10.2"), onLo)
	if caps := c.Capabilities(); caps != (Capabilities{Batch: 1, Destination: true, HopLimit: true}) {
		t.Errorf("capabilities %+v", caps)
	}
	if !(connIPv4{}).sources() || !(connIPv6{}).sources() {
		t.Error("sources are not supported")
	}
}
