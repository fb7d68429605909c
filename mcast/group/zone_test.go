package group_test

import (
	"net/netip"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestZone(t *testing.T) {
	// RFC 2974 section 3's example, which is a /23.
	z := group.Zone{First: addr("239.16.32.0"), Last: addr("239.16.33.255")}
	for _, tt := range []struct {
		zone   group.Zone
		offset group.Offset
		want   string
		name   string
	}{
		{z, group.OffsetSAP, "239.16.33.255", "SAP"},
		{z, group.OffsetMADCAP, "239.16.33.254", "MADCAP"},
		{z, 255, "239.16.33.0", ""},
		{group.LocalZone, group.OffsetSAP, "239.255.255.255", "SAP"},
		{group.LocalZone, group.OffsetMADCAP, "239.255.255.254", "MADCAP"},
		{group.LocalZone, group.OffsetMZAP, "239.255.255.252", "MZAP"},
		{group.LocalZone, group.OffsetSSDP, "239.255.255.250", "SSDP"},
		{group.LocalZone, group.OffsetTestNet2, "239.255.255.245", "MCAST-TEST-NET-2"},
		{group.LocalZone, group.OffsetExperiment, "239.255.255.1", "experiment"},
		{group.OrganizationZone, group.OffsetSAP, "239.195.255.255", "SAP"},
		{group.OrganizationZone, group.OffsetMADCAP, "239.195.255.254", "MADCAP"},
		{group.ZoneOfPrefix(netip.MustParsePrefix("ff38::/16")), group.OffsetMADCAP, "ff38:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "MADCAP"},
		{group.Zone{First: addr("ff15::"), Last: addr("ff15::1:0:0:0:10")}, 32, "ff15::ffff:ffff:ffff:fff0", ""},
	} {
		got, ok := tt.zone.Relative(tt.offset)
		if !ok || got != addr(tt.want) || tt.offset.String() != tt.name {
			t.Errorf("%v offset %d = %v, %v, %q; want %s", tt.zone, tt.offset, got, ok, tt.offset, tt.want)
		}
		if o, ok := tt.zone.Offset(got); !ok || o != tt.offset {
			t.Errorf("%v: offset of %v is %d, %v; want %d", tt.zone, got, o, ok, tt.offset)
		}
	}
	for _, s := range []string{"239.16.32.255", "239.16.34.0", "239.16.31.255", "ff15::1", "192.0.2.1"} {
		if o, ok := z.Offset(addr(s)); ok {
			t.Errorf("offset of %s is %d", s, o)
		}
	}
	if a, ok := (group.Zone{First: addr("239.1.1.1"), Last: addr("239.1.1.3")}).Relative(3); ok {
		t.Errorf("below the zone: %v", a)
	}
	for _, bad := range []group.Zone{{}, {First: addr("239.1.1.2"), Last: addr("239.1.1.1")}, {First: addr("10.0.0.0"), Last: addr("10.0.0.9")},
		{First: addr("239.0.0.0"), Last: addr("ff02::1")}, group.ZoneOfPrefix(netip.Prefix{})} {
		if _, ok := bad.Relative(0); ok || bad.IsValid() || bad.Contains(addr("239.1.1.1")) || bad.Contains(netip.Addr{}) {
			t.Errorf("%v is valid", bad)
		}
	}
}

func TestZoneOf(t *testing.T) {
	for in, want := range map[string]group.Zone{
		"239.255.7.7": group.LocalZone, "239.192.0.0": group.OrganizationZone, "239.195.255.255": group.OrganizationZone, "::ffff:239.255.0.1": group.LocalZone,
		"239.196.0.0": {}, "239.254.0.1": {}, "224.0.0.1": {}, "ff05::1": {}, "10.0.0.1": {},
	} {
		if z, ok := group.ZoneOf(addr(in)); z != want || ok != (want != group.Zone{}) {
			t.Errorf("ZoneOf(%s) = %v, %v", in, z, ok)
		}
	}
}
