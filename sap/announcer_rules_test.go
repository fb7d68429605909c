package sap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// Each profile has its interval, from two to four thirds of it, all the same hop limit,
// and the same budget.
func TestProfiles(t *testing.T) {
	for p, base := range map[Profile]time.Duration{RFC2974: 300 * time.Second, AES67: 30 * time.Second, Fast: 5 * time.Second} {
		w := newSender(t, AnnouncerConfig{Profile: p})
		if w.e.cfg.HopLimit != 255 || w.e.cfg.Bandwidth != 4000 {
			t.Errorf("%v: %+v", p, w.e.cfg)
		}
		w.announce(parse(session("a", 1, "239.255.1.1")))
		w.wait(500 * base)
		var gaps []time.Duration
		for i := range w.sent[1:] {
			gaps = append(gaps, w.sent[i+1].at-w.sent[i].at)
		}
		slices.Sort(gaps)
		n := len(gaps)
		if n < 450 || n > 550 || gaps[0] < base*2/3 || gaps[n-1] > base*4/3 || gaps[0] > base*3/4 || gaps[n-1] < base*5/4 {
			t.Errorf("%v: %d gaps of %v to %v", p, n, gaps[0], gaps[n-1])
		}
		// A group that others fill counts for all.
		for i := range 4000 {
			w.e.Handle(w.now, ad{src: fmt.Sprintf("10.1.%d.%d", i>>8, i&255), hash: 7, text: session("b", 1, "239.255.9.9")}.packet())
		}
		st, _ := w.e.status(w.now, 1)
		if want := time.Duration(4001*8*st.Size) * time.Second / 4000; st.Groups[0].Interval != want {
			t.Errorf("%v: %v when the group is full; want %v", p, st.Groups[0].Interval, want)
		}
	}
}

// When its time comes an announcement is put off if the group has filled up since (RFC
// 2974 section 3.1).
func TestReconsideration(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	w.announce(parse(session("a", 1, "239.255.1.1")))
	w.wait(time.Second)
	w.sent = nil
	for i := range 3000 {
		w.e.Handle(w.now, ad{src: fmt.Sprintf("10.1.%d.%d", i>>8, i&255), hash: 7, text: session("b", 1, "239.255.9.9")}.packet())
	}
	st, _ := w.e.status(w.now, 1)
	least := st.Groups[0].Interval * 2 / 3
	w.wait(least - 2*time.Second)
	if len(w.sent) != 0 || w.e.stats.Postponed == 0 {
		t.Errorf("%d sent before %v, %d put off", len(w.sent), least, w.e.stats.Postponed)
	}
	w.wait(least)
	if len(w.sent) != 1 {
		t.Errorf("%d sent after", len(w.sent))
	}
}

// A packet over the recommended size is told of, one over the limit is refused, also by an
// update, which then changes nothing.
func TestSizes(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	text := func(version, n int) string {
		return session("a", version, "239.255.1.1") + strings.Repeat("a=x\r\n", n)
	}
	id := w.announce(parse(text(1, 0)))
	if st, _ := w.e.status(w.now, id); st.Large || st.Size > RecommendedSize {
		t.Errorf("%+v", st)
	}
	if err := w.e.update(w.now, id, parse(text(2, 200))); err != nil {
		t.Fatal(err)
	}
	if st, _ := w.e.status(w.now, id); !st.Large || st.Size <= RecommendedSize || st.Size > 1452 {
		t.Errorf("%+v", st)
	}
	if err := w.e.update(w.now, id, parse(text(3, 300))); !errors.Is(err, ErrSize) {
		t.Error(err)
	}
	if st, _ := w.e.status(w.now, id); st.Version != "2" {
		t.Errorf("%+v", st)
	}
}

// The group of SAP version 0 is not announced on, whoever asks for it (RFC 2974 section
// 3).
func TestGroupOfVersion0(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	_, err := w.e.announce(w.now, Announcement{Description: parse(session("a", 1, "239.255.1.1")), Groups: []netip.Addr{netip.MustParseAddr("224.2.127.255")}})
	if !errors.Is(err, ErrScope) {
		t.Error(err)
	}
	if slices.Contains(AllGroups(), groupVersion0) {
		t.Error("listened to")
	}
}

// Descriptions with a thousand channels are compared with thousands of sessions of ours
// by their groups alone, and what is told of is bounded.
func TestClashOfMany(t *testing.T) {
	w := newSender(t, AnnouncerConfig{})
	for i := range 4000 {
		w.announce(parse(strings.Replace(session("a", 1, fmt.Sprintf("239.255.%d.%d", i>>8, i&255)), "1097", fmt.Sprint(i+1), 1)))
	}
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 10.6.6.6\r\ns=x\r\nt=0 0\r\n")
	for i := range 15 {
		fmt.Fprintf(&b, "m=audio 5004 RTP/AVP 0\r\nc=IN IP4 239.255.%d.0/1/64\r\n", i)
	}
	for i := range 1000 {
		w.e.Handle(w.now, ad{src: "10.6.6.6", hash: uint16(i), text: b.String()}.packet())
		w.now = w.now.Add(time.Millisecond)
	}
	if n := len(w.e.clashes); n != maxClashes {
		t.Errorf("%d clashes", n)
	}
	for id := range w.e.sessions {
		if err := w.e.withdraw(w.now, id); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.e.users) != 0 || len(w.e.digests) != 0 {
		t.Errorf("%d groups and %d packets are left of no session", len(w.e.users), len(w.e.digests))
	}
	w.e.Handle(w.now, &datagram.Packet{Data: []byte{1}})
}

// A session that grows over the limits is removed, and not kept with what it was.
func TestUpdateOverLimits(t *testing.T) {
	w := newWorld(t, DirectoryConfig{MaxBytes: 8 << 10})
	w.hear(ad{src: "10.0.0.1", hash: 1, text: session("a", 1, "239.255.1.1")})
	w.hear(ad{src: "10.0.0.1", hash: 2, text: session("a", 2, "239.255.1.1") + strings.Repeat("a=x\r\n", 200)})
	w.want("added a, removed a over limits")
}
