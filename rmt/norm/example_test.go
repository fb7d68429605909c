package norm_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
)

// A file goes from one sender to one receiver that loses a tenth of the packets.
// With mcast.Open in place of network.Open the same runs over a real network.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "norm-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "release.txt")
	if err := os.WriteFile(file, make([]byte, 1_000_000), 0o644); err != nil {
		log.Fatal(err)
	}
	in := filepath.Join(dir, "in")
	os.Mkdir(in, 0o755)
	network := mcasttest.New(1)

	c, err := network.Open("239.255.7.7:6003", mcasttest.In(mcasttest.Link{Loss: 0.1}))
	if err != nil {
		log.Fatal(err)
	}
	r, err := norm.NewReceiver(c, norm.ReceiverConfig{Dir: in})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	c, err = network.Open("239.255.7.7:6003")
	if err != nil {
		log.Fatal(err)
	}
	s, err := norm.NewSender(c, norm.SenderConfig{})
	if err != nil {
		log.Fatal(err)
	}
	t, err := s.SendFile(ctx, file, norm.WaitForCount(1))
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	for o, err := range r.Objects(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(o.Name(), o.Size(), "bytes, verified:", o.Verified())
		break
	}
	s.Shutdown(ctx)
	// Output: release.txt 1000000 bytes, verified: true
}

// Small objects need no file: bytes are sent and arrive in memory.
func ExampleSender_SendBytes() {
	ctx := context.Background()
	network := mcasttest.New(1)
	c1, _ := network.Open("239.255.7.7:6003")
	c2, _ := network.Open("239.255.7.7:6003")
	r, _ := norm.NewReceiver(c1, norm.ReceiverConfig{})
	defer r.Close()
	s, _ := norm.NewSender(c2, norm.SenderConfig{})
	defer s.Close()

	s.SendBytes(ctx, []byte("market opens"), norm.Info([]byte("text/plain")))
	for o, err := range r.Objects(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", o.Info(), o.Bytes())
		break
	}
	// Output: text/plain: market opens
}

// A tree of files, whose receivers are told when they have all of it. SendDir does the
// same with a directory.
func ExampleSender_SendFS() {
	ctx := context.Background()
	network := mcasttest.New(1)
	c1, _ := network.Open("239.255.7.7:6003", mcasttest.In(mcasttest.Link{Loss: 0.1}))
	c2, _ := network.Open("239.255.7.7:6003")
	r, _ := norm.NewReceiver(c1, norm.ReceiverConfig{})
	defer r.Close()
	s, _ := norm.NewSender(c2, norm.SenderConfig{})
	defer s.Close()

	site := fstest.MapFS{"index.html": {Data: []byte("<p>hello")}, "img/a.png": {Data: make([]byte, 5000)}}
	if _, err := s.SendFS(ctx, site, norm.Name("www")); err != nil {
		log.Fatal(err)
	}
	for o, err := range r.Objects(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if set := o.Set(); set != nil {
			fmt.Println(set.Files, "files, complete:", set.Complete())
			break
		}
	}
	// Output: 2 files, complete: true
}
