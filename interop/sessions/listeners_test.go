//go:build linux

package sessions

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// An offer is a session that ours announces to the peers.
type offer struct {
	name    string
	profile sap.Profile
	on      netip.Addr // SAP group
	make    func(t *testing.T, h *netlab.Host) *sdp.Description
}

var offers = []offer{
	{"RTP", sap.Fast, sap.LocalGroup, func(t *testing.T, h *netlab.Host) *sdp.Description {
		return made(t)(sdp.NewMPEGTS(sdp.MPEGTS{Session: sdp.Session{Name: "Our film á", Origin: h.IPv4}, Dest: to("239.255.12.90", 5004)}))
	}},
	{"UDP", sap.Fast, sap.GlobalGroup, func(t *testing.T, h *netlab.Host) *sdp.Description {
		return made(t)(sdp.NewMPEGTS(sdp.MPEGTS{Session: sdp.Session{Name: "Our raw film", Origin: h.IPv4}, Dest: to("224.2.200.90", 1234), Raw: true}))
	}},
	{"source-specific", sap.Fast, sap.GlobalGroup, func(t *testing.T, h *netlab.Host) *sdp.Description {
		d := to("232.1.2.90", 5004)
		d.Channel.Source = h.IPv4
		return made(t)(sdp.NewMPEGTS(sdp.MPEGTS{Session: sdp.Session{Name: "Our own film", Origin: h.IPv4}, Dest: d}))
	}},
	{"AES67", sap.AES67, sap.LocalGroup, func(t *testing.T, h *netlab.Host) *sdp.Description {
		return made(t)(sdp.NewAES67(sdp.AES67{Session: sdp.Session{Name: "Our stage box", Origin: h.IPv4}, Dest: to("239.69.1.90", 5004), Channels: 2,
			RefClock: sdp.RefClock{Server: "39-A7-94-FF-FE-07-CB-D0", Domain: "0"}, Title: "2 channels: Left, Right"}))
	}},
	{"IPv6", sap.Fast, sap.GroupOfScope(group.SiteLocal), func(t *testing.T, h *netlab.Host) *sdp.Description {
		return made(t)(sdp.NewMPEGTS(sdp.MPEGTS{Session: sdp.Session{Name: "Our sixth film", Origin: h.IPv6}, Dest: to("ff15::12:90", 5004)}))
	}},
}

func to(g string, port uint16) sdp.Dest {
	return sdp.Dest{Channel: group.Channel{Group: netip.MustParseAddr(g)}, Port: port, TTL: 5}
}

func made(t *testing.T) func(*sdp.Description, error) *sdp.Description {
	return func(d *sdp.Description, err error) *sdp.Description {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

// announce announces an offer from now on.
func (o *offer) announce(t *testing.T, h *netlab.Host) (*sap.Announcer, *sdp.Description) {
	t.Helper()
	d := o.make(t, h)
	groups, err := sap.GroupsFor(d, o.profile)
	if err != nil || !slices.Contains(groups, o.on) {
		t.Fatalf("announced on %v, want %v: %v", groups, o.on, err)
	}
	a := announcer(t, h, sap.AnnouncerConfig{Profile: o.profile, Interval: 2 * time.Second}, groups...)
	if _, err := a.Announce(d); err != nil {
		t.Fatal(err)
	}
	return a, d
}

// VLC lists what ours announces.
func TestVLCLists(t *testing.T) {
	required(t, "vlc", "setpriv")
	t.Parallel()
	for _, o := range offers {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			here, there := newLab(t)
			v := vlc(t, there, "-I", "oldrc", "--rc-fake-tty", "-S", "sap")
			_, d := o.announce(t, here)
			eventually(t, func() error {
				if !strings.Contains(ask(v, "playlist"), d.Name()) {
					return fmt.Errorf("VLC does not list %q", d.Name())
				}
				return nil
			})
		})
	}
}

