package norm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// A rejoin is a sender and the receivers that come and go beside it.
type rejoin struct {
	net *mcasttest.Network
	s   *Sender
}

// rejoining runs fn in virtual time with a sender.
func rejoining(t *testing.T, cfg SenderConfig, fn func(t *testing.T, w *rejoin)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &rejoin{net: mcasttest.New(1)}
		s, err := NewSender(open(t, w.net, mcasttest.Out(mcasttest.Link{Delay: time.Millisecond})), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w.s = s
		fn(t, w)
	})
}

func (w *rejoin) receiver(t *testing.T, cfg ReceiverConfig, loss float64) *Receiver {
	t.Helper()
	r, err := NewReceiver(open(t, w.net, mcasttest.In(mcasttest.Link{Loss: loss})), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// crashed returns a directory like dir at this moment, as a crash would leave it: without
// locks, and with journals cut off anywhere if cut is set.
func crashed(t *testing.T, dir string, cut *rand.Rand) string {
	t.Helper()
	synctest.Wait()
	to := t.TempDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if cut != nil && len(b) > 0 && strings.HasSuffix(e.Name(), journalExt) {
			b = b[:len(b)-cut.IntN(min(len(b), 50))]
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func tempFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			names = append(names, e.Name())
		}
	}
	return names
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// A receiver that is restarted while the object is being sent asks for what it missed
// and not for what it has.
func TestResumeInMidObject(t *testing.T) {
	data := noise(10_000_000)
	src := writeFile(t, filepath.Join(t.TempDir(), "big"), data)
	dir := t.TempDir()
	rejoining(t, SenderConfig{NodeID: 1}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir}, 0)
		tr, err := w.s.SendFile(t.Context(), src, WaitForCount(1))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(400 * time.Millisecond)
		had := r.Pending()[0].Received
		r.Close()
		if len(tempFiles(t, dir)) != 2 {
			t.Errorf("kept %v", tempFiles(t, dir))
		}
		r = w.receiver(t, ReceiverConfig{Dir: dir}, 0)
		defer r.Close()
		o, err := next(t, r)
		if err != nil || !o.Verified() || o.Resumed() < had-recordBytes || had < 4_000_000 {
			t.Fatalf("%+v, %v; had %d", o, err, had)
		}
		if got, _ := os.ReadFile(o.Path()); !bytes.Equal(got, data) {
			t.Error("differs")
		}
		if err := tr.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if st := w.s.Stats(); st.Repairs*1400 > 2*recordBytes {
			t.Errorf("%d repairs: what was there was sent again", st.Repairs)
		}
		if left := tempFiles(t, dir); len(left) > 1 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// Wherever a receiver is killed, the next one has the same file in the end, and takes
// most of what was there.
func TestResumeAfterCrashes(t *testing.T) {
	data := noise(6_000_000)
	src := writeFile(t, filepath.Join(t.TempDir(), "big"), data)
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			dir := t.TempDir()
			rejoining(t, SenderConfig{NodeID: 1}, func(t *testing.T, w *rejoin) {
				loss := []float64{0, 0.05, 0.3}[seed%3]
				r := w.receiver(t, ReceiverConfig{Dir: dir}, loss)
				for range 3 {
					if _, err := w.s.SendFile(t.Context(), src); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Duration(100+rng.IntN(300)) * time.Millisecond)
					dir = crashed(t, dir, rng)
					if rng.IntN(4) == 0 { // what the disk had not yet written
						for _, name := range tempFiles(t, dir) {
							if name = filepath.Join(dir, name); strings.HasSuffix(name, partExt) {
								f, err := os.OpenFile(name, os.O_WRONLY, 0)
								if err != nil {
									t.Fatal(err)
								}
								f.WriteAt(make([]byte, 100_000), rng.Int64N(2_000_000))
								f.Close()
							}
						}
					}
					r.Close()
					r = w.receiver(t, ReceiverConfig{Dir: dir}, loss)
				}
				if _, err := w.s.SendFile(t.Context(), src); err != nil {
					t.Fatal(err)
				}
				defer func() { r.Close() }()
				o, err := next(t, r)
				if err != nil || !o.Verified() {
					t.Fatal(o, err)
				}
				if got, _ := os.ReadFile(o.Path()); !bytes.Equal(got, data) {
					t.Error("differs")
				}
				t.Logf("resumed %d bytes", o.Resumed())
			})
		})
	}
}

