package sap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
)

const text = "v=0\r\no=- 3 1 IN IP4 192.0.2.1\r\ns=Test\r\nc=IN IP4 239.255.1.1/15\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n"

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

var vectors = []struct {
	name   string
	bytes  []byte
	want   Packet
	quirks Quirk
	odd    bool // written differently from how it was read
}{
	{
		name:  "announcement",
		bytes: append(unhex("20 00 1234 c0000201"), "application/sdp\x00"+text...),
		want:  Packet{Version: 1, Hash: 0x1234, Origin: netip.MustParseAddr("192.0.2.1"), PayloadType: []byte(TypeSDP), Payload: []byte(text)},
	},
	{
		name:  "deletion",
		bytes: append(unhex("24 00 1234 c0000201"), "application/sdp\x00o=- 3 1 IN IP4 192.0.2.1\r\n"...),
		want: Packet{Version: 1, Delete: true, Hash: 0x1234, Origin: netip.MustParseAddr("192.0.2.1"), PayloadType: []byte(TypeSDP),
			Payload: []byte("o=- 3 1 IN IP4 192.0.2.1\r\n")},
	},
	{
		name:  "IPv6",
		bytes: append(unhex("30 00 0001 20010db8 00000000 00000000 00000001"), "application/sdp\x00"+text...),
		want:  Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("2001:db8::1"), PayloadType: []byte(TypeSDP), Payload: []byte(text)},
	},
	{
		name:  "authentication of two words", // holoplot and VLC take the length for bytes
		bytes: append(unhex("20 02 0001 c0000201 31 aabbcc dd0000 03"), "application/sdp\x00"+text...),
		want: Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), Auth: unhex("31aabbccdd000003"),
			PayloadType: []byte(TypeSDP), Payload: []byte(text)},
	},
	{
		name:   "no type",
		bytes:  append(unhex("20 00 0001 c0000201"), text...),
		want:   Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), Payload: []byte(text)},
		quirks: QuirkNoType,
	},
	{
		name:   "version 0 as sdr sent it",
		bytes:  append(unhex("00 00 0000 00000000"), text...),
		want:   Packet{Origin: netip.IPv4Unspecified(), Payload: []byte(text)},
		quirks: QuirkVersion0 | QuirkNoHash | QuirkNoOrigin | QuirkNoType,
	},
	{
		name:   "reserved bit, capitals and a parameter, NUL behind",
		bytes:  append(unhex("28 00 0001 c0000201"), "Application/SDP; charset=utf-8\x00"+text+"\x00"...),
		want:   Packet{Version: 1, Reserved: true, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), PayloadType: []byte("Application/SDP; charset=utf-8"), Payload: []byte(text + "\x00")},
		quirks: QuirkReserved | QuirkTypeForm | QuirkTrailingNUL,
	},
	{
		name:   "type without NUL",
		bytes:  append(unhex("20 00 0001 c0000201"), "application/sdp\r\n"+text...),
		want:   Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), PayloadType: []byte(TypeSDP), Payload: []byte(text)},
		quirks: QuirkNoNUL, odd: true,
	},
	{
		name:  "another type",
		bytes: append(unhex("20 00 0001 c0000201"), "text/xml\x00<a/>"...),
		want:  Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), PayloadType: []byte("text/xml"), Payload: []byte("<a/>")},
	},
	{
		name:  "encrypted",
		bytes: append(unhex("22 00 0001 c0000201"), "a/b\x00zzz"...),
		want:  Packet{Version: 1, Encrypted: true, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), Payload: []byte("a/b\x00zzz")},
	},
	{
		name:   "empty",
		bytes:  unhex("20 00 0001 c0000201"),
		want:   Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1")},
		quirks: QuirkNoType,
	},
}

func same(a, b Packet) bool {
	a.noNUL, b.noNUL = false, false
	return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			p, err := ParsePacket(v.bytes)
			if err != nil || !same(p, v.want) {
				t.Fatalf("%+v, %v; want %+v", p, err, v.want)
			}
			if q := p.Quirks(); q != v.quirks {
				t.Errorf("quirks: %v; want %v", q, v.quirks)
			}
			b, err := p.MarshalBinary()
			if err != nil || !v.odd && !bytes.Equal(b, v.bytes) {
				t.Errorf("%x, %v; want %x", b, err, v.bytes)
			}
		})
	}
}

