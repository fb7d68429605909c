package mcast

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

// Whole filters: what is set is what the kernel has, by its own answer and by what
// /proc lists, and what is delivered; from INCLUDE to EXCLUDE and back.
func TestLabSetFilter(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			a, b := newNS(t), newNS(t)
			link(t, a, b, "va", "vb", 1)
			s1, s2 := f.secondAddress(t, a)
			s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"))
			for _, opts := range [][]Option{nil, {MultiGroup()}} {
				r := b.open(t, openSocket, listen, f.group+":5004", append(opts, Interface("vb"))...)
				g := r.Group().Addr()
				for _, tt := range []struct {
					filter group.Filter
					want   string
				}{
					{group.Filter{Mode: group.Exclude, Sources: []netip.Addr{s2}}, "1"},
					{group.Filter{Mode: group.Include, Sources: []netip.Addr{s2}}, "2"},
					{group.Filter{Mode: group.Include, Sources: []netip.Addr{s2, s1, s2}}, "12"},
					{group.Filter{Mode: group.Exclude, Sources: []netip.Addr{s1, s2}}, ""},
					{group.Filter{Mode: group.Exclude}, "12"},
					{group.Filter{Mode: group.Include}, ""},                                        // left
					{group.Filter{Mode: group.Exclude, Sources: []netip.Addr{s1, s2.Next()}}, "2"}, // joined by it
				} {
					if err := r.SetFilter(g, tt.filter); err != nil {
						t.Fatalf("%v: %v", tt.filter, err)
					}
					if got, err := r.Filter(g); err != nil || !got.Equal(tt.filter) {
						t.Errorf("the kernel's filter is %v, %v, want %v", got, err, tt.filter)
					}
					b.wantKernelFilter(t, "vb", g, tt.filter.Canonical())
					ms := r.Memberships()
					if tt.filter.IsEmpty() {
						if len(ms) != 0 {
							t.Errorf("left, but %+v", ms)
						}
					} else if len(ms) != 1 || !ms[0].Filter.Equal(tt.filter) || ms[0].State != Joined || ms[0].Interface != "vb" || ms[0].Group != g {
						t.Errorf("memberships %+v, want %v", ms, tt.filter)
					}
					send(t, s, from("1", s1), from("2", s2))
					for _, w := range tt.want {
						wantData(t, receive(t, r, 1), string(w))
					}
					wantSilence(t, r)
				}
				if n := r.Stats().Foreign; n != 0 {
					t.Errorf("%d packets came through the kernel's filter", n)
				}
				r.Close()
			}
		})
	}
}

func TestLabBlock(t *testing.T) {
	eachFamilyAtOnce(t, func(t *testing.T, open opener, f family) {
		a, b := newNS(t), newNS(t)
		link(t, a, b, "va", "vb", 1)
		s1, s2 := f.secondAddress(t, a)
		s := a.open(t, open, dial, f.group+":5004", Interface("va"))
		r := b.open(t, open, listen, f.group+":5004", Interface("vb"))
		g := r.Group().Addr()
		first, second := group.Channel{Group: g, Source: s1}, group.Channel{Group: g, Source: s2}
		want := func(data string, filter group.Filter) {
			t.Helper()
			b.wantKernelFilter(t, "vb", g, filter)
			send(t, s, from("1", s1), from("2", s2))
			for _, w := range data {
				wantData(t, receive(t, r, 1), string(w))
			}
			wantSilence(t, r)
		}
		steps := []struct {
			do   func(group.Channel) error
			ch   group.Channel
			err  error
			data string
		}{
			{r.Unblock, second, ErrNotBlocked, "12"},
			{r.Block, group.Channel{Group: g}, ErrBadSource, "12"},
			{r.Block, second, nil, "1"},
			{r.Block, second, ErrBlocked, "1"},
			{r.Join, second, ErrMixedFilter, "1"},
			{r.Leave, second, ErrNotJoined, "1"},
			{r.Join, group.Channel{Group: g}, ErrJoined, "1"},
			{r.Block, first, nil, ""},
			{r.Unblock, second, nil, "2"},
			{r.Leave, group.Channel{Group: g}, nil, ""},
			{r.Block, second, ErrNotJoined, ""},
			{r.Join, second, nil, "2"},
			{r.Block, first, ErrMixedFilter, "2"},
			{r.Unblock, second, ErrMixedFilter, "2"},
			{r.Join, group.Channel{Group: g}, ErrMixedFilter, "2"},
			{r.Join, first, nil, "12"},
			{r.Leave, second, nil, "1"},
			{r.Leave, first, nil, ""},
			{r.Join, group.Channel{Group: g}, nil, "12"}, // what was blocked is forgotten
		}
		filters := map[string]group.Filter{"": {}, "12": anySource}
		for i, st := range steps {
			err := st.do(st.ch)
			var oe *OpError
			if !errors.Is(err, st.err) || err != nil && (!errors.As(err, &oe) || oe.Remedy == "") {
				t.Fatalf("step %d: %v, want %v with a remedy", i, err, st.err)
			}
			filter, ok := filters[st.data]
			if ms := r.Memberships(); !ok || len(ms) > 0 {
				filter = ms[0].Filter
			}
			want(st.data, filter)
		}
	})
}

