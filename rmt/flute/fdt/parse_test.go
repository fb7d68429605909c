package fdt

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

func toi(n uint64) lct.TOI { return lct.TOI{Lo: n} }

// documents are instances as senders of different schools write them.
var documents = []struct {
	name, xml string
	want      Instance
}{
	{
		"RFC 6726",
		`<?xml version="1.0" encoding="UTF-8"?>
<FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="urn:ietf:params:xml:ns:fdt fdt.xsd" Expires="2890842807" Complete="true">
  <File Content-Location="http://www.example.com/menu/tracklist.html" TOI="1" Content-Type="text/html"/>
  <File Content-Location="http://www.example.com/tracks/track1.mp3" TOI="2" Content-Length="6100"
    Content-Type="audio/mp3" Content-Encoding="gzip" Transfer-Length="5000" Content-MD5="+VP5IrWploFkZWc11iLDdA=="/>
</FDT-Instance>`,
		Instance{
			Namespace: NamespaceRFC6726, Expires: 2890842807, Complete: true,
			Files: []File{
				{TOI: toi(1), ContentLocation: "http://www.example.com/menu/tracklist.html", Common: Common{ContentType: "text/html"}},
				{
					TOI: toi(2), ContentLocation: "http://www.example.com/tracks/track1.mp3",
					ContentLength: 6100, HasContentLength: true, TransferLength: 5000, HasTransferLength: true,
					ContentMD5: [16]byte{0xf9, 0x53, 0xf9, 0x22, 0xb5, 0xa9, 0x96, 0x81, 0x64, 0x65, 0x67, 0x35, 0xd6, 0x22, 0xc3, 0x74}, HasMD5: true,
					Common: Common{ContentType: "audio/mp3", ContentEncoding: "gzip"},
				},
			},
		},
	},
	{
		// The OTI is merged attribute by attribute.
		"inheritance",
		`<FDT-Instance Expires=" 7 " Content-Type="a/b" Content-Encoding="deflate" FEC-OTI-FEC-Encoding-ID="5"
  FEC-OTI-Maximum-Source-Block-Length="64" FEC-OTI-Encoding-Symbol-Length="1400" FEC-OTI-Max-Number-of-Encoding-Symbols="80"
  FEC-OTI-FEC-Instance-ID="3" FEC-OTI-Scheme-Specific-Info="QUI=">
<File TOI="1" Content-Location="a" FEC-OTI-Encoding-Symbol-Length="512"/>
<File TOI="5192296858534827628530496329220095" Content-Location="b" Content-Type="c/d" FEC-OTI-FEC-Encoding-ID="129"
  FEC-OTI-FEC-Instance-ID="0"/>
</FDT-Instance>`,
		Instance{
			Expires: 7,
			Common: Common{ContentType: "a/b", ContentEncoding: "deflate", OTI: OTI{
				EncodingID: 5, HasEncodingID: true, MaxBlockLen: 64, HasMaxBlockLen: true,
				SymbolSize: 1400, HasSymbolSize: true, MaxSymbols: 80, HasMaxSymbols: true,
				InstanceID: 3, HasInstanceID: true, SchemeInfo: "AB", HasSchemeInfo: true,
			}},
			Files: []File{
				{TOI: toi(1), ContentLocation: "a", Common: Common{ContentType: "a/b", ContentEncoding: "deflate", OTI: OTI{
					EncodingID: 5, HasEncodingID: true, MaxBlockLen: 64, HasMaxBlockLen: true,
					SymbolSize: 512, HasSymbolSize: true, MaxSymbols: 80, HasMaxSymbols: true,
					InstanceID: 3, HasInstanceID: true, SchemeInfo: "AB", HasSchemeInfo: true,
				}}},
				{TOI: lct.MaxTOI, ContentLocation: "b", Common: Common{ContentType: "c/d", ContentEncoding: "deflate", OTI: OTI{
					EncodingID: 129, HasEncodingID: true, HasInstanceID: true, MaxBlockLen: 64, HasMaxBlockLen: true,
					SymbolSize: 1400, HasSymbolSize: true, MaxSymbols: 80, HasMaxSymbols: true,
					SchemeInfo: "AB", HasSchemeInfo: true,
				}}},
			},
		},
	},
	{
		"MBMS",
		`<?xml version="1.0"?>
<FDT-Instance xmlns="urn:IETF:metadata:2005:FLUTE:FDT" xmlns:mbms2005="urn:3GPP:metadata:2005:MBMS:FLUTE:FDT"
  xmlns:n1="urn:3GPP:metadata:2007:MBMS:FLUTE:FDT" xmlns:mbms2008="urn:3GPP:metadata:2008:MBMS:FLUTE:FDT_ext"
  xmlns:mbms2009="urn:3GPP:metadata:2009:MBMS:FLUTE:FDT_ext" xmlns:sv="urn:3gpp:metadata:2009:MBMS:schemaVersion"
  Expires="1" mbms2008:FullFDT="1">
<File TOI="1" Content-Location="a" mbms2009:Decryption-KEY-URI="https://kms.example.com/1">
  <n1:Cache-Control><n1:no-cache>true</n1:no-cache></n1:Cache-Control>
  <mbms2005:Group>one</mbms2005:Group><mbms2005:Group> two </mbms2005:Group>
  <mbms2005:MBMS-Session-Identity>7</mbms2005:MBMS-Session-Identity>
</File>
<File TOI="2" Content-Location="b"><n1:Cache-Control><n1:max-stale>1</n1:max-stale></n1:Cache-Control></File>
<File TOI="3" Content-Location="c"><Cache-Control><Expires>3600</Expires></Cache-Control><sv:delimiter>0</sv:delimiter></File>
<mbms2005:Group>all</mbms2005:Group>
<mbms2005:MBMS-Session-Identity-Expiry value="9">7</mbms2005:MBMS-Session-Identity-Expiry>
<sv:schemaVersion>3</sv:schemaVersion>
</FDT-Instance>`,
		Instance{
			Namespace: Namespace2005, Expires: 1, FullFDT: true,
			Common:          Common{Groups: []string{"all"}},
			SessionExpiries: []SessionExpiry{{7, 9}},
			Files: []File{
				{
					TOI: toi(1), ContentLocation: "a", Common: Common{Groups: []string{"one", "two", "all"}},
					CacheControl: CacheControl{Mode: CacheNone}, SessionIdentities: []uint8{7},
				},
				{TOI: toi(2), ContentLocation: "b", Common: Common{Groups: []string{"all"}}, CacheControl: CacheControl{Mode: CacheMaxStale}},
				{TOI: toi(3), ContentLocation: "c", Common: Common{Groups: []string{"all"}}, CacheControl: CacheControl{Mode: CacheExpires, Expires: 3600}},
			},
		},
	},
	{
		// What others may add, and whose names are not ours.
		"extensions",
		"\ufeff" + `<!-- a comment --><f:FDT-Instance xmlns:f="http://www.example.com/flute" xmlns:x="http://example.org/x" Expires="1"
  x:Expires="2" x:Complete="true" Unknown="3"><x:File TOI="0"/><f:Other><f:File TOI="9" Content-Location="no"/></f:Other>
  <f:File TOI="01" Content-Location="&lt;a&amp;b&gt;&#x41;" x:TOI="9"><x:Group>no</x:Group></f:File></f:FDT-Instance><!-- end -->
`,
		Instance{
			Namespace: NamespaceRFC3926, Expires: 1,
			Files: []File{{TOI: toi(1), ContentLocation: "<a&b>A"}},
		},
	},
	{
		// Of 3GPP's additions, what is bad is left out.
		"bad additions",
		`<FDT-Instance Expires="1"><File TOI="1" Content-Location="a"><MBMS-Session-Identity>256</MBMS-Session-Identity>
<Cache-Control><Expires>soon</Expires><no-cache>maybe</no-cache><max-stale>0</max-stale></Cache-Control></File>
<File TOI="2" Content-Location="b"><Cache-Control><no-cache/></Cache-Control></File>
<MBMS-Session-Identity-Expiry value="x">1</MBMS-Session-Identity-Expiry><MBMS-Session-Identity-Expiry value="1">x</MBMS-Session-Identity-Expiry>
</FDT-Instance>`,
		Instance{Expires: 1, Files: []File{
			{TOI: toi(1), ContentLocation: "a"},
			{TOI: toi(2), ContentLocation: "b", CacheControl: CacheControl{Mode: CacheNone}},
		}},
	},
	{"no files", `<FDT-Instance Expires="4294967295"/>`, Instance{Expires: 1<<32 - 1}},
}

