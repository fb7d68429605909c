package disk

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFree(t *testing.T) {
	if n, ok := Free(t.TempDir()); ok != (runtime.GOOS == "linux" || runtime.GOOS == "windows" || runtime.GOOS == "darwin" || runtime.GOOS == "freebsd") || ok && n < 0 {
		t.Errorf("%d, %v", n, ok)
	}
	if _, ok := Free(filepath.Join(t.TempDir(), "none")); ok {
		t.Error("a directory that is not there has room")
	}
}

func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	open := func() *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, b := open(), open()
	if !Lock(a) {
		if _, ok := Free(filepath.Dir(name)); !ok {
			return // no such system
		}
		t.Fatal("not locked")
	}
	if Lock(b) {
		t.Error("locked twice")
	}
	a.Close()
	if !Lock(b) {
		t.Error("still locked after its owner closed it")
	}
}
