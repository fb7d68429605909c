// Flute sends a file in a carousel and announces the session, or, without a file, finds
// a session that is announced and receives a file of it.
//
//	go run ./examples/flute -iface eth0 -source 192.0.2.10 release.tar.zst
//	go run ./examples/flute -iface eth0 -dir /srv/in
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
	"github.com/gomulticast/multicast/rmt/flute"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

var (
	iface  = flag.String("iface", "lo", "network interface")
	source = flag.String("source", "127.0.0.1", "our address, for the announcement")
	to     = flag.String("group", "239.255.84.1:17084", "group and port to send to")
	name   = flag.String("name", "Files", "name of the session")
	dir    = flag.String("dir", ".", "directory to receive into")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := must(mcast.Open(ctx, "239.255.255.255:9875", mcast.Interface(*iface))) // of SAP
	if flag.NArg() > 0 {
		send(ctx, c, flag.Arg(0))
		return
	}
	receive(ctx, c)
}

func send(ctx context.Context, c *mcast.Conn, file string) {
	dest := netip.MustParseAddrPort(*to)
	s := must(flute.NewSender(must(mcast.Dial(ctx, *to, mcast.Interface(*iface))), flute.SenderConfig{}))
	defer s.Close()
	t := must(s.SendFile(ctx, file, flute.Carousel()))
	channel := group.Channel{Group: dest.Addr(), Source: netip.MustParseAddr(*source)}
	d := must(s.Describe(sdp.FileSession{Session: sdp.Session{Name: *name}, Dest: sdp.Dest{Channel: channel, Port: dest.Port()}}))
	a := must(sap.NewAnnouncer(sap.AnnouncerConfig{Profile: sap.Fast}, sap.Path{Conn: c}))
	defer a.Close()
	must(a.Announce(d))
	t.Wait(ctx) // until Ctrl-C
}

func receive(ctx context.Context, c *mcast.Conn) {
	for e, err := range must(sap.NewDirectory(sap.DirectoryConfig{}, sap.Path{Conn: c})).Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if sessions, err := flute.ParseSDP(e.Listing.Description); err == nil && e.Listing.Description.Name() == *name {
			ch := sessions[0].Channels[0]
			conn := must(mcast.Open(ctx, netip.AddrPortFrom(ch.Group, ch.Port).String(), mcast.Source(ch.Source.String()), mcast.Interface(*iface)))
			r := must(flute.NewReceiver(conn, flute.ReceiverConfig{Dir: *dir, TSI: sessions[0].TSI}))
			defer r.Close()
			for o, err := range r.Objects(ctx) {
				fmt.Println(must(o, err).Path(), o.Size(), "bytes, verified:", o.Verified())
				return
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
