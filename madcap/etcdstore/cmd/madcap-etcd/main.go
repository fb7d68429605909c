// Command madcap-etcd leases multicast addresses by MADCAP (RFC 2730), as mcast madcap
// serve does, with the leases in etcd: any number of them can run with the same pools, and
// each renews what another has leased.
//
//	madcap-etcd -iface eth0 -pool 239.255.7.0/24 -etcd https://10.0.0.1:2379 -cacert ca.pem
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/madcap/etcdstore"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

type flags struct {
	iface, etcd, prefix, user string
	tls                       transport.TLSInfo
	scopes, pools             list
	lifetime, extra           time.Duration
}

// A list is a flag given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "madcap-etcd:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var f flags
	fs := flag.NewFlagSet("madcap-etcd", flag.ContinueOnError)
	fs.StringVar(&f.iface, "iface", "", "network interface: a name, index or address")
	fs.Var(&f.scopes, "scope", "addresses of a scope, and its name: PREFIX[=NAME], several times (default 239.255.0.0/16)")
	fs.Var(&f.pools, "pool", "addresses to lease, as 239.255.7.0/24, several times; the same at all servers")
	fs.DurationVar(&f.lifetime, "max-lifetime", madcap.DefaultLifetime, "longest lease")
	fs.DurationVar(&f.extra, "extra", madcap.DefaultExtra, "how long addresses are kept after a lease; the same at all servers")
	fs.StringVar(&f.etcd, "etcd", "http://127.0.0.1:2379", "URLs of etcd's members, with commas between")
	fs.StringVar(&f.prefix, "prefix", etcdstore.DefaultPrefix, "where the leases are in etcd")
	fs.StringVar(&f.user, "user", "", "user of etcd; the password is in the environment, ETCD_PASSWORD")
	fs.StringVar(&f.tls.TrustedCAFile, "cacert", "", "file with the certificates that etcd's is to be signed by")
	fs.StringVar(&f.tls.CertFile, "cert", "", "file with the certificate to show etcd")
	fs.StringVar(&f.tls.KeyFile, "key", "", "file with its key")
	if err := fs.Parse(args); err != nil {
		return err
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	store, err := f.store()
	if err != nil {
		return err
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
	return serve(ctx, server, &cfg, out)
}

// config reads the flags, all but the server's own address.
func (f *flags) config() (cfg madcap.ServerConfig, err error) {
	if f.iface == "" || len(f.pools) == 0 {
		return cfg, errors.New("give -iface, and the addresses to lease with -pool")
	}
	if len(f.scopes) == 0 {
		f.scopes = list{"239.255.0.0/16"}
	}
	for _, s := range f.scopes {
		text, name, named := strings.Cut(s, "=")
		z, err := zone("-scope", text)
		if err != nil {
			return cfg, err
		}
		sc := madcap.Scope{Zone: madcap.Zone{Zone: z}}
		if named {
			sc.Names = []madcap.Name{{Lang: "en", Text: name, Default: true}}
		}
		cfg.Scopes = append(cfg.Scopes, sc)
	}
pools:
	for _, s := range f.pools {
		z, err := zone("-pool", s)
		if err != nil {
			return cfg, err
		}
		for i := range cfg.Scopes {
			if sc := &cfg.Scopes[i]; sc.Contains(z.First) && sc.Contains(z.Last) {
				sc.Pools = append(sc.Pools, z)
				continue pools
			}
		}
		return cfg, fmt.Errorf("-pool %s is in none of the scopes; give its scope with -scope", s)
	}
	cfg.MaxLifetime, cfg.Extra, cfg.Shared = f.lifetime, f.extra, true
	if f.extra == 0 {
		cfg.Extra = -1
	}
	return cfg, nil
}

func zone(flag, s string) (group.Zone, error) {
	p, err := netip.ParsePrefix(s)
	if z := group.ZoneOfPrefix(p); err == nil && z.IsValid() {
		return z, nil
	}
	return group.Zone{}, fmt.Errorf("%s %q: give multicast addresses, as 239.255.7.0/24", flag, s)
}

// store opens the store. Etcd need not answer yet.
func (f *flags) store() (*etcdstore.Store, error) {
	cfg := clientv3.Config{Endpoints: strings.Split(f.etcd, ","), DialTimeout: etcdstore.DefaultTimeout, DialKeepAliveTime: 10 * time.Second,
		Username: f.user, Password: os.Getenv("ETCD_PASSWORD"), Logger: zap.NewNop()} // errors come from the calls
	if strings.HasPrefix(f.etcd, "https:") {
		var err error
		if cfg.TLS, err = f.tls.ClientConfig(); err != nil {
			return nil, err
		}
	}
	client, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("-etcd %s: %w", f.etcd, err)
	}
	extra := f.extra
	if extra == 0 {
		extra = -1
	}
	s, err := etcdstore.New(client, etcdstore.Config{Prefix: f.prefix, Extra: extra})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return s, nil
}

