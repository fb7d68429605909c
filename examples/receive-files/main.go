// Receive-files receives files from every sender of a group into a directory.
//
//	go run ./examples/receive-files -iface eth0 -dir /srv/in
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

func main() {
	iface := flag.String("iface", "lo", "network interface")
	group := flag.String("group", "239.255.7.7:6003", "group and port")
	dir := flag.String("dir", ".", "where to put the files")
	count := flag.Int("count", 0, "stop after this many files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	c, err := mcast.Open(ctx, *group, mcast.Interface(*iface))
	if err != nil {
		log.Fatal(err)
	}
	r, err := norm.NewReceiver(c, norm.ReceiverConfig{Dir: *dir})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Shutdown(ctx) // stays to confirm the last file
	n := 0
	for o, err := range r.Objects(ctx) {
		var lost *norm.ObjectError
		if errors.As(err, &lost) {
			log.Print(err) // one file; others may still come
			continue
		}
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Printf("%s: %d bytes, verified: %v\n", o.Path(), o.Size(), o.Verified())
		if n++; n == *count {
			return
		}
	}
}
