package madcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestVectors(t *testing.T) {
	var seen Options
	kinds := map[Kind]bool{}
	for _, v := range vectors {
		b := v.encoded()
		if v.bytes != "" && !bytes.Equal(b, unhex(v.bytes)) {
			t.Errorf("%s:\n%x, want\n%s", v.name, b, v.bytes)
		}
		var m Message
		if err := ParseMessage(b, &m); err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if again, err := m.AppendBinary([]byte("x")); err != nil || !bytes.Equal(again[1:], b) {
			t.Errorf("%s: %x, then %x, %v", v.name, b, again, err)
		}
		if bad := v.kind.Check(&m); !bad.Ok() {
			t.Errorf("%s: %v", v.name, bad)
		}
		if m.Has != v.m.Has {
			t.Errorf("%s: has %b, want %b", v.name, m.Has, v.m.Has)
		}
		seen |= m.Has
		kinds[v.kind] = true
	}
	if len(kinds) != numKinds || seen != OptionsOf(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17) {
		t.Errorf("the vectors have %d kinds and the options %v", len(kinds), slices.Collect(seen.All()))
	}
}

func TestContents(t *testing.T) {
	var m Message
	parse := func(i string) *Message {
		for _, v := range vectors {
			if v.name == i {
				if err := ParseMessage(v.encoded(), &m); err != nil {
					t.Fatal(err)
				}
				return &m
			}
		}
		t.Fatal("no vector " + i)
		return nil
	}
	parse("DISCOVER with everything")
	if m.LeaseTime != 2*time.Hour || m.MinLeaseTime != time.Hour || !m.StartTime.Equal(noon) || !m.MaxStartTime.Equal(noon.Add(time.Hour)) ||
		m.MinCount != 2 || m.Count != 5 || m.Ranges.Total() != 5 || m.Ranges.At(1) != rng("ff05::8000:9", 2) || !m.CurrentTime.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%+v", m)
	}
	if s, r, q := m.Features.Supported(), m.Features.Requested(), m.Features.Required(); s.Len() != 3 || !s.Has(RetryAfter) || r.Len() != 1 || r.At(0) != SharedLease || q.Has(SharedLease) || !q.Has(ServerMobility) {
		t.Errorf("features %x %x %x", s, r, q)
	}
	parse("IPv6 scopes in UTF-8")
	for e := range m.Scopes.All() {
		z := e.Describe()
		if z.Zone != site6.Zone || z.TTL != 255 || !slices.Equal(z.Names, site6.Names) {
			t.Errorf("%+v", z)
		}
		for lang, want := range map[string]string{"DE": "Gelände", "fr-ch": "site", "en": "site", "": "site"} {
			if n, ok := z.Name(lang); !ok || n.Text != want {
				t.Errorf("in %q: %q", lang, n.Text)
			}
		}
	}
	parse("scopes and how they nest")
	if !m.Nesting.Inside(0, 1) || m.Nesting.Inside(1, 0) || m.Nesting.Inside(0, 0) || m.Nesting.Inside(0, 2) || m.Nesting.Inside(-1, 0) {
		t.Error("nesting")
	}
	parse("unknown options, also the experimental")
	var codes []Option
	for o, d := range m.Unknown.All() {
		codes = append(codes, o)
		if o == 4711 && string(d) != "any" {
			t.Errorf("%q", d)
		}
	}
	if !slices.Equal(codes, []Option{4711, 18}) {
		t.Errorf("unknown %v", codes)
	}
	parse("a server by another family")
	if m.ServerID.IsValid() {
		t.Error(m.ServerID)
	}
}

