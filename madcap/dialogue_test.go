package madcap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// A stage has a client, servers, and a perfect network that writes down what is said.
type stage struct {
	t       *testing.T
	now     time.Time
	client  *Client
	servers []*stageServer
	said    []string
	spoken  []Message // the same
	lose    func(m *Message, to netip.AddrPort) bool
	events  []ClientEvent
}

type stageServer struct {
	*Server
	addr  netip.AddrPort
	store MemoryStore
	deaf  bool
}

var stageClient = netip.MustParseAddrPort("10.0.0.9:40000")

var stageGlobal = Scope{Zone: Zone{Zone: group.Zone{First: addr("224.0.1.0"), Last: addr("238.255.255.255")}, TTL: 16, Names: []Name{{"en", "world", true}, {"de", "Welt", false}}},
	Pools: []group.Zone{{First: addr("233.9.193.0"), Last: addr("233.9.193.255")}}}

func newStage(t *testing.T, cfg ClientConfig, servers ...ServerConfig) *stage {
	t.Helper()
	cfg.Rand = rand.New(rand.NewPCG(5, 6))
	st := &stage{t: t, now: noon}
	var err error
	if st.client, err = NewClient(st.now, cfg); err != nil {
		t.Fatal(err)
	}
	for i, c := range servers {
		c.ID = netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		c.Rand = rand.New(rand.NewPCG(7, uint64(i)))
		if c.Scopes == nil {
			c.Scopes = []Scope{deskScope, stageGlobal}
		}
		s := &stageServer{addr: netip.AddrPortFrom(c.ID, Port)}
		if s.Server, err = NewServer(st.now, c); err != nil {
			t.Fatal(err)
		}
		st.servers = append(st.servers, s)
	}
	return st
}

// names writes the options of a message.
func names(m *Message) string {
	var l []string
	for o := range m.Has.All() {
		if o != OptionCurrentTime { // MAY be anywhere
			l = append(l, o.String())
		}
	}
	return strings.Join(l, ", ")
}

func (st *stage) carry(from string, src netip.AddrPort, e engine.Engine) (moved bool) {
	for {
		p := datagram.Packet{Data: make([]byte, 0, 2000)}
		if !e.Transmit(st.now, &p) {
			return moved
		}
		moved = true
		var m Message
		if err := ParseMessage(p.Data, &m); err != nil {
			st.t.Fatal(err)
		}
		st.said = append(st.said, fmt.Sprintf("%s to %v: %v (%s)", from, p.Dst.Addr(), m.Type, names(&m)))
		st.spoken = append(st.spoken, m)
		if st.lose != nil && st.lose(&m, p.Dst) {
			st.said[len(st.said)-1] += " lost"
			continue
		}
		p.Src = src
		if p.Dst == stageClient {
			st.client.Handle(st.now, &p)
		}
		for _, s := range st.servers {
			if !s.deaf && (p.Dst == s.addr || p.Dst.Addr().IsMulticast()) {
				s.Handle(st.now, &p)
			}
		}
	}
}

// pump lets everybody speak until nobody has more to say.
func (st *stage) pump() {
	for more := true; more; {
		more = st.carry("client", stageClient, st.client)
		for i, s := range st.servers {
			if batch := s.Changes(); batch != nil {
				_ = s.store.Commit(batch)
				s.Committed(st.now, batch)
			}
			more = st.carry(fmt.Sprintf("server %d", i+1), s.addr, s) || more
		}
	}
	for e, ok := st.client.Event(); ok; e, ok = st.client.Event() {
		st.events = append(st.events, e)
	}
}

// pass lets time go by, from deadline to deadline.
func (st *stage) pass(d time.Duration) {
	end := st.now.Add(d)
	for {
		next := st.client.Next()
		for _, s := range st.servers {
			next = engine.Earliest(next, s.Next())
		}
		if next.IsZero() || next.After(end) {
			break
		}
		if next.After(st.now) {
			st.now = next
		}
		st.client.Advance(st.now)
		for _, s := range st.servers {
			s.Advance(st.now)
		}
		st.pump()
	}
	st.now = end
}

