package etcdstore

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// patience is how long etcd may take to start on a busy machine.
const patience = 60 * time.Second

// An etcd is a real one of a single member, on the loopback interface.
type etcd struct {
	t             testing.TB
	dir           string
	clients, peer string
	cmd           *exec.Cmd
	log           bytes.Buffer
}

// startEtcd starts one that ends with the test.
func startEtcd(t testing.TB) *etcd {
	t.Helper()
	if _, err := exec.LookPath("etcd"); err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("MULTICAST_LAB=required, but there is no etcd (Debian package etcd-server)")
		}
		t.Skip("there is no etcd here (Debian package etcd-server)")
	}
	ports := freePorts(t)
	e := &etcd{t: t, dir: t.TempDir(), clients: "http://" + ports[0], peer: "http://" + ports[1]}
	e.start()
	t.Cleanup(e.kill)
	return e
}

// freePorts returns two, held at the same time, so that they are not the same.
func freePorts(t testing.TB) (ports [2]string) {
	t.Helper()
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().String()
	}
	return ports
}

// start starts it, also again with what it had stored, and waits until it answers.
func (e *etcd) start() {
	e.t.Helper()
	e.log.Reset()
	e.cmd = exec.Command("etcd", "--name", "one", "--data-dir", e.dir, "--logger", "zap",
		"--listen-client-urls", e.clients, "--advertise-client-urls", e.clients,
		"--listen-peer-urls", e.peer, "--initial-advertise-peer-urls", e.peer, "--initial-cluster", "one="+e.peer)
	e.cmd.Stdout, e.cmd.Stderr = &e.log, &e.log
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	c := e.client()
	defer c.Close()
	for end := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := c.Get(ctx, "ready")
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			e.kill()
			e.t.Fatalf("etcd does not answer: %v\n%s", err, &e.log)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// kill ends it as a power cut would.
func (e *etcd) kill() {
	if e.cmd != nil {
		e.cmd.Process.Kill()
		e.cmd.Wait()
		e.cmd = nil
	}
}

func (e *etcd) client() *clientv3.Client {
	e.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{e.clients}, Logger: zap.NewNop()})
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

// store opens a store that ends with the test.
func (e *etcd) store(cfg Config) *Store {
	e.t.Helper()
	s, err := New(e.client(), cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { s.Close() })
	return s
}

// eventually waits until f has no error to return.
func eventually(t testing.TB, f func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %v: %v", patience, err)
		}
	}
}

func prefixOf(t testing.TB, n int) string { return fmt.Sprintf("/%s/%d/", t.Name(), n) }

func prefixRange(p string) clientv3.OpOption {
	return clientv3.WithRange(clientv3.GetPrefixRangeEnd(p))
}

func clientID(n int64) clientv3.LeaseID { return clientv3.LeaseID(n) }