func TestParse(t *testing.T) {
	for _, tt := range documents {
		got, err := Parse([]byte(tt.xml), Limits{})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !reflect.DeepEqual(got, &tt.want) {
			t.Errorf("%s\n got %+v\nwant %+v", tt.name, got, &tt.want)
		}
	}
}

// Every root namespace that is known, none, and one that is not.
func TestNamespaces(t *testing.T) {
	for _, ns := range []string{"", Namespace2005, NamespaceRFC6726, NamespaceRFC3926, Namespace2022, "http://example.com/flute", "urn:dvb:metadata:2099:fdt"} {
		for _, prefix := range []string{"", "p:"} {
			if ns == "" && prefix != "" {
				continue
			}
			decl := fmt.Sprintf(" xmlns%s=%q", strings.TrimSuffix(":"+prefix, ":"), ns)
			if ns == "" {
				decl = ""
			}
			x := fmt.Sprintf(`<%[1]sFDT-Instance%[2]s Expires="5"><%[1]sFile TOI="2" Content-Location="a"/></%[1]sFDT-Instance>`, prefix, decl)
			in, err := Parse([]byte(x), Limits{})
			if err != nil || in.Namespace != ns || in.File(toi(2)) == nil {
				t.Errorf("%s: %+v, %v", x, in, err)
			}
		}
	}
}

