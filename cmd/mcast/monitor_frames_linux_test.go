package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/internal/pcap"
)

// llcFrame is a frame of IEEE 802.3 from 02:00:00:00:00:07, padded to 60 bytes.
func llcFrame(to [6]byte, payload ...byte) []byte {
	b := append(append(to[:], 2, 0, 0, 0, 0, 7, 0, byte(len(payload))), payload...)
	return append(b, make([]byte, max(0, 60-len(b)))...)
}

// Frames of CGMP and GMRP on a link: the monitor shows them, live, and tshark reads
// the same in them.
func TestMonitorFrames(t *testing.T) {
	lab := netlab.New(t, netlab.Config{Receivers: 1, NoSnooping: true})
	dev := netlab.Device
	cgmp, gmrp := [6]byte{1, 0, 12, 0xdd, 0xdd, 0xdd}, [6]byte{1, 0x80, 0xc2, 0, 0, 0x20}
	snap := []byte{0xaa, 0xaa, 3, 0, 0, 12, 0x20, 1}
	group, station := []byte{1, 0, 0x5e, 5, 5, 5}, []byte{2, 0, 0, 0, 0, 9}
	message := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	frames := [][]byte{
		llcFrame(cgmp, message(snap, []byte{0x10, 0, 0, 2}, group, station, make([]byte, 6), station)...), // join; one of all groups
		llcFrame(cgmp, message(snap, []byte{0x11, 0, 0, 1}, group, make([]byte, 6))...),                   // leave, of all stations
		llcFrame(gmrp, message([]byte{0x42, 0x42, 3, 0, 1, 1, 8, 2}, group, []byte{0, 0})...),             // JoinIn
		llcFrame(cgmp, message(snap, []byte{0x10, 0, 0, 9}, group)...),                                    // promises nine
	}
	monitor := startIn(t, lab.Sender, "monitor", "--iface", dev, "--interval", "100ms", "--packets")
	monitor.await(0, "event=ready", "iface="+dev)
	join := startIn(t, lab.Receivers[0], "join", "239.5.5.5:5001", "--iface", dev)
	monitor.await(0, "event=packet", "proto=igmp", "type=report")

	if err := lab.Receivers[0].Do(func() error {
		ifi, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, f := range frames {
			if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: ifi.Index}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	const from, mac, dst = "02:00:00:00:00:07", "01:00:5e:05:05:05", "dst=01:00:0c:dd:dd:dd"
	monitor.await(0, "event=packet", "proto=cgmp", "type=join", "src="+from, dst, "problems=[]",
		`groups=[{"group":"`+mac+`","mode":"join","sources":[],"station":"02:00:00:00:00:09"},{"group":"00:00:00:00:00:00","mode":"join","sources":[],"station":"02:00:00:00:00:09"}]`)
	monitor.await(0, "event=packet", "proto=cgmp", "type=leave", dst, `groups=[{"group":"`+mac+`","mode":"leave","sources":[],"station":"00:00:00:00:00:00"}]`)
	monitor.await(0, "event=packet", "proto=gmrp", "type=join", "dst=01:80:c2:00:00:20", `groups=[{"group":"`+mac+`","mode":"join_in","sources":[]}]`)
	monitor.await(0, "event=packet", "proto=cgmp", "type=other", `problems=["cut short: count"]`)
	monitor.stop()
	monitor.await(0, "event=registration", "proto=cgmp", "from="+from, "group="+mac, `groups=["239.5.5.5"]`, "mode=join", "station=02:00:00:00:00:09", "frames=1")
	monitor.await(0, "event=registration", "proto=cgmp", "group="+mac, "mode=leave", "station=00:00:00:00:00:00")
	monitor.await(0, "event=registration", "proto=gmrp", "group="+mac, `groups=["239.5.5.5"]`, "mode=join_in")
	monitor.await(0, "event=summary", `cgmp={"ignored":1,"joins":1,"leaves":1,"other":1}`, `gmrp={"ignored":0,"joins":1,"leaves":0,"other":0}`)
	join.stop()

	name := filepath.Join(t.TempDir(), "frames.pcap")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcap.NewWriter(file, pcap.LinkEthernet)
	for _, f := range frames[:3] {
		if err == nil {
			err = w.Write(time.Now(), f)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal(err)
		}
		t.Logf("read by us alone: %v", err)
		return
	}
	out, err := exec.Command("tshark", "-n", "-r", name, "-T", "fields", "-e", "cgmp.type", "-e", "cgmp.gda", "-e", "cgmp.usa",
		"-e", "gmrp.attribute_event", "-e", "gmrp.attribute_value_group_membership").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "0\t" + mac + ",00:00:00:00:00:00\t02:00:00:00:00:09,02:00:00:00:00:09\t\t\n1\t" + mac + "\t00:00:00:00:00:00\t\t\n\t\t\t2\t" + mac
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("tshark reads\n%s\nwant\n%s", got, want)
	}
}
