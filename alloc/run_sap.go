package alloc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// DefaultHold is how long NewSAP waits for others to object before it grants.
const DefaultHold = 2 * time.Second

// maxHeard is how many addresses of announced sessions count; a description can name
// 1,024 and a directory have 4,096 of them.
const maxHeard = 1 << 18

// maxMoves is how often other addresses are drawn because somebody objected.
const maxMoves = 8

// SAPConfig configures an allocator that announces its addresses. Directory, Announcer
// and Origin have to be set.
type SAPConfig struct {
	// Directory hears the announcements of others. Addresses are chosen when it is
	// Settled.
	Directory *sap.Directory

	// Announcer announces what was chosen, on the SAP groups of all scopes that are
	// asked for. Nobody else may read its Clashes. The allocator owns both.
	Announcer *sap.Announcer

	// Origin is this host's address, for the o= line. When two hosts have drawn the
	// same address within a second the lower one may keep it.
	Origin netip.Addr

	// Ranges are what to draw from; default all that is asked for: of IPv4 scopes their
	// zones, of global scope 224.2.128.0 to 224.2.255.255, which is for announced
	// sessions, of IPv6 scopes all groups.
	Ranges []group.Zone

	// Hold is how long to wait for others to object before a lease is granted: 0 is
	// DefaultHold, negative not at all.
	Hold time.Duration

	// Describe, when set, makes the session that is announced: id is to be that of the
	// o= line. Default: one that says Name, Port and TTL and no more.
	Describe func(id uint64, g Grant) (*sdp.Description, error)
	Name     string // default "reserved"
	Port     uint16 // default 5004
	TTL      int    // of the addresses, default 1

	// Firm keeps a lease whatever others announce. Otherwise the session that began
	// first by its o= line has the better right, and who sends on the SAP group can claim
	// that, as nothing in SAP is authenticated.
	Firm bool

	AllowAliases bool   // addresses may share their Ethernet address with one in use
	Seed         uint64 // where chance comes from, for tests; 0 is one that nobody can foretell
}

// Validate says what is missing; the error wraps ErrConfig.
func (c SAPConfig) Validate() error {
	switch {
	case c.Directory == nil || c.Announcer == nil:
		return fmt.Errorf("%w: give a Directory and an Announcer, on connections of their own", ErrConfig)
	case !c.Origin.IsValid() || c.Origin.IsMulticast() || c.Origin.IsUnspecified():
		return fmt.Errorf("%w: Origin %v: give this host's own address", ErrConfig, c.Origin)
	case c.TTL < 0 || c.TTL > 255:
		return fmt.Errorf("%w: TTL %d: give 1 to 255", ErrConfig, c.TTL)
	case strings.ContainsAny(c.Name, "\r\n\x00"):
		return fmt.Errorf("%w: Name %q: give one line", ErrConfig, c.Name)
	}
	for _, z := range c.Ranges {
		if !z.IsValid() {
			return fmt.Errorf("%w: range %v to %v: give two groups of one IP version, in order", ErrConfig, z.First, z.Last)
		}
	}
	return nil
}

// A SAP is an Allocator that listens to announcements, draws what no session uses,
// announces it, and defends it. Programs of one host notice each other's announcements
// but not when both draw the same address within a moment: they should share one SAP.
type SAP struct {
	cfg    SAPConfig
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	book   *book
	claims map[*sap.Session]*announced
	byID   map[uint64]*announced
	id     uint64 // of the last session
	rng    *rand.Rand
}

var _ Allocator = (*SAP)(nil)

