package sdp_test

// Texts in the manner of the programs and RFCs they are named after, written for these
// tests. Lines end in CRLF unless the program writes LF: that is what crlf is for.

import "strings"

func crlf(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }
func lf(s string) string   { return strings.TrimPrefix(s, "\n") }

// aes67 is the sample parsers are compared with.
var aes67 = crlf(`
v=0
o=- 1311738121 1311738121 IN IP4 192.168.1.1
s=Stage left I/O
c=IN IP4 239.1.7.1/32
t=0 0
m=audio 5004 RTP/AVP 96
i=Channels 1-8
a=source-filter: incl IN IP4 239.1.7.1 192.168.1.1
a=rtpmap:96 L24/48000/8
a=recvonly
a=ptime:1
a=ts-refclk:ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:0
a=mediaclk:direct=0
`)

// fixture is a text with what must come of it.
type fixture struct {
	name     string
	text     string
	warnings string // "line:column code" of each, with spaces between
	channels string // Channel.String of each, with spaces between
}

var fixtures = []fixture{
	{"aes67", aes67, "", "rtp://192.168.1.1@239.1.7.1:5004"},
	{"RFC 2327", crlf(`
v=0
o=mhandley 2890844526 2890842807 IN IP4 126.16.64.4
s=SDP Seminar
i=A Seminar on the session description protocol
u=http://www.cs.ucl.ac.uk/staff/M.Handley/sdp.03.ps
e=mjh@isi.edu (Mark Handley)
p=+44-171-380-7777
c=IN IP4 224.2.17.12/127
t=2873397496 2873404696
a=recvonly
m=audio 49170 RTP/AVP 0
m=video 51372 RTP/AVP 31
m=application 32416 udp wb
a=orient:portrait
`), "", "rtp://224.2.17.12:49170 rtp://224.2.17.12:51372 udp://224.2.17.12:32416"},
	{"RFC 2327 by hand", lf(`
v=0
o=kimura 3216517200 3216517200 IN IP4 133.138.1.1
s=Course on multicast
e=<kimura@example.jp>
p=<+81 3 5205 6500>
t=3216517200 3216603600
m=audio 21010 RTP/AVP 5
c=IN IP4 224.2.130.7/31
m=video 61010 RTP/AVP 31
c=IN IP4 224.2.130.8/31
`), "", "rtp://224.2.130.7:21010 rtp://224.2.130.8:61010"},
	{"VLC rtp", crlf(`
v=0
o=- 17198685921397729485 17198685921397729485 IN IP4 player
s=A
i=N/A
c=IN IP4 239.255.12.43/255
t=0 0
a=tool:vlc 3.0.24
a=recvonly
a=type:broadcast
a=charset:UTF-8
m=video 5004 RTP/AVP 33
b=RR:0
a=rtpmap:33 MP2T/90000
`), "", "rtp://239.255.12.43:5004"},
	{"VLC raw", crlf(`
v=0
o=- 17198685921397729485 17198685921397729485 IN IP4 player
s=raw
i=N/A
c=IN IP4 239.255.12.44/255
t=0 0
a=tool:vlc 3.0.24
a=recvonly
a=type:broadcast
a=charset:UTF-8
a=source-filter: incl IN IP4 * 10.77.0.1
m=video 1234 udp mpeg
`), "", "udp://10.77.0.1@239.255.12.44:1234"},
	{"FFmpeg", crlf(`
v=0
o=- 0 0 IN IP4 127.0.0.1
s=No Name
c=IN IP4 239.255.12.50/7
t=0 0
a=tool:libavformat LIBAVFORMAT_VERSION
m=video 5004 RTP/AVP 32
b=AS:800
m=audio 5006 RTP/AVP 14
b=AS:128
`), "", "rtp://239.255.12.50:5004 rtp://239.255.12.50:5006"},
	{"minisapserver", lf(`
v=0
o=root 1 1 IN IP4 streamer.example.net
s=News
c=IN IP4 239.255.12.60/8
t=0 0
a=tool:minisapserver
a=type:broadcast
m=video 1234 udp 33
`), "", "udp://239.255.12.60:1234"},
	{"PulseAudio", lf(`
v=0
o=pulse 3873397496 0 IN IP4 192.168.7.7
s=PulseAudio RTP Stream on box
c=IN IP4 239.255.12.70
t=3873397496 0
a=recvonly
m=audio 46540 RTP/AVP 10
a=rtpmap:10 L16/44100/2
a=type:broadcast
`), "4:23 ttl", "rtp://239.255.12.70:46540"},
	{"PipeWire", lf(`
v=0
o=user 1234 0 IN IP4 192.168.7.8
s=PipeWire RTP Stream on box
c=IN IP4 239.69.7.8/1
t=3873397496 0
a=recvonly
a=tool:PipeWire 1.0.5
a=type:broadcast
m=audio 46000 RTP/AVP 127
i=2 channels: FL, FR
a=rtpmap:127 L24/48000/2
a=ptime:1
a=ts-refclk:ptp=traceable
a=mediaclk:direct=12345
`), "13:17 attribute", "rtp://239.69.7.8:46000"},
	{"Dante", lf(`
v=0
o=- 1423986 1423994 IN IP4 169.254.98.63
s=AOIP44-serial-1614 : 2
c=IN IP4 239.65.45.154/32
t=0 0
a=keywds:Dante
m=audio 5004 RTP/AVP 97
i=2 channels: TxChan 0, TxChan 1
a=recvonly
a=rtpmap:97 L24/48000/2
a=ptime:1
a=ts-refclk:ptp=IEEE1588-2008:00-1D-C1-FF-FE-0E-10-C4:0
a=mediaclk:direct=142410716
`), "", "rtp://239.65.45.154:5004"},
	{"ST 2110 rate in Hz", crlf(`
v=0
o=- 1543226715 1543226715 IN IP4 172.29.80.65
s=Camera
t=0 0
a=group:DUP primary secondary
m=video 27346 RTP/AVP 97
c=IN IP4 232.80.177.113/32
a=source-filter: incl IN IP4 232.80.177.113 172.29.80.65
a=rtpmap:97 raw/90000
a=fmtp:97 sampling=YCbCr-4:2:2; width=1920; height=1080; depth=10; interlace; exactframerate=25
a=ts-refclk:localmac=40-a3-6b-a0-2b-d2
a=mediaclk:direct=0 rate=90000
a=mid:primary
m=video 27346 RTP/AVP 97
c=IN IP4 232.81.177.113/32
a=source-filter: incl IN IP4 232.81.177.113 172.29.81.65
a=rtpmap:97 raw/90000
a=mid:secondary
`), "12:21 attribute", "rtp://172.29.80.65@232.80.177.113:27346 rtp://172.29.81.65@232.81.177.113:27346"},
	{"parameters broken over lines", lf(`
v=0
o=- 1 1 IN IP4 192.0.2.1
s=-
t=0 0
m=video 5000 RTP/AVP 96
c=IN IP4 239.1.7.1/64
a=rtpmap:96 raw/90000
a=fmtp:96 width=1920; height=1080;
   depth=10; TCS=SDR
`), "9:1 line", "rtp://239.1.7.1:5000"},
	{"grandmaster with blanks, no end", "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\nm=audio 5000 RTP/AVP 96\nc=IN IP4 239.1.7.1/64\na=rtpmap:96 L24/48000/2\na=ts-refclk:ptp=IEEE1588-2008:08 00 11 FF FE 22 89 C6:42",
		"8:31 attribute 8:57 ending", "rtp://239.1.7.1:5000"},
	{"RFC 4570 section 3.2.5", crlf(`
v=0
o=The King <Elvis@example.com>
s=Elvis Impersonation
c=IN IP6 FF0E::11A/127
t=0 0
a=source-filter incl IN IP6 FF0E::11A 2001:DB8:1:2:240:96FF:FE25:8EC9
m=audio 54320 RTP/AVP 0
`), "2:7 number 4:20 count 6:16 attribute", "rtp://[2001:db8:1:2:240:96ff:fe25:8ec9]@[ff0e::11a]:54320"},
	{"camera", crlf(`
v=0
o=- 0x1A 1 IN IPV4 0.0.0.0
s=Media Server
c=IN c=IN IP4 239.3.1.142
b=64
t=now-
a=control:*
m=video 5000 rtp/avp 96
a=rtpmap:96 H264/90000 

a=fmtp:96 packetization-mode=1;profile-level-id=4D001E
`), "2:5 number 4:11 syntax 5:3 number 6:3 number 9:23 space 10:1 line", "rtp://239.3.1.142:5000"},
	{"camera without times and origin", crlf(`
v=0
s=Stream
a=range:npt=0-
m=video 0 RTP/AVP 96
c=IN IP4 0.0.0.0
a=rtpmap:96 H265/90000
`), "4:1 missing 4:1 missing", ""},
	{"SAP with terminator", lf("\nv=0\no=- 5 1 IN IP4 10.0.0.1\ns=x\nc=IN IP4 239.1.7.9/4\nt=0 0\nm=audio 5004 RTP/AVP 0\n\x00"),
		"7:1 bytes", "rtp://239.1.7.9:5004"},
	{"SAP delete", "o=- 5 1 IN IP4 10.0.0.1\n", "2:1 missing 2:1 missing 2:1 missing", ""},
	{"byte order mark", "\xef\xbb\xbfv=0\r\no=- 5 1 IN IP4 10.0.0.1\r\ns=x\r\nt=0 0\r\n", "1:1 bytes", ""},
	{"CR alone", "v=0\ro=- 5 1 IN IP4 10.0.0.1\rs=x\rc=IN IP4 239.1.7.9/4\rt=0 0\rm=audio 5004 RTP/AVP 0\r",
		"1:4 ending 2:24 ending 3:4 ending 4:21 ending 5:6 ending 6:23 ending", "rtp://239.1.7.9:5004"},
	{"mixed endings", "v=0\r\no=- 5 1 IN IP4 10.0.0.1\ns=x\r\r\nt=0 0\n\n", "3:4 ending 4:1 line 6:1 line", ""},
	{"indented", "  v=0\n\to=- 5 1 IN IP4 10.0.0.1\n  s=x\n  t=0 0\n", "1:1 space 2:1 space 3:1 space 4:1 space", ""},
	{"layers", crlf(`
v=0
o=- 5 1 IN IP4 10.0.0.1
s=layers
t=0 0
m=video 49170 RTP/AVP 31
c=IN IP4 224.2.1.1/127/3
m=video 49170 RTP/AVP 31
c=IN IP4 224.2.2.1/127
c=IN IP4 224.2.2.2/127
c=IN IP6 ff15::8000:1/2
m=video 49170/2 RTP/AVP 31
c=IN IP4 233.252.0.1/127/2
m=video 49170/2 RTP/AVP 31
c=IN IP4 233.252.0.9/127
m=application 7000/3 udp wb
c=IN IP4 233.252.0.10/127
`), "", "rtp://224.2.1.1:49170 rtp://224.2.1.2:49170 rtp://224.2.1.3:49170 " +
		"rtp://224.2.2.1:49170 rtp://224.2.2.2:49170 rtp://[ff15::8000:1]:49170 rtp://[ff15::8000:2]:49170 " +
		"rtp://233.252.0.1:49170 rtp://233.252.0.2:49172 rtp://233.252.0.9:49170 rtp://233.252.0.9:49172 " +
		"udp://233.252.0.10:7000 udp://233.252.0.10:7001 udp://233.252.0.10:7002"},
	{"RFC 4570 section 3.2.4", crlf(`
v=0
o=- 5 1 IN IP4 10.0.0.1
s=-
t=0 0
a=source-filter: incl IN IP4 224.2.1.1 192.0.2.10
a=source-filter: incl IN IP4 224.2.1.3 192.0.2.42
m=audio 54320 RTP/AVP 0
c=IN IP4 224.2.1.1/127/3
`), "", "rtp://192.0.2.10@224.2.1.1:54320 rtp://224.2.1.2:54320 rtp://192.0.2.42@224.2.1.3:54320"},
	{"RFC 6128", crlf(`
v=0
o=ali 1122334455 1122334466 IN IP4 ssm.example.com
s='multicast-rtcp' Example
t=0 0
a=rtcp-unicast:rsi
m=video 41000 RTP/AVPF 98
i=Multicast Stream
c=IN IP4 233.252.0.2/255
a=source-filter:incl IN IP4 233.252.0.2 198.51.100.1
a=rtpmap:98 MP2T/90000
a=multicast-rtcp:42000
a=rtcp:43000 IN IP4 192.0.2.1
a=mid:1
`), "", "rtp://198.51.100.1@233.252.0.2:41000"},
	{"RFC 6364 section 6.4", crlf(`
v=0
o=ali 1122334455 1122334466 IN IP4 fec.example.com
s=FEC Framework Examples
t=0 0
a=group:FEC-FR S6 R5
a=group:FEC-FR S6 R6
m=video 30000 RTP/AVP 100
c=IN IP4 233.252.0.1/127
a=rtpmap:100 MP2T/90000
a=fec-source-flow: id=0
a=mid:S6
m=application 30000 UDP/FEC
c=IN IP4 233.252.0.3/127
a=fec-repair-flow: encoding-id=0; preference-lvl=0; ss-fssi=n:7,k:5
a=repair-window:200ms
a=mid:R5
m=application 30000 UDP/FEC *
c=IN IP4 233.252.0.4/127
a=fec-repair-flow: encoding-id=1; preference-lvl=1; ss-fssi=t:3
a=repair-window:150500us
a=mid:R6
`), "12:28 missing", "rtp://233.252.0.1:30000 udp://233.252.0.3:30000 udp://233.252.0.4:30000"},
	{"FLUTE", crlf(`
v=0
o=user123 2890844526 2890842807 IN IP6 2201:56d::112e:144a:1e24
s=File delivery session example
i=More information
t=2873397496 2873404696
a=mbms-mode:broadcast 1234 1
a=FEC-declaration:0 encoding-id=1
a=FEC-declaration:1 encoding-id=129; instance-id=7
a=FEC-OTI-extension:1 ACAEAA==
a=source-filter: incl IN IP6 * 2001:210:1:2:240:96FF:FE25:8EC9
a=flute-tsi:3
m=application 12345 FLUTE/UDP 0
c=IN IP6 FF1E:03AD::7F2E:172A:1E24
b=AS:64
a=FEC:1
`), "", "udp://[2001:210:1:2:240:96ff:fe25:8ec9]@[ff1e:3ad::7f2e:172a:1e24]:12345"},
	{"senders excluded", crlf(`
v=0
o=- 5 1 IN IP4 10.0.0.1
s=-
t=0 0
a=source-filter: incl IN IP4 * 192.0.2.99
m=audio 54320 RTP/AVP 0
c=IN IP4 239.1.7.1/4
a=source-filter: excl IN IP4 * 192.0.2.10 192.0.2.11
m=audio 54322 RTP/AVP 0
c=IN IP4 239.1.7.2/4
`), "", "rtp://239.1.7.1:54320 rtp://192.0.2.99@239.1.7.2:54322"},
	{"TTL where it does not belong", crlf(`
v=0
o=- 5 1 IN IP4 10.0.0.1
s=-
c=IN IP6 ff15::8000:1/127/2
t=0 0
m=audio 5000 RTP/AVP 0
a=source-filter: incl IN IP6 ff15::8000:1/127 2001:db8::1
m=audio 5002 RTP/AVP 0
c=IN IP4 192.0.2.1/8
m=audio 5004 RTP/AVP 0
c=IN IP4 239.001.007.003/300
`), "4:23 ttl 7:41 ttl 9:20 ttl 11:10 address", "rtp://[2001:db8::1]@[ff15::8000:1]:5000 rtp://[ff15::8000:2]:5000 rtp://239.1.7.3:5004"},
}
