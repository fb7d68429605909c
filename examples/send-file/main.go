// Send-file sends a file to everyone who listens, reliably, and waits until -wait
// receivers have confirmed that they have it.
//
//	go run ./examples/send-file -iface eth0 -wait 2 release.tar.zst
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

func main() {
	iface := flag.String("iface", "lo", "network interface")
	group := flag.String("group", "239.255.7.7:6003", "group and port")
	wait := flag.Int("wait", 1, "receivers to wait for")
	flag.Parse()
	if err := send(context.Background(), *group, *iface, *wait, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func send(ctx context.Context, group, iface string, wait int, file string) error {
	c, err := mcast.Open(ctx, group, mcast.Interface(iface))
	if err != nil {
		return err
	}
	s, err := norm.NewSender(c, norm.SenderConfig{Rate: 200_000_000})
	if err != nil {
		return err
	}
	defer s.Shutdown(ctx)
	t, err := s.SendFile(ctx, file, norm.WaitForCount(wait))
	if err != nil {
		return err
	}
	if err := t.Wait(ctx); err != nil {
		return err
	}
	fmt.Printf("%d bytes confirmed by %v\n", t.Size(), t.Confirmed())
	return nil
}