func TestBad(t *testing.T) {
	file := func(attr string) string { return `<FDT-Instance Expires="1"><File ` + attr + `/></FDT-Instance>` }
	for _, tt := range []struct {
		name, xml string
		want      error
	}{
		{"empty", "", ErrSyntax},
		{"no XML", "hello", ErrSyntax},
		{"text before", `hello <FDT-Instance Expires="1"/>`, ErrSyntax},
		{"text behind", `<FDT-Instance Expires="1"/> hello`, ErrSyntax},
		{"another root", `<html/>`, ErrRoot},
		{"two roots", `<FDT-Instance Expires="1"/><FDT-Instance Expires="1"/>`, ErrRoot},
		{"document type", `<!DOCTYPE FDT-Instance><FDT-Instance Expires="1"/>`, ErrSyntax},
		{"entities", `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><FDT-Instance Expires="1"/>`, ErrSyntax},
		{"an unknown entity", file(`TOI="1" Content-Location="&a;"`), ErrSyntax},
		{"an external entity", `<!DOCTYPE x SYSTEM "file:///etc/passwd"><FDT-Instance Expires="1"/>`, ErrSyntax},
		{"another charset", `<?xml version="1.0" encoding="UTF-16"?><FDT-Instance Expires="1"/>`, ErrSyntax},
		{"not UTF-8", file("TOI=\"1\" Content-Location=\"\xff\""), ErrSyntax},
		{"open", `<FDT-Instance Expires="1">`, ErrSyntax},
		{"no Expires", `<FDT-Instance/>`, ErrAttribute},
		{"Expires over 32 bits", `<FDT-Instance Expires="4294967296"/>`, ErrAttribute},
		{"negative Expires", `<FDT-Instance Expires="-1"/>`, ErrAttribute},
		{"Complete", `<FDT-Instance Expires="1" Complete="yes"/>`, ErrAttribute},
		{"twice", `<FDT-Instance Expires="1" Expires="2"/>`, ErrAttribute},
		{"no TOI", file(`Content-Location="a"`), ErrAttribute},
		{"TOI 0", file(`TOI="0" Content-Location="a"`), ErrAttribute},
		{"TOI of 113 bits", file(`TOI="5192296858534827628530496329220096" Content-Location="a"`), ErrAttribute},
		{"no location", file(`TOI="1"`), ErrAttribute},
		{"empty location", file(`TOI="1" Content-Location=" "`), ErrAttribute},
		{"length", file(`TOI="1" Content-Location="a" Content-Length="1e3"`), ErrAttribute},
		{"MD5", file(`TOI="1" Content-Location="a" Content-MD5="QUJD"`), ErrAttribute},
		{"base 64", file(`TOI="1" Content-Location="a" FEC-OTI-Scheme-Specific-Info="*"`), ErrAttribute},
		{"encoding ID", file(`TOI="1" Content-Location="a" FEC-OTI-FEC-Encoding-ID="256"`), ErrAttribute},
		{"symbol length", file(`TOI="1" Content-Location="a" FEC-OTI-Encoding-Symbol-Length="65536"`), ErrAttribute},
	} {
		if in, err := Parse([]byte(tt.xml), Limits{}); !errors.Is(err, tt.want) || in != nil {
			t.Errorf("%s: %+v, %v; want %v", tt.name, in, err, tt.want)
		}
	}
}