// What is cut off within the header is an error; behind it any length is a packet.
func TestTruncation(t *testing.T) {
	for _, v := range vectors {
		full, _ := ParsePacket(v.bytes)
		head := headerSize4 + len(full.Auth)
		if full.Origin.Is6() {
			head = headerSize6 + len(full.Auth)
		}
		for n := range v.bytes {
			_, err := ParsePacket(v.bytes[:n:n])
			if n < head != errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s, %d bytes: %v", v.name, n, err)
			}
		}
	}
	for _, b := range []byte{0x40, 0xe0} {
		if _, err := ParsePacket([]byte{b, 0, 0, 0, 0, 0, 0, 0}); !errors.Is(err, ErrVersion) {
			t.Errorf("%#x: %v", b, err)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	for _, p := range []Packet{
		{Version: 2, Origin: a}, {Version: 1}, {Origin: a, Auth: make([]byte, 5)},
		{Origin: a, Auth: make([]byte, MaxAuth+4)}, {Origin: a, PayloadType: []byte("a\x00b")},
	} {
		if b, err := p.MarshalBinary(); !errors.Is(err, ErrPacket) || len(b) != 0 {
			t.Errorf("%+v: %x, %v", p, b, err)
		}
	}
}

func TestCompressed(t *testing.T) {
	p := Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), PayloadType: []byte(TypeSDP), Payload: []byte(strings.Repeat(text, 9))}
	want := p
	p.Compress()
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 300 {
		t.Errorf("%d bytes", len(b))
	}
	var in Inflater
	for range 3 {
		got, err := ParsePacket(b)
		if err != nil || !got.Compressed || got.PayloadType != nil || got.IsSDP() {
			t.Fatalf("%+v, %v", got, err)
		}
		if err := in.Inflate(&got); err != nil || !same(got, want) || !got.IsSDP() {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	for n := headerSize4; n < len(b); n++ {
		got, _ := ParsePacket(b[:n])
		if err := in.Inflate(&got); !errors.Is(err, ErrInflate) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// A megabyte of zeros takes a kilobyte.
func TestBomb(t *testing.T) {
	p := Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), Payload: make([]byte, 1<<20)}
	p.Compress()
	var in Inflater
	if err := in.Inflate(&p); !errors.Is(err, ErrInflate) || cap(in.buf) > MaxInflated+1 {
		t.Errorf("%v; %d bytes taken", err, cap(in.buf))
	}
	p = Packet{Version: 1, Hash: 1, Origin: netip.MustParseAddr("192.0.2.1"), Payload: make([]byte, MaxInflated)}
	p.Compress()
	if err := in.Inflate(&p); err != nil {
		t.Errorf("as much as is allowed: %v", err)
	}
}

func TestAuth(t *testing.T) {
	for n := range 12 {
		a := Auth{Version: 1, Type: AuthCMS, Data: bytes.Repeat([]byte{9}, n)}
		b, err := a.AppendBinary(nil)
		if err != nil || len(b)%4 != 0 || len(b) > n+4 {
			t.Fatalf("%d: %x, %v", n, b, err)
		}
		got, err := ParseAuth(b)
		if err != nil || got.Type != AuthCMS || !bytes.Equal(got.Data, a.Data) {
			t.Errorf("%d: %+v, %v", n, got, err)
		}
	}
	for _, s := range []string{"", "20", "20000000 00", "40000000", "30000000", "30000004", "300000ff"} {
		if a, err := ParseAuth(unhex(s)); !errors.Is(err, ErrAuth) {
			t.Errorf("%s: %+v, %v", s, a, err)
		}
	}
	if _, err := (Auth{Version: 1, Data: make([]byte, MaxAuth)}).AppendBinary(nil); !errors.Is(err, ErrAuth) {
		t.Error(err)
	}
	// What is signed is the packet without it.
	for _, v := range vectors {
		p := v.want
		if v.odd {
			continue
		}
		p.Auth = nil
		want, _ := p.MarshalBinary()
		p.Auth = make([]byte, 8)
		b, _ := p.MarshalBinary()
		if got, err := AppendSigned(nil, b); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v", v.name, got, err)
		}
	}
}

func TestHashOf(t *testing.T) {
	for i := range 200000 {
		if HashOf(fmt.Append(nil, i)) == 0 {
			t.Fatal(i)
		}
	}
}

func TestPacketAllocs(t *testing.T) {
	b := vectors[0].bytes
	buf := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() {
		p, err := ParsePacket(b)
		if err != nil || !p.IsSDP() || p.Quirks() != 0 {
			t.Fatal(err)
		}
		if buf, err = p.AppendBinary(buf[:0]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParsePacket(b *testing.B) {
	for _, v := range []int{0, 2, 3, 4} {
		b.Run(vectors[v].name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParsePacket(vectors[v].bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendPacket(b *testing.B) {
	buf := make([]byte, 0, 2000)
	p := vectors[0].want
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = p.AppendBinary(buf[:0])
	}
}