// Figure 4 of RFC 2907.
func TestNestingOfRFC2907(t *testing.T) {
	rows := []string{"1111111", "0111111", "0010111", "0001111", "0000111", "0000011", "0000001"}
	n := NewNesting(7, func(x, y int) bool { return rows[x][y] == '1' })
	if want := unhex("07fc7c1c1c0c0400"); !bytes.Equal(n.data, want) {
		t.Errorf("%x, want %x", n.data, want)
	}
	for x := range rows {
		for y := range rows {
			if n.Inside(x, y) != (x != y && rows[x][y] == '1') {
				t.Errorf("%d in %d: %v", x, y, n.Inside(x, y))
			}
		}
	}
	for _, k := range []int{0, 1, 2, 8, 9, 10, 17, 255} {
		n := NewNesting(k, func(x, y int) bool { return x < y })
		if want := 1 + k*((k-1+7)/8); len(n.data) != want {
			t.Errorf("%d scopes: %d bytes, want %d", k, len(n.data), want)
		}
		if k > 1 && (!n.Inside(k-2, k-1) || n.Inside(k-1, k-2)) {
			t.Errorf("%d scopes: wrong at the end", k)
		}
	}
	// One that does not fit the scope list is ignored, and the list is not.
	m := vectors[3].m
	m.Nesting = NewNesting(3, func(x, y int) bool { return true })
	b, err := m.MarshalBinary()
	var got Message
	if err = errors.Join(err, ParseMessage(b, &got)); err != nil || got.Nesting.Len() != 0 || got.Nesting.Inside(0, 1) || got.Scopes.Len() != 2 {
		t.Errorf("%v, nesting of %d", err, got.Nesting.Len())
	}
}

func TestTruncation(t *testing.T) {
	for _, v := range vectors {
		b := v.encoded()
		for n := range b {
			var m Message
			if err := ParseMessage(b[:n:n], &m); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s, %d of %d bytes: %v", v.name, n, len(b), err)
			}
		}
		var m Message
		if err := ParseMessage(append(slices.Clone(b), 0), &m); err != ErrSyntax {
			t.Errorf("%s, and a byte more: %v", v.name, err)
		}
	}
}

// message returns a RELEASE with more options, data in hex.
func message(f Family, options ...string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, byte(TypeRelease)}, uint16(f))
	b = append(b, 1, 2, 3, 4)
	for i := 0; i < len(options); i += 2 {
		b = append(b, unhex(options[i])...)
		d := unhex(options[i+1])
		b = binary.BigEndian.AppendUint16(b, uint16(len(d)))
		b = append(b, d...)
	}
	return append(b, 0, 0, 0, 0)
}

func TestMalformed(t *testing.T) {
	name := func(flags, lang, text string) string {
		return flags + hexLen(lang) + lang + hexLen(text) + text
	}
	list := func(first, last, names string) string { return first + last + "10" + names }
	for _, tt := range []struct {
		what string
		f    Family
		code string
		data string
	}{
		{"lease time of 3 bytes", IPv4, "0001", "000000"},
		{"lease time of 5 bytes", IPv4, "0001", "0000000000"},
		{"server without an address", IPv4, "0002", "0001"},
		{"server with half an address", IPv4, "0002", "00010a00"},
		{"IPv6 server with an IPv4 address", IPv4, "0002", "00020a000001"},
		{"no lease ID", IPv4, "0003", ""},
		{"IPv6 scope in an IPv4 message", IPv4, "0004", "ff050000000000000000000000000000"},
		{"IPv4 scope in an IPv6 message", IPv6, "0004", "efff0000"},
		{"unicast scope", IPv4, "0004", "0a000001"},
		{"scope of no known family", 7, "0004", "efff0000"},
		{"empty request list", IPv4, "0005", ""},
		{"odd request list", IPv4, "0005", "000900"},
		{"start time of 8 bytes", IPv4, "0006", "0000000000000000"},
		{"more at least than at most", IPv4, "0007", "00050004"},
		{"no addresses", IPv4, "0007", "00000000"},
		{"half a count", IPv4, "0007", "0001"},
		{"language with a space", IPv4, "0008", "656e20"},
		{"language of digits", IPv4, "0008", "3132"},
		{"language that ends in a hyphen", IPv4, "0008", "656e2d"},
		{"language with nine letters", IPv4, "0008", "616161616161616161"},
		{"empty scope list", IPv4, "0009", ""},
		{"scope list without scopes told", IPv4, "0009", "01"},
		{"scope list with more than told", IPv4, "0009", "0000"},
		{"scope list cut in an address", IPv4, "0009", "01efff0000efff"},
		{"scope backwards", IPv4, "0009", "01" + list("efffffff", "efff0000", "00")},
		{"scope of unicast", IPv4, "0009", "01" + list("0a000000", "0affffff", "00")},
		{"scope twice", IPv4, "0009", "02" + list("efff0000", "efffffff", "00") + list("efff0000", "efffffff", "00")},
		{"name missing", IPv4, "0009", "01" + list("efff0000", "efffffff", "01")},
		{"name without a language", IPv4, "0009", "01" + list("efff0000", "efffffff", "01"+name("80", "", "6162"))},
		{"name without text", IPv4, "0009", "01" + list("efff0000", "efffffff", "01"+name("80", "656e", ""))},
		{"name not UTF-8", IPv4, "0009", "01" + list("efff0000", "efffffff", "01"+name("80", "656e", "ff"))},
		{"name cut", IPv4, "0009", "01" + list("efff0000", "efffffff", "01"+"8002656e0561")},
		{"half a range", IPv4, "000a", "efff0001"},
		{"empty range", IPv4, "000a", "efff00010000"},
		{"range of unicast", IPv4, "000a", "0a0000010001"},
		{"range out of multicast", IPv4, "000a", "effffffe0003"},
		{"range out of all", IPv6, "000a", "ffffffffffffffffffffffffffffffff0002"},
		{"IPv6 range in IPv4", IPv4, "000a", "ff0500000000000000000000000000010001"},
		{"ranges of no known family", 7, "000a", "efff00010001"},
		{"current time of 0 bytes", IPv4, "000b", ""},
		{"two feature lists", IPv4, "000c", "00000000"},
		{"feature list cut", IPv4, "000c", "000100000000000100"},
		{"four feature lists", IPv4, "000c", "0000000000000000"},
		{"retry time of 2 bytes", IPv4, "000d", "0000"},
		{"minimum lease time of 2 bytes", IPv4, "000e", "0000"},
		{"maximum start time of 2 bytes", IPv4, "000f", "0000"},
		{"error without a code", IPv4, "0010", "00"},
		{"nesting without a count", IPv4, "0011", ""},
	} {
		var m Message
		err := ParseMessage(message(tt.f, "0003", "00", tt.code, tt.data), &m)
		want := MalformedError(binary.BigEndian.Uint16(unhex(tt.code)))
		if tt.code == "0003" { // is there twice then
			err = ParseMessage(message(tt.f, tt.code, tt.data), &m)
		}
		if err != want {
			t.Errorf("%s: %v, want %v", tt.what, err, want)
		} else if m.Has.Has(Option(want)) {
			t.Errorf("%s: there all the same", tt.what)
		} else if tt.code != "0003" && string(m.LeaseID) != "\x00" {
			t.Errorf("%s: the others are lost", tt.what)
		}
	}
}

