package mcast

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// poller is an option that watches the interfaces of a namespace by listing them
// every few milliseconds, as systems without netlink do every few seconds.
func (n netns) poller() Option {
	return func(c *config) error {
		c.watch = func(is4 bool) (watcher, error) {
			return newPollWatch(func() (all []linkEvent, err error) {
				if gone := n.try(func() { all, err = listLinks(is4) }); gone != nil {
					return nil, gone
				}
				return all, err
			}, 5*time.Millisecond), nil
		}
		return nil
	}
}

// eachFamilyAtOnce is eachFamily for tests that mostly wait.
func eachFamilyAtOnce(t *testing.T, f func(t *testing.T, open opener, fam family)) {
	for _, fam := range families {
		for name, open := range map[string]opener{"system": openSocket, "portable": openPortable} {
			t.Run(fam.name+" "+name, func(t *testing.T) {
				t.Parallel()
				f(t, open, fam)
			})
		}
	}
}

// An interface is deleted and comes back under its name and another index, several
// times: what was joined is joined again, both ways work, a reader that was blocked
// all the time reads on, and the old memberships take up no room.
func TestLabRecreated(t *testing.T) {
	eachFamilyAtOnce(t, func(t *testing.T, open opener, f family) {
		for _, watch := range []string{"netlink", "polling"} {
			t.Run(watch, func(t *testing.T) {
				a, b := newNS(t), newNS(t)
				link(t, a, b, "va", "vb", 1)
				log := newEventLog()
				opts := []Option{Interface("vb"), log.option()}
				if watch == "polling" {
					opts = append(opts, b.poller())
				}
				r := b.open(t, open, both, f.group+":5004", opts...)
				slog := newEventLog()
				s := a.open(t, open, both, f.group+":5004", Interface("va"), slog.option(), Loopback(false))
				got := make(chan datagram.Packet, 100)
				go func() {
					defer close(got)
					for {
						ps := spaces(1, 100)
						if _, err := r.ReadBatch(ps); err != nil {
							return
						}
						got <- ps[0]
					}
				}()
				next := func(data string) datagram.Packet {
					t.Helper()
					for {
						select {
						case p := <-got:
							if string(p.Data) == "noise" {
								continue
							}
							if string(p.Data) != data {
								t.Fatalf("got %q, want %q", p.Data, data)
							}
							return p
						case <-time.After(5 * time.Second):
							t.Fatalf("%q does not arrive", data)
						}
					}
				}
				g := group.Channel{Group: r.Group().Addr()}
				for round := range 3 {
					send(t, s, text("there"))
					if p := next("there"); p.IfIndex != r.Interface().Index {
						t.Errorf("IfIndex %d, want %d", p.IfIndex, r.Interface().Index)
					}
					old := r.Interface()
					a.ip(t, "link del va")
					if e := log.wait(t, InterfaceGone); e.Interface != "vb" || e.Index != old.Index {
						t.Errorf("%v, want vb (%d)", e, old.Index)
					}
					if ms := r.Memberships(); len(ms) != 1 || ms[0].State != Waiting {
						t.Errorf("memberships %+v while the interface is gone", ms)
					}
					if err := errors.Join(r.Leave(g), r.SetReadDeadline(time.Time{})); err != nil {
						t.Errorf("leave while the interface is gone: %v", err)
					}
					if err := r.Join(g); !errors.Is(err, ErrNoInterface) {
						t.Errorf("join while the interface is gone: %v", err)
					}
					if _, err := r.WriteBatch([]datagram.Packet{text("x")}); err == nil {
						t.Error("a write to an interface that is gone succeeds")
					}
					b.ip(t, "link add dummyname type veth peer name dummypeer") // takes the next index
					link(t, a, b, "va", "vb", 1)
					b.ip(t, "link del dummyname")
					if e := log.wait(t, InterfaceBack); e.Index == old.Index {
						t.Errorf("the index is still %d", old.Index)
					}
					slog.wait(t, Rejoined)
					if err := r.Join(g); err != nil {
						t.Fatalf("round %d: join when the interface is back: %v", round, err)
					}
					if ms := r.Memberships(); len(ms) != 1 || ms[0].State != Joined || ms[0].Index == old.Index {
						t.Errorf("memberships %+v", ms)
					}
					// The answer too, from the new address.
					send(t, s, text("back"))
					next("back")
					send(t, r, text("answer"))
					if p := receive(t, s, 1)[0]; string(p.Data) != "answer" || p.Src != r.LocalAddr() {
						t.Errorf("got %q from %v, LocalAddr %v", p.Data, p.Src, r.LocalAddr())
					}
					next("answer") // its own
				}
				if n := r.Stats().Foreign; n != 0 && r.Capabilities().KernelFilter {
					t.Errorf("%d foreign packets", n)
				}
				r.Close()
				for range got {
				}
			})
		}
	})
}

