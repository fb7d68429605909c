package sap

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A process that is killed while it writes leaves the old file or the new one, whole.
func TestStoreCrash(t *testing.T) {
	old, fresh := bytes.Repeat([]byte("old\n"), 100000), bytes.Repeat([]byte("fresh\n"), 150000)
	if path := os.Getenv("SAP_STORE_CRASH"); path != "" {
		for {
			for _, b := range [][]byte{old, fresh} {
				if err := NewFileStore(path).Save(b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "sessions")
	s := NewFileStore(path)
	if b, err := s.Load(); err != nil || b != nil {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if err := s.Save(old); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 15 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestStoreCrash$")
		cmd.Env = append(os.Environ(), "SAP_STORE_CRASH="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Millisecond + time.Duration(rng.IntN(40))*time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		b, err := s.Load()
		if err != nil || !bytes.Equal(b, old) && !bytes.Equal(b, fresh) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
}
