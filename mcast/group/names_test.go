package group_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestWellKnown(t *testing.T) {
	for in, want := range map[string]string{
		"224.0.0.1": "all hosts", "224.0.0.5": "OSPF all routers", "224.0.0.13": "PIM routers", "224.0.0.22": "IGMPv3 reports", "224.0.0.18": "VRRP",
		"224.0.0.56": "PulseAudio SAP (unregistered)", "224.0.0.55": "zeroconfaddr", "224.0.0.107": "PTP peer delay", "224.0.0.251": "mDNS", "224.0.0.252": "LLMNR",
		"224.0.1.1": "NTP", "224.0.1.68": "mdhcpdiscover", "224.0.1.129": "PTP", "224.0.1.130": "PTP alternate 1", "224.0.1.132": "PTP alternate 3",
		"224.0.10.8": "DLSw Groups", "224.2.127.254": "SAP", "224.2.127.255": "SAPv0", "224.2.128.0": "SAP dynamic assignments", "224.2.0.1": "multimedia conferences",
		"224.1.0.38": "dantz", "224.252.0.1": "DIS transient groups", "233.252.0.7": "MCAST-TEST-NET", "239.69.1.2": "Dante AES67 (unregistered)",
		"239.255.255.250": "SSDP", "239.255.255.255": "SAP", "239.195.255.254": "MADCAP", "239.255.255.252": "MZAP", "::ffff:224.0.0.251": "mDNS",
		"ff01::1": "all nodes", "ff02::1%eth0": "all nodes", "ff05::2": "all routers", "ff02::d": "PIM routers", "ff02::16": "MLDv2 reports", "ff02::fb": "mDNS",
		"ff05::fb": "mDNS", "ff02::c": "SSDP", "ff0e::101": "NTP", "ff0e::2:7ffe": "SAP", "ff02::1:2": "DHCP servers and relay agents", "ff05::1:3": "DHCP servers",
		"ff02::1:3": "LLMNR", "ff02::1:ff28:9c5a": "solicited node", "ff0e::181": "PTP", "ff02::6b": "PTP peer delay", "ff0e::db8:1:2": "documentation",
		// none
		"224.0.0.0": "", "224.0.0.3": "", "224.0.0.255": "", "224.1.0.0": "", "239.1.2.3": "", "239.255.255.0": "", "232.1.2.3": "", "ff12::fb": "", "ff02::3": "",
		"ff05::1": "", "ff32::1": "", "ff02:1::fb": "", "ff02::1:0:0:0:fb": "", "192.0.2.1": "", "2001:db8::fb": "",
	} {
		if got, ok := group.WellKnown(addr(in)); got != want || ok != (want != "") {
			t.Errorf("WellKnown(%s) = %q, %v; want %q", in, got, ok, want)
		}
	}
	if _, ok := group.WellKnown(netip.Addr{}); ok {
		t.Error("the zero Addr has a name")
	}
	if _, err := time.Parse(time.DateOnly, group.RegistryDate); err != nil {
		t.Error(err)
	}
}

// Assignments and WellKnown agree; IPv4 ascends without overlap.
func TestAssignments(t *testing.T) {
	var last netip.Addr
	n := 0
	for a := range group.Assignments() {
		n++
		if a.First.Compare(a.Last) > 0 || !a.First.IsMulticast() || a.Name == "" {
			t.Errorf("%+v", a)
		}
		_, zone := group.ZoneOf(a.First)
		if a.First.Is4() && !zone {
			if !last.Less(a.First) {
				t.Errorf("%v after %v", a.First, last)
			}
			last = a.Last
		}
		for _, at := range []netip.Addr{a.First, a.Last} {
			if name, ok := group.WellKnown(at); !ok || name != a.Name && name != "solicited node" {
				t.Errorf("WellKnown(%v) = %q, want %q", at, name, a.Name)
			}
		}
	}
	if n < 500 {
		t.Errorf("%d assignments", n)
	}
	for range group.Assignments() {
		break
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string][]string{
		"MDNS": {"224.0.0.251", "ff02::fb"}, "ssdp": {"239.195.255.250", "239.255.255.250", "ff02::c"}, "nobody": nil,
		"PTP": {"224.0.1.129", "ff02::181"}, "PIM routers": {"224.0.0.13", "ff02::d"},
	} {
		i := 0
		for a := range group.Named(name) {
			if i >= len(want) || a.First != addr(want[i]) {
				t.Errorf("%s: %+v", name, a)
			}
			i++
		}
		if i != len(want) {
			t.Errorf("%s: %d, want %d", name, i, len(want))
		}
	}
}