// Without anybody's help: wanted filters come back as they were, on many sockets too,
// and 20 more groups fit, because dead memberships take no places.
func TestLabRecreatedFilters(t *testing.T) {
	for _, f := range families[:2] {
		for name, opt := range map[string]Option{"strict": MultiGroup(), "funnel": Funnel()} {
			t.Run(f.name+" "+name, func(t *testing.T) {
				a, b := newNS(t), newNS(t)
				link(t, a, b, "va", "vb", 1)
				s1, s2 := f.secondAddress(t, a)
				log := newEventLog()
				r := b.open(t, openSocket, listen, f.group+":5004", Interface("vb"), opt, log.option())
				blocked, named, many := r.Group().Addr(), netip.MustParseAddr(strings.Trim(f.ssm, "[]")), map[string]string{"IPv4": "239.3.%d.%d", "IPv6": "ff15::3:%x:%x"}[f.name]
				if err := errors.Join(r.Block(group.Channel{Group: blocked, Source: s2}), r.Join(group.Channel{Group: named, Source: s1})); err != nil {
					t.Fatal(err)
				}
				const groups = 100
				for i := range groups {
					if err := r.Join(group.Channel{Group: numbered(many, i)}); err != nil {
						t.Fatal(err)
					}
				}
				fds, goroutines := resources()
				for range 3 {
					a.ip(t, "link del va")
					log.wait(t, InterfaceGone)
					if f, err := r.Filter(named); err != nil || !f.IsEmpty() {
						t.Errorf("the kernel has %v, %v", f, err)
					}
					link(t, a, b, "va", "vb", 1)
					log.wait(t, Rejoined)
					f.secondAddress(t, a)
					for g, want := range map[netip.Addr]group.Filter{
						blocked: {Mode: group.Exclude, Sources: []netip.Addr{s2}}, named: {Sources: []netip.Addr{s1}},
					} {
						if f, err := r.Filter(g); err != nil || !f.Equal(want) {
							t.Errorf("the kernel has %v, %v for %v, want %v", f, err, g, want)
						}
					}
					s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"))
					send(t, s, from("1", s1), from("2", s2), to("many", numbered(many, groups-1), 5004))
					var got []string
					for _, p := range receive(t, r, 2) {
						got = append(got, string(p.Data))
					}
					if slices.Sort(got); !slices.Equal(got, []string{"1", "many"}) {
						t.Errorf("got %q", got)
					}
					wantSilence(t, r)
					s.Close()
				}
				wantResources(t, fds, goroutines)
			})
		}
	}
}

// Packets that were queued when the interface went are still delivered, on the same
// descriptor, unless it was bound to the link.
func TestLabRecreatedKeepsQueue(t *testing.T) {
	for _, f := range families[:2] {
		a, b := newNS(t), newNS(t)
		link(t, a, b, "va", "vb", 1)
		log := newEventLog()
		r := b.open(t, openSocket, listen, f.group+":5004", Interface("vb"), log.option())
		s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"))
		send(t, s, text("queued"))
		time.Sleep(20 * time.Millisecond)
		a.ip(t, "link del va")
		log.wait(t, InterfaceGone)
		link(t, a, b, "va", "vb", 1)
		log.wait(t, Rejoined)
		eventually(t, "sending again", func() bool {
			_, err := s.WriteBatch([]datagram.Packet{text("new")})
			return err == nil
		})
		wantData(t, receive(t, r, 2), "queued", "new")
		// Leaving forgets what is queued from the old interface too.
		send(t, s, text("left"))
		time.Sleep(20 * time.Millisecond)
		a.ip(t, "link del va")
		log.wait(t, InterfaceGone)
		if err := r.Leave(group.Channel{Group: r.Group().Addr()}); err != nil {
			t.Error(err)
		}
		wantSilence(t, r)
	}
}

