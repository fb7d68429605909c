package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/madcap/boltstore"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

func madcapCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "madcap",
		Short: "Give out multicast addresses on lease",
		Long:  "Madcap speaks MADCAP (RFC 2730), by which programs lease multicast addresses from a server.",
		Args:  atMost(0, "there is serve"),
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(madcapServeCommand())
	return c
}

type madcapFlags struct {
	iface    string
	scopes   []string
	pools    []string
	db       string
	lifetime time.Duration
	extra    time.Duration
	perHost  int
	rate     float64
	duration time.Duration
	json     bool
}

func madcapServeCommand() *cobra.Command {
	var f madcapFlags
	c := &cobra.Command{
		Use:   "serve --iface NAME --pool RANGE...",
		Short: "Lease multicast addresses to the programs on a network",
		Long: "Serve leases addresses of its pools to clients, which find it by the group next to the last of\n" +
			"each scope, as 239.255.255.254, at port 2535. A lease that a client was told of is in the\n" +
			"file given with --db, and outlives whatever becomes of this program. Addresses that should\n" +
			"not be used, as the last 256 of a scope, are never leased.\n\n" +
			"Ranges are prefixes, as 239.255.7.0/24, or FIRST-LAST. A scope may have a name, also in\n" +
			"several languages: --scope 239.255.0.0/16=en:here --scope 239.255.0.0/16=de:hier. Scopes are\n" +
			"listed from the smallest to the largest.",
		Example: "  mcast madcap serve --iface eth0 --pool 239.255.7.0/24 --db leases.db\n" +
			"  mcast madcap serve --iface eth0 --scope 239.192.0.0/14=Example --pool 239.192.200.0/24 --db leases.db --json",
		Args: atMost(0, "name the interface with --iface"),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	fs := c.Flags()
	fs.StringVarP(&f.iface, "iface", "i", "", "network interface: a name, index or address")
	fs.StringArrayVar(&f.scopes, "scope", nil, "addresses of a scope, and its name: RANGE[=[LANG:]NAME], several times (default 239.255.0.0/16)")
	fs.StringArrayVar(&f.pools, "pool", nil, "addresses to lease, several times")
	fs.StringVar(&f.db, "db", "", "file to keep the leases in (default: none, they end with the program)")
	fs.DurationVar(&f.lifetime, "max-lifetime", madcap.DefaultLifetime, "longest lease")
	fs.DurationVar(&f.extra, "extra", madcap.DefaultExtra, "how long addresses are kept after a lease")
	fs.IntVar(&f.perHost, "max-per-client", 1024, "addresses that one client may have, -1 for any number")
	fs.Float64Var(&f.rate, "client-rate", 20, "messages a second that one client may send, -1 for any")
	fs.DurationVar(&f.duration, "duration", 0, "stop after this time (default: never)")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

// config reads the flags, all but the server's own address.
func (f *madcapFlags) config() (cfg madcap.ServerConfig, err error) {
	switch {
	case f.iface == "":
		return cfg, usagef("which network? Name its interface with --iface")
	case len(f.pools) == 0:
		return cfg, usagef("nothing to lease: give addresses with --pool, as --pool 239.255.7.0/24")
	case f.lifetime < time.Minute:
		return cfg, usagef("--max-lifetime %v: give at least 1m", f.lifetime)
	case f.extra < 0:
		return cfg, usagef("--extra %v: give a positive time", f.extra)
	case f.duration < 0:
		return cfg, usagef("--duration %v: give a positive time", f.duration)
	}
	cfg = madcap.ServerConfig{MaxLifetime: f.lifetime, Extra: f.extra, ClientAddresses: f.perHost, ClientRate: f.rate}
	if f.extra == 0 {
		cfg.Extra = -1
	}
	if f.rate > 50 {
		cfg.ClientBurst = int(2 * f.rate)
	}
	scopes := f.scopes
	if len(scopes) == 0 {
		scopes = []string{group.LocalZone.First.String() + "/16"}
	}
	for _, s := range scopes {
		if cfg.Scopes, err = addScope(cfg.Scopes, s); err != nil {
			return cfg, err
		}
	}
	for _, s := range f.pools {
		z, err := parseZone("--pool", s)
		if err != nil {
			return cfg, err
		}
		sc := smallestAround(cfg.Scopes, z)
		if sc == nil {
			return cfg, usagef("--pool %s is in none of the scopes; give its scope with --scope", s)
		}
		sc.Pools = append(sc.Pools, z)
	}
	probe := cfg
	probe.ID = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	if err := probe.Validate(); err != nil {
		return cfg, usagef("%s", strings.TrimPrefix(err.Error(), madcap.ErrConfig.Error()+": "))
	}
	return cfg, nil
}

// addScope reads RANGE[=[LANG:]NAME]; a range given before gets another name.
func addScope(scopes []madcap.Scope, arg string) ([]madcap.Scope, error) {
	text, name, named := strings.Cut(arg, "=")
	z, err := parseZone("--scope", text)
	if err != nil {
		return nil, err
	}
	var sc *madcap.Scope
	for i := range scopes {
		if scopes[i].Zone.Zone == z {
			sc = &scopes[i]
		}
	}
	if sc == nil {
		scopes = append(scopes, madcap.Scope{Zone: madcap.Zone{Zone: z}})
		sc = &scopes[len(scopes)-1]
	}
	if named {
		lang, rest, ok := strings.Cut(name, ":")
		if !ok {
			lang, rest = "en", name
		}
		sc.Names = append(sc.Names, madcap.Name{Lang: lang, Text: rest, Default: len(sc.Names) == 0})
	}
	return scopes, nil
}

// parseZone reads a prefix or FIRST-LAST.
func parseZone(flag, s string) (z group.Zone, err error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		z = group.ZoneOfPrefix(p)
	} else if first, last, ok := strings.Cut(s, "-"); ok {
		z.First, _ = netip.ParseAddr(first)
		z.Last, _ = netip.ParseAddr(last)
	}
	if !z.IsValid() {
		return z, usagef("%s %q: give multicast addresses as 239.255.7.0/24 or 239.255.7.0-239.255.7.99", flag, s)
	}
	return z, nil
}

func smallestAround(scopes []madcap.Scope, z group.Zone) (best *madcap.Scope) {
	for i := range scopes {
		s := &scopes[i]
		if s.Contains(z.First) && s.Contains(z.Last) && (best == nil || best.Contains(s.First) && best.Contains(s.Last)) {
			best = s
		}
	}
	return best
}

// listen opens the socket for a server: all groups of the first scope's IP version.
func (f *madcapFlags) listen(ctx context.Context, cfg *madcap.ServerConfig) (*mcast.Conn, error) {
	groups := madcap.ServerGroups(cfg.Scopes)
	if len(groups) == 0 {
		return nil, usagef("--scope: a scope of one address has none for its servers")
	}
	conn, err := mcast.Open(ctx, netip.AddrPortFrom(groups[0], madcap.Port).String(),
		mcast.Interface(f.iface), mcast.Unicast(), mcast.MultiGroup(), mcast.TTL(madcap.DefaultTTL))
	if err != nil {
		return nil, openError(err)
	}
	for _, g := range groups[1:] {
		if g.Is4() != groups[0].Is4() { // of the other version are asked for at these
			continue
		}
		if err := conn.Join(group.Channel{Group: g}); err != nil {
			conn.Close()
			return nil, openError(err)
		}
	}
	if cfg.ID, err = serverAddress(conn.Interface(), groups[0].Is4()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// serverAddress returns an address of the interface that clients can write to.
func serverAddress(i net.Interface, is4 bool) (netip.Addr, error) {
	addrs, err := i.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() == is4 && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr(), nil
		}
	}
	what := "an IPv4 address"
	if !is4 {
		what = "an IPv6 address that is not link-local"
	}
	return netip.Addr{}, usagef("--iface %s: it has no address for clients to write to; give it %s", i.Name, what)
}

// The lines of --json. Times are RFC 3339.
type (
	madcapReadyEvent struct {
		Event   string       `json:"event"` // "ready"
		Iface   string       `json:"iface"`
		Address netip.Addr   `json:"address"`
		Groups  []netip.Addr `json:"groups"`
		Leases  int          `json:"leases"`
		DB      string       `json:"db,omitempty"`
	}
	madcapLeaseEvent struct {
		Event     string     `json:"event"` // "granted", "renewed", "released" or "expired"
		ID        string     `json:"id"`
		Addresses []string   `json:"addresses"`
		Client    netip.Addr `json:"client"`
		Start     time.Time  `json:"start"`
		Expires   time.Time  `json:"expires"`
	}
	madcapRefusedEvent struct {
		Event  string     `json:"event"` // "refused"
		ID     string     `json:"id"`
		Client netip.Addr `json:"client"`
		Code   uint16     `json:"code"`
		Reason string     `json:"reason"`
	}
	madcapSummaryEvent struct {
		Event    string `json:"event"` // "summary"
		Received uint64 `json:"received"`
		Ignored  uint64 `json:"ignored"`
		Invalid  uint64 `json:"invalid"`
		Limited  uint64 `json:"limited"` // over a rate
		Offers   uint64 `json:"offers"`
		Acks     uint64 `json:"acks"`
		Naks     uint64 `json:"naks"`
		Commits  uint64 `json:"commits"` // waits for the disk
		Changes  uint64 `json:"changes"` // made by them
		Leases   int    `json:"leases"`
	}
)

func (f *madcapFlags) run(ctx context.Context, out *printer) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	var store madcap.Store = new(madcap.MemoryStore)
	if f.db != "" {
		if store, err = boltstore.Open(f.db); err != nil {
			return err
		}
	}
	conn, err := f.listen(ctx, &cfg)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	server, err := madcap.RunServer(conn, cfg, store)
	if err != nil {
		return errors.Join(err, conn.Close(), store.Close())
	}
	defer server.Close()
	if f.db == "" {
		out.event(warningEvent{"warning", "no-db", "", true, noDB}, "WARNING  %s", noDB)
	}
	leases := server.Stats().Leases
	groups := madcap.ServerGroups(cfg.Scopes)
	out.event(madcapReadyEvent{"ready", conn.Interface().Name, cfg.ID, groups, leases, f.db},
		"leasing as %v on %s, found at %v; %s", cfg.ID, conn.Interface().Name, groups[0], count(leases, "lease"))
	go f.watch(ctx, server, out)
	for e, err := range server.Events(ctx) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		tellMadcap(out, &e)
	}
	st := server.Stats()
	out.event(madcapSummaryEvent{"summary", st.Received, st.Ignored, st.Invalid, st.Limited, st.Offers, st.Acks, st.Naks, st.Batches, st.Committed, st.Leases}, "%s answered, %d refused; %s", count(int(st.Acks), "request"), st.Naks, count(st.Leases, "lease"))
	return server.Close()
}

