//go:build linux

package libnorm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm"
)

const (
	labGroup  = "239.77.1.2:6003"
	peerGroup = "--group=239.77.1.2 --port=6003 --iface=" + netlab.Device
)

// A form is one way to run a session; both directions are run in each.
type form struct {
	name                string
	loss                float64
	unicast             bool
	block, parity, auto int
	encoding            fec.EncodingID
	size                int
}

var forms = []form{
	{name: "no loss", block: 64, parity: 16, size: 5_000_000},
	{name: "loss, reactive parity", loss: 5, block: 64, parity: 16, size: 5_000_000},
	{name: "loss, unicast NACK", loss: 5, unicast: true, block: 64, parity: 16, size: 2_000_000},
	// 220 symbols of 1,400 bytes are four blocks of 55 in a code for 64.
	{name: "loss, shortened blocks", loss: 5, block: 64, parity: 16, size: 219*1400 + 600},
	{name: "loss, proactive parity", loss: 5, block: 64, parity: 16, auto: 4, size: 2_000_000},
	{name: "heavy loss, little parity", loss: 20, block: 20, parity: 2, auto: 1, size: 500_000},
	{name: "loss, encoding 129", loss: 5, block: 32, parity: 8, encoding: fec.SmallBlockSystematic, size: 1_000_000},
	{name: "one byte", loss: 5, block: 64, parity: 16, size: 1},
}

// at opens a connection in a host's namespace.
func at(t *testing.T, h *netlab.Host) *mcast.Conn {
	t.Helper()
	var c *mcast.Conn
	if err := h.Do(func() (err error) {
		c, err = mcast.Open(t.Context(), labGroup, mcast.Interface(netlab.Device), mcast.Unicast())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

// peer starts libnorm in a host's namespace.
func peer(t *testing.T, h *netlab.Host, format string, args ...any) *libnorm.Peer {
	t.Helper()
	cmd := h.Command("x").Args // ip netns exec NAME x
	return libnorm.Start(t, cmd[:len(cmd)-1], strings.Fields(fmt.Sprintf(format, args...)+" "+peerGroup)...)
}

// TestToLibnorm sends a file and a data object to a libnorm receiver.
func TestToLibnorm(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Loss: f.loss, Back: f.loss})
			in := t.TempDir()
			flags := ""
			if f.unicast {
				flags = " --unicast-nack"
			}
			recv := peer(t, lab.Receivers[0], "recv --id=11 --count=2 --linger=3 --seconds=60 --dir=%s%s", in, flags)
			recv.Expect(t, "READY", 10*time.Second)
			time.Sleep(300 * time.Millisecond) // until the switch knows

			s, err := norm.NewSender(at(t, lab.Sender), norm.SenderConfig{
				NodeID: 1, Rate: 50_000_000, BlockSize: f.block, Parity: f.parity, AutoParity: f.auto, Encoding: f.encoding, GroupSize: 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			content := object(f.size)
			path := filepath.Join(t.TempDir(), "a name.bin")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			file, err := s.SendFile(ctx, path, norm.WaitFor(11))
			if err != nil {
				t.Fatal(err)
			}
			data, err := s.SendBytes(ctx, content, norm.WaitFor(11), norm.Info([]byte("data")))
			if err != nil {
				t.Fatal(err)
			}
			for _, tr := range []*norm.Transfer{file, data} {
				if err := tr.Wait(ctx); err != nil {
					t.Fatalf("%v; libnorm said %q; %+v", err, recv.Said(), s.Stats())
				}
			}
			if err := s.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			kinds := completed(t, recv, content)
			if !kinds["file"] || !kinds["data"] {
				t.Errorf("libnorm has %v, want a file and a data object", kinds)
			}
			// Our INFO has more in it, but a C program reads the name.
			if said := strings.Join(recv.Said(), "\n"); !strings.Contains(said, "INFO a name.bin\n") {
				t.Errorf("libnorm did not read the file name:\n%s", said)
			}
			st := s.Stats()
			if (st.Nacks > 0) != (f.loss > 0) && f.size > 1 {
				t.Errorf("%d NACKs at %v %% loss", st.Nacks, f.loss)
			}
			t.Logf("%d repairs, %d of them explicit, for %d NACKs; GRTT %v", st.Repairs, st.ExplicitRepairs, st.Nacks, st.GRTT)
		})
	}
}

