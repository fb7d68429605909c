// Receive prints what arrives at a multicast group: any source, or one with -source.
//
//	go run ./examples/receive -iface eth0 239.1.2.3:5004
//	go run ./examples/receive -iface eth0 -source 192.0.2.10 232.1.2.3:5004
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/gomulticast/multicast/mcast"
)

func main() {
	iface := flag.String("iface", "lo", "network interface")
	source := flag.String("source", "", "only packets from this address")
	count := flag.Int("count", 0, "stop after this many packets")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	opts := []mcast.Option{mcast.Interface(*iface)}
	if *source != "" {
		opts = append(opts, mcast.Source(*source))
	}
	c, err := mcast.Listen(ctx, flag.Arg(0), opts...)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println("listening to", flag.Arg(0), "on", c.Interface().Name)
	n := 0
	for p, err := range c.Packets(ctx) {
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Printf("%v -> %v, %d bytes, ttl %d\n", p.Src, p.Dst, len(p.Data), p.HopLimit)
		if n++; n == *count {
			return
		}
	}
}