func hexLen(s string) string {
	const digits = "0123456789abcdef"
	n := len(s) / 2
	return string([]byte{digits[n>>4], digits[n&15]})
}

func TestSyntax(t *testing.T) {
	good := message(IPv4, "0003", "00")
	var m Message
	for what, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"twice":               {message(IPv4, "0003", "00", "0003", "00"), ErrSyntax},
		"End with data":       {append(slices.Clone(good[:len(good)-4]), 0, 0, 0, 1, 9), ErrSyntax},
		"more behind End":     {append(slices.Clone(good), good[8:]...), ErrSyntax},
		"version 1":           {append([]byte{1}, good[1:]...), ErrVersion},
		"no End":              {good[:len(good)-4], io.ErrUnexpectedEOF},
		"length beyond":       {append(slices.Clone(good[:8]), 0, 3, 0xff, 0xff, 0, 0), io.ErrUnexpectedEOF},
		"shorter than 12":     {good[:11], io.ErrUnexpectedEOF},
		"unknown ones, twice": {message(IPv4, "1000", "00", "1000", "00"), nil},
	} {
		if err := ParseMessage(tt.b, &m); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
	}
}

func TestUnwritable(t *testing.T) {
	for what, m := range map[string]Message{
		"scope of another family": {Family: IPv6, Scope: inside.First, Has: OptionsOf(OptionScope)},
		"no scope":                {Family: IPv4, Has: OptionsOf(OptionScope)},
		"negative time":           {Family: IPv4, LeaseTime: -time.Second, Has: OptionsOf(OptionLeaseTime)},
		"time before 1970":        {Family: IPv4, Has: OptionsOf(OptionStartTime)},
		"time after 2106":         {Family: IPv4, CurrentTime: time.Date(2107, 1, 1, 0, 0, 0, 0, time.UTC), Has: OptionsOf(OptionCurrentTime)},
		"no lease ID":             {Family: IPv4, Has: OptionsOf(OptionLeaseID)},
		"no server":               {Family: IPv4, Has: OptionsOf(OptionServerID)},
		"long lease ID":           {Family: IPv4, LeaseID: make([]byte, 65536), Has: OptionsOf(OptionLeaseID)},
		"counts":                  {Family: IPv4, MinCount: 2, Count: 1, Has: OptionsOf(OptionCount)},
		"language":                {Family: IPv4, Language: []byte("e n"), Has: OptionsOf(OptionLanguage)},
		"other ranges":            {Family: IPv4, Ranges: NewRangeList(IPv6, rng("ff05::1", 1)), Has: OptionsOf(OptionRanges)},
		"features":                {Family: IPv4, Features: FeatureList{0}, Has: OptionsOf(OptionFeatures)},
		"other scopes":            {Family: IPv6, Scopes: scopeList(IPv4, inside), Has: OptionsOf(OptionScopeList)},
		"unknown cut":             {Family: IPv4, Unknown: Unknown{1, 2, 0}},
	} {
		if b, err := m.AppendBinary([]byte("x")); !errors.Is(err, ErrMessage) || string(b) != "x" {
			t.Errorf("%s: %x, %v", what, b, err)
		}
	}
	for what, z := range map[string]Zone{
		"other family":  site6,
		"no zone":       {},
		"no language":   {inside.Zone, 1, []Name{{"", "x", false}}},
		"long name":     {inside.Zone, 1, []Name{{"en", strings.Repeat("x", 256), false}}},
		"not UTF-8":     {inside.Zone, 1, []Name{{"en", "\xff", false}}},
		"no text":       {inside.Zone, 1, []Name{{"en", "", false}}},
		"long language": {inside.Zone, 1, []Name{{strings.Repeat("en-", 90) + "x", "x", false}}},
	} {
		if _, err := NewScopeList(IPv4, z); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := NewScopeList(IPv4, inside, inside); !errors.Is(err, ErrMessage) {
		t.Errorf("twice: %v", err)
	}
}

// Table 5, read from the RFC once more and in its words: MUST is what has to be there,
// MAY what can be; all else MUST NOT.
func TestTable5(t *testing.T) {
	request := OptionsOf(OptionLeaseTime, OptionStartTime, OptionCount, OptionRanges, OptionCurrentTime, OptionFeatures, OptionMinLeaseTime, OptionMaxStartTime)
	ack := OptionsOf(OptionStartTime, OptionCurrentTime, OptionFeatures, OptionRetryTime)
	granted := OptionsOf(OptionLeaseTime, OptionServerID, OptionLeaseID, OptionScope, OptionRanges)
	for k, row := range map[Kind]struct{ must, may Options }{
		KindGetInfo:          {OptionsOf(OptionLeaseID, OptionRequestList), OptionsOf(OptionLanguage, OptionFeatures)},
		KindAckGetInfo:       {OptionsOf(OptionServerID, OptionLeaseID), OptionsOf(OptionScopeList, OptionCurrentTime, OptionFeatures, OptionNesting)},
		KindDiscover:         {OptionsOf(OptionLeaseID, OptionScope), request},
		KindOffer:            {OptionsOf(OptionLeaseTime, OptionServerID, OptionLeaseID, OptionScope), OptionsOf(OptionStartTime, OptionRanges, OptionCurrentTime, OptionFeatures)},
		KindRequest:          {OptionsOf(OptionLeaseID, OptionScope), request.With(OptionServerID)},
		KindMulticastRequest: {OptionsOf(OptionLeaseID, OptionScope, OptionServerID), request},
		KindAckRequest:       {granted, ack},
		KindRenew:            {OptionsOf(OptionLeaseID), OptionsOf(OptionLeaseTime, OptionStartTime, OptionCurrentTime, OptionFeatures, OptionMinLeaseTime, OptionMaxStartTime)},
		KindAckRenew:         {granted, ack},
		KindRelease:          {OptionsOf(OptionLeaseID), OptionsOf(OptionFeatures)},
		KindAckRelease:       {OptionsOf(OptionServerID, OptionLeaseID), OptionsOf(OptionFeatures)},
		KindNak:              {OptionsOf(OptionServerID, OptionLeaseID, OptionError), OptionsOf(OptionFeatures)},
	} {
		for o := Option(1); int(o) < numOptions; o++ {
			with, without := row.must.With(o), row.must.Without(o)
			if absolute.Has(o) {
				with = with.With(OptionCurrentTime)
			}
			if o == OptionNesting {
				with = with.With(OptionScopeList)
			}
			must, may := row.must.Has(o), row.may.Has(o)
			if got := k.Check(&Message{Has: without}); got.Ok() == must || must && got != (Violation{o, true}) {
				t.Errorf("%v without %v: %v", k, o, got)
			}
			got := k.Check(&Message{Has: with})
			if !must && !may && got.Missing || got.Ok() != (must || may) {
				t.Errorf("%v with %v: %v", k, o, got)
			}
		}
	}
	if len(presence) != numOptions {
		t.Error("a row is missing")
	}
}

func TestRulesBetweenOptions(t *testing.T) {
	base := OptionsOf(OptionLeaseID, OptionScope)
	for _, tt := range []struct {
		k    Kind
		m    Message
		want Violation
	}{
		{KindDiscover, Message{Has: base.With(OptionStartTime)}, Violation{OptionCurrentTime, true}},
		{KindDiscover, Message{Has: base.With(OptionMaxStartTime)}, Violation{OptionCurrentTime, true}},
		{KindAckRenew, Message{Has: must[KindAckRenew].With(OptionRetryTime)}, Violation{OptionCurrentTime, true}},
		{KindAckGetInfo, Message{Has: must[KindAckGetInfo].With(OptionNesting)}, Violation{OptionNesting, false}},
		{KindNak, Message{Has: must[KindNak].With(OptionFeatures), Features: NewFeatureList(nil, []Feature{1}, nil)}, Violation{OptionFeatures, false}},
		{KindRelease, Message{Has: must[KindRelease].With(OptionFeatures), Features: NewFeatureList(nil, []Feature{1}, nil)}, Violation{}},
		{Kind(99), Message{}, Violation{OptionNone, false}},
	} {
		if got := tt.k.Check(&tt.m); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.k, got, tt.want)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	var all [][]byte
	for _, v := range vectors {
		all = append(all, v.encoded())
	}
	all = append(all, message(IPv4, "0001", "00"), message(IPv4, "0003", ""), []byte("no message at all"))
	var m Message
	buf := make([]byte, 0, 1500)
	if n := testing.AllocsPerRun(100, func() {
		for i, b := range all {
			_ = ParseMessage(b, &m)
			for k := range Kind(numKinds) {
				_ = k.Check(&m)
			}
			for range m.Ranges.All() {
			}
			for range m.Scopes.All() {
			}
			if i < len(vectors) {
				if _, err := vectors[i].m.AppendBinary(buf); err != nil {
					t.Fatal(err)
				}
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIDs(t *testing.T) {
	for id, want := range map[ID]string{
		RandomID(testID[1:]):                           "000102030405060708090a0b0c0d0e0f10",
		AddressID(addr("192.0.2.1"), []byte{7}):        "010001c000020107",
		AddressID(addr("2001:db8::1"), []byte("next")): "01000220010db80000000000000000000000016e657874",
	} {
		back, err := ParseID(id.String())
		if id.String() != want || err != nil || back != id {
			t.Errorf("%v, want %s; %v", id, want, err)
		}
	}
	if a, ok := AddressID(addr("192.0.2.1"), nil).Addr(); !ok || a != addr("192.0.2.1") {
		t.Error(a, ok)
	}
	for _, id := range []ID{"", "\x01", "\x01\x00\x09", "\x01\x00\x01\x0a", RandomID(testID)} {
		if a, ok := id.Addr(); ok {
			t.Errorf("%v: %v", id, a)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, tt := range []struct {
		r    Range
		want string
		ok   bool
	}{
		{rng("239.1.1.1", 1), "239.1.1.1", true},
		{rng("239.1.1.1", 3), "239.1.1.1-239.1.1.3", true},
		{rng("239.255.255.255", 2), "239.255.255.255+2", false},
		{rng("ff05::ffff:ffff", 2), "ff05::ffff:ffff-ff05::1:0:0", true},
		{rng("239.1.1.1", 0), "239.1.1.1+0", false},
		{Range{}, "invalid IP+0", false},
	} {
		if _, ok := tt.r.Last(); ok != tt.ok || tt.r.String() != tt.want {
			t.Errorf("%v, %v; want %s", tt.r, ok, tt.want)
		}
	}
	if r := rng("ff05::ffff:fffe", 4); !r.Contains(addr("ff05::1:0:1")) || r.Contains(addr("ff05::1:0:2")) || r.Contains(addr("239.1.1.1")) {
		t.Error("contains")
	}
	if _, ok := offsetOf(addr("ff05::"), addr("ff05:0:0:1::")); ok {
		t.Error("too far")
	}
	if z := (group.Zone{}); z.IsValid() {
		t.Error(z)
	}
}
