//go:build linux

package libnorm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/norm"
)

// A message of these tests has its length before it, in 4 bytes, as normpeer and
// StreamWriter.WriteMessage have it; then its number, and bytes that follow from that.

// message returns message i, its length included.
func message(i, largest int) []byte {
	n := 8 + i*7919%max(largest-8, 1)
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(n)), uint64(i))
	for len(b) < 4+n {
		b = append(b, byte(i*31+len(b)))
	}
	return b
}

// messages returns messages one behind the other.
func messages(from, to, largest int) (b []byte) {
	for i := from; i < to; i++ {
		b = append(b, message(i, largest)...)
	}
	return b
}

// number returns which message b is, or fails the test.
func number(t *testing.T, b []byte, largest int) int {
	t.Helper()
	if len(b) < 12 {
		t.Fatalf("a message of %d bytes", len(b))
	}
	i := int(binary.BigEndian.Uint64(b[4:]))
	if string(b) != string(message(i, largest)) {
		t.Fatalf("message %d of %d bytes differs", i, len(b))
	}
	return i
}

// numbers returns which messages b consists of.
func numbers(t *testing.T, b []byte, largest int) (list []int) {
	t.Helper()
	for len(b) > 0 {
		n := 4
		if len(b) >= 4 {
			n += int(binary.BigEndian.Uint32(b))
		}
		if n > len(b) {
			t.Fatalf("a message of %d bytes is cut off", n)
		}
		list = append(list, number(t, b[:n], largest))
		b = b[n:]
	}
	return list
}

// follow fails the test unless list goes from anywhere after from up to the last of
// count, one by one.
func follow(t *testing.T, who string, list []int, from, count int) {
	t.Helper()
	if len(list) == 0 {
		t.Errorf("%s has no messages", who)
		return
	}
	for i, v := range list {
		if v != list[0]+i {
			t.Errorf("%s: message %d comes behind %d", who, v, list[i-1])
			return
		}
	}
	if first, last := list[0], list[len(list)-1]; first < from || from == 0 && first != 0 || last != count-1 {
		t.Errorf("%s has messages %d to %d, of %d from %d on", who, first, last, count, from)
	}
}

// A messageForm is one way to send messages.
type messageForm struct {
	name    string
	marked  bool   // ours: MarkedMessages, ReadMarked
	flush   string // libnorm's
	count   int
	largest int
	late    int // message before which the receiver comes; it need not have those before
	sync    norm.SyncPolicy
	bySym   bool // ours: RepairBySymbol
}

var policies = map[norm.SyncPolicy]string{norm.SyncCurrent: "current", norm.SyncStream: "stream", norm.SyncAll: "all"}

var messageForms = []messageForm{
	{name: "marked", marked: true, flush: "passive", count: 3000, largest: 4000},
	{name: "marked, small", marked: true, flush: "active", count: 3000, largest: 100},
	{name: "with length", flush: "none", count: 3000, largest: 4000},
	{name: "with length, small, by symbol", flush: "none", count: 20000, largest: 100, bySym: true},
	{name: "marked, by symbol", marked: true, flush: "passive", count: 3000, largest: 1000, bySym: true},
	{name: "late", marked: true, flush: "passive", count: 3000, largest: 1000, late: 1500},
	{name: "late, with length", flush: "none", count: 3000, largest: 1000, late: 1500},
	{name: "late, from the beginning", marked: true, flush: "passive", count: 3000, largest: 1000, late: 1500, sync: norm.SyncStream},
	{name: "late, all", flush: "passive", count: 3000, largest: 1000, late: 1500, sync: norm.SyncAll},
}

// from is the first message that the receiver may begin with.
func (f *messageForm) from() int {
	if f.sync != norm.SyncCurrent {
		return 0
	}
	return f.late - f.late/4 // it begins with a block
}

// policy is libnorm's. Without one it would lose the beginning with the first packet.
func (f *messageForm) policy() string {
	if f.late == 0 {
		return "stream"
	}
	return policies[f.sync]
}

