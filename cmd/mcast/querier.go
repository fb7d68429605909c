package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mld"
)

// lookAgain is how often the interface's address and refused writes are looked at.
const lookAgain = 2 * time.Second

type querierFlags struct {
	iface    string
	version  int
	mld      int
	interval time.Duration
	duration time.Duration
	ipv4     bool
	ipv6     bool
	foreign  bool
	json     bool
}

func querierCommand() *cobra.Command {
	var f querierFlags
	c := &cobra.Command{
		Use:   "querier --iface NAME",
		Short: "Be the querier of a link that has none",
		Long: "Querier asks the hosts on a link which groups they want, as a multicast router does. Without\n" +
			"anyone who asks, switches that snoop stop to forward groups after about four minutes. It\n" +
			"shows which groups are wanted. If another querier with a lower address is there it says so\n" +
			"and stands by, and asks again when that one has fallen silent. It needs root.\n\n" +
			"IGMP of hosts in no network of the interface is ignored, as RFC 3376 section 9 advises, and\n" +
			"it says so; --any-network is for a link with more networks than this host has addresses in.\n\n" +
			"This host's own kernel does not hear the queries: run it on a host that receives no groups\n" +
			"over this interface, or only those that switches forward anyway.",
		Example: "  mcast querier --iface eth0\n" +
			"  mcast querier --iface eth0 --ipv4 --version 2 --interval 60s",
		Args: atMost(0, "name the interface with --iface"),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	fs := c.Flags()
	fs.StringVarP(&f.iface, "iface", "i", "", "network interface: a name, index or address")
	fs.IntVar(&f.version, "version", 3, "version of IGMP: 3, or 2 for a link with hosts or routers that know no other")
	fs.IntVar(&f.mld, "mld", 0, "version of MLD: 2, or 1 (default: one less than of IGMP)")
	fs.DurationVar(&f.interval, "interval", 125*time.Second, "how often to ask")
	fs.DurationVar(&f.duration, "duration", 0, "stop after this time (default: never)")
	fs.BoolVar(&f.ipv4, "ipv4", false, "only IGMP")
	fs.BoolVar(&f.ipv6, "ipv6", false, "only MLD")
	fs.BoolVar(&f.foreign, "any-network", false, "hear hosts whose IPv4 address is in no network of the interface, too")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

func (f *querierFlags) check() error {
	switch {
	case f.iface == "":
		return usagef("which link? Name its interface with --iface")
	case f.version != 2 && f.version != 3:
		return usagef("--version %d: give 2 or 3", f.version)
	case f.mld < 0 || f.mld > 2:
		return usagef("--mld %d: give 1 or 2", f.mld)
	case f.interval < time.Second || f.interval > time.Hour:
		return usagef("--interval %v: give from 1s to 1h", f.interval)
	case f.duration < 0:
		return usagef("--duration %v: give a positive time", f.duration)
	case f.ipv4 && f.ipv6:
		return usagef("--ipv4 and --ipv6: each means only; without them it is both")
	}
	return nil
}

func (f *querierFlags) run(ctx context.Context, out *printer) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	var askers []*asker
	defer func() {
		for _, a := range askers {
			a.router.Close()
		}
	}()
	for _, start := range []struct {
		not  bool
		with func(context.Context) (*asker, error)
	}{{f.ipv6, f.igmp}, {f.ipv4, f.mldv}} {
		if start.not {
			continue
		}
		a, err := start.with(ctx)
		if err != nil {
			return openError(err)
		}
		askers = append(askers, a)
	}
	name := askers[0].conn.Interface().Name
	out.event(readyEvent{Event: "ready", Iface: name}, "")
	err := serve(ctx, askers, out)
	for _, a := range askers {
		a.sum(out)
	}
	return err
}

// A news is what a router has to tell, of either protocol.
type news struct {
	kind    igmp.EventKind // mld's numbers are the same
	group   netip.Addr
	filter  group.Filter
	addr    netip.Addr
	version uint8
	err     error
}

// An asker is the querier of one protocol.
type asker struct {
	proto    string
	name     string // for people
	version  int
	interval time.Duration
	conn     *mcast.RawConn
	is4      bool
	addr     netip.Addr
	networks []netip.Prefix // as of offLink

	router interface {
		Refused() (uint64, error)
		Close() error
	}
	events  func(ctx context.Context, tell func(news) bool)
	setAddr func(netip.Addr)
	offLink func([]netip.Prefix) uint64 // sets the networks; of IGMP, and without --any-network
	state   func() (sent uint64, groups int)

	foreign bool // told of
	refused uint64
	failed  time.Time // the last query that could not be sent; zero if they can be
}

func (f *querierFlags) open(ctx context.Context, proto mcast.RawProtocol, version int) (*asker, error) {
	conn, err := mcast.OpenRaw(ctx, f.iface, proto)
	if err != nil {
		return nil, err
	}
	a := &asker{proto: control.IGMP, name: "IGMP", version: version, interval: f.interval, conn: conn, is4: proto == mcast.RawIGMP}
	if !a.is4 {
		a.proto, a.name = control.MLD, "MLD"
	}
	a.addr = conn.Addr(a.is4)
	return a, nil
}

func (f *querierFlags) igmp(ctx context.Context) (*asker, error) {
	a, err := f.open(ctx, mcast.RawIGMP, f.version)
	if err != nil {
		return nil, err
	}
	if !f.foreign {
		a.networks = a.conn.Networks(true)
	}
	// Hosts of version 1 and some of version 2 do not send Router Alert.
	r, err := igmp.RunRouter(a.conn, igmp.RouterConfig{
		Addr: a.addr, Networks: a.networks, Version: uint8(f.version), Policy: igmp.PolicyRFC &^ igmp.NoRouterAlert, MTU: mtuOf(a.conn, 576),
		Timers: igmp.Timers{QueryInterval: f.interval, QueryResponse: f.response()},
	})
	if err != nil {
		a.conn.Close()
		return nil, err
	}
	a.router = r
	a.events = func(ctx context.Context, tell func(news) bool) {
		for e, err := range r.Events(ctx) {
			if !tell(news{e.Kind, e.Group, e.Filter, e.Addr, e.Version, err}) {
				return
			}
		}
	}
	a.setAddr = func(addr netip.Addr) { _ = r.Do(func(now time.Time, r *igmp.Router) { r.SetAddr(now, addr) }) }
	if !f.foreign {
		a.offLink = func(networks []netip.Prefix) (n uint64) {
			_ = r.Do(func(_ time.Time, r *igmp.Router) { r.SetNetworks(networks); n = r.Stats().Packets.OffLink })
			return n
		}
	}
	a.state = func() (sent uint64, groups int) {
		_ = r.Do(func(_ time.Time, r *igmp.Router) { sent = r.Stats().Sent; groups, _, _ = r.Usage() })
		return sent, groups
	}
	return a, nil
}

func (f *querierFlags) mldv(ctx context.Context) (*asker, error) {
	a, err := f.open(ctx, mcast.RawMLD, cmp.Or(f.mld, f.version-1))
	if err != nil {
		return nil, err
	}
	r, err := mld.RunRouter(a.conn, mld.RouterConfig{
		Addr: a.addr, Version: uint8(a.version), MTU: mtuOf(a.conn, 1280),
		Timers: mld.Timers{QueryInterval: f.interval, QueryResponse: f.response()},
	})
	if err != nil {
		a.conn.Close()
		return nil, err
	}
	a.router = r
	a.events = func(ctx context.Context, tell func(news) bool) {
		for e, err := range r.Events(ctx) {
			if !tell(news{igmp.EventKind(e.Kind), e.Group, e.Filter, e.Addr, e.Version, err}) {
				return
			}
		}
	}
	a.setAddr = func(addr netip.Addr) { _ = r.Do(func(now time.Time, r *mld.Router) { r.SetAddr(now, addr) }) }
	a.state = func() (sent uint64, groups int) {
		_ = r.Do(func(_ time.Time, r *mld.Router) { sent = r.Stats().Sent; groups, _, _ = r.Usage() })
		return sent, groups
	}
	return a, nil
}

// response is within what time hosts shall answer: 10 s (RFC 3376 section 8.3), or
// less if they are asked that often.
func (f *querierFlags) response() time.Duration { return min(10*time.Second, f.interval) }

// mtuOf returns the interface's MTU as the engines take it.
func mtuOf(c *mcast.RawConn, least int) int {
	return min(max(c.Interface().MTU, least), 65535)
}

// serve tells what happens until ctx is done.
func serve(ctx context.Context, askers []*asker, out *printer) error {
	type item struct {
		a *asker
		n news
	}
	stream := make(chan item)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	for _, a := range askers {
		if !a.addr.IsValid() {
			a.noAddress(out)
		}
		go a.events(reading, func(n news) bool {
			select {
			case stream <- item{a, n}:
				return n.err == nil
			case <-reading.Done():
				return false
			}
		})
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case i := <-stream:
			if ctx.Err() != nil {
				return nil
			}
			if i.n.err != nil {
				return i.n.err
			}
			i.a.tell(out, i.n)
		case <-tick.C:
			for _, a := range askers {
				a.look(out)
			}
		}
	}
}

