package examples

import (
	"bytes"
	"context"
	"fmt"
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

// One program announces two sessions, the other finds one of them, joins and receives.
func TestSessions(t *testing.T) {
	lo := loopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	dir, me := t.TempDir(), os.Getpid()
	group := fmt.Sprintf("239.255.83.%d", 1+me%250)
	name := fmt.Sprintf("Session of %d", me) // others may announce on lo too
	for i, s := range []string{"Another of " + fmt.Sprint(me), name} {
		text := fmt.Sprintf("v=0\r\no=- %d%d 1 IN IP4 127.0.0.1\r\ns=%s\r\nc=IN IP4 %s/1\r\nt=0 0\r\nm=video %d udp mpeg\r\n", me, i, s, group, 17082+i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".sdp")), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	announce := exec.CommandContext(ctx, build(t, "announce"), "-iface", lo, dir)
	announce.Stdout, announce.Stderr = &said, &said
	find := exec.CommandContext(ctx, build(t, "sessions"), "-iface", lo, "-count", "3", name)
	var out bytes.Buffer
	find.Stdout, find.Stderr = &out, &out
	c, err := mcast.Dial(ctx, group+":17083", mcast.Interface(lo))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := announce.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if runtime.GOOS == "windows" {
			announce.Process.Kill()
			announce.Wait()
			return
		}
		announce.Process.Signal(os.Interrupt)
		if err := announce.Wait(); err != nil || strings.Count(said.String(), "announcing ") != 2 {
			t.Errorf("%v\n%s", err, &said)
		}
	}()
	if err := find.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- find.Wait() }()
	for {
		if _, err := c.WriteBatch([]datagram.Packet{{Data: []byte("hello")}}); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			want := fmt.Sprintf("added %q [udp://%s:17083] from ", name, group)
			if err != nil || !strings.Contains(out.String(), want) || strings.Count(out.String(), ":17083, 5 bytes") != 3 {
				t.Fatalf("%v\n%s", err, &out)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