// TestMessagesToLibnorm writes messages; libnorm seeks where one begins and reads on
// from there.
func TestMessagesToLibnorm(t *testing.T) {
	for _, f := range messageForms {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
			start := func() *libnorm.Peer {
				recv := peer(t, lab.Receivers[0], "recv --id=11 --count=1 --linger=1 --seconds=90 --messages --sync=%s --dir=%s", f.policy(), t.TempDir())
				recv.Expect(t, "READY", 10*time.Second)
				time.Sleep(300 * time.Millisecond) // until the switch knows
				return recv
			}
			var recv *libnorm.Peer
			if f.late == 0 {
				recv = start()
			}
			s, err := norm.NewSender(at(t, lab.Sender), norm.SenderConfig{NodeID: 1, Rate: 50_000_000, GroupSize: 10, BlockSize: 32, Parity: 8})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			w, err := s.OpenStream(ctx, norm.StreamConfig{MarkedMessages: f.marked})
			if err != nil {
				t.Fatal(err)
			}
			for i := range f.count {
				if i == f.late && recv == nil {
					recv = start()
				}
				m := message(i, f.largest)
				if !f.marked {
					m = m[4:] // WriteMessage puts the length before it
				}
				if err := w.WriteMessage(ctx, m); err != nil {
					t.Fatal(err)
				}
				if i%10 == 9 {
					time.Sleep(time.Millisecond)
				}
			}
			w.Close()
			if err := w.Wait(ctx); err != nil {
				t.Fatalf("%v; libnorm said %q; %+v", err, recv.Said(), s.Stats())
			}
			_, b := got(t, recv, "DONE")
			follow(t, "libnorm", numbers(t, b, f.largest), f.from(), f.count)
			t.Logf("libnorm said %q", recv.Said()[1:])
		})
	}
}

// TestMessagesFromLibnorm reads the messages of a libnorm sender, which marks where the
// first in a segment begins.
func TestMessagesFromLibnorm(t *testing.T) {
	for _, f := range messageForms {
		t.Run(f.name, func(t *testing.T) {
			libnorm.Build(t)
			lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			cfg := norm.ReceiverConfig{Sync: f.sync, RepairBySymbol: f.bySym}
			var r *norm.Receiver
			if f.late == 0 {
				r = ours(t, lab.Receivers, cfg)[0]
			}
			send := peer(t, lab.Sender, "send --id=1 --rate=50e6 --grtt=0.01 --block=32 --parity=8 --flush=%s --pause=%v --linger=3 --seconds=90 --stream-buffer=8000000 messages:%s",
				f.flush, map[bool]float64{true: 0.001}[f.late > 0], stored(t, messages(0, f.count, f.largest)))
			send.Expect(t, "QUEUED", 10*time.Second)
			if f.late > 0 {
				time.Sleep(time.Duration(f.late) * 1200 * time.Microsecond)
				r = ours(t, lab.Receivers, cfg)[0]
			}
			s, err := r.AcceptStream(ctx)
			if err != nil {
				t.Fatalf("%v; libnorm said %q", err, send.Said())
			}
			var list []int
			for {
				var m []byte
				if f.marked {
					m, err = s.ReadMarked(ctx, nil)
				} else if m, err = s.ReadMessage(ctx, nil); err == nil {
					m = append(binary.BigEndian.AppendUint32(nil, uint32(len(m))), m...)
				}
				if err != nil {
					break
				}
				list = append(list, number(t, m, f.largest))
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("%v; libnorm said %q; %+v", err, send.Said(), r.Stats())
			}
			from := 0
			if f.late > 0 && f.sync == norm.SyncCurrent {
				from = 1 // how far libnorm was is its affair
			}
			follow(t, "ours", list, from, f.count)
			t.Logf("%d messages; %+v; libnorm said %q", len(list), r.Stats(), strings.Join(send.Said(), ", "))
		})
	}
}
