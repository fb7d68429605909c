package alloc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func testBook(seed uint64) *book { return newBook(rand.New(rand.NewPCG(seed, 1)), false) }

// must resolves a request and grants it from ranges.
func must(t *testing.T, b *book, now time.Time, r Request, ranges ...group.Zone) (*claim, error) {
	t.Helper()
	tm, err := r.resolve(now)
	if err != nil {
		t.Fatal(err)
	}
	return b.grant(now, &tm, &offer{zones: ranges})
}

// A range is given out to its last address, each once, and again when leases end.
func TestBookToTheLast(t *testing.T) {
	b, pool := testBook(1), Prefix("239.192.200.0/24")
	seen := map[netip.Addr]bool{}
	for range 256 {
		c, err := must(t, b, noon, Request{Lifetime: time.Hour}, pool)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.addrs) != 1 || seen[c.addrs[0]] || !pool.Contains(c.addrs[0]) {
			t.Fatalf("%v", c.addrs)
		}
		seen[c.addrs[0]] = true
	}
	_, err := must(t, b, noon.Add(time.Minute), Request{}, pool)
	var later *LaterError
	if !errors.Is(err, ErrNoFree) || !errors.As(err, &later) || !later.At.Equal(noon.Add(time.Hour)) {
		t.Errorf("%v", err)
	}
	if _, err := must(t, b, noon.Add(time.Hour), Request{}, pool); err != nil {
		t.Error(err)
	}
	if len(b.claims) != 1 || len(b.taken) != 1 || len(b.macs) != 1 {
		t.Errorf("%d claims, %d addresses, %d Ethernet addresses are left", len(b.claims), len(b.taken), len(b.macs))
	}
}

// What group.Lint forbids is never given out.
func TestBookForbidden(t *testing.T) {
	for _, tt := range []struct {
		from string
		fit  int
	}{
		{"239.255.254.0/23", 256}, // the last 256 of the scope are for services
		{"239.128.0.0/23", 256},   // 239.128.0.x is an alias of 224.0.0.x
		{"224.0.0.0/23", 0},
	} {
		z := Prefix(tt.from)
		want := 0
		for i := range uint64(512) {
			if fault(nth(z, i), group.CodeExpansion) == "" {
				want++
			}
		}
		b := testBook(1)
		got := 0
		for {
			tm, _ := Request{}.resolve(noon)
			c, err := b.grant(noon, &tm, &offer{zones: []group.Zone{z}, allowed: []group.Code{group.CodeExpansion}})
			if err != nil {
				break
			}
			if why := fault(c.addrs[0], group.CodeExpansion); why != "" {
				t.Fatalf("%v: %s", c.addrs[0], why)
			}
			got++
		}
		if got != want || tt.fit == 0 && got != 0 || got == 512 {
			t.Errorf("%s: %d given out, %d fit", tt.from, got, want)
		}
	}
}

// Addresses do not share their Ethernet address with another one in use, unless that is
// allowed.
func TestBookAliases(t *testing.T) {
	a, b := Prefix("239.192.5.0/28"), Prefix("239.64.5.0/28") // 32:1
	if !group.SharesMAC(a.First, b.First) {
		t.Fatal("no aliases")
	}
	free := func(a netip.Addr) bool { return fault(a) == "" }
	if !free(a.First) {
		t.Fatal(fault(a.First))
	}
	for _, tt := range []struct {
		aliases bool
		inUse   int // of the first range, by others
		want    int
	}{{false, 0, 16}, {false, 4, 12}, {true, 0, 32}, {true, 4, 28}} {
		bk := testBook(1)
		bk.aliases = tt.aliases
		o := offer{zones: []group.Zone{a, b}, allowed: []group.Code{group.CodeExpansion}, inUse: newSet(nil)}
		for i := range tt.inUse {
			o.inUse.add(nth(a, uint64(i)))
		}
		got := 0
		for {
			tm, _ := Request{}.resolve(noon)
			if _, err := bk.grant(noon, &tm, &o); err != nil {
				break
			}
			got++
		}
		if got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
		// And all at once.
		bk = testBook(1)
		bk.aliases = tt.aliases
		tm, _ := Request{Count: 32, MinCount: 1}.resolve(noon)
		c, err := bk.grant(noon, &tm, &o)
		if err != nil || len(c.addrs) != tt.want {
			t.Errorf("%+v: %v, %v", tt, c, err)
		}
	}
}

