package mcast

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mld"
)

// What the tests of Diagnose need of the lab: queries, streams, bridges.

const (
	short = 300 * time.Millisecond
	quick = 1200 * time.Millisecond // a third of it is to ask queriers
)

func channel(t *testing.T, s string) group.Channel {
	t.Helper()
	ch, err := group.ParseChannel(s)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// findings is what Diagnose found, and how to look into it.
type findings []Finding

func (n netns) diagnose(t *testing.T, cfg DiagnoseConfig) (found findings) {
	t.Helper()
	if cfg.Wait == 0 {
		cfg.Wait = -1
	}
	n.do(t, func() {
		var err error
		if found, err = DiagnoseWith(context.Background(), cfg); err != nil {
			t.Error(err)
		}
	})
	for _, f := range found {
		if f.Code == "" || f.Message == "" || strings.ToLower(f.Code) != f.Code || f.Severity > Info && f.Remedy == "" && !strings.HasPrefix(f.Code, "group-") {
			t.Errorf("incomplete: %+v", f)
		}
	}
	return found
}

// want checks that there is a finding of each code, written code:severity or, when it
// must not be there, -code.
func (fs findings) want(t *testing.T, codes ...string) {
	t.Helper()
	for _, want := range codes {
		code, missing := strings.CutPrefix(want, "-")
		code, severity, _ := strings.Cut(code, ":")
		ok := missing
		for _, f := range fs {
			if f.Code == code {
				ok = !missing && f.Severity.String() == severity
				if ok {
					break
				}
			}
		}
		if !ok {
			t.Errorf("not as wanted: %s", want)
		}
	}
	if t.Failed() {
		for _, f := range fs {
			t.Logf("%s:%v %s: %s", f.Code, f.Severity, f.Interface, f.Message)
		}
	}
}

func (fs findings) message(code string) string {
	for _, f := range fs {
		if f.Code == code {
			return f.Message
		}
	}
	return ""
}

// sysctl sets a number in the namespace.
func (n netns) sysctl(t *testing.T, name string, value int) {
	t.Helper()
	n.run(t, "sysctl", "-qw", fmt.Sprintf("%s=%d", name, value))
}

func (n netns) run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", append([]string{"netns", "exec", n.name}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
}

// every calls f at once and then every 20 ms, until the test ends.
func every(t *testing.T, f func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			f()
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { close(end); <-ended })
}

// conn opens a connection in the namespace.
func (n netns) conn(t *testing.T, open func(context.Context, string, ...Option) (*Conn, error), addr string, opts ...Option) (c *Conn) {
	t.Helper()
	var err error
	n.do(t, func() { c, err = open(context.Background(), addr, opts...) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// stream sends to a group from the namespace until the test ends.
func (n netns) stream(t *testing.T, addr string, opts ...Option) {
	t.Helper()
	c := n.conn(t, Dial, addr, opts...)
	every(t, func() { c.WriteBatch([]datagram.Packet{text("x")}) })
}

// query sends queries until the test ends: IGMP of version 1 to 3, or MLD of 1 and 2.
func (n netns) query(t *testing.T, dev string, is4 bool, version int) {
	t.Helper()
	fd := -1
	var sendQuery func() error
	n.do(t, func() {
		ifi, err := net.InterfaceByName(dev)
		if err != nil {
			t.Error(err)
			return
		}
		if is4 {
			m := make([]byte, 8, 12)
			m[0], m[1] = byte(igmp.TypeQuery), []byte{0, 0, 1, 1}[version]
			if version == 3 {
				m = append(m, 2, 125, 0, 0)
			}
			s := wire.Checksum(m)
			m[2], m[3] = byte(s>>8), byte(s)
			fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_IGMP)
			if err == nil {
				err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)})
			}
			sendQuery = func() error { return unix.Sendto(fd, m, 0, &unix.SockaddrInet4{Addr: [4]byte{224, 0, 0, 1}}) }
		} else {
			m := make([]byte, 24, 28)
			m[0], m[5] = byte(mld.TypeQuery), 100
			if version == 2 {
				m = append(m, 2, 125, 0, 0)
			}
			fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
			if err == nil {
				err = unix.SetsockoptString(fd, unix.IPPROTO_IPV6, unix.IPV6_HOPOPTS, "\x3a\x00\x05\x02\x00\x00\x01\x00")
			}
			to := &unix.SockaddrInet6{ZoneId: uint32(ifi.Index), Addr: netip.MustParseAddr("ff02::1").As16()}
			sendQuery = func() error { return unix.Sendto(fd, m, 0, to) }
		}
		if err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { unix.Close(fd) })
	every(t, func() { sendQuery() })
}

// frames sends an Ethernet frame until the test ends.
func (n netns) frames(t *testing.T, dev string, frame []byte) {
	t.Helper()
	fd := -1
	n.do(t, func() {
		ifi, err := net.InterfaceByName(dev)
		if err == nil {
			fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifi.Index})
		}
		if err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { unix.Close(fd) })
	every(t, func() { unix.Write(fd, frame) })
}

// pair is two namespaces with a link.
func pair(t *testing.T) (a, b netns) {
	t.Helper()
	a, b = newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	return a, b
}

// bridge puts va of a, and an address, on a bridge br0 in a.
func bridge(t *testing.T, a netns) {
	t.Helper()
	if err := ip("-n", a.name, "link", "add", "name", "br0", "type", "bridge"); err != nil {
		t.Skipf("needs bridges: %v", err)
	}
	a.ip(t, "link set va master br0")
	a.ip(t, "addr add 10.1.0.9/24 dev br0")
	a.ip(t, "link set br0 addrgenmode none")
	a.ip(t, "link set br0 up")
	a.ip(t, "addr add fe80::9/64 dev br0 nodad")
}
