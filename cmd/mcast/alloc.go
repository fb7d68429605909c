package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/alloc"
	"github.com/gomulticast/multicast/mcast/group"
)

type allocFlags struct {
	by       string
	iface    string
	server   string
	pools    []string
	scope    string
	ipv6     bool
	count    int
	least    int
	lifetime time.Duration
	renew    bool
	keep     bool
	profile  string
	listen   time.Duration
	json     bool
}

// allocWays are the values of --by, and how each makes its allocator.
var allocWays = map[string]func(*allocFlags, context.Context, alloc.Request) (alloc.Allocator, error){
	"madcap": (*allocFlags).madcap,
	"sap":    (*allocFlags).sap,
	"ssm":    (*allocFlags).ssm,
	"random": (*allocFlags).random,
	"pool":   (*allocFlags).static,
}

func allocCommand() *cobra.Command {
	var f allocFlags
	c := &cobra.Command{
		Use:   "alloc",
		Short: "Get a multicast address that nobody else uses",
		Long: "Alloc leases addresses, prints them, and holds them until Ctrl-C, which gives them back. It asks\n" +
			"a MADCAP server, see mcast madcap serve, or else goes by\n\n" +
			"  --by sap     what no announced session uses; it is then announced itself\n" +
			"  --by ssm     source-specific groups, which are this host's own\n" +
			"  --by random  chance, for a laboratory\n" +
			"  --by pool    the ranges given with --pool, from which nobody else takes any\n\n" +
			"A scope is local, organization, or for IPv6 also link, realm, admin, site or global, or the\n" +
			"range that administrators gave it, as 239.16.32.0/23.",
		Example: "  mcast alloc --iface eth0 --lifetime 1h --renew\n" +
			"  mcast alloc --iface eth0 --scope organization --count 16 --json\n" +
			"  mcast alloc --iface eth0 --by sap --pool 239.255.7.0/24",
		Args: atMost(0, "what to ask for is in flags, as --scope local"),
		RunE: func(c *cobra.Command, _ []string) error {
			if !c.Flags().Changed("by") && len(f.pools) > 0 {
				f.by = "pool"
			}
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.by, "by", "madcap", "how to get them: madcap, sap, ssm, random or pool")
	fs.StringVarP(&f.iface, "iface", "i", "", "network interface: a name, index or address (default: by route)")
	fs.StringVar(&f.server, "server", "", "MADCAP server to ask, or group to look for one at (default: the scope's)")
	fs.StringArrayVar(&f.pools, "pool", nil, "addresses to choose from, as 239.255.7.0/24 or FIRST-LAST, several times")
	fs.StringVar(&f.scope, "scope", "", "how far packets are to go: a name or a range (default: the smallest)")
	fs.BoolVarP(&f.ipv6, "ipv6", "6", false, "IPv6 addresses")
	fs.IntVar(&f.count, "count", 1, "how many addresses")
	fs.IntVar(&f.least, "at-least", 0, "how many to be content with (default: all)")
	fs.DurationVar(&f.lifetime, "lifetime", 0, "for how long (default: the longest there is)")
	fs.BoolVar(&f.renew, "renew", false, "renew the lease half way to its end, again and again")
	fs.BoolVar(&f.keep, "keep", false, "do not give the addresses back at the end, for the rest of their lease")
	fs.StringVar(&f.profile, "profile", "rfc2974", "of --by sap, how often to announce: rfc2974, aes67 or fast")
	fs.DurationVar(&f.listen, "listen", 30*time.Second, "of --by sap, how long to listen before choosing")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

var scopeNames = map[string]group.Scope{
	"link": group.LinkLocal, "realm": group.RealmLocal, "local": group.RealmLocal, "admin": group.AdminLocal,
	"site": group.SiteLocal, "organization": group.OrganizationLocal, "global": group.Global,
}

// request reads the flags.
func (f *allocFlags) request() (r alloc.Request, err error) {
	r = alloc.Request{Count: f.count, MinCount: f.least, Lifetime: f.lifetime}
	if f.ipv6 {
		r.Family = alloc.IPv6
	}
	if s, named := scopeNames[f.scope]; named {
		r.Scope = s
	} else if f.scope != "" {
		if r.Zone, err = parseZone("--scope", f.scope); err != nil {
			return r, usagef("--scope %q: give local, organization, site, global or so, or a range as 239.16.32.0/23", f.scope)
		}
		if f.ipv6 && r.Zone.First.Is4() {
			return r, usagef("--ipv6: the range of --scope %s is IPv4", f.scope)
		}
	}
	switch {
	case allocWays[f.by] == nil:
		return r, usagef("--by %q: give madcap, sap, ssm, random or pool", f.by)
	case f.by == "pool" && len(f.pools) == 0:
		return r, usagef("--by pool: from which addresses? Give them with --pool, as --pool 239.255.7.0/24")
	case len(f.pools) > 0 && f.by != "pool" && f.by != "sap":
		return r, usagef("--pool is for --by pool and --by sap")
	case f.server != "" && f.by != "madcap":
		return r, usagef("--server is for --by madcap")
	case f.keep && f.by != "madcap" && f.by != "sap":
		return r, usagef("--keep: nobody else knows of a lease by %s, so there is nothing to keep after the end", f.by)
	case f.count < 1:
		return r, usagef("--count %d: give 1 or more", f.count)
	case f.renew && f.lifetime == 0 && f.by != "madcap":
		return r, usagef("--renew: without a --lifetime the lease has no end to renew it before")
	}
	if err := r.Validate(); err != nil {
		return r, allocError(err)
	}
	return r, nil
}

// The lines of --json. Times are RFC 3339, "" is without end.
type (
	leaseEvent struct {
		Event     string   `json:"event"` // "lease" or "renewed"
		Addresses []string `json:"addresses"`
		Expires   string   `json:"expires"`
		ID        string   `json:"id"`
	}
	leaseEndEvent struct {
		Event     string   `json:"event"` // "released", "kept" or "lost"
		Addresses []string `json:"addresses"`
		ID        string   `json:"id"`
		Reason    string   `json:"reason"` // of lost
	}
)

func (f *allocFlags) run(ctx context.Context, out *printer) error {
	r, err := f.request()
	if err != nil {
		return err
	}
	a, err := allocWays[f.by](f, ctx, r)
	if err != nil {
		return allocError(err)
	}
	defer a.Close()
	l, err := a.Allocate(ctx, r)
	if err != nil {
		return allocError(err)
	}
	e := eventOfLease("lease", l)
	what := "Ctrl-C gives back what is above"
	if f.keep {
		what = "Ctrl-C ends this program and keeps what is above"
	}
	out.event(e, "%s\n%s; %s", strings.Join(e.Addresses, "\n"), untilText(l), what)
	renewed := make(chan error)
	if f.renew {
		go l.Keep(ctx, func(err error) {
			select {
			case renewed <- err:
			case <-ctx.Done():
			}
		})
	}
	for {
		select {
		case err := <-renewed:
			if err != nil {
				out.warn("not renewed, %s: %s", untilText(l), allocText(err))
				continue
			}
			out.event(eventOfLease("renewed", l), "renewed, %s", untilText(l))
		case <-l.Lost():
			out.event(leaseEndEvent{"lost", e.Addresses, e.ID, allocText(l.Err())}, "LOST  %s: %s", strings.Join(e.Addresses, " "), allocText(l.Err()))
			return errFailed
		case <-ctx.Done():
			return f.end(ctx, a, l, out)
		}
	}
}

// end gives the addresses back unless they are to be kept.
func (f *allocFlags) end(ctx context.Context, a alloc.Allocator, l *alloc.Lease, out *printer) error {
	e := eventOfLease("", l)
	if f.keep {
		out.event(leaseEndEvent{"kept", e.Addresses, e.ID, ""}, "kept, %s", untilText(l))
		return nil
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	err := l.Release(end)
	if s, ok := a.(*alloc.SAP); ok && err == nil {
		err = s.Shutdown(end) // which waits for the deletions
	}
	if err != nil {
		return allocError(err)
	}
	out.event(leaseEndEvent{"released", e.Addresses, e.ID, ""}, "released")
	return nil
}

func eventOfLease(what string, l *alloc.Lease) leaseEvent {
	e := leaseEvent{Event: what, ID: l.ID()}
	for _, c := range l.Channels() {
		e.Addresses = append(e.Addresses, c.String())
	}
	if end := l.Expires(); !end.IsZero() {
		e.Expires = end.UTC().Format(time.RFC3339)
	}
	return e
}

func untilText(l *alloc.Lease) string {
	if l.Expires().IsZero() {
		return "leased without end"
	}
	return "leased until " + l.Expires().Local().Format(time.DateTime)
}

// allocText writes an error of package alloc for people.
func allocText(err error) string {
	s := err.Error()
	for _, p := range [][2]string{
		{"alloc: configuration: ", ""}, {"alloc: request: ", ""}, {"alloc: ", ""}, {"madcap: ", ""},
		{"NewSSM", "--by ssm"}, {"NewSAP", "--by sap"}, {"NewPrefix, NewGLOP", "--pool"}, {"name the Zone", "name its range with --scope"},
	} {
		s = strings.ReplaceAll(s, p[0], p[1])
	}
	return s
}

// allocError makes a mistake in the flags a usage error.
func allocError(err error) error {
	if errors.Is(err, alloc.ErrRequest) || errors.Is(err, alloc.ErrConfig) {
		return usagef("%s", allocText(err))
	}
	if strings.HasPrefix(err.Error(), "alloc: ") {
		return fmt.Errorf("%s", allocText(err))
	}
	return openError(err)
}

// ranges reads --pool.
func (f *allocFlags) ranges() (all []group.Zone, err error) {
	for _, s := range f.pools {
		z, err := parseZone("--pool", s)
		if err != nil {
			return nil, err
		}
		all = append(all, z)
	}
	return all, nil
}

// ifaces returns --iface for those who take several.
func (f *allocFlags) ifaces() []string {
	return slices.DeleteFunc([]string{f.iface}, func(s string) bool { return s == "" })
}

func (f *allocFlags) static(context.Context, alloc.Request) (alloc.Allocator, error) {
	all, err := f.ranges()
	if err != nil {
		return nil, err
	}
	return alloc.NewStatic(alloc.Config{}, all...)
}

func (f *allocFlags) random(context.Context, alloc.Request) (alloc.Allocator, error) {
	return alloc.NewRandom(alloc.Config{})
}

func (f *allocFlags) ssm(ctx context.Context, r alloc.Request) (alloc.Allocator, error) {
	to := netip.AddrFrom4([4]byte{232, 1, 1, 1})
	if r.Family == alloc.IPv6 || r.Zone.IsValid() && r.Zone.First.Is6() {
		to = netip.MustParseAddr("ff3e::8000:1")
	}
	source, err := hostAddr(ctx, group.Target{Channel: group.Channel{Group: to}, Port: 5004}, f.ifaces())
	if err != nil {
		return nil, err
	}
	return alloc.NewSSM(alloc.Config{}, source)
}
