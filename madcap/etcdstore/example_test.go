package etcdstore_test

import (
	"fmt"
	"net/netip"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/madcap/etcdstore"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// A server whose leases are in etcd. With package mcast the connection is
// mcast.Open(ctx, "239.255.255.254:2535", mcast.Unicast()).
func Example() {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://127.0.0.1:2379"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := etcdstore.New(client, etcdstore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, _ := mcasttest.New(1).Open("239.255.255.254:2535")
	server, err := madcap.RunServer(conn, madcap.ServerConfig{
		ID: netip.MustParseAddr("10.0.0.1"), Shared: true,
		Scopes: []madcap.Scope{{
			Zone:  madcap.Zone{Zone: group.LocalZone},
			Pools: []group.Zone{group.ZoneOfPrefix(netip.MustParsePrefix("239.255.7.0/24"))},
		}},
	}, store)
	if err != nil {
		fmt.Println(err) // etcd does not answer
		return
	}
	defer server.Close()
}
