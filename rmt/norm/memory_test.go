package norm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

func (s *store) inMemory() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory
}

// Results that nobody took and that gave way to newer ones hold no memory any more.
func TestResultsThatGiveWay(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{MaxMemory: 1000}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		r := rs[0]
		if _, err := s.SendBytes(t.Context(), noise(900)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := r.store.inMemory(); n != 900 {
			t.Fatalf("%d bytes in memory", n)
		}
		for range maxWaiting {
			r.deliver(result{err: ErrPurged})
		}
		if n := r.store.inMemory(); n != 0 {
			t.Errorf("%d bytes in memory, of nothing", n)
		}
		if got := r.Stats().Untaken; got != (Untaken{Results: 1}) {
			t.Errorf("%+v", got)
		}
		r.Close()
		if got := r.Report().Stats.Untaken; got != (Untaken{Results: 1}) {
			t.Errorf("when it is closed: %+v", got)
		}
	})
}

// Streams that nobody accepts give way too, and so do questions.
func TestUntaken(t *testing.T) {
	var busy chan struct{}
	answer := func(AckRequest) ([]byte, bool) { <-busy; return nil, false }
	session(t, 1, SenderConfig{NodeID: 7, Rate: -1}, ReceiverConfig{Answer: answer}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		r := rs[0]
		busy = make(chan struct{}) // of this bubble
		for range maxFresh + 3 {
			w, err := s.OpenStream(t.Context(), StreamConfig{})
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte("x"))
			w.Close()
			if err := w.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if got := r.Stats().Untaken; got != (Untaken{Streams: 3}) {
			t.Errorf("%+v", got)
		}
		const most = fairLimit / fairItem
		e := core.ReceiverEvent{Type: core.AckRequested, Key: core.ObjectKey{Sender: core.SenderKey{Node: 9}}, AckType: 16}
		for range most + 6 { // one of them is being answered
			r.loop.Do(func(now time.Time) { r.commandEvent(&e) })
			synctest.Wait()
		}
		if got := r.Stats().Untaken; got != (Untaken{Streams: 3, Questions: 5}) {
			t.Errorf("%+v", got)
		}
		close(busy)
	})
}

// Lists of sets whose files do not come count as what they are: data objects in memory.
func TestListsTakeMemory(t *testing.T) {
	var list []listed
	for i := range 1000 {
		list = append(list, listed{name: fmt.Sprintf("f%d", i)})
	}
	data := appendList(nil, list)
	sum := sha256.Sum256(data)
	const limit = 200_000
	session(t, 1, SenderConfig{}, ReceiverConfig{MaxMemory: limit}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		r := rs[0]
		send := func(id int) {
			info := fileInfo{size: int64(len(data)), sha256: sum[:], set: fmt.Sprintf("%02x", id), list: true}
			if _, err := s.SendBytes(t.Context(), data, Info(info.append(nil))); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 8 {
			send(i)
		}
		time.Sleep(10 * time.Second)
		if n := r.store.inMemory(); n < 3*int64(len(data)) || n > limit {
			t.Errorf("%d bytes in memory, of lists of %d bytes", n, len(data))
		}
		if _, err := next(t, r); !errors.Is(err, ErrTooBig) {
			t.Errorf("eight lists found room: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		sets := 0
		for range 7 {
			if o, err := next(t, r); err == nil && len(o.Set().Missing) == 1000 {
				sets++
			} else if !errors.Is(err, ErrTooBig) {
				t.Error(err)
			}
		}
		if n := r.store.inMemory(); n != 0 || sets < 3 {
			t.Errorf("%d bytes in memory, %d sets", n, sets)
		}
		// The list of one set, twice.
		for range 2 {
			send(0)
			time.Sleep(time.Second)
		}
		if n := r.store.inMemory(); n == 0 || n >= 4*int64(len(data)) {
			t.Errorf("%d bytes in memory, of one list of %d", n, len(data))
		}
		time.Sleep(time.Minute)
		if o, err := next(t, r); err != nil || len(o.Set().Missing) != 1000 || r.store.inMemory() != 0 {
			t.Errorf("%+v, %v, %d bytes in memory", o, err, r.store.inMemory())
		}
	})
}

// An object that cannot be received says why, however large it is, and takes no memory.
func TestUnsupportedLargeObject(t *testing.T) {
	none := func(id fec.EncodingID) (fec.Scheme, error) { return fec.Scheme{}, fec.ErrUnknownScheme }
	for _, dir := range []string{"", t.TempDir()} {
		session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, MaxMemory: 1000, Scheme: none}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			for _, name := range []string{"file", ""} {
				var opts []SendOption
				if name != "" {
					opts = append(opts, Name(name))
				}
				if _, err := s.Send(t.Context(), bytes.NewReader(noise(5000)), 5000, opts...); err != nil {
					t.Fatal(err)
				}
				if o, err := next(t, rs[0]); !errors.Is(err, ErrUnsupported) {
					t.Errorf("%+v, %v", o, err)
				}
			}
		})
	}
}

