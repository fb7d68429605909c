package etcdstore

import (
	"encoding/hex"
	"net/netip"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/gomulticast/multicast/madcap"
)

// keys names what is stored.
type keys struct{ prefix string }

func (k keys) lease(id madcap.ID) string { return k.prefix + "lease/" + id.String() }

// leases returns the first key of all leases and the one behind the last.
func (k keys) leases() (from, end string) {
	from = k.prefix + "lease/"
	return from, clientv3.GetPrefixRangeEnd(from)
}

// family returns the first key of all ranges of an address's IP version.
func (k keys) family(a netip.Addr) string {
	if a.Is4() {
		return k.prefix + "range/4/"
	}
	return k.prefix + "range/6/"
}

// addr returns the key of the range that begins with an address. Keys have the order of
// addresses.
func (k keys) addr(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	return k.family(a) + hex.EncodeToString(a.AsSlice())
}

// A stored range is its last address, in hexadecimal like its key, and the lease's ID.
func rangeValue(last netip.Addr, id madcap.ID) string {
	return hex.EncodeToString(last.Unmap().WithZone("").AsSlice()) + " " + id.String()
}