// completed reads two DONE lines and compares the contents.
func completed(t *testing.T, recv *libnorm.Peer, content []byte) map[string]bool {
	t.Helper()
	kinds := map[string]bool{}
	for range 2 {
		rest := recv.Expect(t, "DONE", 30*time.Second)
		kind, rest, _ := strings.Cut(rest, " ")
		_, name, _ := strings.Cut(rest, " ")
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes differ from what was sent; %v", kind, len(got), err)
		}
		kinds[kind] = true
	}
	return kinds
}

// TestFromLibnorm receives a file and a data object from a libnorm sender, with two
// receivers that lose different packets.
func TestFromLibnorm(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: f.loss, Back: f.loss})
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			content := object(f.size)
			src := filepath.Join(t.TempDir(), "sent.bin")
			if err := os.WriteFile(src, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var rs []*norm.Receiver
			for i, h := range lab.Receivers {
				cfg := norm.ReceiverConfig{NodeID: norm.NodeID(11 + i), Dir: t.TempDir(), Unicast: f.unicast}
				if f.size == 1 {
					cfg.Sync = norm.SyncAll // the first object may have been lost whole
				}
				r, err := norm.NewReceiver(at(t, h), cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				rs = append(rs, r)
			}
			time.Sleep(300 * time.Millisecond)
			send := peer(t, lab.Sender, "send --id=1 --rate=50e6 --grtt=0.01 --ack=11 --ack=12 --block=%d --parity=%d --auto=%d --fec=%d --linger=0.5 --seconds=60 file:%s data:%s",
				f.block, f.parity, f.auto, f.encoding, src, src)

			for i, r := range rs {
				kinds := map[string]bool{}
				for o, err := range r.Objects(ctx) {
					if err != nil {
						t.Fatalf("receiver %d: %v; libnorm said %q; %+v", i, err, send.Said(), r.Stats())
					}
					got, kind := o.Bytes(), "data"
					if o.Path() != "" {
						kind = "file"
						if got, err = os.ReadFile(o.Path()); err != nil || o.Name() != "sent.bin" {
							t.Errorf("receiver %d: file %q, %v", i, o.Name(), err)
						}
					}
					if !bytes.Equal(got, content) || o.Verified() || o.Sender() != 1 {
						t.Errorf("receiver %d: %s of %d bytes from node %v, verified %v", i, kind, len(got), o.Sender(), o.Verified())
					}
					if kinds[kind] = true; len(kinds) == 2 {
						break
					}
				}
				if !kinds["file"] || !kinds["data"] {
					t.Errorf("receiver %d has %v", i, kinds)
				}
			}
			// Both confirm, by the rules libnorm's watermark goes by.
			acked := []string{send.Expect(t, "ACKED", 30*time.Second), send.Expect(t, "ACKED", 30*time.Second)}
			if a := strings.Join(acked, " "); a != "11 12" && a != "12 11" {
				t.Errorf("libnorm has acknowledgements of %s, want 11 and 12", a)
			}
			send.Expect(t, "END", 10*time.Second)
			for i, r := range rs {
				st := r.Stats()
				if st.Malformed+st.Undecodable > 0 {
					t.Errorf("receiver %d: %+v", i, st)
				}
				t.Logf("receiver %d: %d NACKs, %d suppressed, %d symbols recovered", i, st.Nacks, st.Suppressed, st.Recovered)
			}
		})
	}
}