// look follows the interface's address, and tells of queries that could not be sent.
func (a *asker) look(out *printer) {
	if addr := a.conn.Addr(a.is4); addr != a.addr {
		if a.addr = addr; addr.IsValid() {
			a.asks(out)
		} else {
			a.noAddress(out)
		}
		a.setAddr(addr)
	}
	if a.offLink != nil {
		a.networks = a.conn.Networks(a.is4)
		if n := a.offLink(a.networks); n > 0 && !a.foreign {
			a.foreign = true
			a.warn(out, "off-link", fmt.Sprintf("there is IGMP from hosts in none of the networks of %s, %v: it is ignored; --any-network hears it",
				a.conn.Interface().Name, a.networks))
		}
	}
	// Between two queries nothing fails.
	n, err := a.router.Refused()
	switch {
	case n > a.refused:
		if a.failed.IsZero() {
			a.warn(out, "send", "a query could not be sent: "+plain(err))
		}
		a.refused, a.failed = n, time.Now()
	case time.Since(a.failed) > 2*a.interval:
		a.failed = time.Time{}
	}
}

// The lines of --json. Times are in seconds.
type (
	askingEvent struct {
		Event    string  `json:"event"` // "querier"
		Proto    string  `json:"proto"`
		Active   bool    `json:"active"` // this program asks
		Address  string  `json:"address"`
		Version  int     `json:"version"`
		Interval float64 `json:"interval,omitempty"`
	}
	wantedEvent struct {
		Event   string       `json:"event"` // "group"
		Proto   string       `json:"proto"`
		Change  string       `json:"change"` // "added", "changed" or "removed"
		Group   string       `json:"group"`
		Name    string       `json:"name,omitempty"`
		Mode    string       `json:"mode"`
		Sources []netip.Addr `json:"sources"`
	}
	askedEvent struct {
		Event   string `json:"event"` // "summary"
		Proto   string `json:"proto"`
		Queries uint64 `json:"queries"`
		Groups  int    `json:"groups"`
	}
)

