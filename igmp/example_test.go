package igmp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/igmp"
)

// What somebody who listens on a link does with an IPv4 packet.
func Example() {
	query := igmp.Query{Version: 3, Group: netip.MustParseAddr("232.1.2.3"), Robustness: 2}
	query.SetMaxResp(10 * time.Second)
	query.SetInterval(125 * time.Second)
	query.Sources, _ = query.Sources.Append(netip.MustParseAddr("192.0.2.10"))
	message, _ := query.MarshalBinary()
	packet, _ := igmp.AppendPacket(nil, netip.MustParseAddr("192.0.2.1"), igmp.AllSystems, message)

	env, message, err := igmp.ParsePacket(packet)
	if err != nil {
		fmt.Println(err)
		return
	}
	if t, _ := igmp.TypeOf(message); t != igmp.TypeQuery {
		return
	}
	var q igmp.Query
	if err := igmp.Strict.ParseQuery(message, &q); err != nil {
		fmt.Println(err)
		return
	}
	broken := q.Check(env)
	fmt.Println("from", env.Src, "version", q.Version, "about", q.Group, "answer within", q.MaxResp())
	for s := range q.Sources.All() {
		fmt.Println("source", s)
	}
	fmt.Println("broken:", broken, "- to be ignored:", broken&igmp.PolicyRFC != 0)
	// Output:
	// from 192.0.2.1 version 3 about 232.1.2.3 answer within 10s
	// source 192.0.2.10
	// broken: wrong destination - to be ignored: false
}

// Records are packed into as many reports as they need.
func ExampleReportBuilder() {
	const mtu = 1500
	g := netip.MustParseAddr("232.1.2.3")
	var sources []netip.Addr
	for a := netip.MustParseAddr("192.0.2.1"); len(sources) < 500; a = a.Next() {
		sources = append(sources, a)
	}
	var b igmp.ReportBuilder
	buf := make([]byte, 0, mtu)
	send := func() {
		if b.Records() > 0 {
			fmt.Println(len(b.Bytes()), "bytes to", igmp.AllV3Routers)
		}
		b.Reset(buf, mtu-igmp.HeaderLen)
	}
	b.Reset(buf, mtu-igmp.HeaderLen)
	for _, t := range []igmp.RecordType{igmp.ChangeToExclude, igmp.AllowNewSources} {
		for left := sources; ; {
			n, err := b.Add(t, g, left)
			if errors.Is(err, igmp.ErrFull) {
				send()
				continue
			} else if err != nil {
				fmt.Println(err)
				return
			}
			if left = left[n:]; len(left) == 0 || !t.Splits() {
				break
			}
			send()
		}
	}
	send()
	// Output:
	// 1476 bytes to 224.0.0.22
	// 1476 bytes to 224.0.0.22
	// 556 bytes to 224.0.0.22
}
