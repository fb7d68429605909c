// Package etcdstore keeps the leases of MADCAP servers in etcd, so that several servers
// can grant addresses of the same pools, any of them can renew what another has granted,
// and none is missed when it dies.
//
//	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://10.0.0.1:2379"}, TLS: …})
//	store, err := etcdstore.New(client, etcdstore.Config{})
//	server, err := madcap.RunServer(conn, madcap.ServerConfig{…, Shared: true}, store)
//
// # How no address is granted twice
//
// Every change is one transaction of etcd that is made only if nothing it was decided by
// has changed since it was read: the lease under its ID, and every stored range between
// the nearest one below the new range and the new range's end. etcd answers reads and
// transactions when a majority of its members agrees, and its transactions are durable on
// that majority: a server that cannot reach it grants nothing, and Commit says so.
//
// # What is stored
//
// Below Config.Prefix there are a key for each lease, lease/ and its ID in hexadecimal,
// and one for each of its ranges, range/ and its first address in hexadecimal. All keys
// of a lease are bound to an etcd lease that lasts until the addresses may be given out
// again, and Config.Slack more. Servers delete what has ended themselves, earlier; what a
// server leaves behind that died, while no other is left, etcd so removes. A new leader of
// etcd counts that time from its beginning, which is on the safe side.
package etcdstore
