package madcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// A desk is a server with a store that does at once, or when told, what it is to.
type desk struct {
	t     *testing.T
	s     *Server
	now   time.Time
	store *MemoryStore
	hold  bool // the store waits for commit
	src   netip.AddrPort
	to    netip.AddrPort
	xid   uint32
}

var (
	deskScope = Scope{Zone: Zone{Zone: group.LocalZone, Names: []Name{{"en", "here", false}, {"de", "hier", true}, {"ja", "ここ", false}}},
		Pools: []group.Zone{{First: addr("239.255.7.0"), Last: addr("239.255.7.255")}}, Within: []netip.Addr{group.OrganizationZone.First}}
	deskOrg  = Scope{Zone: Zone{Zone: group.OrganizationZone}, Pools: []group.Zone{{First: addr("239.192.7.0"), Last: addr("239.192.7.15")}}}
	deskSite = Scope{Zone: site6, Pools: []group.Zone{{First: addr("ff15::8000:0"), Last: addr("ff15::8000:ffff")}}}
)

func init() {
	deskSite.Zone.Zone = group.Zone{First: addr("ff15::"), Last: addr("ff15:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}
}

func newDesk(t *testing.T, cfg ServerConfig) *desk {
	t.Helper()
	if cfg.Scopes == nil {
		cfg.Scopes = []Scope{deskScope, deskOrg, deskSite}
	}
	if !cfg.ID.IsValid() {
		cfg.ID = myAddr
	}
	cfg.Rand = rand.New(rand.NewPCG(1, 2))
	d := &desk{t: t, now: noon, store: new(MemoryStore), src: netip.MustParseAddrPort("10.0.0.9:4711"), to: netip.AddrPortFrom(cfg.ID, Port)}
	var err error
	if d.s, err = NewServer(d.now, cfg); err != nil {
		t.Fatal(err)
	}
	return d
}

// restart is what remains after a crash.
func (d *desk) restart() {
	s, err := NewServer(d.now, d.s.cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = d.store.Load(func(l Lease) bool { s.Restore(l); return true })
	d.s = s
}

func (d *desk) commit() {
	for batch := d.s.Changes(); batch != nil; batch = d.s.Changes() {
		if err := d.store.Commit(batch); err != nil {
			d.t.Fatal(err)
		}
		d.s.Committed(d.now, batch)
	}
}

// answers returns what the server sends.
func (d *desk) answers() (all []Message) {
	d.t.Helper()
	if !d.hold {
		d.commit()
	}
	for {
		p := datagram.Packet{Data: make([]byte, 0, 2000)}
		if !d.s.Transmit(d.now, &p) {
			break
		}
		if p.Dst != d.src {
			d.t.Errorf("an answer to %v, want %v", p.Dst, d.src)
		}
		if len(p.Data) > MaxMessage {
			d.t.Errorf("an answer of %d bytes", len(p.Data))
		}
		var m Message
		if err := ParseMessage(p.Data, &m); err != nil {
			d.t.Fatalf("%x: %v", p.Data, err)
		}
		all = append(all, m)
	}
	checkServerT(d.t, d.s)
	return all
}

func checkServerT(t *testing.T, s *Server) { t.Helper(); checkServer(t, s) }

// ask sends a message and returns the answers.
func (d *desk) ask(m Message) []Message {
	d.t.Helper()
	if m.XID == 0 {
		d.xid++
		m.XID = d.xid
	}
	b, err := m.MarshalBinary()
	if err != nil {
		d.t.Fatal(err)
	}
	return d.raw(b)
}

func (d *desk) raw(b []byte) []Message {
	d.t.Helper()
	d.s.Handle(d.now, &datagram.Packet{Data: b, Src: d.src, Dst: d.to, IfIndex: 3})
	return d.answers()
}

// one returns the only answer, which is of that kind and conforms.
func (d *desk) one(all []Message, k Kind) *Message {
	d.t.Helper()
	if len(all) != 1 {
		d.t.Fatalf("%d answers %v, want %v", len(all), all, k)
	}
	m := &all[0]
	if v := k.Check(m); !v.Ok() {
		d.t.Fatalf("%v: %v: %v (%+v)", k, m.Type, v, m.Error)
	}
	return m
}

// refusal returns the error of the only answer, a NAK.
func (d *desk) refusal(all []Message) Failure {
	d.t.Helper()
	return d.one(all, KindNak).Error
}

func (d *desk) pass(t time.Duration) {
	d.now = d.now.Add(t)
	d.s.Advance(d.now)
}

// at is what a request has to be multicast to.
func (d *desk) at(g string) { d.to = netip.MustParseAddrPort(g + ":2535") }

func requestFor(id ID, scope netip.Addr, set func(m *Message)) Message {
	m := Message{Type: TypeRequest, Family: FamilyOf(scope), LeaseID: []byte(id), Scope: scope, LeaseTime: time.Hour, Has: OptionsOf(OptionLeaseID, OptionScope, OptionLeaseTime)}
	if set != nil {
		set(&m)
	}
	return m
}

func about(t Type, id ID) Message {
	return Message{Type: t, Family: IPv4, LeaseID: []byte(id), Has: OptionsOf(OptionLeaseID)}
}

var local, org = group.LocalZone.First, group.OrganizationZone.First

func TestGrantIsDurableFirst(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	d.hold = true
	m := requestFor("a", local, func(m *Message) { m.XID = 7 })
	if got := d.ask(m); len(got) != 0 {
		t.Fatalf("answered before the store: %+v", got)
	}
	if got := d.ask(m); len(got) != 0 || d.s.Stats().Repeated != 1 { // again
		t.Fatalf("answered before the store: %+v", got)
	}
	n := 0
	d.s.Leases(func(Lease) bool { n++; return true })
	if n != 0 {
		t.Error("a lease is told of before it is durable")
	}
	batch := d.s.Changes()
	if len(batch) != 1 || d.s.Changes() != nil || d.s.Pending() {
		t.Fatalf("%d changes", len(batch))
	}
	_ = d.store.Commit(batch)
	d.s.Committed(d.now, batch)
	ack := d.one(d.answers(), KindAckRequest)
	l := d.store.Leases()[0]
	if ack.Ranges.At(0) != l.Ranges[0] || ack.LeaseTime != time.Hour || l.End.Sub(d.now) < time.Hour || l.Client != d.src.Addr() || l.Server != myAddr || l.Revision != 1 {
		t.Errorf("%+v for %+v", ack, l)
	}
	again := d.one(d.ask(m), KindAckRequest)
	if again.Ranges.At(0) != ack.Ranges.At(0) || len(d.store.Leases()) != 1 || d.s.Pending() {
		t.Error("the request was granted twice")
	}
	if e, _ := d.s.Event(); e.Kind != LeaseGranted || e.Client != d.src || !e.Lease.Equal(&l) {
		t.Errorf("event %+v", e)
	}
}

// Neither a release nor a renewal is acknowledged before it is durable, and what comes
// meanwhile about the same lease waits for its client to ask again.
func TestChangesAreDurableFirst(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	d.one(d.ask(requestFor("a", local, nil)), KindAckRequest)
	d.hold = true
	for _, typ := range []Type{TypeRenew, TypeRelease} {
		m := about(typ, "a")
		m.XID = uint32(typ)
		if got := d.ask(m); len(got) != 0 {
			t.Fatalf("%v answered before the store: %+v", typ, got)
		}
		for _, other := range []Type{TypeRenew, TypeRelease, TypeRequest} {
			m := about(other, "a")
			if other == TypeRequest {
				m = requestFor("a", local, nil)
			}
			if got := d.ask(m); len(got) != 0 {
				t.Errorf("%v answered during %v: %+v", other, typ, got)
			}
		}
		if len(d.store.Leases()) != 1 || len(d.s.queue) != 1 {
			t.Errorf("%d leases, %d changes", len(d.store.Leases()), len(d.s.queue))
		}
		d.commit()
		if got := d.answers(); len(got) != 1 || got[0].Type != TypeAck {
			t.Errorf("%v: %+v", typ, got)
		}
	}
	if len(d.store.Leases()) != 0 || d.s.Stats().Busy != 6 {
		t.Errorf("%d leases, %+v", len(d.store.Leases()), d.s.Stats())
	}
}

// A crash between the commit and the ACK: the same request gets the same lease.
func TestCrashBeforeAck(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	d.hold = true
	m := requestFor("a", local, func(m *Message) { m.XID = 7 })
	d.ask(m)
	_ = d.store.Commit(d.s.Changes())
	want := d.store.Leases()[0]
	d.restart()
	d.hold = false
	d.now = d.now.Add(4 * time.Second)
	ack := d.one(d.ask(m), KindAckRequest)
	if ack.Ranges.At(0) != want.Ranges[0] || len(d.store.Leases()) != 1 {
		t.Errorf("%v, want %v", ack.Ranges.At(0), want.Ranges[0])
	}
	// One crash before the commit: there is no lease, and another may be had.
	d.hold = true
	d.ask(requestFor("b", local, nil))
	d.s.Changes()
	d.restart()
	d.hold = false
	if f := d.refusal(d.ask(about(TypeRenew, "b"))); f.Code != LeaseNotRecognized {
		t.Error(f)
	}
}

func TestErrors(t *testing.T) {
	current := func(m *Message, off time.Duration) {
		m.CurrentTime, m.Has = noon.Add(off), m.Has.With(OptionCurrentTime)
	}
	start := func(m *Message, in time.Duration) {
		m.StartTime, m.Has = noon.Add(in), m.Has.With(OptionStartTime)
	}
	for _, tt := range []struct {
		what string
		set  func(m *Message)
		want Failure
	}{
		{"unknown scope", func(m *Message) { m.Scope = addr("239.7.0.0") }, failed(NotCompleted, OptionScope)},
		{"no scope", func(m *Message) { m.Has = m.Has.Without(OptionScope) }, failed(InvalidRequest, OptionScope)},
		{"error option", func(m *Message) { m.Has = m.Has.With(OptionError) }, failed(InvalidRequest, OptionError)},
		{"request list", func(m *Message) { m.RequestList, m.Has = NewCodeList(1), m.Has.With(OptionRequestList) }, failed(InvalidRequest, OptionRequestList)},
		{"retry time", func(m *Message) { m.RetryTime, m.Has = noon, m.Has.With(OptionRetryTime) }, failed(InvalidRequest, OptionRetryTime)},
		{"start without the current time", func(m *Message) { start(m, 0) }, failed(InvalidRequest, OptionCurrentTime)},
		{"clock behind", func(m *Message) { current(m, -31*time.Minute) }, Failure{ExcessiveClockSkew, unhex("6a450140")}},
		{"clock ahead", func(m *Message) { current(m, 31*time.Minute) }, Failure{ExcessiveClockSkew, unhex("6a450140")}},
		{"too far ahead", func(m *Message) { current(m, 0); start(m, 31*24*time.Hour) }, failed(NotCompleted, OptionStartTime)},
		{"latest start before the start", func(m *Message) {
			current(m, 0)
			start(m, time.Hour)
			m.MaxStartTime, m.Has = noon.Add(time.Minute), m.Has.With(OptionMaxStartTime)
		}, failed(InvalidRequest, OptionMaxStartTime)},
		{"latest start is over", func(m *Message) {
			current(m, 0)
			m.MaxStartTime, m.Has = noon.Add(-time.Hour), m.Has.With(OptionMaxStartTime)
		}, failed(NotCompleted, OptionMaxStartTime)},
		{"longer than can be", func(m *Message) {
			m.LeaseTime, m.MinLeaseTime, m.Has = 48*time.Hour, 25*time.Hour, m.Has.With(OptionMinLeaseTime)
		}, failed(NotCompleted, OptionMinLeaseTime)},
		{"at least longer than at most", func(m *Message) {
			m.MinLeaseTime, m.Has = 2*time.Hour, m.Has.With(OptionMinLeaseTime)
		}, failed(InvalidRequest, OptionMinLeaseTime)},
		{"more than are given", func(m *Message) { m.MinCount, m.Count, m.Has = 257, 65535, m.Has.With(OptionCount) }, failed(NotCompleted, OptionCount)},
		{"more than there are", func(m *Message) {
			m.Scope = org
			m.MinCount, m.Count, m.Has = 17, 17, m.Has.With(OptionCount)
		}, failed(NotCompleted, OptionCount)},
		{"addresses of another scope", func(m *Message) {
			m.Ranges, m.Has = NewRangeList(IPv4, rng("239.192.7.1", 1)), m.Has.With(OptionRanges)
		}, failed(InvalidRequest, OptionRanges)},
		{"addresses twice", func(m *Message) {
			m.Ranges, m.Has = NewRangeList(IPv4, rng("239.255.7.1", 3), rng("239.255.7.3", 1)), m.Has.With(OptionRanges)
		}, failed(InvalidRequest, OptionRanges)},
		{"too many ranges", func(m *Message) {
			var rs []Range
			for i := range 65 {
				rs = append(rs, Range{netip.AddrFrom4([4]byte{239, 255, 7, byte(2 * i)}), 1})
			}
			m.Ranges, m.Has = NewRangeList(IPv4, rs...), m.Has.With(OptionRanges)
		}, failed(InvalidRequest, OptionRanges)},
		{"addresses that are not given out", func(m *Message) {
			m.Ranges, m.Has = NewRangeList(IPv4, rng("239.255.9.1", 1)), m.Has.With(OptionRanges)
		}, failed(NotCompleted, OptionRanges)},
		{"addresses by the thousand", func(m *Message) {
			m.Ranges, m.Has = NewRangeList(IPv4, rng("239.255.0.0", 65535)), m.Has.With(OptionRanges)
		}, failed(NotCompleted, OptionCount)},
		{"unknown features", func(m *Message) {
			m.Features, m.Has = NewFeatureList(nil, nil, []Feature{SharedLease, RetryAfter, ServerMobility, 77}), m.Has.With(OptionFeatures)
		}, Failure{FeatureNotSupported, unhex("00010000004d")}},
		{"another server", func(m *Message) { m.ServerID, m.Has = addr("10.9.9.9"), m.Has.With(OptionServerID) }, failed(InvalidRequest, OptionServerID)},
		{"unknown type", func(m *Message) { m.Type = 77 }, failed(InvalidRequest, OptionNone)},
		{"unknown lease", func(m *Message) { *m = about(TypeRenew, "nobody's") }, Failure{LeaseNotRecognized, []byte{}}},
		{"release of an unknown lease", func(m *Message) { *m = about(TypeRelease, "nobody's") }, Failure{LeaseNotRecognized, []byte{}}},
		{"no such family", func(m *Message) { *m = about(TypeRelease, "x"); m.Family = 7 }, failed(InvalidRequest, OptionNone)},
	} {
		d := newDesk(t, ServerConfig{})
		if got := d.refusal(d.ask(requestFor("a", local, tt.set))); got.Code != tt.want.Code || !bytes.Equal(got.Extra, tt.want.Extra) {
			t.Errorf("%s: %v %x, want %v %x", tt.what, got, got.Extra, tt.want, tt.want.Extra)
		}
		if len(d.store.Leases()) > 0 || len(d.s.offers.byID) > 0 {
			t.Errorf("%s: something was kept", tt.what)
		}
	}
	// Malformed options, one by one.
	d := newDesk(t, ServerConfig{ClientRate: -1})
	for o, data := range map[Option]string{OptionLeaseTime: "00", OptionScope: "efff", OptionCount: "00020001", OptionRanges: "efff00010000", OptionFeatures: "00",
		OptionServerID: "0001", OptionStartTime: "", OptionLanguage: "20", OptionCurrentTime: "00", OptionMinLeaseTime: "", OptionMaxStartTime: "0000"} {
		b := message(IPv4, "0003", "61", fmt.Sprintf("%04x", uint16(o)), data)
		b[1] = byte(TypeRequest)
		if got := d.refusal(d.raw(b)); got.Code != InvalidRequest || got.Option() != o {
			t.Errorf("%v: %v", o, got)
		}
	}
}

func TestNotAnswered(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	good, _ := (&vectors[8].m).MarshalBinary()
	for what, b := range map[string][]byte{
		"nothing":        nil,
		"short":          good[:11],
		"version 1":      append([]byte{1}, good[1:]...),
		"no End":         good[:len(good)-4],
		"no lease ID":    message(IPv4),
		"empty lease ID": message(IPv4, "0003", ""),
		"long lease ID":  message(IPv4, "0003", strings.Repeat("61", 256)),
	} {
		if got := d.raw(b); len(got) > 0 {
			t.Errorf("%s: %+v", what, got)
		}
	}
	for _, v := range vectors { // no loops
		if v.m.Type == TypeAck || v.m.Type == TypeOffer || v.m.Type == TypeNak {
			if got := d.raw(v.encoded()); len(got) > 0 {
				t.Errorf("%s: %+v", v.name, got)
			}
		}
	}
	for _, src := range []string{"239.1.1.1:5", "0.0.0.0:5", "10.0.0.1:0"} {
		d.src = netip.MustParseAddrPort(src)
		if got := d.raw(good); len(got) > 0 {
			t.Errorf("from %s: %+v", src, got)
		}
	}
}

func TestDiscoverIsSilentWhenUnable(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	d.at("239.255.255.254")
	ask := func(set func(m *Message)) []Message {
		m := requestFor("a", local, set)
		m.Type = TypeDiscover
		return d.ask(m)
	}
	if got := ask(func(m *Message) { m.Scope = addr("239.7.0.0") }); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	if got := ask(func(m *Message) { m.MinCount, m.Count, m.Has = 300, 300, m.Has.With(OptionCount) }); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	if f := d.refusal(ask(func(m *Message) { m.Has = m.Has.Without(OptionScope) })); f.Code != InvalidRequest {
		t.Error(f)
	}
	if f := d.refusal(ask(func(m *Message) { m.CurrentTime, m.Has = noon.Add(time.Hour), m.Has.With(OptionCurrentTime) })); f.Code != ExcessiveClockSkew {
		t.Error(f)
	}
	d.one(ask(nil), KindOffer)
	d.to = netip.AddrPortFrom(myAddr, Port) // DISCOVER is multicast
	if got := ask(nil); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestOffers(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	d.at("239.255.255.254")
	discover := requestFor("a", local, func(m *Message) {
		m.Type, m.MinCount, m.Count, m.Has = TypeDiscover, 2, 4, m.Has.With(OptionCount)
	})
	offer := d.one(d.ask(discover), KindOffer)
	if offer.Ranges.Total() != 4 || d.s.Stats().Held != 1 {
		t.Errorf("%d offered", offer.Ranges.Total())
	}
	again := d.one(d.ask(discover), KindOffer) // another XID
	if again.Ranges.At(0) != offer.Ranges.At(0) || d.s.Stats().Held != 1 {
		t.Error("another offer for the same lease")
	}
	// The client takes it.
	req := requestFor("a", local, func(m *Message) {
		m.MinCount, m.Count, m.Has = 2, 4, m.Has.With(OptionCount).With(OptionServerID)
		m.ServerID = myAddr
	})
	ack := d.one(d.ask(req), KindAckRequest)
	if ack.Ranges.At(0) != offer.Ranges.At(0) || d.s.Stats().Held != 0 {
		t.Errorf("%v granted, %v offered", ack.Ranges.At(0), offer.Ranges.At(0))
	}
	// It takes another server's.
	discover.LeaseID = []byte("b")
	d.one(d.ask(discover), KindOffer)
	req.LeaseID, req.ServerID = []byte("b"), addr("10.9.9.9")
	if got := d.ask(req); len(got) != 0 || d.s.Stats().Held != 0 || d.s.Stats().NotChosen != 1 {
		t.Errorf("%+v", got)
	}
	// It takes none.
	discover.LeaseID = []byte("c")
	d.one(d.ask(discover), KindOffer)
	if next := d.s.Next(); !next.Equal(d.now.Add(time.Minute)) {
		t.Error(next)
	}
	d.pass(time.Minute)
	if st := d.s.Stats(); st.Held != 0 || st.OffersExpired != 1 {
		t.Errorf("%+v", st)
	}
}

func TestLifetimesAndStart(t *testing.T) {
	d := newDesk(t, ServerConfig{MinLifetime: 10 * time.Minute, MaxLifetime: 3 * time.Hour})
	n := 0
	ask := func(set func(m *Message)) *Message {
		n++
		return d.one(d.ask(requestFor(ID(fmt.Sprint("life", n)), local, func(m *Message) {
			m.CurrentTime, m.Has = noon.Add(time.Minute), m.Has.With(OptionCurrentTime)
			set(m)
		})), KindAckRequest)
	}
	for _, tt := range []struct{ ask, want time.Duration }{{time.Second, 10 * time.Minute}, {time.Hour, time.Hour}, {100 * time.Hour, 3 * time.Hour}} {
		if m := ask(func(m *Message) { m.LeaseTime = tt.ask }); m.LeaseTime != tt.want || m.Has.Has(OptionStartTime) {
			t.Errorf("%v: %v", tt.ask, m.LeaseTime)
		}
	}
	if m := ask(func(m *Message) { m.Has = m.Has.Without(OptionLeaseTime) }); m.LeaseTime != 3*time.Hour {
		t.Errorf("%v", m.LeaseTime)
	}
	m := ask(func(m *Message) { m.StartTime, m.Has = noon.Add(24*time.Hour), m.Has.With(OptionStartTime) })
	if !m.StartTime.Equal(noon.Add(24*time.Hour)) || !m.CurrentTime.Equal(noon) || m.LeaseTime != time.Hour {
		t.Errorf("%+v", m)
	}
	l := d.s.leases[ID(m.LeaseID)]
	if !l.Start.Equal(m.StartTime) || l.until.Before(m.StartTime.Add(2*time.Hour)) {
		t.Errorf("%v to %v, kept until %v", l.Start, l.End, l.until)
	}
	m = ask(func(m *Message) { m.StartTime, m.Has = noon.Add(-time.Minute), m.Has.With(OptionStartTime) })
	if m.Has.Has(OptionStartTime) {
		t.Error("a start in the past")
	}
	// RENEW moves the start, and may not end a lease earlier than its client can believe.
	renew := about(TypeRenew, ID(m.LeaseID))
	renew.LeaseTime, renew.Has = 20*time.Minute, renew.Has.With(OptionLeaseTime)
	before := d.s.leases[ID(m.LeaseID)].End
	if got := d.one(d.ask(renew), KindAckRenew); got.LeaseTime != 20*time.Minute || got.Ranges.At(0) != m.Ranges.At(0) {
		t.Errorf("%+v", got)
	}
	if after := d.s.leases[ID(m.LeaseID)]; !after.End.Equal(before) || after.Revision != 2 {
		t.Errorf("%v, then %v", before, after.End)
	}
}

func TestExpiry(t *testing.T) {
	d := newDesk(t, ServerConfig{Scopes: []Scope{{Zone: deskOrg.Zone, Pools: []group.Zone{{First: addr("239.192.7.1"), Last: addr("239.192.7.1")}}}}})
	d.one(d.ask(requestFor("a", org, nil)), KindAckRequest)
	if f := d.refusal(d.ask(requestFor("b", org, nil))); f.Code != NotCompleted {
		t.Error(f)
	}
	// Within Extra the lease can still be renewed.
	d.pass(time.Hour + 30*time.Minute)
	if len(d.store.Leases()) != 1 {
		t.Fatal("gone with its end")
	}
	d.one(d.ask(about(TypeRenew, "a")), KindAckRenew) // 24 h
	d.pass(25*time.Hour - time.Second)
	d.answers()
	if len(d.store.Leases()) != 1 {
		t.Fatal("gone too early")
	}
	d.pass(3 * time.Second)
	d.answers()
	if len(d.store.Leases()) != 0 {
		t.Fatal("still there")
	}
	d.one(d.ask(requestFor("b", org, nil)), KindAckRequest)
	if got := d.s.Stats(); got.Leases != 1 {
		t.Errorf("%+v", got)
	}
	// Released addresses are free at once.
	d.one(d.ask(about(TypeRelease, "b")), KindAckRelease)
	d.one(d.ask(requestFor("c", org, nil)), KindAckRequest)
}

func TestNeverGranted(t *testing.T) {
	inUse := addr("239.192.7.3")
	alias := addr("239.64.7.4") // of 239.192.7.4, by Ethernet
	zone := Scope{Zone: Zone{Zone: group.Zone{First: addr("239.0.0.0"), Last: addr("239.255.255.255")}},
		Pools:  []group.Zone{{First: addr("239.0.0.250"), Last: addr("239.0.1.1")}, {First: addr("239.192.7.0"), Last: addr("239.192.7.4")}, {First: addr("239.255.254.254"), Last: addr("239.255.255.255")}},
		Static: []Reservation{{"kept", []Range{rng("239.192.7.0", 2)}}}}
	d := newDesk(t, ServerConfig{Scopes: []Scope{zone}, AvoidAliases: true, InUse: func(a netip.Addr) bool { return a == inUse || a == alias }})
	var got []string
	for i := 0; ; i++ {
		all := d.ask(requestFor(ID(fmt.Sprint(i)), zone.First, nil))
		if len(all) != 1 || all[0].Type != TypeAck {
			break
		}
		got = append(got, all[0].Ranges.At(0).String())
	}
	slices.Sort(got)
	// Not those that share their Ethernet address with 224.0.0.0/24, and not the last 256.
	want := "[239.0.1.0 239.0.1.1 239.192.7.2 239.255.254.254 239.255.254.255]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	m := d.one(d.ask(requestFor("kept", zone.First, func(m *Message) { m.MinCount, m.Count, m.Has = 1, 2, m.Has.With(OptionCount) })), KindAckRequest)
	if m.Ranges.At(0) != rng("239.192.7.0", 2) {
		t.Errorf("%v", m.Ranges.At(0))
	}
	d.one(d.ask(about(TypeRelease, "kept")), KindAckRelease)
	if d.refusal(d.ask(requestFor("not kept", zone.First, nil))).Code != NotCompleted {
		t.Error("a reservation was given to somebody else")
	}
}

func TestCountsAndPieces(t *testing.T) {
	d := newDesk(t, ServerConfig{Scopes: []Scope{{Zone: deskOrg.Zone, Pools: []group.Zone{{First: addr("239.192.7.0"), Last: addr("239.192.7.9")}}}}})
	for i := range 5 { // every other one
		a := netip.AddrFrom4([4]byte{239, 192, 7, byte(2 * i)})
		d.one(d.ask(requestFor(ID(a.String()), org, func(m *Message) { m.Ranges, m.Has = NewRangeList(IPv4, RangeOf(a)), m.Has.With(OptionRanges) })), KindAckRequest)
	}
	many := func(least, most uint16) Message {
		return requestFor("many", org, func(m *Message) { m.MinCount, m.Count, m.Has = least, most, m.Has.With(OptionCount) })
	}
	if f := d.refusal(d.ask(many(6, 8))); f.Code != NotCompleted || f.Option() != OptionCount {
		t.Error(f)
	}
	m := d.one(d.ask(many(3, 8)), KindAckRequest)
	if m.Ranges.Total() != 5 || m.Ranges.Len() != 5 {
		t.Errorf("%d addresses in %d pieces", m.Ranges.Total(), m.Ranges.Len())
	}
}

func TestArrival(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	for _, tt := range []struct {
		typ    Type
		scope  netip.Addr
		group  string
		answer bool
	}{
		{TypeDiscover, local, "239.255.255.254", true},
		{TypeDiscover, org, "239.255.255.254", true}, // encloses
		{TypeDiscover, local, "239.195.255.254", false},
		{TypeDiscover, org, "239.195.255.254", true},
		{TypeDiscover, local, "239.9.9.9", true}, // by configuration
		{TypeGetInfo, local, "239.255.255.254", true},
		{TypeGetInfo, local, "239.195.255.254", false},
		{TypeRenew, local, "239.255.255.254", false},
		{TypeRelease, local, "239.9.9.9", false},
	} {
		d.at(tt.group)
		m := requestFor(ID(fmt.Sprint(tt.typ, tt.scope, tt.group)), tt.scope, nil)
		if m.Type = tt.typ; tt.typ == TypeGetInfo {
			m.RequestList, m.Has = NewCodeList(OptionScopeList), OptionsOf(OptionLeaseID, OptionRequestList)
		} else if tt.typ != TypeDiscover {
			m.Has = OptionsOf(OptionLeaseID)
		}
		if got := d.ask(m); (len(got) == 1 && got[0].Type != TypeNak) != tt.answer {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
	// An IPv6 address by way of IPv4.
	d.at("239.255.255.254")
	m := requestFor("six", deskSite.First, nil)
	m.Type = TypeDiscover
	if o := d.one(d.ask(m), KindOffer); o.Ranges.At(0).First.Is4() || o.Scope != deskSite.First {
		t.Errorf("%+v", o)
	}
}

func TestGetInfo(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	ask := func(f Family, lang string, options ...Option) *Message {
		m := Message{Type: TypeGetInfo, Family: f, LeaseID: []byte("i"), RequestList: NewCodeList(options...), Has: OptionsOf(OptionLeaseID, OptionRequestList)}
		if lang != "none" {
			m.Language, m.Has = []byte(lang), m.Has.With(OptionLanguage)
		}
		return d.one(d.ask(m), KindAckGetInfo)
	}
	names := func(m *Message) (s string) {
		for e := range m.Scopes.All() {
			s += e.First.String() + fmt.Sprint(e.TTL, e.Names()) + " "
		}
		return s
	}
	if got := names(ask(IPv4, "none", OptionScopeList)); got != "239.255.0.0255 [{en here false} {de hier true} {ja ここ false}] 239.192.0.0255 [] " {
		t.Error(got)
	}
	for lang, want := range map[string]string{"EN": "here", "ja": "ここ", "fr": "hier", "": "hier"} {
		if got := names(ask(IPv4, lang, OptionScopeList)); !strings.Contains(got, want) || strings.Count(got, "{") != 1 {
			t.Errorf("%s: %s", lang, got)
		}
	}
	m := ask(IPv4, "none", OptionScopeList, OptionNesting, OptionFeatures, OptionCurrentTime, 4711)
	if !m.Nesting.Inside(0, 1) || m.Nesting.Inside(1, 0) || !m.CurrentTime.Equal(noon) || !m.Features.Supported().Has(SharedLease) || m.Features.Required().Len() != 0 {
		t.Errorf("%+v", m)
	}
	if m := ask(IPv4, "none", OptionNesting, OptionLeaseTime); m.Has != OptionsOf(OptionLeaseID, OptionServerID) {
		t.Errorf("%v", m.Has)
	}
	if got := names(ask(IPv6, "none", OptionScopeList)); !strings.HasPrefix(got, "ff15::255") {
		t.Error(got)
	}
}

func TestFeatures(t *testing.T) {
	d := newDesk(t, ServerConfig{Shared: true})
	m := d.one(d.ask(requestFor("a", local, func(m *Message) {
		m.Features, m.Has = NewFeatureList([]Feature{0, 1, 2}, []Feature{SharedLease, RetryAfter}, []Feature{ServerMobility}), m.Has.With(OptionFeatures)
	})), KindAckRequest)
	if s, r := m.Features.Supported(), m.Features.Required(); s.Len() != 2 || r.Len() != 2 || !r.Has(SharedLease) || !r.Has(ServerMobility) {
		t.Errorf("supports %x, used %x", s, r)
	}
	// Anybody may renew a shared lease, nobody another's.
	d.one(d.ask(requestFor("b", local, nil)), KindAckRequest)
	d.src = netip.MustParseAddrPort("10.0.0.10:4711")
	d.one(d.ask(about(TypeRenew, "a")), KindAckRenew)
	for _, typ := range []Type{TypeRenew, TypeRelease} {
		if f := d.refusal(d.ask(about(typ, "b"))); f.Code != LeaseNotRecognized {
			t.Error(f)
		}
	}
	if f := d.refusal(d.ask(requestFor("b", local, nil))); f.Code != InvalidRequest || f.Option() != OptionLeaseID {
		t.Error(f)
	}
	d.s.cfg.AnyClient = true
	d.one(d.ask(about(TypeRelease, "b")), KindAckRelease)
}

func TestQuota(t *testing.T) {
	d := newDesk(t, ServerConfig{ClientAddresses: 5})
	ask := func(id ID, least, most uint16) []Message {
		return d.ask(requestFor(id, local, func(m *Message) { m.MinCount, m.Count, m.Has = least, most, m.Has.With(OptionCount) }))
	}
	d.one(ask("a", 3, 3), KindAckRequest)
	if m := d.one(ask("b", 1, 9), KindAckRequest); m.Ranges.Total() != 2 {
		t.Errorf("%d", m.Ranges.Total())
	}
	if f := d.refusal(ask("c", 1, 1)); f.Code != NotCompleted || f.Option() != OptionNone {
		t.Error(f)
	}
	d.one(d.ask(about(TypeRelease, "a")), KindAckRelease)
	d.one(ask("c", 3, 3), KindAckRequest)
	d.restart() // counts what was stored
	if f := d.refusal(ask("d", 1, 1)); f.Code != NotCompleted {
		t.Error(f)
	}
}

func TestRates(t *testing.T) {
	d := newDesk(t, ServerConfig{ClientRate: 10, ClientBurst: 20, Rate: 100, Burst: 200, MaxClients: 16})
	info := Message{Type: TypeGetInfo, Family: IPv4, LeaseID: []byte("i"), RequestList: NewCodeList(OptionFeatures), Has: OptionsOf(OptionLeaseID, OptionRequestList)}
	answered := func(n int) (got int) {
		for range n {
			got += len(d.ask(info))
		}
		return got
	}
	if got := answered(100); got != 20 {
		t.Errorf("%d answers at once", got)
	}
	d.pass(time.Second)
	if got := answered(100); got != 10 {
		t.Errorf("%d answers in a second", got)
	}
	d.pass(time.Hour)
	total := 0
	for i := range 1000 { // each another client
		d.src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 5)
		total += answered(1)
	}
	if total != 200 || d.s.Stats().Clients != 16 {
		t.Errorf("%d answers to a flood, %+v", total, d.s.Stats())
	}
	a, b := clientKey(addr("2001:db8::1")), clientKey(addr("2001:db8::ffff:1"))
	if a != b || a == clientKey(addr("2001:db8:0:1::1")) || clientKey(addr("::ffff:10.0.0.1")) != addr("10.0.0.1") {
		t.Errorf("%v, %v", a, b)
	}
}

// A flood of DISCOVERs and REQUESTs with random lease IDs from random addresses fills
// what there is and no more, and others are still served.
func TestFloodIsBounded(t *testing.T) {
	big := Scope{Zone: deskSite.Zone, Pools: []group.Zone{{First: addr("ff15::8000:0"), Last: addr("ff15::ffff:ffff")}}}
	d := newDesk(t, ServerConfig{Scopes: []Scope{deskScope, big}, Rate: -1, MaxLeases: 1000, MaxOffers: 500, MaxAnswers: 700, MaxClients: 300, ClientAddresses: 100})
	r := rand.New(rand.NewPCG(3, 4))
	flood := func(n int) {
		for i := range n {
			d.src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}), 5)
			id := binary.BigEndian.AppendUint64(make([]byte, 200), r.Uint64())
			scope := local
			if i%2 == 0 {
				scope = big.First
			}
			m := requestFor(ID(id), scope, nil)
			m.XID = r.Uint32() | 1
			if d.at("239.255.255.254"); i%3 > 0 {
				m.Type = TypeDiscover
			} else {
				d.to = netip.AddrPortFrom(myAddr, Port)
			}
			b, _ := m.MarshalBinary()
			d.s.Handle(d.now, &datagram.Packet{Data: b, Src: d.src, Dst: d.to})
			if i%100 == 0 {
				d.commit()
				for p := (datagram.Packet{}); d.s.Transmit(d.now, &p); {
				}
				d.pass(10 * time.Millisecond)
			}
		}
	}
	flood(20_000)
	st := d.s.Stats()
	if st.Leases != 1000 || st.Held > 500 || st.Answers > 700 || st.Clients > 300 || len(d.s.answers.order) > 701 || len(d.s.replies) > maxReplies || len(d.s.events) > maxServerEvents {
		t.Errorf("%+v", st)
	}
	checkServer(t, d.s)
	// An offer is taken up although newer ones keep coming.
	d.s.cfg.MaxLeases = 1001
	d.src = netip.MustParseAddrPort("192.0.2.7:5")
	d.at("239.255.255.254")
	for p := (datagram.Packet{}); d.s.Transmit(d.now, &p); {
	}
	m := requestFor("honest", big.First, nil)
	m.Type = TypeDiscover
	d.one(d.ask(m), KindOffer)
	flood(5000)
	for p := (datagram.Packet{}); d.s.Transmit(d.now, &p); {
	}
	d.s.cfg.MaxLeases = 1002
	d.src = netip.MustParseAddrPort("192.0.2.7:5")
	d.to = netip.AddrPortFrom(myAddr, Port)
	d.hold = false
	d.one(d.ask(requestFor("honest", big.First, nil)), KindAckRequest)
}

// Leases outlive the scope they were granted in: their addresses are taken in whatever
// pool they are now.
func TestScopeChanged(t *testing.T) {
	pool := []group.Zone{{First: addr("239.192.7.0"), Last: addr("239.192.7.1")}}
	d := newDesk(t, ServerConfig{Scopes: []Scope{{Zone: deskOrg.Zone, Pools: pool}}})
	first := d.one(d.ask(requestFor("a", org, nil)), KindAckRequest).Ranges.At(0)
	wide := group.Zone{First: addr("239.0.0.0"), Last: addr("239.255.255.255")}
	d.s.cfg.Scopes = []Scope{{Zone: Zone{Zone: wide}, Pools: pool}}
	d.restart()
	if m := d.one(d.ask(requestFor("b", wide.First, nil)), KindAckRequest); m.Ranges.At(0) == first {
		t.Errorf("%v twice", first)
	}
	d.refusal(d.ask(requestFor("c", wide.First, nil)))
	if m := d.one(d.ask(about(TypeRenew, "a")), KindAckRenew); m.Ranges.At(0) != first || m.Scope != org {
		t.Errorf("%+v", m)
	}
	d.one(d.ask(about(TypeRelease, "a")), KindAckRelease)
	d.one(d.ask(requestFor("c", wide.First, nil)), KindAckRequest)
	if d.s.Stats().Conflicts > 0 {
		t.Error("the store had to say so")
	}
}

// Two servers with one store: whoever comes second takes other addresses, and each can
// renew what the other has granted.
func TestSharedStore(t *testing.T) {
	one := []Scope{{Zone: deskOrg.Zone, Pools: []group.Zone{{First: addr("239.192.7.0"), Last: addr("239.192.7.1")}}}}
	a := newDesk(t, ServerConfig{Scopes: one, Shared: true})
	b := newDesk(t, ServerConfig{Scopes: one, Shared: true, ID: addr("10.0.0.2")})
	b.store = a.store
	told := map[*desk][]Change{}
	for _, d := range []*desk{a, b} {
		_ = d.store.Watch(func(cs []Change) { told[d] = append(told[d], cs...) })
	}
	first := a.one(a.ask(requestFor("a", org, nil)), KindAckRequest).Ranges.At(0)
	second := b.one(b.ask(requestFor("b", org, nil)), KindAckRequest).Ranges.At(0)
	if first == second {
		t.Fatalf("%v twice", first)
	}
	if f := a.refusal(a.ask(requestFor("c", org, nil))); f.Code != NotCompleted {
		t.Error(f)
	}
	if a.s.Stats().Conflicts+b.s.Stats().Conflicts == 0 {
		t.Error("no conflict: the test does not test what it should")
	}
	for d, cs := range told {
		d.s.Learn(d.now, cs)
	}
	told = map[*desk][]Change{}
	checkServer(t, a.s)
	checkServer(t, b.s)
	if m := b.one(b.ask(about(TypeRenew, "a")), KindAckRenew); m.Ranges.At(0) != first || m.ServerID != addr("10.0.0.2") {
		t.Errorf("%+v", m)
	}
	// a does not know yet; its own renewal conflicts, and is not answered.
	if got := a.ask(about(TypeRenew, "a")); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	a.s.Learn(a.now, told[a])
	a.one(a.ask(about(TypeRelease, "a")), KindAckRelease)
	b.s.Learn(b.now, told[b])
	if f := b.refusal(b.ask(about(TypeRenew, "a"))); f.Code != LeaseNotRecognized {
		t.Error(f)
	}
}

func TestServerConfig(t *testing.T) {
	good := ServerConfig{ID: myAddr, Scopes: []Scope{deskScope}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	scope := func(set func(s *Scope)) func(c *ServerConfig) {
		return func(c *ServerConfig) {
			s := deskScope
			set(&s)
			c.Scopes = []Scope{s}
		}
	}
	for what, set := range map[string]func(c *ServerConfig){
		"no ID":            func(c *ServerConfig) { c.ID = netip.Addr{} },
		"multicast ID":     func(c *ServerConfig) { c.ID = local },
		"no scopes":        func(c *ServerConfig) { c.Scopes = nil },
		"a scope twice":    func(c *ServerConfig) { c.Scopes = []Scope{deskScope, deskScope} },
		"lifetimes":        func(c *ServerConfig) { c.MinLifetime = 48 * time.Hour },
		"count":            func(c *ServerConfig) { c.MaxCount = -1 },
		"answers for long": func(c *ServerConfig) { c.AnswerHold = 6 * time.Minute },
		"negative limit":   func(c *ServerConfig) { c.MaxOffers = -1 },
		"no zone":          scope(func(s *Scope) { s.Zone.Zone = group.Zone{} }),
		"pool outside":     scope(func(s *Scope) { s.Pools = deskOrg.Pools }),
		"pools overlap":    scope(func(s *Scope) { s.Pools = append(slices.Clone(s.Pools), s.Pools...) }),
		"huge pool": func(c *ServerConfig) {
			s := deskSite
			s.Pools = []group.Zone{s.Zone.Zone}
			c.Scopes = []Scope{s}
		},
		"reservation without ID":  scope(func(s *Scope) { s.Static = []Reservation{{"", []Range{rng("239.255.7.1", 1)}}} }),
		"reservation outside":     scope(func(s *Scope) { s.Static = []Reservation{{"x", []Range{rng("239.192.7.1", 1)}}} }),
		"name without a language": scope(func(s *Scope) { s.Names = []Name{{"", "x", false}} }),
		"too many names": scope(func(s *Scope) {
			s.Names = nil
			for range 256 {
				s.Names = append(s.Names, Name{"en", "x", false})
			}
		}),
	} {
		c := good
		set(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := NewServer(noon, good); !errors.Is(err, ErrConfig) {
		t.Errorf("no Rand: %v", err)
	}
}

// What is dropped costs nothing.
func TestDroppingDoesNotAllocate(t *testing.T) {
	d := newDesk(t, ServerConfig{ClientRate: 0.001, ClientBurst: 1, Rate: -1})
	b := vectors[8].encoded()
	p := datagram.Packet{Data: b, Src: d.src, Dst: d.to}
	d.s.Handle(d.now, &p)
	if n := testing.AllocsPerRun(100, func() { d.s.Handle(d.now, &p); d.s.Advance(d.now) }); n != 0 {
		t.Errorf("%v allocations over the rate", n)
	}
	d = newDesk(t, ServerConfig{ClientRate: -1, Rate: -1})
	p.Data = vectors[10].encoded()
	if n := testing.AllocsPerRun(100, func() { d.s.Handle(d.now, &p) }); n != 0 {
		t.Errorf("%v allocations for an ACK", n)
	}
}
