package norm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

const group = "239.7.7.7:6003"

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func open(t *testing.T, n *mcasttest.Network, opts ...mcasttest.Option) *mcasttest.Conn {
	t.Helper()
	c, err := n.Open(group, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFileToThreeReceivers(t *testing.T) {
	src := filepath.Join(t.TempDir(), "file.bin")
	data := noise(3_000_001)
	if err := os.WriteFile(src, data, 0o644); err != nil {
		t.Fatal(err)
	}
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		s, err := NewSender(open(t, n, mcasttest.Out(mcasttest.Link{Delay: time.Millisecond})), SenderConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var rs []*Receiver
		for _, dir := range dirs {
			r, err := NewReceiver(open(t, n, mcasttest.In(mcasttest.Link{Loss: 0.05})), ReceiverConfig{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			rs = append(rs, r)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		tr, err := s.SendFile(ctx, src, WaitForCount(3))
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		for i, r := range rs {
			for o, err := range r.Objects(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(o.Path())
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("receiver %d: %d bytes, %v", i, len(got), err)
				}
				if o.Name() != "file.bin" || o.Path() != filepath.Join(dirs[i], "file.bin") || !o.Verified() || o.SHA256() != sha256.Sum256(data) {
					t.Errorf("receiver %d: %+v", i, o)
				}
				break
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if len(tr.Confirmed()) != 3 {
			t.Errorf("confirmed by %v", tr.Confirmed())
		}
	})
	for _, dir := range dirs {
		if e, _ := os.ReadDir(dir); len(e) != 1 {
			t.Errorf("%s holds %v, want one file", dir, e)
		}
	}
}

func TestCloseRemovesPartialFiles(t *testing.T) {
	src := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(src, noise(10_000_000), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		s, _ := NewSender(open(t, n), SenderConfig{})
		r, _ := NewReceiver(open(t, n), ReceiverConfig{Dir: dir, KeepPartial: -1})
		tr, err := s.SendFile(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // an eighth of it, at 100 Mbit/s
		if p := r.Pending(); len(p) != 1 || p[0].Received == 0 || p[0].Name != "file.bin" {
			t.Errorf("pending: %+v", p)
		}
		r.Close()
		r.Close()
		s.Close()
		if err := tr.Wait(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("transfer of a closed sender: %v", err)
		}
		for _, err := range r.Objects(t.Context()) {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("objects of a closed receiver: %v", err)
			}
		}
		if _, err := s.SendFile(t.Context(), src); !errors.Is(err, net.ErrClosed) {
			t.Errorf("sending on a closed sender: %v", err)
		}
	})
	if e, _ := os.ReadDir(dir); len(e) != 0 {
		t.Errorf("left behind: %v", e)
	}
}