// An announcement costs nothing, and content only what there is of it: two hundred
// megabytes announced in a few packets, blocks in the midst and at the end included.
func TestForgedAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := mcasttest.New(1)
		r, err := NewReceiver(open(t, net), ReceiverConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		bad := open(t, net)
		defer bad.Close()
		// A symbol is a block.
		oti := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 200 << 20, SymbolSize: 1000, MaxBlockLen: 1, Parity: 0, M: 8}
		last := uint32((oti.TransferLength - 1) / 1000)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const packets = 1000
		for i := range uint32(packets) {
			b, err := wire.Codec{}.AppendData(nil, &wire.Data{
				Sender: wire.Sender{Source: 9, InstanceID: 1, GRTT: 100}, FEC: oti.EncodingID, Object: 1,
				ID: fec.PayloadID{SBN: last - i*200, SourceBlockLen: 1}, HasFTI: true, FTI: oti, Payload: make([]byte, 1000)[:min(1000, oti.TransferLength-1000*uint64(last-i*200))],
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bad.WriteBatch([]datagram.Packet{{Data: b}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		runtime.ReadMemStats(&after)
		p := r.Pending()
		if len(p) != 1 || p[0].Size != 200<<20 || p[0].Received < packets/2*1000 {
			t.Fatalf("%+v", p)
		}
		for _, in := range r.store.open {
			if m := in.sink.mem; len(m.data) != 0 || len(m.apart) > 2*packets {
				t.Errorf("%d bytes and %d pages for %d packets", len(m.data), len(m.apart), packets)
			}
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 30<<20 {
			t.Errorf("%d bytes were allocated", n)
		}
	})
}

// Blocks of any size in any order are put together right, with little more memory than
// there is of them, and little copying.
func TestMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		size := rng.IntN(1 << (4 + rng.IntN(18)))
		content, block := noise(size), 1+rng.IntN(size+1)>>rng.IntN(10)
		var order []int
		for off := 0; off < size; off += max(block, 1) {
			order = append(order, off)
		}
		switch round % 4 {
		case 1:
			slices.Reverse(order)
		case 2:
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		case 3: // near their places
			for i := range order {
				j := max(0, i-rng.IntN(5))
				order[i], order[j] = order[j], order[i]
			}
		}
		m, most := newMemory(int64(size)), int64(0)
		for _, off := range order {
			b := content[off:min(off+max(block, 1), size)]
			m.write(b, int64(off), int64(len(b)))
			held := int64(len(m.data) + len(m.apart)*memoryPage)
			if bound := max(4*m.here, int64(len(order))*2*memoryPage) + memoryPage; held > bound {
				t.Fatalf("%d bytes for %d of %d in blocks of %d", held, m.here, size, block)
			}
			most = max(most, held)
		}
		m.reach(int64(size))
		if !bytes.Equal(m.data, content) || len(m.apart) != 0 {
			t.Fatalf("round %d: %d bytes in blocks of %d differ", round, size, block)
		}
		if most > int64(size)+memoryPage {
			t.Errorf("%d bytes for %d", most, size)
		}
	}
	// In order, what is allocated and copied is the object twice.
	content := noise(1 << 20)
	m, allocated := newMemory(1<<20), 0
	for off := 0; off < 1<<20; off += 1000 {
		before := len(m.data)
		b := content[off:min(off+1000, 1<<20)]
		m.write(b, int64(off), int64(len(b)))
		if len(m.data) != before {
			allocated += len(m.data)
		}
	}
	if len(m.apart) != 0 || allocated > 2<<20 {
		t.Errorf("%d bytes allocated, %d pages", allocated, len(m.apart))
	}
}
