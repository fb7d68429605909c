//go:build linux

package sessions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// FFmpeg hears an announcement of ours and plays the stream that it is about.
func TestFFmpegPlays(t *testing.T) {
	required(t, "ffmpeg", "ffprobe")
	t.Parallel()
	film := []string{"-re", "-stream_loop", "-1", "-i", theClip(t), "-map", "0:v", "-c", "copy", "-f", "rtp_mpegts"}
	sound := []string{"-re", "-f", "lavfi", "-i", "sine", "-ac", "2", "-ar", "48000", "-c:a", "pcm_s24be", "-payload_type", "96", "-f", "rtp"}
	for _, tt := range []struct {
		offer  string
		stream []string // how FFmpeg sends it
		url    string
		want   string
	}{
		{"RTP", film, "rtp://239.255.12.90:5004?ttl=5", "mpeg2video"},
		{"source-specific", film, "rtp://232.1.2.90:5004?ttl=5", "mpeg2video"},
		{"AES67", sound, "rtp://239.69.1.90:5004?ttl=5&pkt_size=300", "pcm_s24be"},
		{"IPv6", film, "rtp://[ff15::12:90]:5004?ttl=5", "mpeg2video"},
	} {
		t.Run(tt.offer, func(t *testing.T) {
			t.Parallel()
			here, there := newLab(t)
			run(t, here, "ffmpeg", append(append([]string{"-nostdin", "-loglevel", "warning"}, tt.stream...), tt.url)...)
			o := offers[slices.IndexFunc(offers, func(o offer) bool { return o.name == tt.offer })]
			o.announce(t, here)
			on := o.on.String()
			if o.on.Is6() {
				on = "[" + on + "]"
			}
			// It may begin to listen in the middle of anything and find no beginning in time.
			eventually(t, func() error {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				out := filepath.Join(t.TempDir(), "out.mkv")
				text, err := there.CommandContext(ctx, "ffmpeg", "-nostdin", "-loglevel", "warning", "-analyzeduration", "3M", "-i", "sap://"+on, "-t", "1", "-map", "0", "-c", "copy", out).CombinedOutput()
				if err != nil {
					return fmt.Errorf("%v\n%s", err, text)
				}
				if got, err := codecs(exec.CommandContext(ctx, "ffprobe", probe(out)...)); err != nil || got != tt.want {
					return fmt.Errorf("it played %q (%v), want %s\n%s", got, err, tt.want, text)
				}
				return nil
			})
		})
	}
}

// probe is what to ask ffprobe for what is in a file or at a URL, and codecs reads the
// answer.
func probe(name string) []string {
	return []string{"-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", name}
}

func codecs(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	return strings.Join(strings.FieldsFunc(string(out), func(r rune) bool { return r == ',' || r == '\n' }), " "), err
}

// PulseAudio plays a session of ours as long as we do not delete it. (VLC ignores
// deletions, and FFmpeg listens to none but of the hash it plays.) It wants lines
// that end in LF, and a whole description in the deletion.
func TestPulseAudioHonoursDelete(t *testing.T) {
	required(t, "pulseaudio", "pactl")
	t.Parallel()
	here, there := newLab(t)
	dir := home(t)
	pulse(t, there, dir, "module-rtp-recv sap_address=239.255.255.255")
	d := made(t)(sdp.NewRTP(sdp.RTP{Session: sdp.Session{Name: "Our music", Origin: here.IPv4}, Dest: to("239.255.12.91", 5004),
		Kind: "audio", PayloadType: 96, Encoding: "L16", ClockRate: 44100, Channels: 2}))
	d = made(t)(sdp.ParseString(strings.ReplaceAll(d.String(), "\r\n", "\n")))
	a := announcer(t, here, sap.AnnouncerConfig{Profile: sap.Fast, Interval: time.Second, FullDelete: true}, sap.LocalGroup)
	s, err := a.Announce(d)
	if err != nil {
		t.Fatal(err)
	}
	plays := func() (bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := there.CommandContext(ctx, "env", append([]string{"XDG_RUNTIME_DIR=" + dir, "HOME=" + dir, "setpriv"}, nobody("pactl", "list", "sink-inputs")...)...)
		out, err := cmd.CombinedOutput()
		return strings.Contains(string(out), "Our music"), err
	}
	eventually(t, func() error {
		ok, err := plays()
		if err == nil && !ok {
			err = errors.New("PulseAudio does not play it")
		}
		return err
	})
	if err := s.Withdraw(); err != nil {
		t.Fatal(err)
	}
	// It gives up by itself after 20 s of silence.
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if ok, err := plays(); err != nil {
			t.Fatal(err)
		} else if !ok {
			return
		}
		if time.Now().After(end) {
			t.Fatal("PulseAudio still plays it")
		}
	}
}

