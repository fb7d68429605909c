package libnorm_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/interop/libnorm"
)

// TestPeers lets two peers work with each other under loss, so that a failure
// between one of them and ours is not the peer's.
func TestPeers(t *testing.T) {
	libnorm.Build(t)
	ns := namespace(t)
	dir := t.TempDir()
	path, content := filepath.Join(dir, "sent"), object(300_000)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	common := fmt.Sprintf(" --group=%s --port=%d --iface=lo --seconds=30", group, port)
	recv := libnorm.Start(t, ns, strings.Fields("recv --id=11 --rxloss=5 --unicast-nack --count=2 --linger=2 --dir="+in+common)...)
	recv.Expect(t, "READY", 10*time.Second)
	send := libnorm.Start(t, ns, strings.Fields("send --id=1 --ack=11 --grtt=0.01 --info=hello --linger=0.1"+common+" file:"+path+" data:"+path)...)
	if got := send.Expect(t, "ACKED", 30*time.Second); got != "11" {
		t.Errorf("acknowledged by %s, want 11", got)
	}
	send.Expect(t, "END", 10*time.Second)
	types := map[string]bool{}
	for range 2 {
		var kind, name string
		var size int
		if _, err := fmt.Sscan(recv.Expect(t, "DONE", 30*time.Second), &kind, &size, &name); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if size != len(content) || !bytes.Equal(got, content) {
			t.Errorf("%s of %d bytes differs from what was sent", kind, size)
		}
		types[kind] = true
	}
	if !types["file"] || !types["data"] {
		t.Errorf("got %v, want a file and a data object", types)
	}
	recv.Expect(t, "END", 10*time.Second)
	said := strings.Join(recv.Said(), "\n")
	for _, want := range []string{"SENDER 1", "NEW file 300000", "NEW data 300000", "INFO hello"} {
		if !strings.Contains(said, want) {
			t.Errorf("the receiver did not say %q:\n%s", want, said)
		}
	}
}

func TestBuild(t *testing.T) {
	t.Log(libnorm.Build(t))
}