func TestLimits(t *testing.T) {
	l := Limits{Bytes: 4096, Files: 2, Elements: 8, Attributes: 5, Depth: 4, Groups: 2, Text: 100}
	wrap := func(s string) string { return `<FDT-Instance Expires="1">` + s + `</FDT-Instance>` }
	file := `<File TOI="1" Content-Location="a"/>`
	for _, tt := range []struct{ name, fits, over string }{
		{"bytes", wrap(strings.Repeat(" ", 3000)), wrap(strings.Repeat(" ", 4096))},
		{"files", wrap(file + file), wrap(file + file + file)},
		{"elements", wrap(strings.Repeat(`<x a=">"/><!-- <x> --><![CDATA[<x>]]>`, 7)), wrap(strings.Repeat(`<x/>`, 8))},
		{"attributes", wrap(`<x a="" b="" c="" d="" e=""/>`), wrap(`<x a="" b="" c="" d="" e="" f=""/>`)},
		{"depth", wrap(`<a><a><a/></a></a>`), wrap(`<a><a><a><a/></a></a></a>`)},
		{"depth of text", wrap(`<Group><a><a/></a></Group>`), wrap(`<Group><a><a><a/></a></a></Group>`)},
		{"groups", wrap(`<Group>a</Group><Group>b</Group>`), wrap(strings.Repeat(`<Group>a</Group>`, 3))},
		{
			"identities", wrap(`<File TOI="1" Content-Location="a">` + strings.Repeat(`<MBMS-Session-Identity>1</MBMS-Session-Identity>`, 2) + `</File>`),
			wrap(`<File TOI="1" Content-Location="a">` + strings.Repeat(`<MBMS-Session-Identity>1</MBMS-Session-Identity>`, 3) + `</File>`),
		},
		{
			"expiries", wrap(strings.Repeat(`<MBMS-Session-Identity-Expiry value="1">1</MBMS-Session-Identity-Expiry>`, 2)),
			wrap(strings.Repeat(`<MBMS-Session-Identity-Expiry value="1">1</MBMS-Session-Identity-Expiry>`, 3)),
		},
		{"text", wrap(`<Group>` + strings.Repeat("x", 100) + `</Group>`), wrap(`<Group>` + strings.Repeat("x", 101) + `</Group>`)},
		{"encoded text", wrap(`<Group>` + strings.Repeat("&#x10FFFF;", 25) + `</Group>`), wrap(`<Group>` + strings.Repeat("&#x10FFFF;", 26) + `</Group>`)},
		{"text that is not read", wrap(strings.Repeat("x", 1000)), wrap(strings.Repeat("x", 1001))},
		{"attribute", wrap(`<x a="` + strings.Repeat("x", 100) + `"/>`), wrap(`<x a="` + strings.Repeat("x", 101) + `"/>`)},
	} {
		if _, err := Parse([]byte(tt.fits), l); err != nil {
			t.Errorf("%s within: %v", tt.name, err)
		}
		if in, err := Parse([]byte(tt.over), l); !errors.Is(err, ErrLimit) || in != nil {
			t.Errorf("%s over: %v", tt.name, err)
		}
	}
}

// Cut short anywhere, a document is refused.
func TestTruncation(t *testing.T) {
	for _, tt := range documents {
		x := strings.TrimRight(strings.TrimSuffix(strings.TrimSpace(tt.xml), "<!-- end -->"), " \n")
		for n := range x {
			if _, err := Parse([]byte(x[:n]), Limits{}); !errors.Is(err, ErrSyntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s, %d bytes: %v", tt.name, n, err)
			}
		}
	}
}

