package norm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/fec"
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
