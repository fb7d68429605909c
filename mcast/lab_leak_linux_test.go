package mcast

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// TestJoinerProcess is no test but the second process of TestLabOtherProcess: it
// joins what the environment says and waits to be killed.
func TestJoinerProcess(t *testing.T) {
	what := os.Getenv("MCAST_TEST_JOIN")
	if what == "" {
		return
	}
	for _, w := range strings.Fields(what) {
		addr, dev, _ := strings.Cut(w, "/")
		c, err := Listen(context.Background(), addr, Interface(dev), AllowAnySourceInSSM())
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		defer c.Close()
	}
	fmt.Println("joined")
	bufio.NewReader(os.Stdin).ReadByte() // until the other end is closed
}

// joiner starts a second process in the namespace that joins addr/interface pairs.
func (n netns) joiner(t *testing.T, what ...string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", n.name, exe, "-test.run=^TestJoinerProcess$")
	cmd.Env = append(os.Environ(), "MCAST_TEST_JOIN="+strings.Join(what, " "))
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "joined\n" {
		t.Fatalf("the second process says %q, %v", line, err)
	}
}

// What another process joins never reaches ours: other groups, the same group on
// another interface, other sources of the same group; bound to the group or not, on
// one socket, on many and through a funnel; joined before or after.
func TestLabOtherProcess(t *testing.T) {
	for _, f := range families {
		for _, when := range []string{"before", "after"} {
			t.Run(f.name+" "+when, func(t *testing.T) {
				t.Parallel()
				a, b := newNS(t), newNS(t)
				link(t, a, b, "va", "vb1", 1)
				link(t, a, b, "va2", "vb2", 2)
				s1, s2 := f.secondAddress(t, a)
				join := func() {
					b.joiner(t, f.group+":5004/vb1", f.group+":5004/vb2", f.group2+":5004/vb1", f.group2+":5004/vb2", f.ssm+":5004/vb1", f.ssm+":5004/vb2")
				}
				if when == "before" {
					join()
				}
				one := Interface("vb1")
				conns := map[string]*Conn{
					"bound":    b.open(t, openSocket, listen, f.group+":5004", one),
					"wildcard": b.open(t, openSocket, listen, f.group+":5004", one, Unicast()),
					"strict":   b.open(t, openSocket, listen, f.group+":5004", one, MultiGroup()),
					"shards":   b.open(t, openSocket, listen, f.group+":5004", one, MultiGroup()),
					"funnel":   b.open(t, openSocket, listen, f.group+":5004", one, Funnel()),
					"portable": b.open(t, openPortable, listen, f.group+":5004", one),
				}
				named := map[string]*Conn{
					"bound, by source":    b.open(t, openSocket, listen, f.ssm+":5004", one, Source(s1.String())),
					"wildcard, by source": b.open(t, openSocket, listen, f.ssm+":5004", one, Source(s1.String()), MultiGroup()),
					"funnel, by source":   b.open(t, openSocket, listen, f.ssm+":5004", one, Source(s1.String()), Funnel()),
				}
				for i := range 30 {
					g := numbered("239.2.%d.%d", i)
					if f.name != "IPv4" {
						g = numbered("ff15::2:%x:%x", i)
					}
					if err := conns["shards"].Join(group.Channel{Group: g}); err != nil {
						t.Fatal(err)
					}
				}
				if when == "after" {
					join()
				}
				via := func(dev, grp string, ps ...datagram.Packet) {
					s := a.open(t, openSocket, dial, grp+":5004", Interface(dev))
					send(t, s, ps...)
					s.Close()
				}
				via("va2", f.group, text("other interface"))
				via("va", f.group2, text("other group"))
				via("va2", f.group2, text("both"))
				via("va2", f.ssm, text("other interface"))
				via("va", f.ssm, from("other source", s2), from("mine", s1))
				via("va", f.group, text("mine"))
				for name, c := range conns {
					if p := receive(t, c, 1)[0]; string(p.Data) != "mine" {
						t.Errorf("%s got %q", name, p.Data)
					}
				}
				for name, c := range named {
					if p := receive(t, c, 1)[0]; string(p.Data) != "mine" {
						t.Errorf("%s got %q", name, p.Data)
					}
				}
				for name, c := range conns {
					wantSilence(t, c)
					t.Logf("%s: %d foreign", name, c.Stats().Foreign)
				}
				for _, c := range named {
					wantSilence(t, c)
				}
			})
		}
	}
}