// The commands with each other, and the playlist with players: one announces a stream,
// the other writes the playlist, and VLC and FFmpeg open it.
func TestPlaylist(t *testing.T) {
	required(t, "vlc", "setpriv", "ffmpeg", "ffprobe")
	t.Parallel()
	exe := filepath.Join(t.TempDir(), "mcast")
	if out, err := exec.Command("go", "build", "-o", exe, "github.com/gomulticast/multicast/cmd/mcast").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tt := range []struct{ name, stream, format, send, entry, joined, filter, group string }{
		{"RTP", "rtp://239.255.12.92:5004", "rtp_mpegts", "rtp://239.255.12.92:5004?ttl=5", "rtp://239.255.12.92:5004", "5C0CFFEF", "", `{"group":"239.255.12.92","source":"","port":5004,"ttl":5}`},
		{"UDP", "udp://239.255.12.93:1234", "mpegts", "udp://239.255.12.93:1234?ttl=5&pkt_size=1316", "udp://@239.255.12.93:1234", "5D0CFFEF", "", `{"group":"239.255.12.93","source":"","port":1234,"ttl":5}`},
		{"source-specific", "rtp://10.77.0.1@232.1.2.92:5004", "rtp_mpegts", "rtp://232.1.2.92:5004?ttl=5", "rtp://10.77.0.1@232.1.2.92:5004", "5C0201E8", "0xe801025c 0x0a4d0001 1 0",
			`{"group":"232.1.2.92","source":"10.77.0.1","port":5004,"ttl":5}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here, there := newLab(t)
			run(t, here, "ffmpeg", "-nostdin", "-loglevel", "warning", "-re", "-stream_loop", "-1", "-i", theClip(t), "-map", "0", "-c", "copy", "-f", tt.format, tt.send)
			dir := home(t)
			list := filepath.Join(dir, "list.m3u")
			ears := run(t, there, exe, "sap", "listen", "--json", "--iface", netlab.Device, "--interval", "100ms", "--m3u", list)
			mouth := run(t, here, exe, "sap", "announce", "--iface", netlab.Device, "--stream", tt.stream, "--name", "Played", "--profile", "fast", "--ttl", "5")
			want := "#EXTM3U\n#EXTINF:-1,Played\n" + tt.entry + "\n"
			contains := func(text string) func() error {
				return func() error {
					if b, err := os.ReadFile(list); err != nil || string(b) != text {
						return fmt.Errorf("the playlist is %q (%v)", b, err)
					}
					return nil
				}
			}
			eventually(t, contains(want))

			v := vlc(t, there, "-I", "oldrc", "--rc-fake-tty", list)
			eventually(t, func() error {
				igmp, filters := procNet(t, there, "igmp"), procNet(t, there, "mcfilter")
				if !strings.Contains(igmp, tt.joined) || !strings.Contains(filters, tt.filter) {
					return fmt.Errorf("VLC has joined\n%s%s", igmp, filters)
				}
				return nil
			})
			eventually(t, func() error {
				if said := ask(v, "info"); !strings.Contains(said, "Codec: MPEG-1/2 Video") {
					return fmt.Errorf("VLC plays %s", said)
				}
				return nil
			})
			v.kill()

			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if got, err := codecs(there.CommandContext(ctx, "ffprobe", probe(tt.entry)...)); err != nil || !strings.Contains(got, "mpeg2video") {
				t.Errorf("FFmpeg plays %q (%v)", got, err)
			}

			mouth.interrupt()
			if said := mouth.String(); !strings.Contains(said, "deleted 1 session after ") {
				t.Errorf("the announcer said %s", said)
			}
			eventually(t, contains("#EXTM3U\n"))
			ears.interrupt()
			event := func(kind, reason string) string {
				return fmt.Sprintf(`{"event":%q,"name":"Played","origin":"10.77.0.1","source":"10.77.0.1","groups":[%s],"reason":%q}`+"\n", kind, tt.group, reason)
			}
			if got, want := ears.String(), event("added", "")+event("removed", "deleted"); got != want {
				t.Errorf("the listener said\n%swant\n%s", got, want)
			}
		})
	}
}

func procNet(t *testing.T, h *netlab.Host, name string) string {
	t.Helper()
	out, err := h.Command("cat", "/proc/net/"+name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}