// Several addresses are in a row if there is room, and else not.
func TestBookRows(t *testing.T) {
	pool := Prefix("239.192.200.0/26")
	for seed := range uint64(50) {
		b := testBook(seed)
		c, err := must(t, b, noon, Request{Count: 20}, pool)
		if err != nil || len(rowsOf(c.addrs)) != 1 || rowsOf(c.addrs)[0].count != 20 {
			t.Fatalf("seed %d: %v, %v", seed, c, err)
		}
		// All others but every third.
		for i := range uint64(64) {
			if a := nth(pool, i); i%3 != 0 {
				b.taken[a] = struct{}{}
			}
		}
		c, err = must(t, b, noon, Request{Count: 40, MinCount: 5}, pool)
		if err != nil || len(c.addrs) < 5 || len(c.addrs) > 22 || !slices.IsSortedFunc(c.addrs, netip.Addr.Compare) {
			t.Fatalf("seed %d: %v, %v", seed, c, err)
		}
		if _, err = must(t, b, noon, Request{Count: 40}, pool); !errors.Is(err, ErrNoFree) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// The same seed draws the same, another one something else.
func TestBookRepeats(t *testing.T) {
	draw := func(seed uint64) string {
		b, text := testBook(seed), ""
		for range 20 {
			c, err := must(t, b, noon, Request{Count: 3}, Prefix("239.192.0.0/16"), Prefix("239.193.0.0/16"))
			if err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprint(c.addrs)
		}
		return text
	}
	first, again, other := draw(1), draw(1), draw(2)
	if first != again || first == other {
		t.Error("chance does not come from the seed")
	}
}

// Whatever is asked for, in whatever order: no address is in two leases at a time, none is
// unfit, no two share an Ethernet address.
func TestBookSeeds(t *testing.T) {
	pools := []group.Zone{Prefix("239.192.5.0/28"), Prefix("239.64.5.0/28"), Prefix("239.255.254.240/28"), Prefix("239.255.255.0/26")}
	granted, refused := 0, 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		b, now := testBook(seed), noon
		live := map[uint64]*claim{}
		for range 200 {
			now = now.Add(time.Duration(rng.Int64N(int64(10 * time.Minute))))
			for id, c := range live {
				if !c.end.IsZero() && !now.Before(c.end) {
					delete(live, id)
				}
			}
			switch op := rng.IntN(4); {
			case op < 2:
				r := Request{Count: 1 + rng.IntN(8), Lifetime: time.Duration(rng.IntN(3)) * time.Hour}
				r.MinCount = 1 + rng.IntN(r.Count)
				tm, err := r.resolve(now)
				if err != nil {
					t.Fatal(err)
				}
				c, err := b.grant(now, &tm, &offer{zones: pools, inUse: newSet(nil), allowed: []group.Code{group.CodeExpansion}})
				if err != nil {
					refused++
					continue
				}
				granted++
				if len(c.addrs) < r.MinCount || len(c.addrs) > r.Count {
					t.Fatalf("seed %d: %d addresses for %+v", seed, len(c.addrs), r)
				}
				copied := *c
				live[c.id] = &copied
			case op == 2:
				for id := range live {
					b.drop(id)
					delete(live, id)
					break
				}
			default:
				for id, c := range live {
					c.end = now.Add(time.Hour)
					if !b.extend(now, id, c.end) {
						t.Fatalf("seed %d: lease %d is gone", seed, id)
					}
					break
				}
			}
			macs := map[[6]byte]netip.Addr{}
			for _, c := range live {
				for _, a := range c.addrs {
					if other, there := macs[group.MAC(a)]; there {
						t.Fatalf("seed %d: %v and %v", seed, a, other)
					}
					macs[group.MAC(a)] = a
					if why := fault(a, group.CodeExpansion); why != "" {
						t.Fatalf("seed %d: %v: %s", seed, a, why)
					}
				}
			}
		}
	}
	if granted < 1000 || refused < 1000 {
		t.Errorf("%d granted, %d refused", granted, refused)
	}
}

func TestValidate(t *testing.T) {
	v4, v6 := Prefix("239.16.32.0/23"), Prefix("ff15::/16")
	for _, r := range []Request{
		{Family: 3},
		{Zone: group.Zone{First: addr("239.1.1.1")}},
		{Family: IPv4, Zone: v6},
		{Scope: group.SiteLocal, Zone: v4},
		{Scope: group.ScopeReservedF},
		{Count: -1}, {Count: MaxCount + 1}, {MinCount: 2}, {Count: 2, MinCount: 3}, {Count: 1, MinCount: -1},
		{Lifetime: -1}, {Lifetime: 1, MinLifetime: 2},
		{Start: noon, MaxStart: noon.Add(-1)},
		{MaxStart: noon.Add(-time.Second)},
	} {
		if _, err := r.resolve(noon); !errors.Is(err, ErrRequest) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	tm, err := Request{Zone: v6, Lifetime: time.Hour, Start: noon.Add(time.Hour)}.resolve(noon)
	if err != nil || tm.Family != IPv6 || tm.Count != 1 || tm.MinCount != 1 || !tm.end.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("%+v, %v", tm, err)
	}
	if (Prefix("239.1.1.1") != group.Zone{}) || (Prefix("10.0.0.0/8") != group.Zone{}) {
		t.Error("a prefix of no groups")
	}
	if s := IPv4.String() + IPv6.String() + Family(9).String(); s != "IPv4IPv6family 9" {
		t.Error(s)
	}
}

// Zones of any size narrow to one that can be drawn from, inside of them.
func TestNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, s := range []string{"239.192.0.0/14", "ff15::/16", "ff15::/64", "ff15::8000:0/97", "ff15:1::/95", "ff00::/8"} {
		z := Prefix(s)
		places := map[netip.Addr]bool{}
		for range 100 {
			n := narrow(rng, z)
			size, ok := sizeOf(n)
			if !ok || !n.IsValid() || !z.Contains(n.First) || !z.Contains(n.Last) {
				t.Fatalf("%s: %v", s, n)
			}
			if a := nth(n, size-1); a != n.Last {
				t.Fatalf("%s: the last of %v is %v", s, n, a)
			}
			places[n.First] = true
		}
		if wide := s == "ff15::/16" || s == "ff15::/64" || s == "ff00::/8"; (len(places) > 2) != wide {
			t.Errorf("%s: %d places", s, len(places))
		}
	}
	odd := group.Zone{First: addr("ff15::1"), Last: addr("ff15::1:7fff:ffff")} // not all of a block
	for range 100 {
		if n := narrow(rng, odd); !odd.Contains(n.First) || !odd.Contains(n.Last) || !n.IsValid() {
			t.Fatalf("%v", n)
		}
	}
}

func TestMatters(t *testing.T) {
	zones := []group.Zone{Prefix("239.255.7.0/24"), Prefix("ff15::8000:0/112")}
	for a, want := range map[string]bool{
		"239.255.7.9": true, "239.127.7.9": true, "224.127.7.9": true, "239.255.8.9": false, "239.126.7.9": false, "ff0e::1": true,
	} {
		if matters(addr(a), zones) != want {
			t.Errorf("%s: %v", a, !want)
		}
	}
	if matters(addr("ff0e::1"), zones[:1]) || matters(addr("239.255.7.9"), zones[1:]) || matters(addr("239.255.7.9"), nil) {
		t.Error("of another family")
	}
}
