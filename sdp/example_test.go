package sdp_test

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

// What an announcement says is to be joined.
func Example() {
	b := []byte("v=0\r\n" +
		"o=- 1311738121 1311738121 IN IP4 192.0.2.10\r\n" +
		"s=Concert\r\n" +
		"t=0 0\r\n" +
		"m=audio 5004 RTP/AVP 96\r\n" +
		"c=IN IP4 232.1.2.3/16\r\n" +
		"a=source-filter: incl IN IP4 232.1.2.3 192.0.2.10\r\n" +
		"a=rtpmap:96 L24/48000/2\r\n")
	d, err := sdp.Parse(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ch := range d.Channels() {
		m, _ := d.MediaAt(ch.Media)
		fmt.Println(d.Name(), ch.Target(), m.RTPMaps()[0])
	}
	// Output:
	// Concert rtp://192.0.2.10@232.1.2.3:5004 96 L24/48000/2
}

func ExampleParse() {
	d, err := sdp.Parse([]byte("v=0\no=- 1 1 IN IP4 192.0.2.10\ns=Radio\nt=0 0\nm=video 1234 udp mpeg\nc=IN IP4 239.255.12.44\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Channels())
	for _, w := range d.Warnings() {
		fmt.Println(w)
	}
	// Output:
	// [udp://239.255.12.44:1234]
	// line 6, column 23: an IPv4 group must have a TTL behind it, such as /16 (RFC 8866 section 5.7)
}

func ExampleStrict() {
	_, err := sdp.Strict([]byte("v=0\r\no=jdoe 0x1A 1 IN IP4 192.0.2.10\r\ns=-\r\nt=0 0\r\n"))
	fmt.Println(err)
	// Output:
	// sdp: line 2, column 8: the session ID is not a decimal number
}

func ExampleNewRTP() {
	d, err := sdp.NewRTP(sdp.RTP{
		Session: sdp.Session{Name: "Voices", ID: 3945168000},
		Dest: sdp.Dest{
			Channel: group.Channel{Group: netip.MustParseAddr("232.1.2.3"), Source: netip.MustParseAddr("192.0.2.10")},
			Port:    5004, TTL: 16,
		},
		Kind: "audio", PayloadType: 97, Encoding: "opus", ClockRate: 48000, Channels: 2, PacketTime: 20 * time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(d.String(), "\r\n", "\n"))
	// Output:
	// v=0
	// o=- 3945168000 1 IN IP4 192.0.2.10
	// s=Voices
	// t=0 0
	// m=audio 5004 RTP/AVP 97
	// c=IN IP4 232.1.2.3/16
	// b=RS:0
	// b=RR:0
	// a=source-filter: incl IN IP4 232.1.2.3 192.0.2.10
	// a=rtpmap:97 opus/48000/2
	// a=ptime:20
	// a=recvonly
}

func ExampleNewAES67() {
	d, err := sdp.NewAES67(sdp.AES67{
		Session:  sdp.Session{Name: "Stage left", ID: 3945168000, Origin: netip.MustParseAddr("192.0.2.10")},
		Dest:     sdp.Dest{Channel: group.Channel{Group: netip.MustParseAddr("239.69.1.2")}, Port: 5004, TTL: 15},
		Channels: 8,
		RefClock: sdp.RefClock{Server: "39-A7-94-FF-FE-07-CB-D0", Domain: "0"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(d.String(), "\r\n", "\n"))
	// Output:
	// v=0
	// o=- 3945168000 1 IN IP4 192.0.2.10
	// s=Stage left
	// t=0 0
	// m=audio 5004 RTP/AVP 96
	// c=IN IP4 239.69.1.2/15
	// a=rtpmap:96 L24/48000/8
	// a=ptime:1
	// a=ts-refclk:ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:0
	// a=mediaclk:direct=0
	// a=recvonly
}

func ExampleDescription_Lint() {
	d, _ := sdp.Parse([]byte("v=0\no=- 7 1 IN IP4 10.0.0.7\ns=-\nt=0 0\n" +
		"m=video 5004 RTP/AVP 33\nc=IN IP4 232.1.2.3/16\nb=RS:0\nb=RR:0\na=source-filter: incl IN IP4 232.1.2.4 10.0.0.7\n"))
	for _, f := range d.Lint() {
		fmt.Println(f.Code, f)
	}
	// Output:
	// filter-dest line 9, column 1: a source filter for 232.1.2.4, which no c= line has (RFC 4570 section 3.1)
	// ssm-source line 5, column 1: 232.1.2.3 is source-specific, but there is no a=source-filter with the sender (RFC 4607 section 4.1)
}

func ExampleDescription_BumpVersion() {
	d, _ := sdp.Parse([]byte("v=0\no=- 17198685921397729485 9 IN IP4 192.0.2.10\ns=-\nt=0 0\n"))
	d.Session().SetAttribute("tool", "mcast")
	d.BumpVersion()
	fmt.Print(strings.ReplaceAll(d.String(), "\r\n", "\n"))
	// Output:
	// v=0
	// o=- 17198685921397729485 10 IN IP4 192.0.2.10
	// s=-
	// t=0 0
	// a=tool:mcast
}
