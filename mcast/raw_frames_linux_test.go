package mcast

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// switchFrame is a frame of IEEE 802.3 with an LLC payload, padded to the least length
// of Ethernet.
func switchFrame(to igmp.MAC, payload ...byte) []byte {
	b := append(append(append([]byte(nil), to[:]...), 2, 0, 0, 0, 0, 7), 0, byte(len(payload)))
	b = append(b, payload...)
	return append(b, make([]byte, max(0, 60-len(b)))...)
}

var (
	cgmpFrame = switchFrame(igmp.CGMPAddr, 0xaa, 0xaa, 3, 0, 0, 12, 0x20, 1, 0x10, 0, 0, 1, 1, 0, 0x5e, 1, 2, 3, 2, 0, 0, 0, 0, 9)
	gmrpFrame = switchFrame(igmp.GMRPAddr, 0x42, 0x42, 3, 0, 1, 1, 8, 2, 1, 0, 0x5e, 1, 2, 3, 0, 0)
)

func TestFrameFilter(t *testing.T) {
	stp := switchFrame(igmp.MAC{1, 0x80, 0xc2, 0, 0, 0}, 0x42, 0x42, 3, 0, 0)
	mmrp := append([]byte(nil), gmrpFrame...)
	mmrp[12], mmrp[13] = 0x88, 0xf6 // its successor, which is no LLC
	for _, tt := range []struct {
		name string
		set  rawSet
		b    []byte
		want bool
	}{
		{"CGMP", rawFrames, cgmpFrame, true},
		{"GMRP", rawFrames, gmrpFrame, true},
		{"CGMP unwanted", 1 << RawGMRP, cgmpFrame, false},
		{"GMRP unwanted", 1 << RawCGMP, gmrpFrame, false},
		{"spanning tree", rawFrames, stp, false},
		{"MMRP", rawFrames, mmrp, false},
		{"IP", rawFrames, append([]byte{1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8, 0}, igmpPacket(igmp.TypeQuery, 100)...), false},
		{"a header cut short", rawFrames, cgmpFrame[:13], false},
	} {
		vm, err := bpf.NewVM(frameFilter(tt.set.addresses()))
		if err != nil {
			t.Fatal(err)
		}
		n, err := vm.Run(tt.b)
		if err != nil || (n > 0) != tt.want {
			t.Errorf("%s: %d bytes, %v; want %t", tt.name, n, err, tt.want)
		}
	}
}

// Frames come as they were sent, and nothing but those asked for.
func TestRawFrames(t *testing.T) {
	a, b := pair(t)
	both, one := b.openRaw(t, "vb", RawCGMP, RawGMRP), b.openRaw(t, "vb", RawGMRP)
	if err := both.SetOutgoing(true); err != nil {
		t.Fatal(err)
	}
	if got := memberships(t, b, "vb"); !slices.Contains(got, "01000cdddddd") || !slices.Contains(got, "0180c2000020") {
		t.Errorf("the card lets in %v", got)
	}
	tagged := append(append(append([]byte(nil), cgmpFrame[:12]...), 0x81, 0, 0, 7), cgmpFrame[12:]...)
	send := func(n netns, dev string, frames ...[]byte) {
		n.do(t, func() {
			ifi, err := net.InterfaceByName(dev)
			if err != nil {
				t.Error(err)
				return
			}
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer unix.Close(fd)
			for _, f := range frames {
				if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: ifi.Index}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sent := time.Now()
	send(a, "va", tagged, append([]byte{1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8, 0}, igmpPacket(igmp.TypeQuery, 100)...), cgmpFrame, gmrpFrame)
	send(b, "vb", gmrpFrame) // leaves: for who asked to hear that
	got := readRaw(t, both, 300*time.Millisecond)
	if len(got) != 3 || string(got[0].Data) != string(cgmpFrame) || string(got[1].Data) != string(gmrpFrame) || string(got[2].Data) != string(gmrpFrame) {
		t.Fatalf("%d frames: %v", len(got), got)
	}
	if p := got[0]; p.Src.IsValid() || p.Dst.IsValid() || p.IfIndex != both.Interface().Index || p.Time.Before(sent.Add(-time.Second)) {
		t.Errorf("%+v", p)
	}
	if got := readRaw(t, one, 50*time.Millisecond); len(got) != 1 || string(got[0].Data) != string(gmrpFrame) {
		t.Errorf("GMRP alone: %d frames", len(got))
	}
	if n, err := both.WriteBatch([]datagram.Packet{{Data: v2Report(t, "10.1.0.1", "239.9.9.9")}}); n != 0 || !errors.Is(err, ErrReceiveOnly) {
		t.Errorf("write: %d, %v", n, err)
	}
	both.Close()
	one.Close()
	if got := memberships(t, b, "vb"); slices.Contains(got, "01000cdddddd") {
		t.Errorf("after closing the card lets in %v", got)
	}
	a.ip(t, "tuntap add dev tun7 mode tun")
	a.ip(t, "link set tun7 up")
	a.do(t, func() {
		if c, err := OpenRaw(t.Context(), "tun7", RawCGMP); !errors.Is(err, ErrOption) {
			t.Errorf("without Ethernet: %v, %v", c, err)
		}
	})
}

func TestRawNetworks(t *testing.T) {
	a, _ := pair(t)
	a.ip(t, "addr add 192.0.2.9/25 dev va")
	c := a.openRaw(t, "va")
	for _, want := range []string{"10.1.0.0/24", "192.0.2.0/25"} {
		if got := c.Networks(true); !slices.Contains(got, netip.MustParsePrefix(want)) || len(got) != 2 {
			t.Errorf("%v are without %s", got, want)
		}
	}
	if got := c.Networks(false); !slices.Contains(got, netip.MustParsePrefix("fe80::/64")) {
		t.Errorf("IPv6: %v", got)
	}
}

// A packet of PIM arrives where it was asked for.
func TestRawPIM(t *testing.T) {
	a, b := pair(t)
	with, without := b.openRaw(t, "vb", RawIGMP, RawPIM), b.openRaw(t, "vb", RawIGMP)
	hello := v2Report(t, "10.1.0.1", "224.0.0.13")
	hello[9] = protoPIM
	if _, err := a.openRaw(t, "va").WriteBatch([]datagram.Packet{{Data: hello}}); err != nil {
		t.Fatal(err)
	}
	is := func(p datagram.Packet) bool { return string(p.Data) == string(hello) }
	if got := readRaw(t, with, 200*time.Millisecond); !slices.ContainsFunc(got, is) {
		t.Error("a hello did not come")
	}
	if got := readRaw(t, without, 50*time.Millisecond); slices.ContainsFunc(got, is) {
		t.Error("a hello came unasked")
	}
}

// memberships returns the Ethernet groups of an interface.
func memberships(t *testing.T, n netns, dev string) (list []string) {
	t.Helper()
	n.do(t, func() {
		// As in /proc/net/dev_mcast: index, name, users, global users, address.
		b, err := os.ReadFile("/proc/thread-self/net/dev_mcast")
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) == 5 && f[1] == dev {
				list = append(list, f[4])
			}
		}
	})
	return list
}
