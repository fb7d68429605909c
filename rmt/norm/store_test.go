package norm

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// An object whose ID a sender uses anew, while the file of the first one is still looked for,
// is another object: it has its own size, and is counted as that.
func TestObjectIDUsedAnew(t *testing.T) {
	dir := t.TempDir()
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, SenderBytes: 1000}, mcasttest.Link{}, func(t *testing.T, _ *Sender, rs []*Receiver) {
		r := rs[0]
		hold := make(chan struct{})
		r.store.audit.add(func() { <-hold })
		key := core.ObjectKey{Sender: core.SenderKey{Node: 7, Addr: netip.MustParseAddrPort("192.0.2.1:6003")}, Instance: 1, Object: 5}
		info := fileInfo{name: "x", size: 600, sha256: make([]byte, 32), absent: true}
		block := func(n int) []byte { return make([]byte, n) }
		for _, e := range []core.ReceiverEvent{
			{Type: core.ObjectNew, Size: 600, File: true},
			{Type: core.InfoReceived, Data: info.append(nil)},
			{Type: core.BlockReceived, Data: block(600)},
			{Type: core.ObjectReceived, Size: 600},
			// and now
			{Type: core.ObjectNew, Size: 1 << 30, File: true},
			{Type: core.BlockReceived, Data: block(100), Offset: 1<<30 - 100},
		} {
			e.Key = key
			r.store.put(job{event: e, at: time.Now()})
		}
		for _, want := range []error{ErrSenderRestarted, ErrQuota} {
			if o, err := next(t, r); !errors.Is(err, want) {
				t.Errorf("%+v, %v, not %v", o, err, want)
			}
		}
		close(hold)
		time.Sleep(time.Second)
		if n := len(r.Pending()); n > 0 {
			t.Errorf("%d objects under way", n)
		}
		if a := r.store.accounts[key.Sender.Addr.Addr()]; a.files != 0 || a.bytes != 0 {
			t.Errorf("%+v", a)
		}
	})
	if e, _ := os.ReadDir(dir); len(e) > 0 {
		t.Errorf("left behind: %v", e)
	}
}

// While the disk hangs, a sender that begins ever new objects is refused at some point: what
// waits to be stored has a bound. What was begun before comes out whole.
func TestStoreThatHangs(t *testing.T) {
	dir := t.TempDir()
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir, BufferBytes: 4 << 20}, 0)
		defer r.Close()
		hold := make(chan struct{})
		r.store.put(job{fn: func() { <-hold }})
		good := noise(300_000)
		if _, err := w.s.Send(t.Context(), bytes.NewReader(good), int64(len(good)), Name("good")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		conn := open(t, w.net)
		defer conn.Close()
		packets := make([]datagram.Packet, 100)
		for n := range 500 {
			for i := range packets {
				b, err := wire.Codec{}.AppendInfo(nil, &wire.Info{
					Sender: wire.Sender{Source: 7, InstanceID: 1, GRTT: 100}, Flags: wire.FlagInfo, FEC: 5, Object: wire.TransportID(n*len(packets) + i), Payload: noise(1400),
				})
				if err != nil {
					t.Fatal(err)
				}
				packets[i] = datagram.Packet{Data: b}
			}
			if _, err := conn.WriteBatch(packets); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		r.store.mu.Lock()
		waiting := 0
		for i := range r.store.jobs {
			waiting += len(r.store.jobs[i].event.Data) + int(unsafe.Sizeof(job{}))
		}
		r.store.mu.Unlock()
		if waiting < 1<<20 || waiting > 2*minBacklog {
			t.Errorf("%d bytes wait", waiting)
		}
		close(hold)
		for {
			if o, err := next(t, r); err == nil {
				if o.Name() != "good" || o.Size() != int64(len(good)) {
					t.Errorf("%+v", o)
				}
				break
			} else if errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if n := len(r.Pending()); n > 0 || len(r.begun) > 0 {
			t.Errorf("%d objects under way, %d of them known", n, len(r.begun))
		}
	})
}
