package control

import (
	"fmt"
	"testing"
	"time"

	"github.com/gomulticast/multicast/igmp"
)

// CGMP and GMRP, as switches are told of groups.
func TestRegistrations(t *testing.T) {
	b := newBench(t, Config{Limits: Limits{Registrations: 3}})
	group, router, station := igmp.MAC{1, 0, 0x5e, 5, 5, 5}, igmp.MAC{2, 0, 0, 0, 0, 1}, igmp.MAC{2, 0, 0, 0, 0, 9}
	frame := func(proto, typ, detail string, from igmp.MAC, entries ...Entry) {
		b.w.Handle(b.now, &Record{Proto: proto, Type: typ, Detail: detail, SrcMAC: from, Groups: entries})
	}
	frame(CGMP, Join, "", router, Entry{MAC: group, Station: station, Mode: Join})
	b.say(3, "10.0.0.9", ToEx, "239.5.5.5").say(3, "10.0.0.9", ToEx, "239.133.5.5")
	b.after(10 * time.Second)
	frame(CGMP, Leave, "", router, Entry{MAC: group, Station: station, Mode: Leave})
	// A frame about a group and about all: the word for all belongs to that alone.
	frame(GMRP, Join, "all groups", station, Entry{MAC: group, Mode: "join_in"}, Entry{Mode: "join_empty"})
	list := b.w.Registrations()
	text := ""
	for _, r := range list {
		text += fmt.Sprintln(r.Proto, r.From, r.Group, r.Station, r.Mode, r.Detail, b.now.Sub(r.Last), r.Frames, r.Groups)
	}
	want := `cgmp 02:00:00:00:00:01 01:00:5e:05:05:05 02:00:00:00:00:09 leave  0s 2 [239.5.5.5 239.133.5.5]
gmrp 02:00:00:00:00:09 00:00:00:00:00:00 00:00:00:00:00:00 join_empty all groups 0s 1 []
gmrp 02:00:00:00:00:09 01:00:5e:05:05:05 00:00:00:00:00:00 join_in  0s 1 [239.5.5.5 239.133.5.5]
`
	if text != want {
		t.Errorf("got\n%s", text)
	}
	// No more than there is room for, and it is told.
	frame(CGMP, Join, "", station, Entry{MAC: group, Mode: Join})
	b.w.Handle(b.now, &Record{Proto: CGMP, Type: Other, Refused: true, Problems: []string{"cut short: count"}})
	if n := len(b.w.Registrations()); n != 3 || b.w.Refused() != 1 || b.w.Problems()["cut short: count"] != 1 {
		t.Errorf("%d registrations, %d refused, %v", n, b.w.Refused(), b.w.Problems())
	}
	if got := b.w.RegistrationCounts(CGMP); got != (RegistrationCounts{2, 1, 1, 1}) {
		t.Errorf("CGMP %+v", got)
	}
	if got := b.w.RegistrationCounts(GMRP); got != (RegistrationCounts{Joins: 1}) {
		t.Errorf("GMRP %+v", got)
	}
	// They are forgotten, and say nothing of queriers.
	if b.after(memory); len(b.w.Registrations()) != 0 {
		t.Error("not forgotten")
	}
}

// The zero group of CGMP is all groups; of what a switch is told nothing is a
// membership.
func TestRegistrationsAreNoReports(t *testing.T) {
	b := newBench(t, Config{})
	b.w.Handle(b.now, &Record{Proto: CGMP, Type: Join, Groups: []Entry{{Mode: Join}}})
	if g, m, s := b.w.Usage(); g+m+s != 0 || b.w.Counts(CGMP) != (Counts{}) || b.w.RegistrationCounts(IGMP) != (RegistrationCounts{}) {
		t.Errorf("%d groups, %d members, %d sources", g, m, s)
	}
}
