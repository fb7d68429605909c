//go:build linux

package libnorm_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/norm"
)

// TestLappedOurs reads a stream that libnorm does not keep for long enough: what is lost
// is told, what is read is right, and the end comes.
func TestLappedOurs(t *testing.T) {
	for _, push := range []bool{false, true} {
		t.Run(map[bool]string{false: "small buffer", true: "push"}[push], func(t *testing.T) {
			libnorm.Build(t)
			ctx := within(t)
			lab := netlab.New(t, netlab.Config{Loss: 20, Back: 20})
			r := ours(t, lab.Receivers, norm.ReceiverConfig{})[0]
			content := object(5_000_000)
			send := peer(t, lab.Sender, "send --id=1 --rate=20e6 --grtt=0.001 --block=16 --parity=2 --stream-buffer=200000 --linger=5 --seconds=60%s stream:%s", flagged(push, "--push"), stored(t, content))
			s, err := r.AcceptStream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var lost *norm.LostError
			pos, gone, gaps, begun := uint64(0), uint64(0), 0, false
			for buf := make([]byte, 64<<10); ; {
				n, err := s.ReadContext(ctx, buf)
				if !begun && n > 0 && !bytes.Equal(buf[:n], content[:n]) {
					// It has begun behind what was lost before all else.
					i := bytes.Index(content, buf[:min(n, 1000)])
					pos = uint64(max(i, 0))
				}
				begun = begun || n > 0
				if !bytes.Equal(buf[:n], content[pos:pos+uint64(n)]) {
					t.Fatalf("%d bytes at %d differ", n, pos)
				}
				pos += uint64(n)
				if errors.As(err, &lost) {
					if begun && lost.From != pos || lost.To <= lost.From {
						t.Fatalf("lost %d to %d at %d", lost.From, lost.To, pos)
					}
					pos, gaps, gone = lost.To, gaps+1, gone+lost.To-lost.From
					continue
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("at %d: %v; libnorm said %q; %+v", pos, err, send.Said(), r.Stats())
				}
			}
			if pos != uint64(len(content)) {
				t.Errorf("the end came at %d of %d", pos, len(content))
			}
			t.Logf("%d bytes lost in %d gaps; %+v", gone, gaps, r.Stats())
		})
	}
}

// TestLappedLibnorm has a libnorm receiver read a stream that we do not keep for long
// enough. It goes on behind what is lost, with the next message, up to the end.
func TestLappedLibnorm(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{Loss: 20, Back: 20})
	recv := peer(t, lab.Receivers[0], "recv --id=11 --count=1 --linger=1 --seconds=60 --messages --sync=stream --dir=%s", t.TempDir())
	recv.Expect(t, "READY", 10*time.Second)
	time.Sleep(300 * time.Millisecond)
	s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1, BlockSize: 16, Parity: 2})
	w, err := s.OpenStream(ctx, norm.StreamConfig{Buffer: 200_000, Keep: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	const count, largest = 3000, 3000
	for i := range count {
		if err := w.WriteMessage(ctx, message(i, largest)[4:]); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if err := w.Wait(ctx); err != nil {
		t.Errorf("%v; libnorm said %q; %+v", err, recv.Said(), s.Stats())
	}
	_, b := got(t, recv, "DONE")
	list := numbers(t, b, largest)
	for i := 1; i < len(list); i++ {
		if list[i] <= list[i-1] {
			t.Fatalf("message %d comes behind %d", list[i], list[i-1])
		}
	}
	if len(list) == 0 || list[len(list)-1] != count-1 {
		t.Errorf("%d messages", len(list))
	}
	t.Logf("%d of %d messages, %d breaks; %+v", len(list), count, strings.Count(strings.Join(recv.Said(), "\n"), "BREAK"), s.Stats())
}