func TestLabFilterErrors(t *testing.T) {
	b := newNS(t)
	link(t, newNS(t), b, "va", "vb", 1)
	r := b.open(t, openSocket, listen, "239.255.3.1:5004", Interface("vb"), MultiGroup())
	single := b.open(t, openSocket, listen, "239.255.3.1:5004", Interface("vb"))
	sender := b.open(t, openSocket, dial, "239.255.3.1:5004", Interface("vb"))
	portable := b.open(t, openPortable, listen, "239.255.3.1:5004", Interface("vb"))
	g, ssm, v6 := netip.MustParseAddr("239.255.3.1"), netip.MustParseAddr("232.1.1.1"), netip.MustParseAddr("ff15::1")
	for _, tt := range []struct {
		c    *Conn
		g    netip.Addr
		f    group.Filter
		want error
	}{
		{r, ssm, exclude("10.0.0.1"), ErrNeedSource},
		{r, ssm, exclude(), ErrNeedSource},
		{r, g, exclude("ff15::1"), ErrBadSource},
		{r, g, include("224.0.0.9"), ErrBadSource},
		{r, g, group.Filter{Mode: 7}, ErrOption},
		{r, netip.MustParseAddr("10.0.0.1"), exclude(), ErrNotMulticast},
		{r, v6, exclude(), ErrFamily},
		{single, ssm, include("10.0.0.1"), ErrSingleGroup},
		{sender, g, exclude(), ErrSendOnly},
		{portable, g, exclude(), errors.ErrUnsupported},
	} {
		err := tt.c.SetFilter(tt.g, tt.f)
		var oe *OpError
		if !errors.Is(err, tt.want) || !errors.As(err, &oe) || oe.Op != "set filter" || oe.Remedy == "" {
			t.Errorf("%s %v: %v, want %v with a remedy", tt.g, tt.f, err, tt.want)
		}
	}
	if err := r.SetFilter(ssm, group.Filter{}); err != nil {
		t.Errorf("leave what is not joined: %v", err)
	}
	if err := r.SetFilter(ssm, include("10.0.0.1")); err != nil {
		t.Errorf("a source in the SSM range: %v", err)
	}
	all := b.open(t, openSocket, listen, "232.1.1.2:5004", Interface("vb"), AllowAnySourceInSSM())
	if err := all.SetFilter(all.Group().Addr(), exclude("10.0.0.1")); err != nil {
		t.Errorf("EXCLUDE in the SSM range, where it was allowed: %v", err)
	}
	if _, err := portable.Filter(g); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("portable filter: %v", err)
	}
	if f, err := r.Filter(netip.MustParseAddr("239.9.9.9")); err != nil || !f.IsEmpty() {
		t.Errorf("filter of what is not joined: %v, %v", f, err)
	}
	r.Close()
	if err := r.SetFilter(g, exclude()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("set filter after Close: %v", err)
	}
}

