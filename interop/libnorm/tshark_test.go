//go:build linux

package libnorm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/internal/pcap"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm"
)

// A record keeps all that engines sent, as IPv4 packets for tshark.
type record struct {
	mu      sync.Mutex
	packets [][]byte
}

// A recorded is a connection whose writes are kept.
type recorded struct {
	datagram.Conn
	to *record
}

func (r *recorded) WriteBatch(ps []datagram.Packet) (int, error) {
	r.to.mu.Lock()
	for _, p := range ps {
		size := p.SegSize
		if size == 0 {
			size = len(p.Data)
		}
		for at := 0; at < len(p.Data); at += size {
			r.to.add(p.Data[at:min(at+size, len(p.Data))])
		}
	}
	r.to.mu.Unlock()
	return r.Conn.WriteBatch(ps)
}

func (r *record) add(data []byte) {
	be := binary.BigEndian
	b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 10, 77, 0, 1, 239, 77, 1, 2}
	be.PutUint16(b[2:], uint16(28+len(data)))
	b = be.AppendUint16(be.AppendUint16(b, 6003), 6003)
	b = be.AppendUint16(be.AppendUint16(b, uint16(8+len(data))), 0)
	r.packets = append(r.packets, append(b, data...))
}

// shark returns what tshark says of the packets that pass a filter, a line each.
func (r *record) shark(t *testing.T, filter string, args ...string) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := os.Create(filepath.Join(t.TempDir(), "sent.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcap.NewWriter(file, pcap.LinkRaw)
	for _, p := range r.packets {
		if err == nil {
			err = w.Write(time.Now(), p)
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("tshark", append([]string{"-n", "-d", "udp.port==6003,norm", "-r", file.Name(), "-Y", filter}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, &stderr)
	}
	return slices.Collect(strings.Lines(string(out)))
}

// TestTshark has tshark read the messages of a stream, its repair and its confirmation, of
// our sender and our receiver. They use FEC Encoding ID 129: tshark 4.0 knows no 5, and
// takes that of 2 for one of 8 bytes.
func TestTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		libnorm.Missing(t, "no tshark")
	}
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
	sent := new(record)
	r, err := norm.NewReceiver(&recorded{at(t, lab.Receivers[0]), sent}, norm.ReceiverConfig{NodeID: 11})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	time.Sleep(300 * time.Millisecond)
	s, err := norm.NewSender(&recorded{at(t, lab.Sender), sent}, norm.SenderConfig{NodeID: 1, Rate: 50_000_000, GroupSize: 10, AutoParity: 1, Encoding: fec.SmallBlockSystematic})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	content := object(300_000)
	got := make(chan streamRead)
	go func() { got <- readStreams(ctx, []*norm.Receiver{r})[0] }()
	w := writes(ctx, t, s, norm.StreamConfig{WaitFor: []norm.NodeID{11}, Info: []byte("it")}, content, 1000, time.Millisecond)
	if err := w.Commit(ctx); err != nil {
		t.Error(err)
	}
	w.Close()
	if err := w.Wait(ctx); err != nil {
		t.Error(err)
	}
	if g := <-got; g.err != nil || !bytes.Equal(g.content, content) {
		t.Errorf("%v, %s", g.err, differ(g.content, content))
	}
	s.Shutdown(ctx)
	r.Close()

	if out := sent.shark(t, "_ws.malformed || norm.version1_only || !norm"); len(out) > 0 {
		t.Errorf("tshark complains about %q", out)
	}
	// What it reads of the source symbols' headers is the stream, from end to end; parity
	// has a header too, which is parity. By the names of RFC 3940 the length is in a
	// reserved field.
	fields := []string{"norm.type", "norm.flavor", "norm.source_id", "norm.flag.stream", "norm.flag.info", "norm.flag.repair", "rmt-fec.esi", "norm.reserved", "norm.payload.offset"}
	args := []string{"-T", "fields", "-E", "separator=,", "-E", "occurrence=f"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	counts := map[string]int{}
	covered := uint64(0)
	for _, line := range sent.shark(t, "norm", args...) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) != len(fields) {
			t.Fatalf("tshark says %q", line)
		}
		kind := map[string]string{"1": "INFO", "2": "DATA", "3": "CMD " + f[1], "4": "NACK", "5": "ACK"}[f[0]]
		counts[kind]++
		if kind != "INFO" && kind != "DATA" {
			continue
		}
		if f[5] == "1" {
			counts["repair"]++
		}
		if f[2] != "0.0.0.1" || f[3] != "1" || f[4] != "1" {
			t.Fatalf("not of the stream: %q", line)
		}
		esi, _ := strconv.ParseUint(f[6], 0, 32)
		n, _ := strconv.ParseUint(f[7], 0, 32)
		if off, err := strconv.ParseUint(f[8], 0, 32); err == nil && kind == "DATA" && esi < 64 && off == covered {
			covered += n
		}
	}
	for _, want := range []string{"INFO", "DATA", "CMD 1", "CMD 2", "CMD 4", "NACK", "ACK", "repair"} { // FLUSH, EOT, CC
		if counts[want] == 0 {
			t.Errorf("tshark has no %s, only %v", want, counts)
		}
	}
	if covered != uint64(len(content)) {
		t.Errorf("tshark reads %d bytes of the stream of %d", covered, len(content))
	}
	t.Log(counts)
}
