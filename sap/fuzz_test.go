package sap

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

func FuzzParsePacket(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var in Inflater // one for all would hide from the fuzzer what a packet does
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		_ = p.Quirks().String()
		_ = p.IsSDP()
		out, err := p.MarshalBinary()
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		q, err := ParsePacket(out)
		if err != nil || !same(p, q) && !p.noNUL {
			t.Fatalf("%+v, then %+v, %v", p, q, err)
		}
		signed, err := AppendSigned(nil, b)
		if err != nil || len(signed) != len(b)-len(p.Auth) {
			t.Fatalf("signed: %x, %v", signed, err)
		}
		if p.Compressed && !p.Encrypted && in.Inflate(&p) == nil && (p.Compressed || len(p.Payload) > MaxInflated) {
			t.Fatalf("%+v", p)
		}
	})
}

func FuzzParseAuth(f *testing.F) {
	f.Add(unhex("31aabbccdd000003"))
	f.Add(unhex("20aabbcc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAuth(b)
		if err != nil || len(b) > MaxAuth {
			return
		}
		c, err := a.AppendBinary(nil)
		if err != nil || len(c) > len(b) {
			t.Fatalf("%x: %x, %v", b, c, err)
		}
		if d, err := ParseAuth(c); err != nil || !bytes.Equal(a.Data, d.Data) || a.Type != d.Type {
			t.Fatalf("%+v, then %+v, %v", a, d, err)
		}
	})
}

// Packets of any content from a few hosts, with time going by.
func FuzzDirectory(f *testing.F) {
	var all []byte
	for _, v := range vectors {
		all = append(all, byte(len(v.bytes)), 1)
		all = append(all, v.bytes...)
		f.Add(append([]byte{byte(len(v.bytes)), 0}, v.bytes...))
	}
	f.Add(all)
	f.Add(append(append([]byte{}, all...), all...))
	// Two that announce one session, change it and delete it.
	var shared []byte
	for i := range 12 {
		a := ad{src: "10.0.0.1", hash: uint16(i / 4), text: session("a", i/4+1, "239.255.1.1")}
		if i%4 > 1 {
			a = deletionOf(a)
		}
		b := a.packet().Data
		shared = append(append(shared, byte(len(b)), byte(i%2+1)), b...)
	}
	f.Add(shared)
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld(t, DirectoryConfig{MaxSessions: 4, MaxPerSource: 3, MaxBytes: 8192, Burst: 16,
			Verify: func(a Auth, signed []byte) (string, error) { return string(a.Data), nil }})
		an := newSender(t, AnnouncerConfig{Profile: Fast})
		an.announce(parse(session("a", 1, "239.255.1.1")))
		for len(b) > 2 {
			n, how := min(int(b[0]), len(b)-2), b[1]
			p := datagram.Packet{Data: b[2 : 2+n], Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, how & 7}), 9), Dst: netip.AddrPortFrom(LocalGroup, Port)}
			b = b[2+n:]
			before := bytes.Clone(p.Data)
			w.e.Handle(w.now, &p)
			an.e.Handle(an.now, &p)
			if !bytes.Equal(before, p.Data) {
				t.Fatal("the packet was changed")
			}
			an.pump()
			w.wait(time.Duration(how>>3) * time.Duration(how>>3) * time.Second)
			w.check()
			an.now = w.now
		}
		w.e.listings()
		w.events()
		v := newWorld(t, w.e.cfg)
		v.e.restore(w.now, w.e.dump())
		v.check()
		for x, y := range map[*directory]int{v.e: len(w.e.order)} {
			if len(x.order) > y {
				t.Fatalf("%d sessions restored of %d", len(x.order), y)
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	w := newWorld(f, DirectoryConfig{})
	for i := range 3 {
		w.hear(ad{src: "10.0.0.1", hash: uint16(i + 1), text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", string(rune('0'+i)), 1)})
	}
	data := w.e.dump()
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("{}\n{\"Text\":\"dj0w\"}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld(t, DirectoryConfig{MaxSessions: 4, MaxBytes: 8192})
		w.e.restore(w.now, b)
		w.events()
		w.wait(time.Hour * 26)
	})
}

func FuzzInflate(f *testing.F) {
	p := Packet{Origin: netip.IPv4Unspecified(), PayloadType: []byte(TypeSDP), Payload: []byte(text)}
	p.Compress()
	f.Add(p.Payload)
	f.Fuzz(func(t *testing.T, b []byte) {
		in := Inflater{Limit: 4096}
		var first []byte
		for i := range 2 { // the second with what is left of the first
			p := Packet{Compressed: true, Payload: b}
			if err := in.Inflate(&p); err == nil && len(p.Payload)+len(p.PayloadType) > 4096 || cap(in.buf) > 4097 {
				t.Fatalf("%d bytes", len(p.Payload))
			}
			if i == 1 && !bytes.Equal(first, p.Payload) {
				t.Fatalf("%q, then %q", first, p.Payload)
			}
			first = bytes.Clone(p.Payload)
		}
	})
}