// Limits of one socket, and what to do about each.
func TestLabLimits(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	for _, tt := range []struct {
		addr, group string
		groups      int // the largest number allowed; 0: as many as there is memory for
		limit       string
	}{
		{"239.255.3.1:5004", "239.255.%d.%d", 20, "net.ipv4.igmp_max_memberships, now 20"},
		{"[ff15::3:1]:5004", "ff15::%x:%x", 0, "net.core.optmem_max, now "},
	} {
		// With Unicast a connection may join further groups, on its one socket.
		c := b.open(t, openSocket, listen, tt.addr, Interface("vb"), Unicast())
		n, err := 1, error(nil)
		for ; n < 20000 && err == nil; n++ {
			err = c.Join(group.Channel{Group: netip.MustParseAddr(fmt.Sprintf(tt.group, 4+n/250, 1+n%250))})
		}
		if !errors.Is(err, ErrGroupLimit) || tt.groups > 0 && n != tt.groups+1 ||
			!strings.Contains(err.Error(), "mcast.MultiGroup() or mcast.Funnel()") || !strings.Contains(err.Error(), tt.limit) {
			t.Errorf("join number %d: %v, want ErrGroupLimit after %d with %q", n, err, tt.groups, tt.limit)
		}
		t.Logf("%s: join number %d failed", tt.addr, n)
		if ms := c.Memberships(); len(ms) != n-1 {
			t.Errorf("%d memberships, want %d", len(ms), n-1)
		}
		c.Close()
	}
	for _, tt := range []struct {
		group, asm, source string
		limit              int
		sysctl             string
	}{
		{"232.3.3.3", "239.3.3.3", "10.1.1.%d", 10, "net.ipv4.igmp_max_msf, now 10"},
		{"ff35::3:3", "ff15::3:3", "fd00:1::%x", 64, "net.ipv6.mld_max_msf, now 64"},
	} {
		source := func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(tt.source, n)) }
		addr := netip.AddrPortFrom(netip.MustParseAddr(tt.group), 5004).String()
		c := b.open(t, openSocket, listen, addr, Interface("vb"), Source(source(1).String()))
		n, err := 1, error(nil)
		for ; n < 100 && err == nil; n++ {
			err = c.Join(group.Channel{Group: c.Group().Addr(), Source: source(n + 1)})
		}
		if _, unreadable := os.Stat("/proc/sys/net/ipv6/mld_max_msf"); unreadable != nil && !source(1).Is4() {
			// It is there in the first namespace of a machine only.
			tt.sysctl = "raise net.ipv6.mld_max_msf"
		}
		if !errors.Is(err, ErrSourceLimit) || n != tt.limit+1 || !strings.Contains(err.Error(), tt.sysctl) || !strings.Contains(err.Error(), "MultiGroup") {
			t.Errorf("%s: source number %d: %v, want ErrSourceLimit at number %d with %q", tt.group, n, err, tt.limit+1, tt.sysctl)
		}
		// A refused join must not open the filter in user space either.
		if err := c.Leave(group.Channel{Group: c.Group().Addr(), Source: source(tt.limit + 1)}); !errors.Is(err, ErrNotJoined) {
			t.Errorf("leave what was refused: %v", err)
		}
		many := group.Filter{Mode: group.Include}
		for i := range tt.limit + 1 {
			many.Sources = append(many.Sources, source(100+i))
		}
		was, _ := c.Filter(c.Group().Addr())
		if err := c.SetFilter(c.Group().Addr(), many); !errors.Is(err, ErrSourceLimit) {
			t.Errorf("a filter of %d: %v", len(many.Sources), err)
		}
		if now, err := c.Filter(c.Group().Addr()); err != nil || !now.Equal(was) || len(now.Sources) != tt.limit {
			t.Errorf("a refused filter changed %v into %v, %v", was, now, err)
		}
		// To exclude cannot be spread over sockets.
		asm := netip.MustParseAddr(tt.asm)
		e := b.open(t, openSocket, listen, netip.AddrPortFrom(asm, 5004).String(), Interface("vb"), MultiGroup())
		many.Mode = group.Exclude
		if err := e.SetFilter(asm, many); !errors.Is(err, ErrSourceLimit) || !strings.Contains(err.Error(), "Funnel") || !strings.Contains(err.Error(), tt.sysctl) {
			t.Errorf("EXCLUDE of %d: %v", len(many.Sources), err)
		}
		if f, err := e.Filter(asm); err != nil || !f.Equal(anySource) {
			t.Errorf("a refused EXCLUDE left %v, %v", f, err)
		}
		for i := range tt.limit {
			if err := e.Block(group.Channel{Group: asm, Source: source(100 + i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Block(group.Channel{Group: asm, Source: source(99)}); !errors.Is(err, ErrSourceLimit) {
			t.Errorf("block number %d: %v", tt.limit+1, err)
		}
		// A funnel can: it compares what it excludes itself.
		fun := b.open(t, openSocket, listen, netip.AddrPortFrom(asm, 5005).String(), Interface("vb"), Funnel())
		if err := fun.SetFilter(asm, many); err != nil {
			t.Errorf("EXCLUDE of %d in a funnel: %v", len(many.Sources), err)
		}
	}
}
