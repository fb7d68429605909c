package mcast_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

// Why does nothing arrive?
func ExampleDiagnose() {
	ch := group.Channel{Group: netip.MustParseAddr("232.1.2.3"), Source: netip.MustParseAddr("192.0.2.10")}
	found, err := mcast.Diagnose(context.Background(), ch, "eth0")
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		if f.Severity == mcast.Problem {
			fmt.Println(f.Message+";", f.Remedy)
		}
	}
}
