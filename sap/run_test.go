package sap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

func open(t testing.TB, n *mcasttest.Network, g netip.Addr, opts ...mcasttest.Option) datagram.Conn {
	t.Helper()
	c, err := n.Open(netip.AddrPortFrom(g, Port).String(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// collect takes events in the background.
func collect(d *Directory) (take func() string, done chan error) {
	events := make(chan string, 1000)
	done = make(chan error, 1)
	go func() {
		for ev, err := range d.Events(context.Background()) {
			if err != nil {
				done <- err
				return
			}
			s := ev.Kind.String() + " " + ev.Listing.Description.Name()
			if ev.Reason != 0 {
				s += " " + ev.Reason.String()
			}
			if ev.Kind != Refreshed {
				events <- s
			}
		}
	}()
	return func() string {
		synctest.Wait()
		var all []string
		for {
			select {
			case s := <-events:
				all = append(all, s)
				continue
			default:
			}
			return strings.Join(all, ", ")
		}
	}, done
}

// An announcer and a directory with a path for each IP version. Who is heard first owns the
// session, and goroutines alone do not say who that is; so it is tried both ways.
func TestShells(t *testing.T) {
	t.Run("IPv4 is heard first", func(t *testing.T) { testShells(t, time.Microsecond, 2*time.Microsecond) })
	t.Run("IPv6 is heard first", func(t *testing.T) { testShells(t, 2*time.Microsecond, time.Microsecond) })
}

func testShells(t *testing.T, delay4, delay6 time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		six := GroupOfScope(group.SiteLocal)
		out4, out6 := mcasttest.Out(mcasttest.Link{Delay: delay4}), mcasttest.Out(mcasttest.Link{Delay: delay6})
		d, err := NewDirectory(DirectoryConfig{}, Path{Conn: open(t, n, LocalGroup)}, Path{Conn: open(t, n, six), IfIndex: 1})
		if err != nil {
			t.Fatal(err)
		}
		take, done := collect(d)
		a, err := NewAnnouncer(AnnouncerConfig{Profile: Fast, Seed: 1}, Path{Conn: open(t, n, LocalGroup, out4), Group: LocalGroup}, Path{Conn: open(t, n, six, out6), Group: six})
		if err != nil {
			t.Fatal(err)
		}
		host4 := netip.MustParseAddr("10.0.0.3") // the third connection opened
		both := parse("v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=both\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\nc=IN IP4 239.255.1.1/15\r\nm=audio 5006 RTP/AVP 0\r\nc=IN IP6 ff15::1\r\n")
		s, err := a.Announce(both)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := take(); got != "added both" {
			t.Error(got)
		}
		time.Sleep(20 * time.Second)
		all := d.Sessions()
		if len(all) != 1 || len(all[0].Places) != 2 || all[0].Heard < 6 || len(all[0].Groups()) != 2 {
			t.Fatalf("%+v", all)
		}
		// Each copy came by its path only. The senders differ, so one is another's.
		if l := all[0]; len(l.Others) != 1 || (l.Source == host4) != (delay4 < delay6) {
			t.Errorf("%+v", l)
		}
		if !d.Used(netip.MustParseAddr("239.255.1.1")) || d.Used(netip.MustParseAddr("239.255.1.2")) {
			t.Error("groups in use")
		}
		one := parse(strings.Replace(session("a", 1, "239.255.1.1"), "1097", "7", 1))
		if err := s.Update(one); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := take(); got != "updated a" {
			t.Error(got)
		}
		time.Sleep(deleteGrace + time.Second) // the other path has left by then
		if all := d.Sessions(); len(all) != 1 || len(all[0].Others) != 0 || len(all[0].Places) != 1 || all[0].Source != host4 {
			t.Errorf("%+v", all)
		}
		st, err := s.Status()
		if err != nil || st.Version != "2" || len(st.Groups) != 1 || st.Large || st.Groups[0].Sent == 0 {
			t.Errorf("%+v, %v", st, err)
		}
		if _, err := a.Announce(parse(session("b", 1, "224.2.200.1"))); !errors.Is(err, ErrNoPath) {
			t.Error(err)
		}
		start := time.Now()
		if err := a.Shutdown(context.Background()); err != nil || time.Since(start) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.Sleep(deleteGrace + time.Millisecond) // and the way there
		if got := take(); got != "removed a deleted" {
			t.Error(got)
		}
		if st := a.Stats(); st.Deletes < 3+2 || st.Sessions != 0 || a.Err() != nil {
			t.Errorf("%+v, %v", st, a.Err())
		}
		if _, err := a.Announce(one); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		for _, err := range d.Events(context.Background()) {
			if !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		if st := d.Stats(); st.Packets == 0 || d.Err() != nil || d.Close() != nil || a.Close() != nil {
			t.Errorf("%+v", st)
		}
	})
}

// Listen for a while, take a free group, announce, and hear of clashes.
func TestFreeGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		d, err := NewDirectory(DirectoryConfig{Listen: 10 * time.Second}, Path{Conn: open(t, n, GlobalGroup)})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		mine, err := NewAnnouncer(AnnouncerConfig{Profile: Fast, Seed: 1}, Path{Conn: open(t, n, GlobalGroup), Group: GlobalGroup})
		if err != nil {
			t.Fatal(err)
		}
		defer mine.Close()
		pool := group.Zone{First: netip.MustParseAddr("224.2.200.0"), Last: netip.MustParseAddr("224.2.200.15")}
		for i := range 15 {
			if _, err := mine.Announce(parse(strings.Replace(session("a", 1, fmt.Sprintf("224.2.200.%d", i)), "1097", fmt.Sprint(i), 1))); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := d.FreeGroup(ctx, pool); !errors.Is(err, context.DeadlineExceeded) || d.Settled() {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		got, err := d.FreeGroup(context.Background(), pool)
		if err != nil || got != pool.Last {
			t.Errorf("%v, %v", got, err)
		}
		time.Sleep(time.Minute)
		// Another takes it as well, and later.
		other, err := NewAnnouncer(AnnouncerConfig{Profile: Fast, Seed: 2}, Path{Conn: open(t, n, GlobalGroup)})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		s, err := other.Announce(parse(strings.Replace(session("b", 1, "224.2.200.3"), "192.0.2.1", "192.0.2.9", 1)))
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range mine.Clashes(context.Background()) {
			if err != nil || c.Yield || c.Description.Name() != "b" || c.Session == nil {
				t.Errorf("%+v, %v", c, err)
			}
			break
		}
		for c, err := range other.Clashes(context.Background()) {
			if err != nil || !c.Yield || c.Session != s {
				t.Errorf("%+v, %v", c, err)
			}
			break
		}
	})
}

// A directory that starts again knows what it knew.
func TestStore(t *testing.T) {
	dir := t.TempDir()
	store := NewFileStore(filepath.Join(dir, "sessions"))
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		cfg := DirectoryConfig{Store: store}
		d, err := NewDirectory(cfg, Path{Conn: open(t, n, LocalGroup)})
		if err != nil {
			t.Fatal(err)
		}
		a, err := NewAnnouncer(AnnouncerConfig{Profile: Fast, Seed: 1}, Path{Conn: open(t, n, LocalGroup)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Announce(parse(session("a", 1, "239.255.1.1"))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if b, err := store.Load(); err != nil || !strings.Contains(string(b), `"Text"`) {
			t.Errorf("%s, %v", b, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		d, err = NewDirectory(cfg, Path{Conn: open(t, n, LocalGroup)})
		if err != nil {
			t.Fatal(err)
		}
		if all := d.Sessions(); len(all) != 1 || !all[0].Stale {
			t.Errorf("%+v", all)
		}
		for ev, err := range d.Events(context.Background()) {
			if err != nil || ev.Kind != Added || !ev.Listing.Stale {
				t.Errorf("%+v, %v", ev, err)
			}
			break
		}
		time.Sleep(10 * time.Second)
		if all := d.Sessions(); len(all) != 1 || all[0].Stale {
			t.Errorf("%+v", all)
		}
		d.Close()
		a.Close()
	})
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
}

// A store that fails is told, and what cannot be read at the start is an error.
func TestStoreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		bad := &badStore{load: errors.New("no disk")}
		c := open(t, n, LocalGroup)
		if _, err := NewDirectory(DirectoryConfig{Store: bad}, Path{Conn: c}); !errors.Is(err, bad.load) {
			t.Error(err)
		}
		bad.save, bad.load = bad.load, nil
		d, err := NewDirectory(DirectoryConfig{Store: bad}, Path{Conn: c})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); !errors.Is(err, bad.save) {
			t.Error(err)
		}
	})
	if _, err := NewFileStore(t.TempDir()).Load(); err == nil {
		t.Error("a directory was read")
	}
	if err := NewFileStore(filepath.Join(t.TempDir(), "no", "where")).Save(nil); err == nil {
		t.Error("no directory to write to")
	}
	for _, p := range [][]Path{nil, {{}}, {{Conn: &mcasttest.Conn{}, Group: netip.MustParseAddr("192.0.2.1")}}} {
		if _, err := NewDirectory(DirectoryConfig{}, p...); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
		if _, err := NewAnnouncer(AnnouncerConfig{}, p...); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
	}
}

