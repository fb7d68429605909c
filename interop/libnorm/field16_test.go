//go:build linux

package libnorm_test

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/norm"
)

// Blocks of more than 255 symbols, which both code over GF(2^16): FEC Encoding ID 2, m = 16.
const (
	wideBlock, wideParity = 300, 120
	wideSegment           = 500
	wideSize              = 199_537 // 400 symbols: two blocks of 200 in a code for 300, and a short last symbol
)

// TestField16ToLibnorm sends a data object and then a stream to two libnorm receivers that
// lose different packets.
func TestField16ToLibnorm(t *testing.T) {
	libnorm.Build(t)
	lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: 10, Back: 10})
	var peers []*libnorm.Peer
	for i, h := range lab.Receivers {
		p := peer(t, h, "recv --id=%d --count=2 --linger=1 --seconds=60 --sync=stream --dir=%s", 11+i, t.TempDir())
		p.Expect(t, "READY", 10*time.Second)
		peers = append(peers, p)
	}
	time.Sleep(300 * time.Millisecond) // until the switch knows

	sent := new(record)
	s, err := norm.NewSender(&recorded{at(t, lab.Sender), sent}, norm.SenderConfig{
		NodeID: 1, Rate: 20_000_000, BlockSize: wideBlock, Parity: wideParity, SegmentSize: wideSegment, GroupSize: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	content := object(wideSize)
	tr, err := s.SendBytes(ctx, content, norm.WaitFor(11, 12), norm.Info([]byte("data")))
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Wait(ctx); err != nil {
		t.Fatalf("%v; libnorm said %q; %+v", err, peers[0].Said(), s.Stats())
	}
	w, err := s.OpenStream(ctx, norm.StreamConfig{WaitFor: []norm.NodeID{11, 12}, Info: []byte("about it")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteContext(ctx, content); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := w.Wait(ctx); err != nil {
		t.Fatalf("%v; libnorm said %q; %+v", err, peers[0].Said(), s.Stats())
	}
	for i, p := range peers {
		kinds := ""
		for range 2 {
			kind, b := got(t, p, "DONE")
			if kinds += kind; !bytes.Equal(b, content) {
				t.Errorf("receiver %d: a %s that differs: %s", i, kind, differ(b, content))
			}
		}
		if kinds != "datastream" {
			t.Errorf("receiver %d has %s", i, kinds)
		}
	}
	st := s.Stats()
	if st.Repairs-st.ExplicitRepairs == 0 || st.Malformed > 0 {
		t.Errorf("no parity was needed, or what was asked for not understood: %+v", st)
	}
	t.Logf("%d repairs, %d of them explicit, for %d NACKs", st.Repairs, st.ExplicitRepairs, st.Nacks)
	s.Shutdown(ctx)
	field16Shark(t, sent)
}

// field16Shark has tshark read what we sent. It takes the payload ID of FEC Encoding ID 2
// for one of 8 bytes, with a block number of 32 bits: in that the two halves of ours stand
// one behind the other, and the encoding symbol ID that it shows is the first word of our
// EXT_FTI. Messages that have no EXT_FTI behind the payload ID it calls malformed for that.
func field16Shark(t *testing.T, sent *record) {
	t.Helper()
	if out := sent.shark(t, "(_ws.malformed && norm.type != 2 && norm.flavor != 1) || norm.version1_only || !norm"); len(out) > 0 {
		t.Errorf("tshark complains about %q", out)
	}
	seen, largest := map[uint64]bool{}, uint64(0)
	for _, line := range sent.shark(t, "norm.type == 2 && norm.flag.stream == 0", "-T", "fields", "-E", "separator=,",
		"-e", "norm.fec_encoding_id", "-e", "norm.hlen", "-e", "rmt-fec.sbn", "-e", "rmt-fec.esi") {
		f := strings.Split(strings.TrimSpace(line), ",")
		// 4 words of NORM_DATA, 1 of the payload ID, 4 of EXT_FTI; HET 64, HEL 4.
		if len(f) != 4 || f[0] != "2" || f[1] != "9" || f[3] != "0x40040000" {
			t.Fatalf("tshark says %q", line)
		}
		id, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		seen[id] = true
		largest = max(largest, id&0xffff)
	}
	for i := range uint64(400) {
		if id := i/200<<16 | i%200; !seen[id] {
			t.Fatalf("tshark sees no symbol %d of block %d", i%200, i/200)
		}
	}
	if largest < 200 {
		t.Error("tshark sees no parity")
	}
}

// TestField16FromLibnorm receives a file, a data object and a stream from libnorm, at two
// receivers that lose different packets.
func TestField16FromLibnorm(t *testing.T) {
	libnorm.Build(t)
	lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: 10, Back: 10})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	content := object(wideSize)
	src := stored(t, content)
	streamed := object(200_000) // see TestOddParity
	var rs []*norm.Receiver
	for i, h := range lab.Receivers {
		rs = append(rs, ours(t, []*netlab.Host{h}, norm.ReceiverConfig{NodeID: norm.NodeID(11 + i), Dir: t.TempDir()})...)
	}
	send := peer(t, lab.Sender, "send --id=1 --rate=20e6 --grtt=0.01 --ack=11 --ack=12 --block=%d --parity=%d --segment=%d --linger=1 --seconds=60 --stream-buffer=2000000 --flush=none file:%s data:%s stream:%s",
		wideBlock, wideParity, wideSegment, src, src, stored(t, streamed))
	for i, r := range rs {
		kinds := map[string]bool{}
		for o, err := range r.Objects(ctx) {
			if err != nil {
				t.Fatalf("receiver %d: %v; libnorm said %q; %+v", i, err, send.Said(), r.Stats())
			}
			b, kind := o.Bytes(), "data"
			if o.Path() != "" {
				kind = "file"
				if b, err = os.ReadFile(o.Path()); err != nil {
					t.Error(err)
				}
			}
			if !bytes.Equal(b, content) {
				t.Errorf("receiver %d: %s: %s", i, kind, differ(b, content))
			}
			if kinds[kind] = true; len(kinds) == 2 {
				break
			}
		}
	}
	for i, g := range readStreams(ctx, rs) {
		if g.err != nil || !bytes.Equal(g.content, streamed) {
			t.Errorf("receiver %d: %v, %s; libnorm said %q; %+v", i, g.err, differ(g.content, streamed), send.Said(), rs[i].Stats())
		}
	}
	acked := []string{send.Expect(t, "ACKED", 30*time.Second), send.Expect(t, "ACKED", 30*time.Second)}
	if a := strings.Join(acked, " "); a != "11 12" && a != "12 11" {
		t.Errorf("libnorm has acknowledgements of %s, want 11 and 12", a)
	}
	for i, r := range rs {
		st := r.Stats()
		if st.Malformed+st.Undecodable > 0 || st.Recovered == 0 {
			t.Errorf("receiver %d: %+v", i, st)
		}
		t.Logf("receiver %d: %d NACKs, %d suppressed, %d symbols recovered", i, st.Nacks, st.Suppressed, st.Recovered)
	}
}

// TestField16OddFromLibnorm reads a stream of segments that are all short and of an odd
// length. Of such blocks libnorm's parity over GF(2^16) is cut off in the midst of an
// element: none of it is used, and nothing of the stream is missing or wrong.
func TestField16OddFromLibnorm(t *testing.T) {
	libnorm.Build(t)
	lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5, Back: 5})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	content := object(5 * 700)
	rs := ours(t, lab.Receivers, norm.ReceiverConfig{})
	send := peer(t, lab.Sender, "send --id=1 --rate=5e6 --grtt=0.01 --ack=11 --ack=12 --block=%d --parity=%d --segment=%d --linger=1 --seconds=60 --stream-buffer=2000000 --flush=active --chunk=5 stream:%s",
		wideBlock, wideParity, wideSegment, stored(t, content))
	malformed := uint64(0)
	for i, g := range readStreams(ctx, rs) {
		st := rs[i].Stats()
		if malformed += st.Malformed; g.err != nil || !bytes.Equal(g.content, content) || st.Recovered > 0 {
			t.Errorf("receiver %d: %v, %s; libnorm said %q; %+v", i, g.err, differ(g.content, content), send.Said(), st)
		}
		t.Logf("receiver %d: %d NACKs, %d pieces of parity dropped", i, st.Nacks, st.Malformed)
	}
	if malformed == 0 {
		t.Error("there was no parity: this shows nothing")
	}
}
