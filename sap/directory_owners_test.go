package sap

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// names returns who announces what is listed: the host, and those beside it.
func (w *heardWorld) names() string {
	var s []string
	for _, l := range w.e.listings() {
		o, _ := l.Description.Origin()
		s = append(s, fmt.Sprintf("%s.%s %v %v", l.Description.Name(), o.Version, l.Source, l.Others))
	}
	slices.Sort(s)
	return strings.Join(s, ", ")
}

// deletionOf is the o= line alone.
func deletionOf(a ad) ad {
	_, o, _ := strings.Cut(a.text, "\r\n")
	o, _, _ = strings.Cut(o, "\r\n")
	a.del, a.text = true, o+"\r\n"
	return a
}

// A session announced on two paths goes on with one of them. Whichever was heard first,
// whichever stays, and in whatever order the deletions of the old version and the new
// one arrive, there is one session in the end, by the path that stayed, and it goes with
// its deletion.
func TestLosesAPath(t *testing.T) {
	four := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	six := ad{src: "2001:db8::1", hash: 1, text: four.text, group: "ff05::2:7ffe"}
	for _, stays := range []ad{four, six} {
		goes := six
		if stays.src == six.src {
			goes = four
		}
		next := stays
		next.hash, next.text = 2, session("a", 2, "239.255.1.1")
		packets := map[string]ad{"del": deletionOf(stays), "left": deletionOf(goes), "next": next}
		for _, order := range []string{"del left next", "left del next", "del next left", "left next del", "next del left", "next left del", "del next", "next"} {
			for _, heard := range [][]ad{{stays, goes}, {goes, stays}} {
				name := fmt.Sprintf("%s stays, first %s, %s", stays.src, heard[0].src, order)
				w := newWorld(t, DirectoryConfig{})
				for range 5 {
					for _, a := range heard {
						w.hear(a)
					}
					w.wait(5 * time.Second)
				}
				w.events()
				for _, p := range strings.Fields(order) {
					w.hear(packets[p])
					w.wait(time.Millisecond)
				}
				for i := range 90 {
					if i < 2 && strings.Contains(order, "left") {
						w.hear(packets["left"]) // it comes three times
					}
					w.wait(time.Second)
					w.hear(next)
				}
				if got, want := w.names(), fmt.Sprintf("a.2 %s []", stays.src); got != want {
					t.Errorf("%s: %s", name, got)
				}
				if l := w.e.listings()[0]; len(l.Places) != 1 {
					t.Errorf("%s: heard at %v", name, l.Places)
				}
				// For a moment it is at odds when the path that goes had the session
				// and has not left yet: nobody can tell that from an attack.
				odds := strings.Contains(w.events(), "conflict")
				if want := heard[0].src == goes.src && !strings.Contains(strings.Split(order, "next")[0], "left"); odds != want {
					t.Errorf("%s: at odds is %v", name, odds)
				}
				// Only what deletes the old version after the new one came is ignored.
				late := 0
				if strings.HasSuffix(order, "del") || strings.HasSuffix(order, "next del left") {
					late = 1
				}
				if n := w.e.counters().Ignored; int(n) != late {
					t.Errorf("%s: %d deletions ignored", name, n)
				}
				w.hear(deletionOf(next))
				w.wait(deleteGrace)
				w.want("removed a deleted")
			}
		}
	}
}

// An owner that has not heard of the change yet announces the old version: what is under
// way is passed over, after that it is a session of its own. Whoever was first and
// changes the session takes nobody else's away with it.
func TestBehind(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	one := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	two := ad{src: "10.0.0.1", hash: 2, text: session("a", 2, "239.255.1.1")}
	other := one
	other.src = "10.0.0.2"
	w.hear(one)
	w.hear(other)
	w.hear(two)
	w.want("added a, refreshed a, updated a")
	if got := w.names(); got != "a.2 10.0.0.1 []" {
		t.Error(got)
	}
	w.wait(lateness / 2)
	w.hear(other)
	w.want("")
	w.wait(lateness)
	w.hear(other)
	w.want("added a, conflict a same origin")
	if got := w.names(); got != "a.1 10.0.0.2 [], a.2 10.0.0.1 []" {
		t.Error(got)
	}
	// It learns of it.
	two.src = "10.0.0.2"
	w.hear(two)
	w.want("removed a merged, refreshed a")
	if got := w.names(); got != "a.2 10.0.0.1 [10.0.0.2]" {
		t.Error(got)
	}
	// The first leaves; the other is there, and may change it now.
	w.hear(deletionOf(ad{src: "10.0.0.1", hash: 2, text: two.text}))
	w.wait(10 * time.Second)
	w.hear(ad{src: "10.0.0.2", hash: 3, text: session("a", 3, "239.255.1.1")})
	w.want("updated a")
	if got := w.names(); got != "a.3 10.0.0.2 []" {
		t.Error(got)
	}
}

