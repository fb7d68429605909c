// Package examples holds programs of one file each. This test builds and runs them
// all, over the loopback interface.
package examples

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// build compiles an example.
func build(t *testing.T, name string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), name)
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", exe, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exe
}

func loopback(t *testing.T) string {
	t.Helper()
	ifs, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ifs {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	t.Skip("no loopback interface is up")
	return ""
}

func TestReceive(t *testing.T) {
	lo := loopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	group := fmt.Sprintf("239.255.81.%d:17081", 1+os.Getpid()%250)
	cmd := exec.CommandContext(ctx, build(t, "receive"), "-iface", lo, "-count", "3", group)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	c, err := mcast.Dial(ctx, group, mcast.Interface(lo))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		if _, err := c.WriteBatch([]datagram.Packet{{Data: []byte("hello")}}); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil || strings.Count(out.String(), "5 bytes, ttl 1") != 3 {
				t.Fatalf("%v\n%s", err, &out)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestFiles(t *testing.T) {
	lo := loopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	group := fmt.Sprintf("239.255.82.%d:17082", 1+os.Getpid()%250)
	send, recv := build(t, "send-file"), build(t, "receive-files")
	var dirs []string
	var rx []*exec.Cmd
	for range 2 {
		dir := t.TempDir()
		cmd := exec.CommandContext(ctx, recv, "-iface", lo, "-group", group, "-dir", dir, "-count", "1")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		dirs, rx = append(dirs, dir), append(rx, cmd)
	}
	// The sender waits for both, and a receiver that joins late still gets the
	// file, so nothing needs to wait for them to be ready.
	if out, err := exec.CommandContext(ctx, send, "-iface", lo, "-group", group, "-wait", "2", send).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(send)
	if err != nil {
		t.Fatal(err)
	}
	for i, cmd := range rx {
		if err := cmd.Wait(); err != nil {
			t.Errorf("receiver %d: %v", i, err)
		}
		got, err := os.ReadFile(filepath.Join(dirs[i], filepath.Base(send)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("receiver %d: %d bytes of %d, %v", i, len(got), len(want), err)
		}
	}
}
