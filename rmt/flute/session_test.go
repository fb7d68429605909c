package flute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

const group = "239.255.7.7:6003"

func open(t testing.TB, net *mcasttest.Network, opts ...mcasttest.Option) datagram.Conn {
	t.Helper()
	c, err := net.Open(group, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// session runs fn in virtual time with a sender and n receivers, and closes them.
func session(t *testing.T, n int, sc SenderConfig, rc ReceiverConfig, link mcasttest.Link, fn func(t *testing.T, s *Sender, rs []*Receiver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := mcasttest.New(1)
		s, err := NewSender(open(t, net, mcasttest.Out(mcasttest.Link{Delay: time.Millisecond})), sc)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var rs []*Receiver
		for range n {
			r, err := NewReceiver(open(t, net, mcasttest.In(link)), rc)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			rs = append(rs, r)
		}
		fn(t, s, rs)
	})
}

// next returns the receiver's next file or error.
func next(t *testing.T, r *Receiver) (*Object, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for o, err := range r.Objects(ctx) {
		return o, err
	}
	return nil, nil
}

func TestFilesToDirectory(t *testing.T) {
	for _, encoding := range []string{"", "gzip", "zlib", "deflate"} {
		t.Run("encoding "+encoding, func(t *testing.T) {
			dir, src := t.TempDir(), t.TempDir()
			data := bytes.Repeat(noise(3000), 100)
			path := filepath.Join(src, "a file.sh")
			if err := os.WriteFile(path, data, 0o755); err != nil {
				t.Fatal(err)
			}
			session(t, 1, SenderConfig{FEC: RaptorQ(0.1)}, ReceiverConfig{Dir: dir}, mcasttest.Link{Loss: 0.1}, func(t *testing.T, s *Sender, rs []*Receiver) {
				opts := []SendOption{Passes(3), ContentType("text/plain")}
				if encoding != "" {
					opts = append(opts, Encoding(encoding))
				}
				tr, err := s.SendFile(t.Context(), path, opts...)
				if err != nil {
					t.Fatal(err)
				}
				if encoding != "" && tr.Size() >= int64(len(data)) {
					t.Errorf("%d bytes are transferred", tr.Size())
				}
				o, err := next(t, rs[0])
				if err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(o.Path())
				if err != nil || !bytes.Equal(got, data) || o.Size() != int64(len(data)) || !o.Verified() || o.Path() != filepath.Join(dir, "a file.sh") || o.File().ContentType != "text/plain" {
					t.Errorf("%d bytes, %v: %+v", len(got), err, o)
				}
				if st, err := os.Stat(o.Path()); err != nil || st.Mode()&0o111 != 0 {
					t.Errorf("%v, %v", st.Mode(), err)
				}
				if err := tr.Wait(t.Context()); err != nil || tr.Passes() != 3 {
					t.Errorf("%d passes, %v", tr.Passes(), err)
				}
			})
			if e, _ := os.ReadDir(dir); len(e) != 1 {
				t.Errorf("left behind: %v", e)
			}
		})
	}
}

func TestCarouselInMemory(t *testing.T) {
	session(t, 3, SenderConfig{FEC: RaptorQ(0)}, ReceiverConfig{}, mcasttest.Link{Loss: 0.3}, func(t *testing.T, s *Sender, rs []*Receiver) {
		data := noise(500_000)
		tr, err := s.SendBytes(t.Context(), "x", data, Carousel())
		if err != nil {
			t.Fatal(err)
		}
		empty, err := s.SendBytes(t.Context(), "nothing", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			got := map[string]int64{}
			for range 2 {
				o, err := next(t, r)
				if err != nil {
					t.Fatal(err)
				}
				got[o.Name()] = o.Size()
				if o.Name() == "x" && !bytes.Equal(o.Bytes(), data) {
					t.Error("wrong bytes")
				}
			}
			if len(got) != 2 || got["x"] != 500_000 {
				t.Error(got)
			}
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := errors.Join(tr.Wait(t.Context()), empty.Wait(t.Context())); err != nil || tr.Passes() == 0 {
			t.Errorf("%d passes, %v", tr.Passes(), err)
		}
		time.Sleep(5 * time.Second)
		for _, r := range rs {
			if st := r.Stats(); st.SessionsOpen != 0 {
				t.Errorf("the session is still there: %+v", st)
			}
		}
	})
}

func TestTree(t *testing.T) {
	src, dir := t.TempDir(), t.TempDir()
	want := map[string][]byte{}
	for i := range 250 {
		name := filepath.Join(fmt.Sprintf("d%d", i%7), fmt.Sprintf("f %d%%.txt", i))
		os.MkdirAll(filepath.Join(src, filepath.Dir(name)), 0o755)
		want[name] = noise(i * 31)
		if err := os.WriteFile(filepath.Join(src, name), want[name], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir}, mcasttest.Link{Loss: 0.05}, func(t *testing.T, s *Sender, rs []*Receiver) {
		list, err := s.SendFS(t.Context(), os.DirFS(src), "tree/", Passes(6))
		if err != nil || len(list) != len(want) {
			t.Fatal(len(list), err)
		}
		for range want {
			o, err := next(t, rs[0])
			if err != nil {
				t.Fatal(err)
			}
			local, err := filepath.Rel(filepath.Join(dir, "tree"), o.Path())
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(o.Path())
			if err != nil || !bytes.Equal(got, want[local]) {
				t.Errorf("%s: %d bytes, %v", local, len(got), err)
			}
		}
	})
}

// A receiver that ends in the middle leaves what it has to the next, which believes only
// what is really there.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	data := noise(6_000_000)
	synctest.Test(t, func(t *testing.T) {
		net := mcasttest.New(1)
		s, err := NewSender(open(t, net), SenderConfig{FEC: NoCode(), TSI: 5})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.SendBytes(t.Context(), "big", data, Carousel()); err != nil {
			t.Fatal(err)
		}
		r, err := NewReceiver(open(t, net), ReceiverConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // more than half
		st := r.Pending()
		if len(st) != 1 || st[0].Received < 3_000_000 || st[0].Name != "big" {
			t.Fatalf("%+v", st)
		}
		r.Close()
		var partial string
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".part") {
				partial = filepath.Join(dir, e.Name())
			}
		}
		if len(entries) != 2 || partial == "" {
			t.Fatalf("left behind: %v", entries)
		}
		// Someone spoils the first block.
		f, err := os.OpenFile(partial, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte("spoilt"), 1000)
		f.Close()

		began := time.Now()
		if r, err = NewReceiver(open(t, net), ReceiverConfig{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		o, err := next(t, r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(o.Path())
		if err != nil || !bytes.Equal(got, data) || !o.Verified() {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		t.Logf("%v, %+v", time.Since(began), r.Stats())
		if st := r.Stats(); st.Symbols > 3200 {
			t.Errorf("%d symbols were needed again", st.Symbols)
		}
	})
	if e, _ := os.ReadDir(dir); len(e) != 1 {
		t.Errorf("left behind: %v", e)
	}
}

// What one file suffers must not touch the next.
func TestErrorsAreOfOneFile(t *testing.T) {
	dir := t.TempDir()
	good := noise(100_000)
	os.Mkdir(filepath.Join(dir, "taken"), 0o755)
	os.WriteFile(filepath.Join(dir, "taken", "x"), nil, 0o644)
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, MaxFileSize: 1_000_000}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		for i, c := range []struct {
			title string
			want  error
			data  []byte
			opts  []SendOption
		}{
			{"a name outside", ErrName, good, []SendOption{Name("../escape")}},
			{"an absolute name", ErrName, good, []SendOption{Name("/etc/passwd")}},
			{"a name of ours", ErrName, good, []SendOption{Name(".flute-x.part")}},
			{"too large", ErrUnsupported, noise(1_000_001), []SendOption{Name("large")}},
			{"too large when decoded", ErrTooBig, make([]byte, 1_000_001), []SendOption{Name("bomb"), Encoding("gzip")}},
			{"a directory in its place", nil, good, []SendOption{Name("taken")}},
		} {
			if _, err := s.Send(t.Context(), bytes.NewReader(c.data), int64(len(c.data)), c.opts...); err != nil {
				t.Fatal(err)
			}
			o, err := next(t, rs[0])
			var bad *FileError
			if o != nil || !errors.As(err, &bad) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %+v, %v", c.title, o, err)
			}
			name := fmt.Sprint("good", i)
			if _, err := s.SendBytes(t.Context(), name, good); err != nil {
				t.Fatal(err)
			}
			if o, err := next(t, rs[0]); err != nil || o.Name() != name {
				t.Errorf("after %s: %v", c.title, err)
			}
		}
	})
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "good") && e.Name() != "taken" {
			t.Errorf("left behind: %v", e)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "escape")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it escaped")
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []SenderConfig{
		{SymbolSize: 4}, {FEC: FEC{Encoding: 77}}, {Profile: MBMS, FEC: RaptorQ(0.1)}, {Profile: MBMS, TSI: 1 << 20}, {FEC: FEC{Overhead: 1000}}, {FDTInterval: -1},
	} {
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []SenderConfig{{}, {Profile: MBMS}, {Profile: RFC3926, FEC: NoCode()}, {FEC: ReedSolomon(0)}} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	c := open(t, mcasttest.New(1))
	if _, err := NewReceiver(c, ReceiverConfig{Dir: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := NewReceiver(c, ReceiverConfig{MaxFiles: -1}); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

// With little memory and much loss, blocks are put aside in the file, or in memory, and
// come back.
func TestBlocksPutAside(t *testing.T) {
	for _, where := range []string{"disk", "memory"} {
		t.Run(where, func(t *testing.T) {
			rc := ReceiverConfig{BufferBytes: 1 << 20, KeepPartial: -1}
			if where == "disk" {
				rc.Dir = t.TempDir()
			}
			code := RaptorQ(0)
			code.BlockLen, code.Depth = 64, 1
			session(t, 2, SenderConfig{FEC: code, Rate: 50_000_000}, rc, mcasttest.Link{Loss: 0.25}, func(t *testing.T, s *Sender, rs []*Receiver) {
				data := noise(4_000_001)
				// Both receivers have one directory, which is fine without KeepPartial.
				for i := range rs {
					if _, err := s.SendBytes(t.Context(), fmt.Sprint("file", i), data, Carousel()); err != nil {
						t.Fatal(err)
					}
				}
				for i, r := range rs {
					want := fmt.Sprint("file", i)
					for {
						o, err := next(t, r)
						if err != nil {
							t.Fatal(err)
						}
						if o.Name() != want {
							continue
						}
						got := o.Bytes()
						if where == "disk" {
							if got, err = os.ReadFile(o.Path()); err != nil {
								t.Fatal(err)
							}
						}
						if !bytes.Equal(got, data) || !o.Verified() {
							t.Error("wrong bytes")
						}
						break
					}
					if st := r.Stats(); st.Spilled == 0 || st.Reloaded == 0 {
						t.Errorf("%+v", st)
					}
				}
			})
		})
	}
}