func TestTransfer(t *testing.T) {
	for _, tt := range []struct {
		f    File
		n    uint64
		ok   bool
		name string
	}{
		{File{}, 0, false, "nothing"},
		{File{ContentLength: 5, HasContentLength: true}, 5, true, "content length"},
		{File{ContentLength: 5, HasContentLength: true, Common: Common{ContentEncoding: "gzip"}}, 5, false, "encoded"},
		{File{ContentLength: 5, HasContentLength: true, Common: Common{ContentEncoding: "null"}}, 5, true, "null"},
		{File{ContentLength: 5, HasContentLength: true, TransferLength: 3, HasTransferLength: true, Common: Common{ContentEncoding: "gzip"}}, 3, true, "both"},
	} {
		if n, ok := tt.f.Transfer(); ok != tt.ok || ok && n != tt.n {
			t.Errorf("%s: %d, %v", tt.name, n, ok)
		}
	}
}

func TestExpiresAt(t *testing.T) {
	now := time.Date(2036, 2, 7, 6, 0, 0, 0, time.UTC)
	in := Instance{Expires: lct.NTPTime(now.Add(time.Hour)).Seconds()}
	if got := in.ExpiresAt(now); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("an hour over the end of the era it is %v", got)
	}
}

func TestOTI(t *testing.T) {
	for _, o := range []fec.OTI{
		{EncodingID: fec.CompactNoCode, SymbolSize: 1400, MaxBlockLen: 1 << 20},
		{EncodingID: fec.Raptor, SymbolSize: 1024, Blocks: 300, SubBlocks: 2, Align: 4},
		{EncodingID: fec.ReedSolomonGF2m, SymbolSize: 1024, MaxBlockLen: 500, Parity: 100, M: 16, G: 1},
		{EncodingID: fec.LDPCStaircase, SymbolSize: 1024, MaxBlockLen: 5000, Parity: 1000, N1: 5, G: 1, Seed: 77},
		{EncodingID: fec.ReedSolomonGF8, SymbolSize: 1024, MaxBlockLen: 200, Parity: 55},
		{EncodingID: fec.RaptorQ, SymbolSize: 1280, Blocks: 3, SubBlocks: 1, Align: 8},
		{EncodingID: fec.SmallBlockSystematic, InstanceID: 3, SymbolSize: 512, MaxBlockLen: 32, Parity: 8},
	} {
		a, err := NewOTI(&o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.FEC(12345)
		o.TransferLength = 12345
		if err != nil || got != o {
			t.Errorf("%+v\n is %+v, %v", o, got, err)
		}
	}
	// NRL's senders write the number of parity symbols.
	a := OTI{EncodingID: 5, HasSymbolSize: true, SymbolSize: 1, HasMaxBlockLen: true, MaxBlockLen: 64, HasMaxSymbols: true, MaxSymbols: 16}
	if o, err := a.FEC(1); err != nil || o.Parity != 16 {
		t.Errorf("parity %d, %v", o.Parity, err)
	}
	for _, a := range []OTI{
		{},
		{HasSymbolSize: true},
		{EncodingID: 1, HasSymbolSize: true},
		{EncodingID: 6, HasSymbolSize: true, HasSchemeInfo: true, SchemeInfo: "abc"},
		{EncodingID: 5, HasSymbolSize: true, HasMaxBlockLen: true},
		{EncodingID: 3, HasSymbolSize: true, HasMaxBlockLen: true, HasMaxSymbols: true},
	} {
		if _, err := a.FEC(1); !errors.Is(err, ErrOTI) {
			t.Errorf("%+v: %v", a, err)
		}
	}
	if _, err := NewOTI(&fec.OTI{EncodingID: 200}); err == nil {
		t.Error("scheme 200 has an OTI")
	}
	full := OTI{HasSymbolSize: true, HasMaxBlockLen: true}
	if _, err := full.FEC(1 << 48); !errors.Is(err, ErrOTI) {
		t.Errorf("2^48 bytes: %v", err)
	}
}