// Down and up, addresses lost, a new name: the memberships stay in the kernel, and
// nobody on the link hears a leave.
func TestLabDownUp(t *testing.T) {
	eachFamilyAtOnce(t, func(t *testing.T, open opener, f family) {
		a, b := newNS(t), newNS(t)
		link(t, a, b, "va", "vb", 1)
		log := newEventLog()
		opts := []Option{Interface("vb"), log.option()}
		if f.name == "IPv4" {
			opts[0] = Interface("10.1.0.2")
		}
		r := b.open(t, open, listen, f.group+":5004", opts...)
		s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"))
		ear := a.listenReports(t, "va")
		before := r.Interface()
		a.ip(t, "link set va down") // carrier lost; the kernel tells at most once a second
		log.wait(t, InterfaceDown)
		a.ip(t, "link set va up")
		log.wait(t, InterfaceUp)
		b.ip(t, "link set vb down")
		log.wait(t, InterfaceDown)
		if ms := r.Memberships(); len(ms) != 1 || ms[0].State != Joined {
			t.Errorf("down: %+v", ms)
		}
		b.ip(t, "link set vb up")
		log.wait(t, InterfaceUp)
		if f.name == "IPv4" {
			b.ip(t, "addr flush dev vb")
			if e := log.wait(t, SourceAddressGone); e.Interface != "vb" {
				t.Error(e)
			}
		} // going down took the others
		b.ip(t, "addr replace 10.1.0.2/24 dev vb")
		b.ip(t, "addr replace fe80::2/64 dev vb nodad")
		log.wait(t, AddressesChanged)
		// A new name is followed; the index is what counts while it lives.
		b.ip(t, "link set vb down")
		b.ip(t, "link set vb name vnew")
		b.ip(t, "link set vnew up")
		log.wait(t, InterfaceUp)
		if now := r.Interface(); now.Index != before.Index || now.Name != "vnew" {
			t.Errorf("interface %s (%d), want vnew (%d)", now.Name, now.Index, before.Index)
		}
		a.ip(t, "addr replace 10.1.0.1/24 dev va")
		if f.name != "IPv4" {
			a.ip(t, "addr replace fd00:1::1/64 dev va nodad")
			a.ip(t, "addr replace fe80::1/64 dev va nodad")
		}
		eventually(t, "delivery after all that", func() bool {
			if _, err := s.WriteBatch([]datagram.Packet{text("x")}); err != nil {
				return false
			}
			r.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			n, _ := r.ReadBatch(spaces(1, 10))
			return n == 1
		})
		select {
		case e := <-log.c:
			if e.Kind == Rejoined || e.Kind == InterfaceGone {
				t.Errorf("event %v", e)
			}
		default:
		}
		for _, rec := range ear.stop() {
			if rec.group == r.Group().Addr() && rec.leaves {
				t.Errorf("the link heard a leave: %+v", rec)
			}
		}
		if err := r.Leave(group.Channel{Group: r.Group().Addr()}); err != nil {
			t.Errorf("leave, which fails if the membership is lost: %v", err)
		}
	})
}