// What is not of this file, too old or garbage is not taken up.
func TestPartialsAreSwept(t *testing.T) {
	dir := t.TempDir()
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir}, 0)
		defer r.Close()
		src := writeFile(t, filepath.Join(t.TempDir(), "big"), noise(4_000_000))
		if _, err := w.s.SendFile(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		dead := crashed(t, dir, nil)
		for _, name := range []string{".norm-AAAA-1.part", ".norm-AAAA-2.journal", ".norm-AAAA-3.new", ".norm-OLD.part", ".norm-AAAA.lock"} {
			writeFile(t, filepath.Join(dead, name), []byte("junk"))
		}
		writeFile(t, filepath.Join(dead, ".norm-AAAA-4.part"), noise(9))
		writeFile(t, filepath.Join(dead, ".norm-AAAA-4.journal"), []byte(journalMagic+"\nx\n\n"))
		writeFile(t, filepath.Join(dead, ".norm-like.txt"), nil)
		writeFile(t, filepath.Join(dead, "other"), nil)

		// A second receiver on a directory in use touches nothing of the first.
		before := tempFiles(t, dir)
		w.receiver(t, ReceiverConfig{Dir: dir, KeepPartial: -1}, 0).Close()
		if after := tempFiles(t, dir); len(before) != 3 || strings.Join(after, " ") != strings.Join(before, " ") {
			t.Errorf("%v became %v", before, after)
		}

		w.receiver(t, ReceiverConfig{Dir: dead}, 0).Close()
		if left := tempFiles(t, dead); len(left) != 3 || left[2] != ".norm-like.txt" {
			t.Errorf("left after one: %v", left)
		}
		w.receiver(t, ReceiverConfig{Dir: dead, KeepPartial: -1}, 0).Close()
		if left := tempFiles(t, dead); len(left) != 1 {
			t.Errorf("left after another: %v", left)
		}
	})
}

func TestIfAbsent(t *testing.T) {
	dir := t.TempDir()
	data := noise(3_000_000)
	src := writeFile(t, filepath.Join(t.TempDir(), "big"), data)
	writeFile(t, filepath.Join(dir, "big"), data)
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir}, 0.2)
		defer r.Close()
		for _, skipped := range []bool{true, false, true} {
			if !skipped {
				writeFile(t, filepath.Join(dir, "big"), noise(2_999_999))
			}
			tr, err := w.s.SendFile(t.Context(), src, IfAbsent(), WaitForCount(1))
			if err != nil {
				t.Fatal(err)
			}
			o, err := next(t, r)
			if err != nil || o.Skipped() != skipped || o.Name() != "big" || !o.Verified() {
				t.Fatalf("%+v, %v", o, err)
			}
			if err := tr.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			if got, _ := os.ReadFile(o.Path()); !bytes.Equal(got, data) {
				t.Error("differs")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for o, err := range r.Objects(ctx) {
			if o != nil {
				t.Errorf("one more: %+v, %v", o, err)
			}
		}
		if p := r.Pending(); len(p) > 0 {
			t.Errorf("pending %+v", p)
		}
	})
}

// What is here already comes again for who does not want senders to know.
func TestAlwaysReceive(t *testing.T) {
	dir := t.TempDir()
	data := noise(300_000)
	src := writeFile(t, filepath.Join(t.TempDir(), "big"), data)
	writeFile(t, filepath.Join(dir, "big"), data)
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir, AlwaysReceive: true}, 0.1)
		defer r.Close()
		if _, err := w.s.SendFile(t.Context(), src, IfAbsent()); err != nil {
			t.Fatal(err)
		}
		if o, err := next(t, r); err != nil || o.Skipped() || !o.Verified() {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// Without a digest files are whole, and nothing is said of what they are.
func TestNoDigestReceived(t *testing.T) {
	dir := t.TempDir()
	data := noise(3_000_000)
	src := writeFile(t, filepath.Join(t.TempDir(), "big"), data)
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir, NoDigest: true}, 0.2)
		if _, err := w.s.SendFile(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if files := tempFiles(t, dir); len(files) != 1 {
			t.Errorf("a journal of what cannot be verified: %v", files)
		}
		o, err := next(t, r)
		if err != nil || o.Verified() || o.SHA256() != [32]byte{} {
			t.Fatalf("%+v, %v", o, err)
		}
		if got, _ := os.ReadFile(o.Path()); !bytes.Equal(got, data) {
			t.Error("differs")
		}
		if _, err := w.s.SendBytes(t.Context(), data[:1000]); err != nil {
			t.Fatal(err)
		}
		if o, err := next(t, r); err != nil || o.SHA256() != sha256.Sum256(data[:1000]) {
			t.Errorf("data: %+v, %v", o, err)
		}
		r.Close()
		if files := tempFiles(t, dir); len(files) != 0 {
			t.Errorf("left: %v", files)
		}
	})
}
