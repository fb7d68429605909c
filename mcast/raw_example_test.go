package mcast_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/mcast"
)

// A querier: it asks on a link who wants what, unless another with a lower address
// does, and tells.
func ExampleOpenRaw() {
	ctx := context.Background()
	conn, err := mcast.OpenRaw(ctx, "eth0", mcast.RawIGMP)
	if err != nil {
		log.Fatal(err)
	}
	router, err := igmp.RunRouter(conn, igmp.RouterConfig{Addr: conn.Addr(true), MTU: conn.Interface().MTU})
	if err != nil {
		log.Fatal(err)
	}
	defer router.Close()
	for e, err := range router.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Kind, e.Group, e.Filter)
	}
}