// asks says that this program is the querier.
func (a *asker) asks(out *printer) {
	addr := a.addr
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	out.event(askingEvent{"querier", a.proto, true, addr.String(), a.version, a.interval.Seconds()},
		"asking with %sv%d every %v as %v", a.name, a.version, a.interval, addr)
}

func (a *asker) noAddress(out *printer) {
	text := "there is no IPv4 address on " + a.conn.Interface().Name + ": asking as 0.0.0.0, as switches do; some hosts and switches ignore that, and any other querier goes before"
	if !a.is4 {
		text = "there is no link-local address on " + a.conn.Interface().Name + ": MLD queries wait for one"
	}
	a.warn(out, "no-address", text)
}

func (a *asker) warn(out *printer, code, text string) {
	out.event(warningEvent{"warning", code, a.proto, true, text}, "WARNING  %s", text)
}

// tell writes what a router says.
func (a *asker) tell(out *printer, n news) {
	switch n.kind {
	case igmp.QuerierElected:
		a.asks(out)
	case igmp.QuerierLost:
		out.event(askingEvent{"querier", a.proto, false, n.addr.String(), int(n.version), 0},
			"standing by: %v asks with %sv%d and has the lower address", n.addr, a.name, n.version)
	case igmp.MembershipAdded:
		a.wanted(out, "added", "joined", n)
	case igmp.MembershipChanged:
		a.wanted(out, "changed", "changed", n)
	case igmp.MembershipRemoved:
		a.wanted(out, "removed", "left", n)
	case igmp.OldHost:
		a.warn(out, "old-host", fmt.Sprintf("%v speaks %sv%d: %v is followed without sources", n.addr, a.name, n.version, n.group))
	case igmp.OldQuerier, igmp.NewQuerier:
		a.warn(out, "other-version", fmt.Sprintf("%v asks with %sv%d, and this querier with version %d: all on a link must be set alike", n.addr, a.name, n.version, a.version))
	case igmp.SSMMisused:
		a.warn(out, "ssm", fmt.Sprintf("%v reported the source-specific group %v without sources, which is ignored", n.addr, n.group))
	case igmp.LimitReached:
		a.warn(out, "limits", fmt.Sprintf("%v reports more groups or sources than are kept", n.addr))
	}
}

func (a *asker) wanted(out *printer, change, word string, n news) {
	name, _ := group.WellKnown(n.group)
	e := wantedEvent{"group", a.proto, change, n.group.String(), name, strings.ToLower(n.filter.Mode.String()), list(n.filter.Sources)}
	text := fmt.Sprintf("%-7s  %v", word, n.group)
	if change != "removed" {
		text += "  " + filterText(n.filter)
	}
	if name != "" {
		text += "  (" + name + ")"
	}
	out.event(e, "%s", text)
}

// sum says what was done.
func (a *asker) sum(out *printer) {
	sent, groups := a.state()
	out.event(askedEvent{"summary", a.proto, sent, groups}, "%s: sent %s; %s wanted", a.name, queries(sent), count(groups, "group"))
}

func queries(n uint64) string {
	if n == 1 {
		return "1 query"
	}
	return fmt.Sprintf("%d queries", n)
}
