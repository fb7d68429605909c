package pcap

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/wire"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const (
	ether = "01005e010203 020000000001 "
	udp4  = "4500 0020 0000 4000 0111 89a3 c0000201 ef010203 1388 1389 000c 0000 61626364"
	udp6  = "60000000 000c 11 01 fe800000000000000000000000000001 ff150000000000000000000000000001 1388 1389 000c 0000 61626364"
	got4  = "192.0.2.1:5000 239.1.2.3:5001 abcd"
	got6  = "[fe80::1]:5000 [ff15::1]:5001 abcd"
)

var frames = []struct {
	name string
	link LinkType
	hex  string
	want string
}{
	{"ethernet", LinkEthernet, ether + "0800" + udp4, "0800 0 " + got4},
	{"padded", LinkEthernet, ether + "0800" + udp4 + "0000000000", "0800 0 " + got4},
	{"ethernet, IPv6", LinkEthernet, ether + "86dd" + udp6, "86dd 0 " + got6},
	{"one tag", LinkEthernet, ether + "8100 6007 0800" + udp4, "0800 7 " + got4},
	{"two tags", LinkEthernet, ether + "88a8 0005 8100 0007 86dd" + udp6, "86dd 7 " + got6},
	{"SNAP", LinkEthernet, ether + "0028 aaaa03 000000 0800" + udp4 + "ffff", "0800 0 " + got4},
	{"LLC", LinkEthernet, ether + "0003 424203 0000", "0000 0 424203"},
	{"Cisco SNAP", LinkEthernet, ether + "0008 aaaa03 00000c 2001", "0000 0 aaaa0300000c2001"},
	{"ARP", LinkEthernet, ether + "0806 0001", "0806 0 0001"},
	{"raw", LinkRaw, udp4, "0800 0 " + got4},
	{"raw 12", LinkRaw12, udp6, "86dd 0 " + got6},
	{"raw 14", LinkRaw14, udp6, "86dd 0 " + got6},
	{"IPv4", LinkIPv4, udp4, "0800 0 " + got4},
	{"IPv6", LinkIPv6, udp6, "86dd 0 " + got6},
	{"null", LinkNull, "02000000" + udp4, "0800 0 " + got4},
	{"loop", LinkLoop, "00000018" + udp6, "86dd 0 " + got6},
	{"PPP", LinkPPP, "ff03 0021" + udp4, "0800 0 " + got4},
	{"PPP, short", LinkPPP, "0057" + udp6, "86dd 0 " + got6},
	{"PPP, other", LinkPPP, "c021 01", "ffff 0 c02101"},
	{"SLL", LinkSLL, "0000 0001 0006 020000000001 0000 0800" + udp4, "0800 0 " + got4},
	{"SLL, LLC", LinkSLL, "0000 0001 0006 020000000001 0000 0004 424203", "0000 0 424203"},
	{"SLL2", LinkSLL2, "86dd 0000 00000002 0001 00 06 0200000000010000" + udp6, "86dd 0 " + got6},
}

func TestDecode(t *testing.T) {
	for _, tt := range frames {
		var f Frame
		if err := Decode(tt.link, unhex(tt.hex), &f); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := fmt.Sprintf("%04x %d %x", f.EtherType, f.VLAN, f.Payload)
		if src, dst, payload, ok := f.UDP(); ok {
			got = fmt.Sprintf("%04x %d %v %v %s", f.EtherType, f.VLAN, src, dst, payload)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if tt.link == LinkEthernet && (f.DstMAC != [6]byte{1, 0, 0x5e, 1, 2, 3} || f.SrcMAC != [6]byte{2, 0, 0, 0, 0, 1}) {
			t.Errorf("%s: %x %x", tt.name, f.DstMAC, f.SrcMAC)
		}
		// Nothing that is cut short is taken for a whole datagram.
		whole := unhex(tt.hex)
		_, _, full, isUDP := f.UDP()
		for n := range whole {
			err := Decode(tt.link, whole[:n], &f)
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %d bytes: %v", tt.name, n, err)
			}
			if _, _, payload, ok := f.UDP(); err == nil && ok && isUDP && len(payload) < len(full) && !f.IP.Truncated {
				t.Errorf("%s: %d bytes are a datagram of %q", tt.name, n, payload)
			}
		}
	}
	var f Frame
	if err := Decode(147, nil, &f); !errors.Is(err, ErrLink) {
		t.Error(err)
	}
	if err := Decode(LinkRaw, unhex("5500"+udp4[5:]), &f); !errors.Is(err, wire.ErrIPVersion) {
		t.Error(err)
	}
}

func TestUDP(t *testing.T) {
	for name, tt := range map[string]struct {
		hex string
		ok  bool
	}{
		"length zero":     {"4500 0020 0000 4000 0111 0000 c0000201 ef010203 1388 1389 0000 0000 61626364", true},
		"length too long": {"4500 0020 0000 4000 0111 0000 c0000201 ef010203 1388 1389 000d 0000 61626364", false},
		"length seven":    {"4500 0020 0000 4000 0111 0000 c0000201 ef010203 1388 1389 0007 0000 61626364", false},
		"a fragment":      {"4500 0020 0000 2000 0111 0000 c0000201 ef010203 1388 1389 000c 0000 61626364", false},
		"no UDP":          {"4500 0020 0000 4000 0102 0000 c0000201 ef010203 1388 1389 000c 0000 61626364", false},
		"cut":             {"4500 0020 0000 4000 0111 0000 c0000201 ef010203 1388 1389 000c 0000 61", true},
		"cut in header":   {"4500 0020 0000 4000 0111 0000 c0000201 ef010203 1388 1389 000c", false},
	} {
		var f Frame
		if err := Decode(LinkRaw, unhex(tt.hex), &f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, _, ok := f.UDP(); ok != tt.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}