// Where the old version was heard does not keep the new one up, and is not where the new
// one is heard.
func TestBehindIsSilent(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	one := ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")}
	w.hear(one)
	one.group = "224.2.127.254"
	w.hear(one)
	w.hear(ad{src: "10.0.0.2", hash: 1, text: one.text})
	for range 5 {
		w.hear(ad{src: "10.0.0.1", hash: 2, text: session("a", 2, "239.255.1.1")})
		w.wait(5 * time.Second)
	}
	if l := w.e.listings()[0]; len(l.Places) != 1 || l.Places[0].Group != LocalGroup {
		t.Errorf("%+v", l.Places)
	}
	w.events()
	w.wait(56 * time.Second)
	w.want("removed a expired")
}

// Several are behind; when the first leaves the one who knows the new version leads.
func TestBehindDoesNotLead(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	for _, src := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		w.hear(ad{src: src, hash: 1, text: session("a", 1, "239.255.1.1")})
	}
	two := session("a", 2, "239.255.1.1")
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two})
	w.hear(ad{src: "10.0.0.3", hash: 2, text: two})
	w.hear(deletionOf(ad{src: "10.0.0.1", hash: 2, text: two}))
	w.events()
	w.hear(ad{src: "10.0.0.3", hash: 3, text: session("a", 3, "239.255.1.1")})
	w.want("updated a")
	w.wait(time.Minute)
	if got := w.names(); got != "a.3 10.0.0.3 []" {
		t.Error(got)
	}
	// Who is behind is no leader as long as another is not, and does not become one.
	w = newWorld(t, DirectoryConfig{})
	for _, src := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		w.hear(ad{src: src, hash: 1, text: session("a", 1, "239.255.1.1")})
	}
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two})
	w.hear(ad{src: "10.0.0.3", hash: 2, text: two})
	w.hear(deletionOf(ad{src: "10.0.0.1", hash: 2, text: two}))
	w.wait(10 * time.Second)
	w.events()
	if got := w.names(); got != "a.2 10.0.0.3 []" {
		t.Error(got)
	}
	w.hear(ad{src: "10.0.0.2", hash: 3, text: session("a", 3, "239.255.1.1")})
	w.want("added a, conflict a same origin")
	w.hear(deletionOf(ad{src: "10.0.0.3", hash: 2, text: two}))
	w.wait(deleteGrace)
	w.want("removed a deleted")
	// Nor when the first has only just left.
	w = newWorld(t, DirectoryConfig{})
	for _, src := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		w.hear(ad{src: src, hash: 1, text: session("a", 1, "239.255.1.1")})
	}
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two})
	w.hear(ad{src: "10.0.0.3", hash: 2, text: two})
	w.hear(deletionOf(ad{src: "10.0.0.1", hash: 2, text: two}))
	w.events()
	w.hear(ad{src: "10.0.0.2", hash: 3, text: session("a", 3, "239.255.1.1")})
	w.want("added a, conflict a same origin")
	// Who is behind, when all others have left, keeps nothing up.
	w = newWorld(t, DirectoryConfig{})
	w.hear(ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")})
	w.hear(ad{src: "10.0.0.2", hash: 1, text: session("a", 1, "239.255.1.1")})
	w.hear(ad{src: "10.0.0.1", hash: 2, text: two})
	w.hear(deletionOf(ad{src: "10.0.0.1", hash: 2, text: two}))
	w.wait(deleteGrace)
	w.want("added a, refreshed a, updated a, removed a deleted")
}

// Updates by hosts that announce one session together, in either order, lose nothing and
// leave one session.
func TestUpdateOrders(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	hosts := []string{"10.0.0.1", "2001:db8::1"}
	for version := 1; version < 20; version++ {
		if version%3 == 0 {
			slices.Reverse(hosts)
		}
		for _, src := range hosts {
			w.hear(ad{src: src, hash: uint16(version), text: session("a", version, "239.255.1.1")})
		}
		w.wait(5 * time.Second)
		w.events()
		if all := w.e.listings(); len(all) != 1 || len(all[0].Others) != 1 || all[0].Hash != uint16(version) {
			t.Fatalf("version %d: %s", version, w.names())
		}
	}
	if h := w.e.hosts.hosts[netip.MustParseAddr("10.0.0.1")].sessions + w.e.hosts.hosts[netip.MustParseAddr("2001:db8::1")].sessions; h != 1 {
		t.Errorf("%d sessions counted", h)
	}
}
