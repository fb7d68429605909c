package sdp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

// readAll asks a description everything, and checks the bounds.
func readAll(t testing.TB, d *sdp.Description) {
	t.Helper()
	_, _ = d.Origin()
	_, _, _ = d.Name(), d.Zones(), d.Ends()
	for _, v := range d.Times() {
		_, _, _ = v.StartTime(), v.StopTime(), v.Active(time.Unix(0, 0))
	}
	for _, g := range d.Groupings() {
		if n := len(d.MediaOf(g)); n > d.NumMedia() {
			t.Fatalf("%d of %d media", n, d.NumMedia())
		}
	}
	sections := []sdp.Section{d.Session()}
	for _, m := range d.Media() {
		sections = append(sections, m.Section)
		m.RTPMaps()
		m.FMTP("96")
		m.RTCP()
		m.FeedbackTarget()
		m.SourceFlow()
		m.RepairFlow()
		m.RepairWindow()
		m.FLUTE()
		m.NORM()
		m.FECDeclarations()
	}
	n := 0
	for _, s := range sections {
		for range s.Lines() {
			n++
		}
		for _, c := range s.Connections() {
			groups := 0
			for a := range c.Groups() {
				if groups++; !a.IsMulticast() || groups > sdp.MaxGroups {
					t.Fatalf("%v: group %d, %v", c, groups, a)
				}
			}
		}
		s.SourceFilters()
		s.Bandwidth("AS")
		s.RTCPUnicast()
		s.RefClocks()
		s.MediaClock()
		s.PacketTime()
		s.FrameCount()
		s.Direction()
		for range s.Attributes() {
		}
	}
	if n != d.Len() {
		t.Fatalf("%d lines in sections, of %d", n, d.Len())
	}
	lookup := func(string) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("239.1.2.3"), netip.MustParseAddr("192.0.2.1"), {}}
	}
	for _, o := range []sdp.ChannelOptions{{}, {Source: netip.MustParseAddr("192.0.2.1")}, {Lookup: lookup}} {
		all := d.ChannelsWith(o)
		if len(all) > sdp.MaxChannels {
			t.Fatalf("%d channels", len(all))
		}
		for _, c := range all {
			if err := c.Channel().Validate(); err != nil || c.Port == 0 || c.Media >= d.NumMedia() {
				t.Fatalf("%+v: %v", c, err)
			}
		}
	}
	if w := d.Lint(); len(w) > sdp.MaxWarnings {
		t.Fatalf("%d findings", len(w))
	}
	for _, w := range append(d.Lint(), d.Warnings()...) {
		if w.Line < 1 || w.Line > d.Len()+1 || w.Column < 1 || w.Code == "" || w.Reason == "" {
			t.Fatalf("%+v of %d lines", w, d.Len())
		}
	}
}