// Several interfaces by name, one of which cannot do IPv6: one result each.
func TestLabSeveralInterfaces(t *testing.T) {
	for name, open := range map[string]opener{"system": openSocket, "portable": openPortable} {
		for _, f := range families {
			t.Run(f.name+" "+name, func(t *testing.T) {
				t.Parallel()
				a, b := newNS(t), newNS(t)
				for i := 1; i <= 3; i++ {
					link(t, a, b, fmt.Sprint("va", i), fmt.Sprint("vb", i), i)
				}
				if f.name != "IPv4" {
					b.ip(t, "link set vb3 mtu 1000") // too small: takes IPv6 off the interface
				}
				r := b.open(t, open, both, f.group+":5004", Interface("vb1"), Interface("vb2"), Interface("vb1"), Interface("vb3"))
				if ifis := r.Interfaces(); len(ifis) != 3 || ifis[0].Name != "vb1" || ifis[1].Name != "vb2" || r.Interface().Name != "vb1" {
					t.Errorf("interfaces %+v", ifis)
				}
				ms := r.Memberships()
				if len(ms) != 3 || ms[0].State != Joined || ms[1].State != Joined {
					t.Fatalf("memberships %+v", ms)
				}
				var oe *OpError
				if failed := ms[2].State == Failed && errors.As(ms[2].Err, &oe) && oe.Interface == "vb3"; failed != (f.name != "IPv4") {
					t.Errorf("vb3: %+v", ms[2])
				}
				for i := 1; i <= 2; i++ {
					s := a.open(t, openSocket, both, f.group+":5004", Interface(fmt.Sprint("va", i)), Loopback(false))
					send(t, s, text(fmt.Sprint(i)))
					p := receive(t, r, 1)[0]
					if want := r.Interfaces()[i-1].Index; string(p.Data) != fmt.Sprint(i) || p.IfIndex != want {
						t.Errorf("%q on %d, want it on %d", p.Data, p.IfIndex, want)
					}
					// Sending on each.
					send(t, r, datagram.Packet{Data: []byte("out"), IfIndex: r.Interfaces()[i-1].Index})
					wantData(t, receive(t, s, 1), "out")
					receive(t, r, 1) // its own
				}
				if f.name != "IPv4" {
					// What makes it possible makes it true.
					b.ip(t, "link set vb3 mtu 1500")
					eventually(t, "the third interface", func() bool { return r.Memberships()[2].State == Joined })
				}
				if err := r.Leave(group.Channel{Group: r.Group().Addr()}); err != nil {
					t.Error(err)
				}
				if k := b.kernel(t); k.users["vb1 "+r.Group().Addr().String()]+k.users["vb2 "+r.Group().Addr().String()] != 0 {
					t.Error("left, but the kernel has it joined")
				}
			})
		}
	}
	b := newNS(t)
	link(t, newNS(t), b, "va1", "vb1", 1)
	link(t, newNS(t), b, "va2", "vb2", 2)
	b.wantOpenError(t, ErrNoInterface, "vb9", "239.255.3.1:5004", Interface("vb1"), Interface("vb9"))
	b.wantOpenError(t, ErrOption, "not both", "239.255.3.1:5004", Interface("vb1"), AllInterfaces())
	b.wantOpenError(t, ErrOption, "several", "[ff02::1234%vb1]:5004", Interface("vb1"), Interface("vb2"))
	b.wantOpenError(t, ErrSourceLimit, "on vb1: too many sources of one group", "232.3.3.3:5004", append(sources(11), Interface("vb1"), Interface("vb2"))...)
}

func sources(n int) (opts []Option) {
	for i := range n {
		opts = append(opts, Source(fmt.Sprintf("10.9.9.%d", i+1)))
	}
	return opts
}

// All interfaces: those that are there, and those that come later.
func TestLabAllInterfaces(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			a, b := newNS(t), newNS(t)
			b.do(t, func() {
				if _, err := Listen(t.Context(), f.group+":5004", AllInterfaces()); !errors.Is(err, ErrNoInterface) {
					t.Errorf("no interface: %v", err)
				}
			})
			link(t, a, b, "va1", "vb1", 1)
			b.ip(t, "link add vdown type veth peer name vdown2") // not up
			log := newEventLog()
			r := b.open(t, openSocket, both, f.group+":5004", AllInterfaces(), log.option(), MultiGroup())
			if ifis := r.Interfaces(); len(ifis) != 1 || ifis[0].Name != "vb1" {
				t.Errorf("interfaces %+v", ifis)
			}
			check := func(n int) {
				t.Helper()
				s := a.open(t, openSocket, dial, f.group+":5004", Interface(fmt.Sprint("va", n)))
				send(t, s, text(fmt.Sprint(n)))
				wantData(t, receive(t, r, 1), fmt.Sprint(n))
				wantSilence(t, r)
				s.Close()
			}
			check(1)
			link(t, a, b, "va2", "vb2", 2)
			if e := log.wait(t, InterfaceAdded); e.Interface != "vb2" {
				t.Error(e)
			}
			log.wait(t, Rejoined)
			check(1)
			check(2)
			// The one it sends on goes: it sends on the other.
			a.ip(t, "link del va1")
			log.wait(t, InterfaceGone)
			if got := r.Interface().Name; got != "vb2" {
				t.Errorf("it sends on %s, want vb2", got)
			}
			send(t, r, text("out"))
			wantData(t, receive(t, r, 1), "out")
			check(2)
			// Both go, and come back.
			a.ip(t, "link del va2")
			log.wait(t, InterfaceGone)
			link(t, a, b, "va1", "vb1", 1)
			log.wait(t, Rejoined)
			link(t, a, b, "va2", "vb2", 2)
			log.wait(t, Rejoined)
			check(1)
			check(2)
			if ms := r.Memberships(); len(ms) != 2 {
				t.Errorf("memberships %+v", ms)
			}
		})
	}
}
