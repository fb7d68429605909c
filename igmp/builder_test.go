package igmp

import (
	"errors"
	"net/netip"
	"testing"
)

// many returns n sources.
func many(n int) (out []netip.Addr) {
	for i := range n {
		out = append(out, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	return out
}

type filter struct {
	t       RecordType
	group   netip.Addr
	sources []netip.Addr
}

// pack is the loop that Add is made for.
func pack(t *testing.T, limit int, filters []filter) (reports []Report3) {
	t.Helper()
	var r ReportBuilder
	r.Reset([]byte("x"), limit)
	flush := func() {
		if r.Records() == 0 {
			return
		}
		b := r.Bytes()[1:]
		if len(b) > limit {
			t.Fatalf("%d bytes, limit %d", len(b), limit)
		}
		var m Report3
		if err := Strict.ParseReport3(b, &m); err != nil {
			t.Fatal(err)
		}
		if m.Records.Len() != r.Records() || len(m.Additional) != 0 {
			t.Fatalf("%+v", m)
		}
		reports = append(reports, m)
		r.Reset([]byte("x"), limit)
	}
	for _, f := range filters {
		for sources := f.sources; ; {
			n, err := r.Add(f.t, f.group, sources)
			if errors.Is(err, ErrFull) {
				flush()
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			sources = sources[n:]
			if len(sources) == 0 || !f.t.Splits() {
				break
			}
			flush()
		}
	}
	flush()
	return reports
}

func TestReportBuilder(t *testing.T) {
	g := addr("239.1.1.1")
	// 1476 bytes have room for 183 records without sources, as the kernel sends.
	var filters []filter
	for range 200 {
		filters = append(filters, filter{ChangeToExclude, g, nil})
	}
	got := pack(t, 1476, filters)
	if len(got) != 2 || got[0].Records.Len() != 183 || got[1].Records.Len() != 17 {
		t.Error(len(got))
	}
	// A record for 1000 sources fills three reports, each in a record of its own; of
	// an exclude list only the first is told (RFC 3376 section 4.2.16).
	got = pack(t, 1476, []filter{{AllowNewSources, g, many(1000)}})
	var sizes []int
	seen := map[netip.Addr]bool{}
	for _, r := range got {
		for rec := range r.Records.All() {
			sizes = append(sizes, rec.Sources.Len())
			for s := range rec.Sources.All() {
				seen[s] = true
			}
		}
	}
	if len(got) != 3 || len(seen) != 1000 || sizes[0] != 365 || sizes[2] != 270 {
		t.Error(sizes, len(seen))
	}
	got = pack(t, 1476, []filter{{ModeIsInclude, g, many(3)}, {ChangeToExclude, g, many(1000)}, {BlockOldSources, g, many(2)}})
	if len(got) != 3 || got[1].Records.Len() != 1 {
		t.Error(len(got))
	}
	// The smallest limit still gets on.
	got = pack(t, 20, []filter{{AllowNewSources, g, many(3)}})
	if len(got) != 3 {
		t.Error(len(got))
	}

	var r ReportBuilder
	r.Reset(nil, 0)
	if n, err := r.Add(AllowNewSources, g, many(2)); n != 1 || err != nil || r.Len() != 20 {
		t.Error(n, err)
	}
	if _, err := r.Add(AllowNewSources, g, nil); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	r.Reset(nil, 100)
	if _, err := r.Add(AllowNewSources, addr("ff02::1"), nil); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
	if _, err := r.Add(AllowNewSources, g, []netip.Addr{{}}); !errors.Is(err, ErrAddress) || r.Records() != 0 || r.Len() != 8 {
		t.Error(err)
	}
	// No record has more than 65,535 sources, no report more records.
	r.Reset(nil, 1<<20)
	if n, err := r.Add(AllowNewSources, g, many(70000)); n != 65535 || err != nil {
		t.Error(n, err)
	}
	if _, err := r.Add(AllowNewSources, g, many(70000)); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	r.Reset(nil, 1<<20)
	for range 65535 {
		if _, err := r.Add(AllowNewSources, g, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Add(AllowNewSources, g, nil); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}

func TestRecordTypes(t *testing.T) {
	want := []string{"record type 0", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK", "record type 7"}
	for i, s := range want {
		rt := RecordType(i)
		if rt.String() != s || rt.Known() != (i > 0 && i < 7) || rt.Splits() != (i != 2 && i != 4) {
			t.Error(i, rt)
		}
	}
}
