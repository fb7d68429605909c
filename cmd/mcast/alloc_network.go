package main

import (
	"cmp"
	"context"
	"net/netip"
	"strings"

	"github.com/gomulticast/multicast/alloc"
	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
)

// madcap opens the connection to MADCAP servers.
func (f *allocFlags) madcap(ctx context.Context, r alloc.Request) (alloc.Allocator, error) {
	cfg := madcap.ClientConfig{Group: serversOf(r)}
	if f.server != "" {
		at, err := netip.ParseAddrPort(f.server)
		if err != nil {
			a, err := netip.ParseAddr(strings.Trim(f.server, "[]"))
			if err != nil {
				return nil, usagef("--server %q: give an address, as 10.0.0.1, or a group, as %v", f.server, madcap.DefaultGroup)
			}
			at = netip.AddrPortFrom(a, madcap.Port)
		}
		switch {
		case at.Addr().IsMulticast():
			cfg.Group, cfg.Port = at.Addr(), at.Port()
		default:
			if cfg.Server = at; at.Addr().Is6() {
				cfg.Group = madcap.DefaultGroup6
			}
		}
	}
	if err := cfg.Validate(); err != nil {
		return nil, usagef("%s", strings.TrimPrefix(err.Error(), madcap.ErrConfig.Error()+": "))
	}
	opts := append(onInterfaces(f.ifaces()), mcast.Unicast(), mcast.TTL(madcap.DefaultTTL))
	conn, err := mcast.Dial(ctx, netip.AddrPortFrom(cfg.Group, cmp.Or(cfg.Port, madcap.Port)).String(), opts...)
	if err != nil {
		return nil, err
	}
	client, err := madcap.RunClient(conn, cfg)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return alloc.NewMADCAP(client), nil
}

// serversOf returns where the servers of a scope are looked for. For IPv6 addresses of no
// certain range that is where those of IPv4 are, which may have both.
func serversOf(r alloc.Request) netip.Addr {
	zone := r.Zone
	if r.Scope == group.OrganizationLocal && r.Family != alloc.IPv6 {
		zone = group.OrganizationZone
	}
	if zone.IsValid() && group.ScopeOf(zone.First) != group.Global {
		if all := madcap.ServerGroups([]madcap.Scope{{Zone: madcap.Zone{Zone: zone}}}); len(all) > 0 {
			return all[0]
		}
	}
	return madcap.DefaultGroup
}

// sap opens the connections for announcements.
func (f *allocFlags) sap(ctx context.Context, r alloc.Request) (alloc.Allocator, error) {
	profile, ok := sapProfiles[f.profile]
	if !ok {
		return nil, usagef("--profile %q: give rfc2974, aes67 or fast", f.profile)
	}
	ranges, err := f.ranges()
	if err != nil {
		return nil, err
	}
	var zones []group.Zone
	where := netip.AddrFrom4([4]byte{239, 255, 1, 1}) // some group of the scope
	switch {
	case r.Zone.IsValid():
		zones, where = []group.Zone{r.Zone}, r.Zone.First
	case len(ranges) > 0:
		where = ranges[0].First
	case r.Family == alloc.IPv6:
		where = sap.GroupOfScope(cmp.Or(r.Scope, group.RealmLocal))
	case r.Scope == group.OrganizationLocal:
		where = group.OrganizationZone.First
	case r.Scope == group.Global:
		where = sap.GlobalGroup
	}
	on, err := sap.GroupFor(where, zones...)
	if err != nil {
		return nil, usagef("%s", sapText(err))
	}
	c, err := listenSAP(ctx, f.ifaces(), on.Is4())
	if err != nil {
		return nil, err
	}
	if err := c.Join(group.Channel{Group: on}); err != nil && len(zones) > 0 {
		c.Close()
		return nil, err
	}
	cfg := alloc.SAPConfig{Ranges: ranges}
	if cfg.Directory, err = sap.NewDirectory(sap.DirectoryConfig{Listen: f.listen}, sap.Path{Conn: c}); err != nil {
		c.Close()
		return nil, err
	}
	paths, sources, err := announcePaths(ctx, []netip.Addr{on}, f.ifaces())
	if err != nil {
		cfg.Directory.Close()
		return nil, err
	}
	if len(sources) > 0 {
		cfg.Origin = sources[0]
	}
	if cfg.Announcer, err = sap.NewAnnouncer(sap.AnnouncerConfig{Profile: profile, Sources: sources, Zones: zones}, paths...); err != nil {
		closePaths(paths)
		cfg.Directory.Close()
		return nil, err
	}
	a, err := alloc.NewSAP(cfg)
	if err != nil {
		cfg.Announcer.Close()
		cfg.Directory.Close()
		return nil, err
	}
	return a, nil
}