// listen opens the socket: the groups of all scopes of the first one's IP version.
func (f *flags) listen(ctx context.Context, cfg *madcap.ServerConfig) (*mcast.Conn, error) {
	groups := madcap.ServerGroups(cfg.Scopes)
	if len(groups) == 0 {
		return nil, errors.New("-scope: a scope of one address has none for its servers")
	}
	conn, err := mcast.Open(ctx, netip.AddrPortFrom(groups[0], madcap.Port).String(),
		mcast.Interface(f.iface), mcast.Unicast(), mcast.MultiGroup(), mcast.TTL(madcap.DefaultTTL))
	if err != nil {
		return nil, err
	}
	for _, g := range groups[1:] {
		if g.Is4() != groups[0].Is4() {
			continue
		}
		if err := conn.Join(group.Channel{Group: g}); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	i := conn.Interface()
	addrs, err := i.Addrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() == groups[0].Is4() && !p.Addr().IsLinkLocalUnicast() {
			cfg.ID = p.Addr()
			return conn, nil
		}
	}
	return nil, errors.Join(err, conn.Close(), fmt.Errorf("-iface %s has no address for clients to write to", f.iface))
}

// An event is a line of output. Scripts rely on these names, which are those of mcast
// madcap serve.
type event struct {
	Event     string     `json:"event"` // "ready", "granted", "renewed", "released", "expired" or "warning"
	Address   netip.Addr `json:"address,omitzero"`
	Leases    int        `json:"leases,omitzero"`
	ID        string     `json:"id,omitzero"`
	Addresses []string   `json:"addresses,omitzero"`
	Client    netip.Addr `json:"client,omitzero"`
	Expires   time.Time  `json:"expires,omitzero"`
	Text      string     `json:"text,omitzero"`
}

// serve tells what happens until ctx is done.
func serve(ctx context.Context, s *madcap.RunningServer, cfg *madcap.ServerConfig, out io.Writer) error {
	lines := make(chan event)
	go func() {
		defer close(lines)
		for e, err := range s.Events(ctx) {
			if err != nil {
				return
			}
			switch e.Kind {
			case madcap.LeaseGranted, madcap.LeaseRenewed, madcap.LeaseReleased, madcap.LeaseExpired:
				l := event{Event: e.Kind.String(), ID: e.Lease.ID.String(), Client: e.Lease.Client, Expires: e.Lease.End}
				for _, r := range e.Lease.Ranges {
					l.Addresses = append(l.Addresses, r.String())
				}
				lines <- l
			}
		}
	}()
	enc := json.NewEncoder(out)
	if err := enc.Encode(event{Event: "ready", Address: cfg.ID, Leases: s.Stats().Leases}); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	told := ""
	for {
		select {
		case e, ok := <-lines:
			if !ok {
				return s.Close()
			}
			_ = enc.Encode(e) // leasing goes on without a reader
		case <-tick.C:
			text := ""
			if err := s.Err(); err != nil {
				text = "nothing is leased meanwhile: " + err.Error()
			}
			if text != told && text != "" {
				_ = enc.Encode(event{Event: "warning", Text: text})
			}
			told = text
		}
	}
}
