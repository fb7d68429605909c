package lct

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestExtensions(t *testing.T) {
	var x Extensions
	x = AppendFDT(x, FDT{Version: 2, InstanceID: 0xabcde})
	x = AppendCENC(x, EncodingGZIP)
	x, err := AppendExtension(x, ExtNOP, []byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if x, err = AppendAuth(x, Auth{Scheme: 9, Flags: 1, Data: []byte{7, 8, 9, 10, 11}}); err != nil {
		t.Fatal(err)
	}
	x = AppendTime(x, Time{SCT: 0x0102030405060708, HasSCTHigh: true, HasSCTLow: true, ERT: 60, HasERT: true, SLC: 5, HasSLC: true, Specific: 0x80})
	if x, err = AppendExtension(x, ExtFTI, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	want := unhex("c02abcde c1030000 00020102 03000000 01029107 08090a0b 0205f080 01020304 05060708 0000003c 00000005 40030000 00000000 00000000")
	if !bytes.Equal(x, want) {
		t.Errorf("extensions\n got %x\nwant %x", []byte(x), want)
	}
	if err := x.Validate(); err != nil {
		t.Error(err)
	}
	var types []ExtensionType
	walk := x
	for {
		u, c, ok := walk.Next()
		if !ok {
			break
		}
		types = append(types, u)
		if cap(c) != len(c) {
			t.Errorf("%v: the content's capacity reaches into the next extension", u)
		}
	}
	if wantTypes := []ExtensionType{ExtFDT, ExtCENC, ExtNOP, ExtAuth, ExtTime, ExtFTI}; !reflect.DeepEqual(types, wantTypes) || len(walk) != 0 {
		t.Errorf("types %v, %d bytes left", types, len(walk))
	}
	find := func(u ExtensionType) []byte {
		c, ok := x.Find(u)
		if !ok {
			t.Errorf("no %v", u)
		}
		return c
	}
	if f, err := ParseFDT(find(ExtFDT)); err != nil || f != (FDT{2, 0xabcde}) {
		t.Errorf("EXT_FDT %+v, %v", f, err)
	}
	if e, err := ParseCENC(find(ExtCENC)); err != nil || e != EncodingGZIP || e.String() != "gzip" {
		t.Errorf("EXT_CENC %v, %v", e, err)
	}
	if a, err := ParseAuth(find(ExtAuth)); err != nil || a.Scheme != 9 || a.Flags != 1 || !bytes.Equal(a.Data, []byte{7, 8, 9, 10, 11}) {
		t.Errorf("EXT_AUTH %+v, %v", a, err)
	}
	if _, ok := x.Find(99); ok {
		t.Error("an extension of type 99")
	}
	for n := 1; n < len(x); n++ {
		sound := n == 4 || n == 8 || n == 16 || n == 24 || n == 44
		if err := x[:n].Validate(); (err == nil) != sound {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

func TestTime(t *testing.T) {
	for _, tt := range []struct {
		content string
		want    Time
	}{
		{"8000 00000009", Time{SCT: 9 << 32, HasSCTHigh: true}},
		{"c000 00000009 80000000", Time{SCT: 9<<32 | 1<<31, HasSCTHigh: true, HasSCTLow: true}},
		{"2000 00000009", Time{ERT: 9, HasERT: true}},
		{"1000 00000009", Time{SLC: 9, HasSLC: true}},
		{"b000 00000001 00000002 00000003", Time{SCT: 1 << 32, HasSCTHigh: true, ERT: 2, HasERT: true, SLC: 3, HasSLC: true}},
		// The deviations: words too many and too few, none, reserved flags.
		{"8000 00000009 00000001 00000002", Time{SCT: 9 << 32, HasSCTHigh: true}},
		{"c000 00000009", Time{SCT: 9 << 32, HasSCTHigh: true}},
		{"f000", Time{}},
		{"0f55", Time{Specific: 0x55}},
	} {
		got, err := ParseTime(unhex(tt.content))
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.content, got, err, tt.want)
		}
		var x Extensions = AppendTime(nil, tt.want)
		c, _ := x.Find(ExtTime)
		if back, err := ParseTime(c); err != nil || back != tt.want {
			t.Errorf("%s: %+v, %v after AppendTime", tt.content, back, err)
		}
	}
	for _, f := range []func([]byte) error{
		func(b []byte) error { _, err := ParseTime(b); return err },
		func(b []byte) error { _, err := ParseFDT(b); return err },
		func(b []byte) error { _, err := ParseCENC(b); return err },
		func(b []byte) error { _, err := ParseAuth(b); return err },
	} {
		if err := f(nil); !errors.Is(err, ErrExtension) {
			t.Errorf("without content: %v", err)
		}
	}
}

// The NTP era is that which is nearest.
func TestNTP(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tt := range []struct{ at, near string }{
		{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"2026-11-23T08:00:00.5Z", "2026-11-23T09:00:00Z"},
		{"2036-02-07T06:28:15Z", "2036-02-07T06:28:17Z"},
		{"2036-02-07T06:28:16Z", "2036-02-07T06:28:10Z"},
		{"2040-01-01T00:00:00Z", "2030-01-01T00:00:00Z"},
		{"2030-01-01T00:00:00Z", "2040-01-01T00:00:00Z"},
	} {
		n := NTPTime(day(tt.at))
		if got := n.Time(day(tt.near)); !got.Equal(day(tt.at)) {
			t.Errorf("%s near %s: %v", tt.at, tt.near, got)
		}
	}
	if n := NTPTime(time.Unix(0, 0)); n.Seconds() != 2208988800 {
		t.Errorf("the Unix epoch is %d", n.Seconds())
	}
	if n := NTPTime(time.Unix(1<<32-ntpUnix, 0)); n != 0 {
		t.Errorf("era 1 begins with %d", n)
	}
}

func TestExtensionBounds(t *testing.T) {
	if _, err := AppendExtension(nil, ExtFTI, make([]byte, 1018)); err != nil {
		t.Error(err)
	}
	if b, err := AppendExtension([]byte{1}, ExtFTI, make([]byte, 1019)); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("1,019 bytes: %v", err)
	}
	if b, err := AppendExtension([]byte{1}, ExtFDT, make([]byte, 4)); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("4 bytes of a fixed one: %v", err)
	}
	if _, err := AppendAuth(nil, Auth{Scheme: 16}); !errors.Is(err, ErrRange) {
		t.Errorf("ASID 16: %v", err)
	}
}
