package sap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

func TestGroupFor(t *testing.T) {
	// The example of RFC 2974 section 3, and a zone around it.
	zones := []group.Zone{
		group.ZoneOfPrefix(netip.MustParsePrefix("239.16.0.0/16")),
		{First: netip.MustParseAddr("239.16.32.0"), Last: netip.MustParseAddr("239.16.33.255")},
		group.ZoneOfPrefix(netip.MustParsePrefix("239.0.0.0/9")),
	}
	for _, v := range [][2]string{
		{"224.2.128.5", "224.2.127.254"}, {"224.5.1.1", "224.2.127.254"}, {"232.1.2.3", "224.2.127.254"},
		{"233.252.0.1", "224.2.127.254"}, {"239.255.1.1", "239.255.255.255"}, {"239.192.1.1", "239.195.255.255"},
		{"239.195.9.9", "239.195.255.255"}, {"224.0.0.200", "224.0.0.255"},
		{"239.16.33.1", "239.16.33.255"}, {"239.16.34.1", "239.16.255.255"}, {"239.1.2.3", "239.127.255.255"},
		{"ff02::1234:5678", "ff02::2:7ffe"}, {"ff15::1", "ff05::2:7ffe"}, {"ff3e::8000:1", "ff0e::2:7ffe"},
		{"::ffff:239.255.1.1", "239.255.255.255"}, {"ff12::1%eth0", "ff02::2:7ffe"},
		{"239.200.1.1", ""}, {"192.0.2.1", ""}, {"ff0f::1", ""}, {"2001:db8::1", ""},
	} {
		got, err := GroupFor(netip.MustParseAddr(v[0]), zones...)
		if v[1] == "" {
			if !errors.Is(err, ErrScope) {
				t.Errorf("%s: %v, %v", v[0], got, err)
			}
		} else if err != nil || got != netip.MustParseAddr(v[1]) {
			t.Errorf("%s: %v, %v; want %s", v[0], got, err, v[1])
		}
	}
}

func describe(lines string) *sdp.Description {
	d, err := sdp.ParseString("v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=x\r\nt=0 0\r\n" + lines)
	if err != nil {
		panic(err)
	}
	return d
}

func TestGroupsFor(t *testing.T) {
	two := describe("m=audio 5004 RTP/AVP 0\r\nc=IN IP4 239.255.1.1/15\r\nm=audio 5006 RTP/AVP 0\r\nc=IN IP4 224.2.200.1/127\r\nm=audio 5008 RTP/AVP 0\r\nc=IN IP6 ff15::1\r\n")
	dante := describe("c=IN IP4 239.69.1.1/32\r\nm=audio 5004 RTP/AVP 96\r\n")
	for _, v := range []struct {
		d    *sdp.Description
		p    Profile
		want string
	}{
		{two, RFC2974, "[239.255.255.255 224.2.127.254 ff05::2:7ffe]"},
		{dante, AES67, "[239.255.255.255]"},
		{dante, RFC2974, "[]"},
		{describe("c=IN IP4 239.192.1.1/32\r\nm=audio 5004 RTP/AVP 96\r\n"), AES67, "[239.195.255.255 239.255.255.255]"},
		{describe("c=IN IP4 192.0.2.9\r\nm=audio 5004 RTP/AVP 96\r\n"), Fast, "[]"},
	} {
		got, err := GroupsFor(v.d, v.p)
		if fmt.Sprint(got) != v.want || v.want == "[]" != errors.Is(err, ErrScope) {
			t.Errorf("%v, %v; want %s", got, err, v.want)
		}
	}
	if n := len(AllGroups()); n != 5+13 {
		t.Error(n, AllGroups())
	}
}

// Whatever is announced by default is heard by default.
func TestAllGroups(t *testing.T) {
	zone := group.ZoneOfPrefix(netip.MustParsePrefix("239.16.0.0/16"))
	all := AllGroups(zone)
	for _, s := range []string{"224.2.128.5", "232.1.2.3", "239.255.1.1", "239.192.1.1", "239.16.1.1", "224.0.0.200",
		"ff02::1", "ff13::1", "ff14::1", "ff15::1", "ff16::1", "ff17::1", "ff18::1", "ff19::1", "ff1a::1", "ff1b::1", "ff1c::1", "ff1d::1", "ff3e::8000:1"} {
		if g, err := GroupFor(netip.MustParseAddr(s), zone); err != nil || !slices.Contains(all, g) {
			t.Errorf("%s is announced on %v, %v", s, g, err)
		}
	}
}