func (st *stage) expect(lines ...string) {
	st.t.Helper()
	if !slices.Equal(st.said, lines) {
		st.t.Errorf("said\n\t%s\nwant\n\t%s", strings.Join(st.said, "\n\t"), strings.Join(lines, "\n\t"))
	}
	st.said, st.spoken = nil, nil
}

// event returns the next event, which is of that kind.
func (st *stage) event(k ClientEventKind) (e ClientEvent) {
	st.t.Helper()
	if len(st.events) == 0 {
		st.t.Fatalf("no event, want %v", k)
	}
	e, st.events = st.events[0], st.events[1:]
	if e.Kind != k {
		st.t.Fatalf("%v (%v), want %v", e.Kind, e.Err, k)
	}
	return e
}

// Appendix A of RFC 2730, message by message. Where the RFC says "the options of ..."
// these are they; what a server MAY add is left out.
func TestAppendixA(t *testing.T) {
	st := newStage(t, ClientConfig{}, ServerConfig{}, ServerConfig{})

	// 1. Multicast Scope List Discovery.
	if _, err := st.client.GetInfo(st.now, InfoRequest{Language: "en"}); err != nil {
		t.Fatal(err)
	}
	st.pump()
	id, xid := string(st.spoken[0].LeaseID), st.spoken[0].XID
	for i, m := range st.spoken {
		if string(m.LeaseID) != id || m.XID != xid {
			t.Errorf("message %d has another transaction", i)
		}
		for e := range m.Scopes.All() {
			if len(e.Names()) > 1 {
				t.Errorf("names %v", e.Names())
			}
		}
	}
	st.expect(
		"client to 239.255.255.254: GETINFO (Lease Identifier, Option Request List, Requested Language)",
		"server 1 to 10.0.0.9: ACK (Server Identifier, Lease Identifier, Multicast Scope List, Feature List, Multicast Scope Nesting State)",
		"server 2 to 10.0.0.9: ACK (Server Identifier, Lease Identifier, Multicast Scope List, Feature List, Multicast Scope Nesting State)",
	)
	info := st.event(ClientInfo).Info
	if info.Server != addr("10.0.0.1") || info.Scopes[1].Names[0].Text != "world" || info.Scopes[1].TTL != 16 || !slices.Contains(info.Features, SharedLease) {
		t.Errorf("%+v", info)
	}
	st.event(ClientInfo)
	st.pass(4 * time.Second)
	st.event(ClientInfoDone)
	st.expect()

	// 2. Multicast Discovery and Address Allocation: two hours in the global scope.
	st.client.cfg.WaitAll = true
	if _, err := st.client.Allocate(st.now, Request{Scope: stageGlobal.First, Lifetime: 2 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	st.pump()
	if a, b := st.servers[0].Stats().Held, st.servers[1].Stats().Held; a != 1 || b != 1 {
		t.Errorf("%d and %d reserved", a, b)
	}
	st.pass(4 * time.Second) // collects replies, selects a server
	first := st.spoken[0].XID
	for _, m := range st.spoken[:3] {
		if m.XID != first {
			t.Error("the offers have another XID")
		}
	}
	if m := st.spoken[3]; m.ServerID != addr("10.0.0.1") || string(m.LeaseID) != string(st.spoken[0].LeaseID) || m.LeaseTime != 2*time.Hour {
		t.Errorf("%+v", m)
	}
	st.expect(
		"client to 239.255.255.254: DISCOVER (Lease Time, Lease Identifier, Multicast Scope)",
		"server 1 to 10.0.0.9: OFFER (Lease Time, Server Identifier, Lease Identifier, Multicast Scope, List of Address Ranges)",
		"server 2 to 10.0.0.9: OFFER (Lease Time, Server Identifier, Lease Identifier, Multicast Scope, List of Address Ranges)",
		"client to 239.255.255.254: REQUEST (Lease Time, Server Identifier, Lease Identifier, Multicast Scope)",
		"server 1 to 10.0.0.9: ACK (Lease Time, Server Identifier, Lease Identifier, Multicast Scope, List of Address Ranges)",
	)
	if a, b := st.servers[0].Stats(), st.servers[1].Stats(); a.Held != 0 || b.Held != 0 || a.Leases != 1 || b.Leases != 0 {
		t.Errorf("%+v, %+v", a, b)
	}
	lease := st.event(ClientAllocated).Lease
	if got := lease.End.Sub(st.now); got > 2*time.Hour || got < 2*time.Hour-time.Second || lease.Server != addr("10.0.0.1") || lease.At != st.servers[0].addr {
		t.Errorf("%v: %+v", got, lease)
	}

	// 3. Lease Extension: half way, for two hours from then.
	st.pass(time.Hour)
	if _, err := st.client.Renew(st.now, lease.ID, Renewal{Lifetime: 2 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	st.pump()
	st.expect(
		"client to 10.0.0.1: RENEW (Lease Time, Lease Identifier)",
		"server 1 to 10.0.0.9: ACK (Lease Time, Server Identifier, Lease Identifier, Multicast Scope, List of Address Ranges)",
	)
	renewed := st.event(ClientRenewed).Lease
	if got := renewed.End.Sub(st.now); got > 2*time.Hour || got < 2*time.Hour-time.Second || renewed.Ranges[0] != lease.Ranges[0] {
		t.Errorf("%v: %+v", got, renewed)
	}

	// 4. Address Release, half an hour later.
	st.pass(30 * time.Minute)
	if _, err := st.client.Release(st.now, lease.ID); err != nil {
		t.Fatal(err)
	}
	st.pump()
	st.expect(
		"client to 10.0.0.1: RELEASE (Lease Identifier)",
		"server 1 to 10.0.0.9: ACK (Server Identifier, Lease Identifier)",
	)
	st.event(ClientReleased)
	if n := len(st.servers[0].store.Leases()); n != 0 {
		t.Errorf("%d leases", n)
	}

	// 5. Unicast Address Allocation, from a server known to work.
	if _, err := st.client.Allocate(st.now, Request{Scope: stageGlobal.First, Lifetime: 2 * time.Hour, Server: lease.At}); err != nil {
		t.Fatal(err)
	}
	st.pump()
	st.expect(
		"client to 10.0.0.1: REQUEST (Lease Time, Lease Identifier, Multicast Scope)",
		"server 1 to 10.0.0.9: ACK (Lease Time, Server Identifier, Lease Identifier, Multicast Scope, List of Address Ranges)",
	)
	st.event(ClientAllocated)
}

// Section 2.3: at t+4, t+12 and t+28, the end at t+60.
func TestRetransmission(t *testing.T) {
	st := newStage(t, ClientConfig{})
	start := st.now
	var at []time.Duration
	var first Message
	st.lose = func(m *Message, to netip.AddrPort) bool {
		if len(at) == 0 {
			first = *m
		} else if m.XID != first.XID || string(m.LeaseID) != string(first.LeaseID) || !m.CurrentTime.Equal(first.CurrentTime) {
			t.Errorf("changed: %+v, then %+v", first, *m)
		}
		at = append(at, st.now.Sub(start))
		return true
	}
	if _, err := st.client.Allocate(st.now, Request{}); err != nil {
		t.Fatal(err)
	}
	st.pump()
	st.pass(59 * time.Second)
	if len(st.events) != 0 {
		t.Errorf("%+v", st.events)
	}
	st.pass(time.Second)
	if e := st.event(ClientFailed); e.Err != ErrNoAnswer {
		t.Error(e.Err)
	}
	if want := []time.Duration{0, 4 * time.Second, 12 * time.Second, 28 * time.Second}; !slices.Equal(at, want) {
		t.Errorf("sent at %v, want %v", at, want)
	}
	if st.client.Next() != (time.Time{}) || st.client.Stats().Resent != 3 {
		t.Errorf("%v, %+v", st.client.Next(), st.client.Stats())
	}
}

// The first offer of everything is taken at once; else the best of those that come in
// time.
func TestChoice(t *testing.T) {
	small := stageGlobal
	small.Pools = []group.Zone{{First: addr("233.9.193.0"), Last: addr("233.9.193.1")}}
	st := newStage(t, ClientConfig{}, ServerConfig{Scopes: []Scope{deskScope, small}}, ServerConfig{MaxLifetime: time.Hour}, ServerConfig{})
	ask := func(r Request) ClientEvent {
		t.Helper()
		r.Scope = stageGlobal.First
		if _, err := st.client.Allocate(st.now, r); err != nil {
			t.Fatal(err)
		}
		st.pump()
		st.pass(4 * time.Second)
		return st.event(ClientAllocated)
	}
	if e := ask(Request{Lifetime: time.Hour}); e.Lease.Server != addr("10.0.0.1") {
		t.Error(e.Lease.Server)
	}
	if e := ask(Request{Lifetime: 2 * time.Hour, Count: 4, MinCount: 1}); e.Lease.Server != addr("10.0.0.3") || e.Lease.Total() != 4 {
		t.Errorf("%+v", e.Lease)
	}
	st.servers[2].deaf = true
	if e := ask(Request{Lifetime: 2 * time.Hour, Count: 4, MinCount: 1}); e.Lease.Server != addr("10.0.0.2") || e.Lease.Total() != 4 {
		t.Errorf("%+v", e.Lease)
	}
}

// A server that is chosen and then silent, or refuses, is followed by another.
func TestAnotherRound(t *testing.T) {
	for _, silent := range []bool{true, false} {
		st := newStage(t, ClientConfig{}, ServerConfig{}, ServerConfig{})
		st.lose = func(m *Message, to netip.AddrPort) bool {
			if m.Type == TypeRequest && m.ServerID == addr("10.0.0.1") {
				if !silent { // it has other plans by now
					st.servers[0].cfg.ClientAddresses = 1
					st.servers[0].used[stageClient.Addr()] = 1
				}
				return silent
			}
			return false
		}
		if _, err := st.client.Allocate(st.now, Request{Lifetime: time.Hour}); err != nil {
			t.Fatal(err)
		}
		st.pump()
		st.pass(70 * time.Second)
		if e := st.event(ClientAllocated); e.Lease.Server != addr("10.0.0.2") {
			t.Error(e.Lease.Server)
		}
	}
}

func TestKeptLease(t *testing.T) {
	st := newStage(t, ClientConfig{}, ServerConfig{})
	tx, err := st.client.Allocate(st.now, Request{Lifetime: time.Hour, Renew: true})
	if err != nil {
		t.Fatal(err)
	}
	st.pump()
	l := st.event(ClientAllocated)
	if l.Tx != tx {
		t.Error(l.Tx)
	}
	start := st.now
	st.pass(5 * time.Hour)
	for range 9 {
		if e := st.event(ClientRenewed); e.ID != l.ID || e.Tx != 0 {
			t.Errorf("%+v", e)
		}
	}
	if got := st.client.leases[l.ID].End.Sub(start); got < 5*time.Hour || got > 6*time.Hour || len(st.events) > 1 {
		t.Errorf("until %v, %d more events", got, len(st.events))
	}
	st.events = nil

	// The server is gone: it is asked again and again, and at the end the lease is lost.
	st.servers[0].deaf = true
	end := st.client.leases[l.ID].End
	st.pass(2 * time.Hour)
	failures := 0
	for len(st.events) > 1 {
		if e := st.event(ClientFailed); e.Err == ErrNoAnswer {
			failures++
		}
	}
	if e := st.event(ClientLost); e.Err != ErrExpired || e.Lease.ID != l.ID || !e.Lease.End.Equal(end) || failures < 3 {
		t.Errorf("%v after %d failures", e.Err, failures)
	}
	if st.client.Next() != (time.Time{}) || len(st.client.leases) > 0 {
		t.Error("something is left")
	}
}

// A server that has forgotten the lease ends it at once.
func TestForgottenLease(t *testing.T) {
	st := newStage(t, ClientConfig{}, ServerConfig{})
	_, _ = st.client.Allocate(st.now, Request{Lifetime: time.Hour, Renew: true})
	st.pump()
	l := st.event(ClientAllocated).Lease
	s := st.servers[0]
	s.forget(s.leases[l.ID])
	st.pass(31 * time.Minute)
	var f Failure
	if e := st.event(ClientLost); !errors.As(e.Err, &f) || f.Code != LeaseNotRecognized {
		t.Error(e.Err)
	}
	// To release what is not known is as good as releasing it.
	if err := st.client.Adopt(st.now, l); err != nil {
		t.Fatal(err)
	}
	_, _ = st.client.Release(st.now, l.ID)
	st.pump()
	st.event(ClientReleased)
}

// After a restart the client goes on with what it had, also with a lease that starts
// later.
func TestAdopt(t *testing.T) {
	st := newStage(t, ClientConfig{}, ServerConfig{})
	_, _ = st.client.Allocate(st.now, Request{Lifetime: time.Hour, Start: st.now.Add(2 * time.Hour), Renew: true})
	st.pump()
	l := st.event(ClientAllocated).Lease
	if !l.Start.Equal(noon.Add(2*time.Hour)) || !l.End.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("%v to %v", l.Start, l.End)
	}
	again := newStage(t, ClientConfig{})
	again.servers = st.servers
	if err := again.client.Adopt(again.now, l); err != nil {
		t.Fatal(err)
	}
	if err := again.client.Adopt(again.now, l); !errors.Is(err, ErrRequest) {
		t.Errorf("twice: %v", err)
	}
	again.pass(100 * time.Minute)
	if e := again.event(ClientRenewed); e.ID != l.ID || e.Lease.Ranges[0] != l.Ranges[0] {
		t.Errorf("%+v", e)
	}
	l.ID = "late"
	if err := again.client.Adopt(again.now.Add(24*time.Hour), l); !errors.Is(err, ErrExpired) {
		t.Errorf("too late: %v", err)
	}
}

// With Server Mobility, a lease whose server is gone is renewed at another.
func TestMobility(t *testing.T) {
	st := newStage(t, ClientConfig{}, ServerConfig{Shared: true}, ServerConfig{Shared: true})
	_, _ = st.client.Allocate(st.now, Request{Lifetime: time.Hour, Renew: true, Mobile: true})
	st.pump()
	l := st.event(ClientAllocated).Lease
	if !l.Mobile || l.Server != addr("10.0.0.1") {
		t.Errorf("%+v", l)
	}
	stored, _ := l.Lease, st.servers[0].store.Leases()
	st.servers[1].Learn(st.now, []Change{{Lease: st.servers[0].store.Leases()[0]}})
	_ = st.servers[1].store.Commit([]Change{{Lease: st.servers[0].store.Leases()[0]}})
	st.servers[0].deaf = true
	st.pass(45 * time.Minute)
	if e := st.event(ClientRenewed); e.Lease.Server != addr("10.0.0.2") || e.Lease.Ranges[0] != stored.Ranges[0] {
		t.Errorf("%+v", e.Lease)
	}
}

// Retry After, section 2.13.2: our servers do not do that, so one is played.
func TestDeferred(t *testing.T) {
	st := newStage(t, ClientConfig{Server: netip.MustParseAddrPort("10.0.0.7:2535")})
	_, _ = st.client.Allocate(st.now, Request{ID: "d", Scope: inside.First, Later: true})
	st.pump()
	req := st.spoken[0]
	if !req.Features.Supported().Has(RetryAfter) || req.Features.Requested().Len()+req.Features.Required().Len() > 0 {
		t.Errorf("%x", []byte(req.Features))
	}
	answer := vectors[11].m // come back in an hour, by the server's clock
	answer.XID, answer.LeaseID = req.XID, req.LeaseID
	b, err := answer.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	st.client.Handle(st.now, &datagram.Packet{Data: b, Src: netip.MustParseAddrPort("10.0.0.7:2535")})
	st.pump()
	if e := st.event(ClientDeferred); !e.At.Equal(st.now.Add(time.Hour)) {
		t.Error(e.At)
	}
	st.pass(time.Hour - time.Second)
	if len(st.spoken) != 1 {
		t.Errorf("%d messages", len(st.spoken))
	}
	st.pass(2 * time.Second)
	if len(st.spoken) != 2 || st.spoken[1].XID == req.XID || string(st.spoken[1].LeaseID) != "d" || st.spoken[1].Type != TypeRequest {
		t.Fatalf("%+v", st.spoken)
	}
	st.pass(time.Minute)
	if e := st.event(ClientFailed); e.Err != ErrNoAnswer {
		t.Error(e.Err)
	}
}

// What does not fit is ignored: other transactions, places, servers, and grants of what
// was not asked for.
func TestClientIgnores(t *testing.T) {
	st := newStage(t, ClientConfig{Server: netip.MustParseAddrPort("10.0.0.7:2535")})
	_, _ = st.client.Allocate(st.now, Request{ID: ID(testID), Scope: inside.First, Count: 2, MinCount: 2, MinLifetime: time.Hour})
	st.pump()
	xid := st.spoken[0].XID
	good := vectors[10].m
	good.XID, good.Ranges = xid, NewRangeList(IPv4, rng("239.192.7.1", 2))
	from := netip.MustParseAddrPort("10.0.0.7:2535")
	for what, tt := range map[string]struct {
		set func(m *Message)
		src netip.AddrPort
	}{
		"other XID":      {func(m *Message) { m.XID++ }, from},
		"other lease":    {func(m *Message) { m.LeaseID = []byte("b") }, from},
		"other place":    {func(m *Message) {}, netip.MustParseAddrPort("10.0.0.8:2535")},
		"other port":     {func(m *Message) {}, netip.MustParseAddrPort("10.0.0.7:2536")},
		"other scope":    {func(m *Message) { m.Scope = local }, from},
		"too few":        {func(m *Message) { m.Ranges = NewRangeList(IPv4, rng("239.192.7.1", 1)) }, from},
		"too many":       {func(m *Message) { m.Ranges = NewRangeList(IPv4, rng("239.192.7.1", 3)) }, from},
		"too short":      {func(m *Message) { m.LeaseTime = time.Minute }, from},
		"no lease time":  {func(m *Message) { m.Has = m.Has.Without(OptionLeaseTime) }, from},
		"no addresses":   {func(m *Message) { m.Ranges = RangeList{} }, from},
		"an offer":       {func(m *Message) { m.Type = TypeOffer }, from},
		"a request":      {func(m *Message) { m.Type = TypeRequest }, from},
		"unknown server": {func(m *Message) { m.ServerID, m.serverID = netip.Addr{}, unhex("000901") }, from},
	} {
		m := good
		tt.set(&m)
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		before := st.client.Stats().Ignored
		st.client.Handle(st.now, &datagram.Packet{Data: b, Src: tt.src})
		if st.pump(); len(st.events) > 0 || st.client.Stats().Ignored != before+1 {
			t.Errorf("%s: %+v", what, st.events)
			st.events = nil
		}
	}
	b, _ := good.MarshalBinary()
	st.client.Handle(st.now, &datagram.Packet{Data: b, Src: from})
	st.pump()
	st.event(ClientAllocated)
}

// Who was not chosen has no say.
func TestOnlyTheChosenAnswers(t *testing.T) {
	st := newStage(t, ClientConfig{}, ServerConfig{})
	st.lose = func(m *Message, to netip.AddrPort) bool { return m.Type == TypeRequest }
	_, _ = st.client.Allocate(st.now, Request{Lifetime: time.Hour})
	st.pump()
	req := st.spoken[len(st.spoken)-1]
	if req.Type != TypeRequest || req.ServerID != addr("10.0.0.1") {
		t.Fatalf("%+v", req)
	}
	ack, no := vectors[10].m, vectors[16].m
	for _, m := range []Message{ack, no} {
		m.XID, m.LeaseID, m.ServerID, m.Scope = req.XID, req.LeaseID, addr("10.0.0.2"), req.Scope
		if m.Type == TypeAck {
			m.Ranges = NewRangeList(IPv4, rng("239.255.7.1", 1))
		}
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		before := st.client.Stats().Ignored
		st.client.Handle(st.now, &datagram.Packet{Data: b, Src: netip.MustParseAddrPort("10.0.0.2:2535")})
		if st.pump(); len(st.events) > 0 || st.client.Stats().Ignored != before+1 {
			t.Errorf("%v: %+v", m.Type, st.events)
		}
	}
	st.lose = nil
	st.pass(5 * time.Second)
	st.event(ClientAllocated)
}

// A request given up after the server granted it is released.
func TestCancel(t *testing.T) {
	st := newStage(t, ClientConfig{}, ServerConfig{})
	st.lose = func(m *Message, to netip.AddrPort) bool { return m.Type == TypeAck && len(st.said) < 6 }
	tx, _ := st.client.Allocate(st.now, Request{Lifetime: time.Hour})
	st.pump()
	if st.servers[0].Stats().Leases != 1 {
		t.Fatal("not granted")
	}
	st.client.Cancel(st.now, tx)
	st.pump()
	st.pass(5 * time.Second)
	if st.servers[0].Stats().Leases != 0 || len(st.events) != 0 {
		t.Errorf("%+v, %+v", st.servers[0].Stats(), st.events)
	}
}

func TestClientMistakes(t *testing.T) {
	st := newStage(t, ClientConfig{})
	c := st.client
	for what, r := range map[string]Request{
		"scope":     {Scope: addr("10.0.0.1")},
		"counts":    {Count: 2, MinCount: 3},
		"negative":  {Count: -1},
		"huge":      {Count: 65536},
		"lifetimes": {Lifetime: time.Minute, MinLifetime: time.Hour},
		"starts":    {Start: noon, MaxStart: noon.Add(-time.Hour)},
		"ranges":    {Ranges: []Range{rng("10.0.0.1", 1)}},
		"families":  {Ranges: []Range{rng("ff15::1", 1)}},
		"long ID":   {ID: ID(strings.Repeat("x", 256))},
	} {
		if _, err := c.Allocate(st.now, r); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.Renew(st.now, "x", Renewal{}); !errors.Is(err, ErrUnknownLease) {
		t.Error(err)
	}
	if _, err := c.Release(st.now, "x"); !errors.Is(err, ErrUnknownLease) {
		t.Error(err)
	}
	if _, err := c.GetInfo(st.now, InfoRequest{Language: "e n"}); !errors.Is(err, ErrRequest) {
		t.Error(err)
	}
	if _, err := c.Allocate(st.now, Request{ID: "x"}); err != nil {
		t.Error(err)
	}
	if _, err := c.Allocate(st.now, Request{ID: "x"}); !errors.Is(err, ErrRequest) {
		t.Errorf("twice: %v", err)
	}
	for what, cfg := range map[string]ClientConfig{
		"global group":     {Group: addr("224.0.1.68")},
		"unicast group":    {Group: addr("10.0.0.1")},
		"multicast server": {Server: netip.AddrPortFrom(DefaultGroup, Port)},
		"TTL":              {TTL: 256},
		"negative time":    {NoResponse: -1},
	} {
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
