// Alloc gets a group that nobody else uses, and sends to it for as long as it has it: from
// a MADCAP server if there is one, else a source-specific group of this host.
//
//	go run ./examples/alloc -iface eth0 -for 1h
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"time"

	"github.com/gomulticast/multicast/alloc"
	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

func main() {
	iface := flag.String("iface", "lo", "network interface")
	patience := flag.Duration("patience", 5*time.Second, "how long to wait for a server")
	life := flag.Duration("for", time.Hour, "lifetime to ask for")
	count := flag.Int("count", 0, "stop after this many packets")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	where := netip.AddrPortFrom(madcap.DefaultGroup, madcap.Port).String()
	conn := must(mcast.Dial(ctx, where, mcast.Interface(*iface), mcast.Unicast(), mcast.TTL(madcap.DefaultTTL)))
	var from alloc.Allocator = alloc.NewMADCAP(must(madcap.RunClient(conn, madcap.ClientConfig{})))
	brief, cancel := context.WithTimeout(ctx, *patience)
	lease, err := from.Allocate(brief, alloc.Request{Lifetime: *life})
	cancel()
	if err != nil {
		log.Printf("no server: %v", err)
		from = must(alloc.NewSSM(alloc.Config{}, conn.LocalAddr().Addr()))
		lease = must(from.Allocate(ctx, alloc.Request{Lifetime: *life}))
	}
	defer from.Close()
	go lease.Keep(ctx, nil)
	ch := lease.Channels()[0]
	fmt.Printf("sending to %v until %v\n", ch, lease.Expires().Format(time.DateTime))
	out := must(mcast.Dial(ctx, netip.AddrPortFrom(ch.Group, 5004).String(), mcast.Interface(*iface)))
	defer out.Close()
	for n := 1; n != *count+1; n++ {
		if _, err := out.WriteBatch([]datagram.Packet{{Data: fmt.Appendf(nil, "packet %d", n)}}); err != nil {
			log.Fatal(err)
		}
		select {
		case <-time.After(time.Second):
		case <-lease.Lost():
			log.Fatalf("the group is lost: %v", lease.Err())
		case <-ctx.Done():
			*count = n
		}
	}
	end, cancel := context.WithTimeout(context.Background(), *patience)
	defer cancel()
	if err := lease.Release(end); err != nil {
		log.Print(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