// VLC means to ignore deletions, whatever is in them, and forgets a session after ten
// times the period at which it was announced, once it has heard it a few times. So it
// is our repetitions, and their end, that it honours.
func TestVLCForgets(t *testing.T) {
	required(t, "vlc", "setpriv")
	t.Parallel()
	here, there := newLab(t)
	v := vlc(t, there, "-I", "oldrc", "--rc-fake-tty", "-S", "sap")
	d := offers[0].make(t, here)
	a := announcer(t, here, sap.AnnouncerConfig{Profile: sap.Fast, Interval: time.Second}, offers[0].on)
	if _, err := a.Announce(d); err != nil {
		t.Fatal(err)
	}
	lists := func(want bool) {
		t.Helper()
		eventually(t, func() error {
			if strings.Contains(ask(v, "playlist"), d.Name()) != want {
				return fmt.Errorf("VLC lists %q: %v", d.Name(), !want)
			}
			return nil
		})
	}
	lists(true)
	eventually(t, func() error {
		if a.Stats().Sent < 9 {
			return errNotYet
		}
		return nil
	})
	lists(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	lists(false)
}

// ask gives VLC a command and returns what it has said since.
func ask(v *peer, command string) string {
	from := v.Len()
	io.WriteString(v.stdin, command+"\n")
	time.Sleep(300 * time.Millisecond)
	return v.String()[from:]
}

// tshark reads announcements and deletions and complains of nothing.
func TestTshark(t *testing.T) {
	required(t, "tshark", "tcpdump")
	t.Parallel()
	for _, o := range offers {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			here, there := newLab(t)
			file := filepath.Join(t.TempDir(), "sap.pcap")
			dump := run(t, there, "tcpdump", "-Z", "root", "-U", "--immediate-mode", "-i", netlab.Device, "-w", file, "udp port 9875")
			eventually(t, func() error {
				if !strings.Contains(dump.String(), "listening on") {
					return errNotYet
				}
				return nil
			})
			a, d := o.announce(t, here)
			eventually(t, func() error {
				if a.Stats().Sent < 2 {
					return errNotYet
				}
				return nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := a.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond)
			dump.interrupt()
			checkCapture(t, file, d)
		})
	}
}

// checkCapture holds what tshark reads against what was announced.
func checkCapture(t *testing.T, file string, d *sdp.Description) {
	t.Helper()
	o, _ := d.Origin()
	var cs []string
	for i := range d.Len() {
		if l := d.Line(i); l.Type() == 'c' {
			cs = append(cs, l.Value())
		}
	}
	c := strings.Join(cs, ";")
	fields := []string{"_ws.expert.message", "_ws.malformed", "sdp.invalid", "sdp.unknown", "sap.flags.v", "sap.flags.t", "sap.payload_type", "sdp.owner", "sdp.session_name", "sdp.connection_info"}
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=|", "-E", "aggregator=;"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	name := []rune(d.Name()) // tshark takes what is not ASCII byte by byte
	for i := range name {
		if name[i] > unicode.MaxASCII {
			name[i] = -1
		}
	}
	plain := strings.ReplaceAll(string(name), "\ufffd", "\ufffd\ufffd")
	announced := fmt.Sprintf("||||1|0|application/sdp|%s|%s|%s", o, plain, c)
	deleted := fmt.Sprintf("||||1|1|application/sdp|%s||", o)
	var announcements, deletes int
	for line := range strings.Lines(string(out)) {
		switch strings.TrimSpace(line) {
		case announced:
			announcements++
		case deleted:
			deletes++
		default:
			t.Errorf("tshark reads %s\n  want %s\n    or %s", line, announced, deleted)
		}
	}
	if announcements < 2 || deletes != 3 {
		t.Errorf("%d announcements and %d deletions", announcements, deletes)
	}
	// mcast pcap reads the same.
	for _, r := range records(t, file) {
		switch {
		case r.Proto != control.SAP || len(r.Problems) > 0:
			t.Errorf("%s %s: %s", r.Name(), r.Type, r.Text())
		case r.Type == control.Announce && r.Title == d.Name() && len(r.Groups) == 1:
			announcements--
		case r.Type == control.Delete:
			deletes--
		}
	}
	if announcements != 0 || deletes != 0 {
		t.Errorf("we read %d announcements and %d deletions less", announcements, deletes)
	}
}

// records returns the packets of a capture in words.
func records(t *testing.T, name string) (all []control.Record) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in, err := pcap.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var d control.Decoder
	var k pcap.Packet
	var f pcap.Frame
	for {
		if err := in.Next(&k); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		var r control.Record
		if err := pcap.Decode(k.Link, k.Data, &f); err != nil || !d.Describe(&f, &r) {
			t.Fatalf("a packet is not known (%v)", err)
		}
		all = append(all, r)
	}
}
