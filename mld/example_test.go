package mld_test

import (
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/mld"
)

// What somebody who listens on a link does with an IPv6 packet.
func Example() {
	src := netip.MustParseAddr("fe80::1")
	var b mld.ReportBuilder
	b.Reset(nil, 1500-mld.HeaderLen)
	_, _ = b.Add(mld.AllowNewSources, netip.MustParseAddr("ff35::1:2"), []netip.Addr{netip.MustParseAddr("2001:db8::10")})
	_, _ = b.Add(mld.ChangeToExclude, netip.MustParseAddr("ff15::3:4"), nil)
	packet, _ := mld.AppendPacket(nil, src, mld.AllV2Routers, b.Bytes(src, mld.AllV2Routers))

	env, message, err := mld.ParsePacket(packet)
	if err != nil {
		fmt.Println(err)
		return
	}
	var r mld.Report2
	if err := mld.Strict.ParseReport2(env.Src, env.Dst, message, &r); err != nil {
		fmt.Println(err)
		return
	}
	if r.Check(env)&mld.PolicyRFC != 0 {
		return
	}
	for rec := range r.Records.All() {
		fmt.Print(rec.Type, " ", rec.Group)
		for s := range rec.Sources.All() {
			fmt.Print(" ", s)
		}
		fmt.Println()
	}
	// Output:
	// ALLOW ff35::1:2 2001:db8::10
	// TO_EX ff15::3:4
}
