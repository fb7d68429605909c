// Announce tells the network of all sessions in a directory, one *.sdp file each, until
// Ctrl-C, and deletes them then.
//
//	go run ./examples/announce -iface eth0 /srv/sessions
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

func main() {
	iface := flag.String("iface", "lo", "network interface")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := announce(ctx, *iface, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func announce(ctx context.Context, iface, dir string) error {
	files, _ := filepath.Glob(filepath.Join(dir, "*.sdp"))
	var all []*sdp.Description
	var paths []sap.Path
	joined := make(map[netip.Addr]bool)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		d, err := sdp.Parse(b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		groups, err := sap.GroupsFor(d, sap.Fast)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, d)
		for _, g := range groups {
			if joined[g] {
				continue
			}
			c, err := mcast.Open(ctx, netip.AddrPortFrom(g, sap.Port).String(), mcast.Interface(iface))
			if err != nil {
				return err
			}
			joined[g] = true
			paths = append(paths, sap.Path{Conn: c, Group: g})
		}
	}
	a, err := sap.NewAnnouncer(sap.AnnouncerConfig{Profile: sap.Fast}, paths...)
	if err != nil {
		return err
	}
	for _, d := range all {
		if _, err := a.Announce(d); err != nil {
			return err
		}
		fmt.Println("announcing", d.Name(), d.Channels())
	}
	<-ctx.Done()
	bye, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return a.Shutdown(bye)
}
