package group_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestLint(t *testing.T) {
	type codes = []group.Code
	src4, src6 := addr("198.18.0.1"), addr("2400::1")
	inspect, receive, send, allocate := group.Use{}, group.Use{Purpose: group.Receive}, group.Use{Purpose: group.Send}, group.Use{Purpose: group.Allocate}
	for _, tt := range []struct {
		section, addr string
		use           group.Use
		want          codes
		text          string // in a message
	}{
		{"", "192.0.2.1", inspect, codes{group.CodeNotMulticast}, "224.0.0.0/4"},
		{"", "2001:db8::1", allocate, codes{group.CodeNotMulticast}, "ff00::/8"},

		// Addresses one may use.
		{"", "239.255.7.7", allocate, nil, ""},
		{"", "239.192.5.1", allocate, nil, ""},
		{"", "232.1.2.3", allocate, nil, ""},
		{"", "232.1.2.3", group.Use{Purpose: group.Receive, Source: src4}, nil, ""},
		{"", "233.9.193.7", allocate, nil, ""},
		{"", "234.8.8.8", allocate, nil, ""},
		{"", "ff15::8000:1", allocate, nil, ""},
		{"", "ff3e::8000:1", allocate, nil, ""},
		{"", "ff3e:20:2400:1::8000:1", allocate, nil, ""},
		{"a radio station", "ff7e:240:2001:67c:2d50:0:545f:5800", inspect, nil, ""},
		{"", "ff02::fb", receive, nil, ""},
		{"", "224.0.0.251", group.Use{Purpose: group.Send, TTL: 255}, nil, ""},
		{"", "224.0.1.129", send, nil, ""},
		{"", "ff02::1:ff28:9c5a", inspect, nil, ""},
		{"", "239.255.255.255", group.Use{Purpose: group.Send, TTL: 255}, nil, ""},
		{"", "::ffff:239.255.7.7", allocate, nil, ""},

		{"RFC 4607 9", "224.128.0.1", receive, codes{group.CodeControlAlias, group.CodeReserved}, "224.0.0.1 (all hosts)"},
		{"RFC 4607 9", "225.0.0.251", inspect, codes{group.CodeControlAlias, group.CodeReserved}, "01:00:5e:00:00:fb"},
		{"RFC 4607 9", "232.0.0.5", inspect, codes{group.CodeControlAlias, group.CodeSSMPart}, "IANA"},
		{"RFC 4607 9", "232.128.0.7", inspect, codes{group.CodeControlAlias}, "224.0.0.7"},
		{"RFC 4607 9", "239.128.0.5", inspect, codes{group.CodeControlAlias}, "OSPF"},
		{"RFC 5771 3", "224.1.2.3", inspect, codes{group.CodeReserved}, "ICE"},
		{"RFC 5771 3", "224.5.0.1", receive, codes{group.CodeReserved}, "must not be used"},
		{"RFC 5771 3", "231.1.1.1", inspect, codes{group.CodeReserved}, ""},
		{"RFC 5771 3", "238.1.1.1", inspect, codes{group.CodeReserved}, ""},
		{"RFC 5771 4", "224.0.0.0", inspect, codes{group.CodeReserved}, "base"},
		{"RFC 5771 4", "224.0.0.251", allocate, codes{group.CodeAssigned}, "mDNS"},
		{"RFC 5771 4", "224.0.0.200", send, codes{group.CodeAssigned}, "Local Network Control Block"},
		{"RFC 5771 5", "224.0.1.200", allocate, codes{group.CodeAssigned}, "section 5"},
		{"RFC 5771 6: a music server", "224.0.10.8", inspect, codes{group.CodeAssigned}, "AD-HOC Block I"},
		{"RFC 5771 6", "224.0.10.8", receive, nil, ""},
		{"RFC 5771 7", "224.2.130.1", send, codes{group.CodeSAPBlock}, "SAP"},
		{"RFC 5771 7", "224.2.1.1", allocate, codes{group.CodeSAPBlock}, "224.2.128.0"},
		{"RFC 2974 3", "224.2.127.254", allocate, codes{group.CodeAssigned}, ""},
		{"RFC 2974 3", "224.2.127.254", inspect, nil, ""},
		{"RFC 2974 3", "224.2.127.255", receive, codes{group.CodeDeprecated}, "224.2.127.254"},
		{"RFC 2365 9", "239.255.255.200", send, codes{group.CodeRelative}, "256"},
		{"RFC 2365 9", "239.195.255.250", allocate, codes{group.CodeRelative}, "SSDP"},
		{"RFC 2365 6.2.1", "239.1.2.3", allocate, codes{group.CodeExpansion}, "239.255.0.0/16"},
		{"RFC 2365 6.2.1", "239.1.2.3", send, nil, ""},
		{"RFC 7607", "233.0.0.1", inspect, codes{group.CodeControlAlias, group.CodeOwner}, "AS 0"},
		{"RFC 6793", "233.91.160.1", inspect, codes{group.CodeOwner}, "23456"},
		{"RFC 6034 3", "234.10.1.1", inspect, codes{group.CodeOwner}, "10.1.1.0/24"},

		{"RFC 4607 4.1", "232.1.2.3", receive, codes{group.CodeSSMSource}, "source@232.1.2.3"},
		{"RFC 4607 4.1", "ff3e::8000:1", receive, codes{group.CodeSSMSource}, ""},
		{"RFC 4607 4.3", "232.0.0.0", allocate, codes{group.CodeControlAlias, group.CodeSSMPart}, "null"},
		{"RFC 4607 4.3: ssmping", "ff3e::4321:1234", inspect, codes{group.CodeSSMPart}, "ff3e::8000:0 to ff3e::ffff:ffff"},
		{"RFC 4607 1", "ff3e::1234", inspect, codes{group.CodeSSMPart}, "not a valid"},
		{"", "239.255.7.7", group.Use{Source: src6}, codes{group.CodeSource}, "source 2400::1 is not a unicast"},
		{"", "ff15::8000:1", group.Use{Source: src4}, codes{group.CodeSource}, ""},
		{"", "232.1.2.3", group.Use{Source: addr("239.1.1.1")}, codes{group.CodeSource}, ""},

		{"RFC 6676 2", "233.252.0.9", inspect, codes{group.CodeDocumentation}, "RFC 6676"},
		{"RFC 6676 2", "233.251.240.1", inspect, codes{group.CodeDocumentation}, ""},
		{"RFC 6676 2", "234.192.0.2", inspect, codes{group.CodeDocumentation}, ""},
		{"RFC 6676 2", "239.255.255.245", inspect, codes{group.CodeDocumentation}, ""},
		{"RFC 6676 3", "ff0e::db8:0:1", inspect, codes{group.CodeDocumentation}, "section 3"},
		{"RFC 6676 3", "ff3e:30:2001:db8:1:0:8000:1", inspect, codes{group.CodeDocumentation}, ""},
		{"RFC 9637", "ff7e:130:3fff:1::8000:1", inspect, codes{group.CodeDocumentation}, ""},
		{"RFC 5737", "232.1.2.3", group.Use{Source: addr("192.0.2.10")}, codes{group.CodeDocumentation}, "192.0.2.10"},

		{"RFC 7346 2", "ff00::8000:1", inspect, codes{group.CodeReserved}, "scope 0"},
		{"RFC 7346 2", "ff1f::8000:1", inspect, codes{group.CodeReserved}, "scope f"},
		{"RFC 3956 3", "ff5e::8000:1", inspect, codes{group.CodeFlags}, "R without P"},
		{"RFC 3306 4", "ff2e::8000:1", inspect, codes{group.CodeFlags}, "P without T"},
		{"RFC 7371 4", "ffbe::8000:1", inspect, codes{group.CodeFlags}, "flag X"},
		{"RFC 7371 4", "ff3e:1000::8000:1", inspect, codes{group.CodeFlags}, "second flag field"},
		{"RFC 3956 3", "ff3e:100::8000:1", inspect, codes{group.CodeFlags}, "without flag R"},
		{"RFC 3306 4", "ff3e:41::8000:1", inspect, codes{group.CodePrefix}, "1 to 64"},
		{"RFC 3306 4", "ff3e:20:2400:1:1::8000:1", inspect, codes{group.CodePrefix}, "behind the prefix"},
		{"RFC 3306 4", "ff3e:30:fd00:1::8000:1", inspect, codes{group.CodePrefixScope}, "organization-local at most"},
		{"RFC 3306 4", "ff3e:30::8000:1", inspect, codes{group.CodeOwner}, "own no group"},
		{"RFC 4489 3", "ff35:ff:a12::8000:1", inspect, codes{group.CodePrefixScope}, "link-local at most"},
		{"RFC 3956 6.3", "ff7e:40:2400::8000:1", inspect, codes{group.CodeRP}, "1 to 15"},
		{"RFC 3956 4", "ff7e:141:2400::8000:1", inspect, codes{group.CodeRP}, "1 to 64"},
		{"RFC 3956 4", "ff72:140:fe80::8000:1", inspect, codes{group.CodeRP}, "fe80::/10"},
		{"RFC 3956 4: longer prefixes", "ff7e:320:2400:1:dead::8000:1", inspect, nil, ""},
		{"RFC 3307 4.3", "ff15::1", inspect, codes{group.CodeGroupID}, "33:33:00:00:00:01 with ff02::1 (all nodes)"},
		{"RFC 3307 4.3", "ff15::4000:1", inspect, codes{group.CodeGroupID}, ""},
		{"RFC 3307 4.2", "ff3e:20:2400:1::4040:4040", inspect, nil, ""},
		{"RFC 3307 4.1", "ff0e::8000:1", inspect, codes{group.CodeGroupID}, "flag T is clear"},
		{"RFC 4291 2.7", "ff0e::1234", allocate, codes{group.CodeAssigned}, "ff1x::"},
		{"RFC 2375 3", "ff02::", inspect, codes{group.CodeReserved}, "group ID 0"},
		{"RFC 2375 3", "ff02::fb", allocate, codes{group.CodeAssigned}, "mDNS"},
		{"RFC 2974 3", "ff0e::2:7fff", inspect, codes{group.CodeDeprecated}, "ff0x::2:7ffe"},

		{"scope vs TTL", "233.9.193.7", group.Use{Purpose: group.Send, TTL: 1}, codes{group.CodeTTLBelow}, "first router"},
		{"scope vs TTL", "ff15::8000:1", group.Use{TTL: 1}, codes{group.CodeTTLBelow}, "site-local"},
		{"scope vs TTL", "239.255.7.7", group.Use{TTL: 1}, nil, ""},
		{"scope vs TTL", "239.255.7.7", group.Use{TTL: 31}, nil, ""},
		{"scope vs TTL", "239.255.7.7", group.Use{TTL: 32}, codes{group.CodeTTLAbove}, "'region'"},
		{"scope vs TTL", "239.192.7.7", group.Use{TTL: 64}, codes{group.CodeTTLAbove}, "'world'"},
		{"scope vs TTL", "224.0.0.251", group.Use{TTL: 64}, codes{group.CodeTTLAbove}, "link-local"},
		{"scope vs TTL", "ff12::8000:1", group.Use{TTL: 2}, codes{group.CodeTTLAbove}, "link-local"},
		{"scope vs TTL", "233.9.193.7", group.Use{TTL: 256}, codes{group.CodeTTLAbove}, "1 to 255"},
		{"scope vs TTL", "233.9.193.7", group.Use{TTL: -1}, codes{group.CodeTTLAbove}, "1 to 255"},
	} {
		found := group.Lint(addr(tt.addr), tt.use)
		var got codes
		text := ""
		for _, f := range found {
			got = append(got, f.Code)
			text += f.Message + "\n"
		}
		if !slices.Equal(got, tt.want) || !strings.Contains(text, tt.text) {
			t.Errorf("%s: Lint(%s, %v) = %v, want %v and %q\n%s", tt.section, tt.addr, tt.use, got, tt.want, tt.text, text)
		}
	}
	if f := group.Lint(netip.Addr{}, group.Use{}); len(f) != 1 || f[0].Code != group.CodeNotMulticast {
		t.Errorf("the zero Addr: %v", f)
	}
	if f := group.AppendLint([]group.Finding{{Code: "mine"}}, addr("224.5.0.1"), group.Use{}); len(f) != 2 || f[0].Code != "mine" {
		t.Errorf("appended: %v", f)
	}
}

func TestPurpose(t *testing.T) {
	for p, want := range map[group.Purpose]string{
		group.Inspect: "inspect", group.Receive: "receive", group.Send: "send", group.Allocate: "allocate", 9: "unknown",
	} {
		if p.String() != want {
			t.Errorf("Purpose(%d) = %q", p, p)
		}
	}
}
