package norm

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm/core"
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
