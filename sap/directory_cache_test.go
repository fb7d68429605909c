package sap

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRestore(t *testing.T) {
	w := newWorld(t, DirectoryConfig{})
	for i := range 20 {
		for range 3 {
			w.hear(ad{src: fmt.Sprintf("10.0.0.%d", i%5+1), hash: uint16(i + 1), text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", fmt.Sprint(2000+i), 1)})
			w.wait(time.Second)
		}
	}
	data := w.e.dump()
	load := func(data []byte, at time.Time, cfg DirectoryConfig) *heardWorld {
		v := newWorld(t, cfg)
		v.now = at
		v.e.restore(at, data)
		v.events()
		return v
	}
	v := load(data, w.now.Add(time.Hour), DirectoryConfig{})
	if st := v.e.counters(); st.Sessions != 20 || st.Stale != 20 {
		t.Fatalf("%+v", st)
	}
	v.hear(ad{src: "10.0.0.1", hash: 1, text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", "2000", 1)})
	if st := v.e.counters(); st.Sessions != 20 || st.Stale != 19 {
		t.Errorf("%+v", st)
	}
	// A deletion works without having heard it again.
	v.hear(ad{src: "10.0.0.2", hash: 2, del: true})
	v.wait(30 * time.Second)
	v.hear(ad{src: "10.0.0.1", hash: 1, text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", "2000", 1)})
	v.wait(40 * time.Second)
	if st := v.e.counters(); st.Sessions != 1 || st.Stale != 0 {
		t.Errorf("%+v", st)
	}
	// The period is known from before.
	v = load(data, w.now, DirectoryConfig{})
	v.hear(ad{src: "10.0.0.1", hash: 1, text: strings.Replace(session("a", 1, "239.255.1.1"), "1097", "2000", 1)})
	if v.wait(61 * time.Second); len(v.e.order) != 0 {
		t.Errorf("%d sessions after a minute", len(v.e.order))
	}
	// The clock went back; long ago; limits.
	if v := load(data, epoch.Add(-time.Hour), DirectoryConfig{}); len(v.e.order) != 20 || v.e.listings()[0].Last.After(epoch) {
		t.Error("after the clock went back")
	}
	if v := load(data, w.now.Add(25*time.Hour), DirectoryConfig{}); len(v.e.order) != 0 {
		t.Error("sessions of the day before yesterday")
	}
	if v := load(data, w.now, DirectoryConfig{MaxSessions: 7}); len(v.e.order) != 7 {
		t.Error(len(v.e.order))
	}
	if v := load(data, w.now, DirectoryConfig{MaxPerSource: 2}); len(v.e.order) != 10 {
		t.Error(len(v.e.order))
	}
	if v := load(append(data, data...), w.now, DirectoryConfig{}); len(v.e.order) != 20 {
		t.Error("the same twice")
	}
	// Cut off anywhere, what is whole is read.
	lines := 0
	for n := range data {
		if n > 0 && data[n-1] == '\n' {
			lines++
		}
		if n%37 == 0 || data[n] == '\n' {
			if v := load(data[:n], w.now, DirectoryConfig{}); len(v.e.order) != lines && !(data[n] == '\n' && len(v.e.order) == lines+1) {
				t.Fatalf("%d bytes: %d sessions of %d", n, len(v.e.order), lines)
			}
		}
	}
}