// One spoofed query of IGMPv2, or MLDv1, and the host no longer names sources on the
// wire: a source-specific join goes out as an old report. The filter of the socket
// stays exact, and the API says the same as before; to notice is for Diagnose.
func TestLabOldQuerier(t *testing.T) {
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			a, b := newNS(t), newNS(t)
			link(t, a, b, "va", "vb", 1)
			s1, s2 := f.secondAddress(t, a)
			ear := a.listenReports(t, "va")
			before := b.open(t, openSocket, listen, f.ssm+":5004", Interface("vb"), Source(s1.String()))
			g := before.Group().Addr()
			heard := func(what string, ok func(report) bool) {
				t.Helper()
				eventually(t, what, func() bool {
					for _, r := range ear.stop() {
						if r.group == g && ok(r) {
							return true
						}
					}
					return false
				})
			}
			heard("a report that names the source", func(r report) bool { return r.sources == 1 })
			before.Close()

			a.do(t, func() { sendOldQuery(t, f, "va") })
			time.Sleep(100 * time.Millisecond)
			r := b.open(t, openSocket, listen, f.ssm+":5004", Interface("vb"), Source(s1.String()))
			old := uint8(0x16)
			if !g.Is4() {
				old = 131
			}
			heard("a report of the old version", func(r report) bool { return r.kind == old && r.sources == 0 })
			if f, err := r.Filter(g); err != nil || !f.Equal(include(s1.String())) {
				t.Errorf("filter %v, %v", f, err)
			}
			if ms := r.Memberships(); len(ms) != 1 || ms[0].State != Joined {
				t.Errorf("memberships %+v", ms)
			}
			s := a.open(t, openSocket, dial, f.ssm+":5004", Interface("va"))
			send(t, s, from("2", s2), from("1", s1))
			wantData(t, receive(t, r, 1), "1")
			wantSilence(t, r)
		})
	}
}

// sendOldQuery sends a general query of IGMPv2 or MLDv1 by an interface of the
// thread's namespace.
func sendOldQuery(t *testing.T, f family, dev string) {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		t.Error(err)
		return
	}
	family, proto, to := unix.AF_INET, unix.IPPROTO_IGMP, "224.0.0.1"
	query := []byte{0x11, 10, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(query[2:], ^uint16(0x110a))
	if f.name != "IPv4" {
		family, proto, to = unix.AF_INET6, unix.IPPROTO_ICMPV6, "ff02::1"
		query = make([]byte, 24) // the kernel adds the checksum
		query[0], query[5] = 130, 100
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	if family == unix.AF_INET {
		err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)})
		if err == nil {
			err = unix.SetsockoptString(fd, unix.IPPROTO_IP, unix.IP_OPTIONS, "\x94\x04\x00\x00") // router alert
		}
	} else {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, ifi.Index)
		if err == nil { // hop-by-hop options: router alert for MLD, and padding
			err = unix.SetsockoptString(fd, unix.IPPROTO_IPV6, unix.IPV6_HOPOPTS, "\x00\x00\x05\x02\x00\x00\x01\x00")
		}
	}
	if err == nil {
		err = unix.Sendto(fd, query, 0, sockaddr(netip.AddrPortFrom(netip.MustParseAddr(to), 0), ifi.Index))
	}
	if err != nil {
		t.Error(err)
	}
}
