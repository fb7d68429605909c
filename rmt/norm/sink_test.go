package norm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestLocalName(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt": "a.txt", "dir/a b.txt": "dir/a b.txt", "./x": "x", "a/../b": "b", "ä€.bin": "ä€.bin", `d\x`: "d/x", ".hidden": ".hidden",
	} {
		if got, err := localName(name); err != nil || got != filepath.FromSlash(want) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../x", "a/../../x", "/etc/passwd", "a\x00b", "a\nb", `..\x`, strings.Repeat("a", maxName+1), ".norm-ABC.part", "d/.norm-x",
	} {
		if got, err := localName(name); !errors.Is(err, ErrName) {
			t.Errorf("%q gave %q, %v", name, got, err)
		}
	}
}

func newRoot(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func TestSinkDigestsBlocksInAnyOrder(t *testing.T) {
	data := noise(1_000_003)
	sum := sha256.Sum256(data)
	const block = 90_000
	for _, order := range [][]int{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, {1, 0, 3, 2, 11, 4, 6, 5, 10, 8, 7, 9},
	} {
		root, dir := newRoot(t)
		file, err := newFileSink(newScratch(root, -1, time.Now()), int64(len(data)), true)
		if err != nil {
			t.Fatal(err)
		}
		memory := newMemorySink(int64(len(data)))
		for _, s := range []*sink{file, memory} {
			for _, i := range order {
				if err := s.write(time.Now(), data[i*block:min((i+1)*block, len(data))], int64(i*block)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.verify(sum[:]); err != nil {
				t.Fatal(err)
			}
			got := s.content()
			if s == file {
				name, err := s.place(&fileInfo{}, "name", new(ReceiverConfig))
				if err != nil {
					t.Fatal(err)
				}
				got, _ = os.ReadFile(filepath.Join(dir, name))
			}
			if !bytes.Equal(got, data) {
				t.Errorf("order %v: %d bytes, differing", order, len(got))
			}
		}
	}
}

// Blocks held for the digest: however many find room, the digest is right, each buffer
// comes back, and none while it is still to be read.
func TestSinkHoldsEarlyBlocks(t *testing.T) {
	data := noise(1_000_003)
	sum := sha256.Sum256(data)
	const block = 10_000
	for _, limit := range []int64{0, 2 * block, 5 * block, 1 << 30} {
		for seed := range uint64(5) {
			root, _ := newRoot(t)
			s, err := newFileSink(newScratch(root, -1, time.Now()), int64(len(data)), true)
			if err != nil {
				t.Fatal(err)
			}
			released, most := 0, int64(0)
			h := &holding{limit: limit, release: func(b []byte) { released++; clear(b) }}
			s.hold = h
			order := rand.New(rand.NewPCG(seed, 1)).Perm((len(data) + block - 1) / block)
			order = append(order, order[:20]...) // some come twice
			for n, i := range order {
				b := bytes.Clone(data[i*block : min((i+1)*block, len(data))])
				if err := s.write(time.Now(), b, int64(i*block)); err != nil {
					t.Fatal(err)
				}
				if !s.keep(b, int64(i*block)) {
					h.release(b)
				}
				if most = max(most, h.held); n+1 != released+len(s.early) {
					t.Fatalf("%d buffers came, %d were released and %d are held", n+1, released, len(s.early))
				}
			}
			if err := s.verify(sum[:]); err != nil {
				t.Errorf("limit %d, seed %d: %v", limit, seed, err)
			}
			if limit > 0 { // the engine needs what is held
				s.summed = 0
				if b := make([]byte, block); !s.keep(b, block) || h.held == 0 {
					t.Error("an early block was not held")
				}
				if h.scarce.Store(true); s.keep(make([]byte, block), 3*block) || h.held != 0 {
					t.Errorf("%d bytes are held although memory is scarce", h.held)
				}
			}
			s.discard()
			if h.held != 0 || len(s.early) != 0 || most > limit || limit >= block && most == 0 {
				t.Errorf("limit %d: %d bytes held at most, %d in the end", limit, most, h.held)
			}
		}
	}
}

func TestSinkRefuses(t *testing.T) {
	root, dir := newRoot(t)
	outside := t.TempDir()
	scratch := newScratch(root, -1, time.Now())
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	for _, c := range []struct {
		title, name string
		info        fileInfo
		short       bool
		want        error
	}{
		{"a wrong digest", "x", fileInfo{sha256: make([]byte, 32)}, false, ErrDigest},
		{"missing bytes", "x", fileInfo{}, true, io.ErrUnexpectedEOF},
		{"a name that escapes", "../x", fileInfo{}, false, ErrName},
		{"a link that escapes", "link/x", fileInfo{}, false, nil},
	} {
		s, err := newFileSink(scratch, 4, true)
		if err != nil {
			t.Fatal(err)
		}
		if !c.short {
			s.write(time.Now(), []byte("data"), 0)
		}
		err = s.verify(c.info.sha256)
		if err == nil {
			var local string
			if local, err = localName(c.name); err == nil {
				_, err = s.place(&c.info, local, new(ReceiverConfig))
			}
		}
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.title, err)
		}
		s.discard()
	}
	scratch.close()
	if e, _ := os.ReadDir(outside); len(e) > 0 {
		t.Errorf("outside the directory: %v", e)
	}
	if e, _ := os.ReadDir(dir); len(e) != 1 {
		t.Errorf("left behind: %v", e)
	}
}

func TestFileInfo(t *testing.T) {
	sum := sha256.Sum256(nil)
	for _, f := range []fileInfo{
		{name: "a", size: -1}, {name: "dir/ü.bin", size: 0}, {name: "x", size: 1<<48 - 1, sha256: sum[:]}, {name: "", size: 3},
		{name: "x", size: 1, mode: 0o751, mtime: time.Unix(1e9, 0), set: "00ff", absent: true}, {size: 5, set: "12", list: true},
	} {
		if got := parseFileInfo(f.append(nil)); !reflect.DeepEqual(got, f) {
			t.Errorf("%+v came back as %+v", f, got)
		}
	}
	// What other programs send: the bare name, with or without a NUL.
	for _, b := range []string{"file.bin", "file.bin\x00", "file.bin\x00junk\nsize=x\nsha256=12\n"} {
		if got := parseFileInfo([]byte(b)); got.name != "file.bin" || got.size != -1 || got.sha256 != nil {
			t.Errorf("%q read as %+v", b, got)
		}
	}
}

func FuzzFileInfo(f *testing.F) {
	f.Add([]byte("name\x00size=12\nsha256=00\n"))
	f.Add([]byte("../../etc/passwd"))
	f.Add([]byte("d/x\x00mode=755\nmtime=1000000000\nset=00ff\nlist=1\nif=absent\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		info := parseFileInfo(b)
		if len(info.name) > maxName || info.size < -1 || info.sha256 != nil && len(info.sha256) != 32 {
			t.Fatalf("%+v", info)
		}
		if local, err := localName(info.name); err == nil && !filepath.IsLocal(local) {
			t.Fatalf("%q became %q", info.name, local)
		}
		if again := parseFileInfo(info.append(nil)); !reflect.DeepEqual(again, info) {
			t.Fatalf("%+v does not come back", info)
		}
	})
}