const noDB = "without --db the leases are forgotten when this program ends, and their addresses given to others"

// watch tells when the file cannot be written, or the network not used.
func (f *madcapFlags) watch(ctx context.Context, s *madcap.RunningServer, out *printer) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		text := ""
		if err := s.Err(); err != nil {
			text = plain(err)
		}
		if text != told && text != "" {
			out.event(warningEvent{"warning", "fault", "", true, text}, "WARNING  %s", text)
		}
		told = text
	}
}

func tellMadcap(out *printer, e *madcap.ServerEvent) {
	id := e.Lease.ID.String()
	switch e.Kind {
	case madcap.RequestRefused:
		reason := strings.TrimPrefix(e.Failure.Error(), "madcap: refused: ")
		out.event(madcapRefusedEvent{"refused", id, e.Client.Addr(), uint16(e.Failure.Code), reason}, "refused   %v: %s", e.Client.Addr(), reason)
	case madcap.LeaseGranted, madcap.LeaseRenewed, madcap.LeaseReleased, madcap.LeaseExpired:
		l := madcapLeaseEvent{e.Kind.String(), id, nil, e.Lease.Client, e.Lease.Start, e.Lease.End}
		for _, r := range e.Lease.Ranges {
			l.Addresses = append(l.Addresses, r.String())
		}
		text := fmt.Sprintf("%-8s  %s to %v", e.Kind, strings.Join(l.Addresses, ", "), e.Lease.Client)
		if e.Kind <= madcap.LeaseRenewed {
			text += " until " + e.Lease.End.Local().Format(time.DateTime)
		}
		out.event(l, "%s", text)
	}
}
