// Sessions lists what is announced, joins the first session, or the first of a name, and
// prints what arrives.
//
//	go run ./examples/sessions -iface eth0 -count 10 "Channel 1"
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

func main() {
	iface := flag.String("iface", "lo", "network interface")
	count := flag.Int("count", 0, "stop after this many packets")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ch := find(ctx, *iface, flag.Arg(0))
	opts := []mcast.Option{mcast.Interface(*iface)}
	if ch.Source.IsValid() {
		opts = append(opts, mcast.Source(ch.Source.String()))
	}
	c := must(mcast.Listen(ctx, netip.AddrPortFrom(ch.Group, ch.Port).String(), opts...))
	defer c.Close()
	for p, err := range c.Packets(ctx) {
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Printf("%v -> %v, %d bytes\n", p.Src, p.Dst, len(p.Data))
		if *count--; *count == 0 {
			return
		}
	}
}

// find listens on the SAP groups of IPv4 until the session is announced.
func find(ctx context.Context, iface, name string) sdp.Channel {
	first := netip.AddrPortFrom(sap.GlobalGroup, sap.Port).String()
	c := must(mcast.Listen(ctx, first, mcast.Interface(iface), mcast.MultiGroup()))
	for _, g := range sap.AllGroups() {
		if g.Is4() && g != sap.GlobalGroup {
			if err := c.Join(group.Channel{Group: g}); err != nil {
				log.Fatal(err)
			}
		}
	}
	d := must(sap.NewDirectory(sap.DirectoryConfig{}, sap.Path{Conn: c}))
	defer d.Close()
	for ev, err := range d.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		title, all := ev.Listing.Description.Name(), ev.Listing.Channels()
		fmt.Printf("%v %q %v from %v\n", ev.Kind, title, all, ev.Listing.Source)
		if len(all) > 0 && (name == "" || name == title) {
			return all[0]
		}
	}
	panic("events end with an error")
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
