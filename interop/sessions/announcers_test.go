//go:build linux

package sessions

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/sap"
)

// What others announce is listed, with name, groups, ports and senders, and is heard
// on the group where that program announces it.
func TestAnnouncers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		start    func(t *testing.T, h *netlab.Host)
		title    string
		channels string
		on       string
	}{
		{"VLC RTP", vlcSends("#rtp{dst=239.255.12.43,port=5004,mux=ts,sap,name=Film á,ttl=5}"), "Film á", "rtp://239.255.12.43:5004", "239.255.255.255"},
		{"VLC UDP", vlcSends("#std{access=udp,mux=ts,dst=239.255.12.44:1234,sap,name=raw}"), "raw", "udp://10.77.0.1@239.255.12.44:1234", "239.255.255.255"},
		{"VLC source-specific", vlcSends("#rtp{dst=232.1.2.3,port=5004,mux=ts,sap,name=specific,ttl=5}"), "specific", "rtp://10.77.0.1@232.1.2.3:5004", "224.2.127.254"},
		{"VLC IPv6", vlcSends("#rtp{dst=ff15::12:43,port=5004,mux=ts,sap,name=six,ttl=5}"), "six", "rtp://[ff15::12:43]:5004", "ff05::2:7ffe"},
		{"FFmpeg", ffmpegSends("sap://239.255.12.50:5004?announce_addr=239.255.255.255&ttl=7"), "No Name", "rtp://239.255.12.50:5004 rtp://239.255.12.50:5006", "239.255.255.255"},
		{"FFmpeg IPv6", ffmpegSends("sap://[ff05::1:50]:5004"), "No Name", "rtp://[ff05::1:50]:5004 rtp://[ff05::1:50]:5006", "ff0e::2:7ffe"},
		{"minisapserver", sapserver("10.77.0.1", "239.255.12.60"), "mini", "udp://239.255.12.60:1234", "239.255.255.255"},
		{"minisapserver IPv6", sapserver("fd77::1", "ff08::12:60"), "mini", "udp://[ff08::12:60]:1234", "ff08::2:7ffe"},
		{"PulseAudio", pulseaudio, "PulseAudio RTP Stream on ", "rtp://224.0.0.56:", "224.0.0.56"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			from, at := newLab(t)
			d := listen(t, at)
			tt.start(t, from)
			var l sap.Listing
			eventually(t, func() error {
				all := d.Sessions()
				if len(all) == 0 {
					return fmt.Errorf("nothing is listed: %+v", d.Stats())
				}
				l = all[0]
				return nil
			})
			if name := l.Description.Name(); name != tt.title && !(strings.HasSuffix(tt.title, " ") && strings.HasPrefix(name, tt.title)) {
				t.Errorf("the name is %q, want %q", name, tt.title)
			}
			var channels []string
			for _, ch := range l.Channels() {
				channels = append(channels, ch.String())
			}
			if got := strings.Join(channels, " "); got != tt.channels && !(strings.HasSuffix(tt.channels, ":") && strings.HasPrefix(got, tt.channels) && len(channels) == 1) {
				t.Errorf("the channels are %s, want %s", got, tt.channels)
			}
			if l.Source != from.IPv4 && !(netip.MustParseAddr(tt.on).Is6() && l.Source.Is6()) {
				t.Errorf("announced by %v", l.Source)
			}
			if !slices.ContainsFunc(l.Places, func(p sap.Place) bool { return p.Group.String() == tt.on }) {
				t.Errorf("heard on %v, want %s", l.Places, tt.on)
			}
			t.Logf("hash %#x, origin %v, quirks %v\n%s", l.Hash, l.Origin, l.Quirks, l.Description)
			// Repeated as these programs do it stays one session.
			eventually(t, func() error {
				if all := d.Sessions(); len(all) != 1 {
					t.Fatalf("%d sessions", len(all))
				} else if all[0].Heard < 2 {
					return errNotYet
				}
				return nil
			})
			if st := d.Stats(); st.Bad != 0 || st.Foreign != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func vlcSends(sout string) func(*testing.T, *netlab.Host) {
	return func(t *testing.T, h *netlab.Host) {
		t.Helper()
		required(t, "vlc")
		vlc(t, h, "-I", "dummy", "--loop", theClip(t), "--sout="+sout, "--sout-keep")
	}
}

func ffmpegSends(url string) func(*testing.T, *netlab.Host) {
	return func(t *testing.T, h *netlab.Host) {
		t.Helper()
		required(t, "ffmpeg")
		run(t, h, "ffmpeg", "-nostdin", "-loglevel", "warning", "-re", "-stream_loop", "-1", "-i", theClip(t), "-map", "0", "-c", "copy", "-f", "sap", url)
	}
}

func sapserver(machine, group string) func(*testing.T, *netlab.Host) {
	return func(t *testing.T, h *netlab.Host) {
		t.Helper()
		required(t, "sapserver")
		file := filepath.Join(t.TempDir(), "sap.cfg")
		text := fmt.Sprintf("[global]\nsap_delay=1\n[program]\ntype=udp\nname=mini\nuser=nobody\nmachine=%s\nsite=none\naddress=%s\nport=1234\n", machine, group)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, h, "sapserver", "-f", file, "-s")
	}
}

func pulseaudio(t *testing.T, h *netlab.Host) {
	t.Helper()
	pulse(t, h, home(t), "module-rtp-send source=n.monitor")
}

// pulse runs PulseAudio with a module, and what is needed to have a sound card. Its
// socket is in dir.
func pulse(t *testing.T, h *netlab.Host, dir, module string) {
	t.Helper()
	required(t, "pulseaudio", "setpriv")
	run(t, h, "env", append([]string{"XDG_RUNTIME_DIR=" + dir, "setpriv"}, nobody("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
		"-L", "module-null-sink sink_name=n", "-L", "module-native-protocol-unix", "-L", module)...)...)
}