type badStore struct{ load, save error }

func (b *badStore) Load() ([]byte, error) { return nil, b.load }
func (b *badStore) Save([]byte) error     { return b.save }

// One interface goes; the directory stays with the other, and ends with the last.
func TestPathsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		gone := &dying{Conn: open(t, n, LocalGroup), err: errors.New("interface gone")}
		last := &dying{Conn: open(t, n, LocalGroup), err: errors.New("this too")}
		d, err := NewDirectory(DirectoryConfig{}, Path{Conn: gone}, Path{Conn: last})
		if err != nil {
			t.Fatal(err)
		}
		_, done := collect(d)
		gone.Conn.Close()
		synctest.Wait()
		if !errors.Is(d.Err(), gone.err) {
			t.Error(d.Err())
		}
		select {
		case err := <-done:
			t.Error(err)
		default:
		}
		last.Conn.Close()
		if err := <-done; !errors.Is(err, gone.err) {
			t.Error(err)
		}
		d.Close()
	})
}

// dying is a connection that fails with an error of its own.
type dying struct {
	datagram.Conn
	err error
}

func (d *dying) ReadBatch(ps []datagram.Packet) (int, error) {
	n, err := d.Conn.ReadBatch(ps)
	if err != nil {
		err = d.err
	}
	return n, err
}

// A loop that takes nothing loses events, and is told; nobody waits for it.
func TestSlowEvents(t *testing.T) {
	s := &subscriber{news: make(chan struct{}, 1)}
	for range maxEvents + 10 {
		s.put(Event{Kind: Added})
	}
	s.put(Event{Kind: Refreshed})
	if len(s.queue) != maxEvents {
		t.Error(len(s.queue))
	}
	s.queue = nil
	s.put(Event{Kind: Added})
	if s.queue[0].Missed != 11 {
		t.Error(s.queue[0].Missed)
	}
}