// NewSAP starts an allocator. The error wraps ErrConfig, and Directory and Announcer are
// then left open.
func NewSAP(cfg SAPConfig) (*SAP, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Origin = cfg.Origin.Unmap().WithZone("")
	cfg.Hold = max(0, cmp.Or(cfg.Hold, DefaultHold))
	if cfg.Describe == nil {
		p := &placeholder{cmp.Or(cfg.Name, "reserved"), cfg.Origin, cmp.Or(cfg.Port, 5004), cmp.Or(cfg.TTL, 1)}
		cfg.Describe = p.describe
	}
	for i, z := range cfg.Ranges {
		if i == 0 {
			cfg.Ranges = append([]group.Zone(nil), cfg.Ranges...)
		}
		cfg.Ranges[i] = normal(z)
	}
	rng := newRand(cfg.Seed)
	a := &SAP{cfg: cfg, book: newBook(rng, cfg.AllowAliases), rng: rng, claims: make(map[*sap.Session]*announced), byID: make(map[uint64]*announced)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.done.Go(a.watch)
	return a, nil
}

// Allocate implements Allocator. It waits until the directory has listened long enough,
// and for Hold. It does not know when addresses become free that others use, and a
// LaterError is about its own.
func (a *SAP) Allocate(ctx context.Context, r Request) (*Lease, error) {
	t, err := r.resolve(time.Now())
	if err != nil {
		return nil, err
	}
	o, err := sapOffer(&t, a.cfg.Ranges)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	if err := a.settled(ctx); err != nil {
		return nil, a.reason(err)
	}
	o.inUse = newSet(nil)
	zones := o.zones
	var lost error
	for range maxMoves {
		for x := range a.heard {
			if len(o.inUse.addrs) < maxHeard && matters(x, zones) {
				o.inUse.add(x)
			}
		}
		s, err := a.claim(&t, &o, zones)
		if err != nil {
			return nil, err
		}
		if err := a.hold(ctx, s); err != nil {
			a.withdraw(s)
			return nil, a.reason(err)
		}
		if why := a.contested(s); why != nil {
			a.giveUp(s, why)
		}
		if l := a.grant(s, &t); l != nil {
			return l, nil
		}
		lost = s.why
		for _, x := range s.addrs {
			o.inUse.add(x)
		}
	}
	return nil, fmt.Errorf("%w: %w, as did those of %d draws before: try again, or give more ranges", ErrNoFree, lost, maxMoves-1)
}

// bounded returns ctx, which also ends with the allocator.
func (a *SAP) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// reason returns err, or that the allocator was closed.
func (a *SAP) reason(err error) error {
	if a.ctx.Err() != nil {
		return fmt.Errorf("alloc: %w", net.ErrClosed)
	}
	return err
}

// settled waits until the directory has listened.
func (a *SAP) settled(ctx context.Context) error {
	_, err := a.cfg.Directory.FreeGroup(ctx, group.LocalZone)
	if errors.Is(err, sap.ErrNoFree) {
		return nil
	}
	return err
}

// heard yields the groups of all sessions that are announced.
func (a *SAP) heard(yield func(netip.Addr) bool) {
	for _, l := range a.cfg.Directory.Sessions() {
		for _, g := range l.Groups() {
			if !yield(g) {
				return
			}
		}
	}
}

// InUse yields the addresses of all sessions that are announced, as Config.InUse of
// another allocator takes them.
func (a *SAP) InUse() iter.Seq[netip.Addr] { return a.heard }

// Shutdown releases all leases, sends the deletions of their announcements, and closes the
// allocator. It returns the error of ctx when that ends first.
func (a *SAP) Shutdown(ctx context.Context) error {
	for _, l := range a.leases() {
		l.finish(ErrReleased)
	}
	err := a.cfg.Announcer.Shutdown(ctx)
	a.Close()
	return err
}

// Close implements Allocator: it ends the announcements without deleting them, and closes
// Directory and Announcer. It can be called again.
func (a *SAP) Close() error {
	a.cancel()
	a.cfg.Announcer.Close()
	a.done.Wait()
	for _, l := range a.leases() {
		l.finish(fmt.Errorf("alloc: %w", net.ErrClosed))
	}
	return a.cfg.Directory.Close()
}

// leases returns those that have not ended.
func (a *SAP) leases() (all []*Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.claims {
		if s.lease != nil {
			all = append(all, s.lease)
		}
	}
	return all
}
