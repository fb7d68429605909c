package core

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A spoken packet is one of a sender's, taken apart.
type spoken struct {
	alc.Packet
	at    time.Duration
	ext   map[lct.ExtensionType][]byte
	table lct.FDT
	dst   netip.AddrPort
}

// listen drives a sender for a while in steps of a millisecond, and takes apart what it
// sends; do is called before each step.
func listen(t *testing.T, s *Sender, d time.Duration, do func(at time.Duration, now time.Time)) (list []spoken) {
	t.Helper()
	start := time.Unix(1_900_000_000, 0)
	for at := time.Duration(0); at < d; at += time.Millisecond {
		now := start.Add(at)
		if do != nil {
			do(at, now)
		}
		s.Advance(now)
		for {
			p := datagram.Packet{Data: make([]byte, 0, 2048)}
			if !s.Transmit(now, &p) {
				break
			}
			v := spoken{at: at, ext: map[lct.ExtensionType][]byte{}, dst: p.Dst}
			if err := (alc.Codec{}).Parse(p.Data, &v.Packet); err != nil {
				t.Fatal(err)
			}
			for x := v.Extensions; ; {
				kind, content, ok := x.Next()
				if !ok {
					break
				}
				if v.ext[kind] != nil {
					t.Fatalf("%v twice", kind)
				}
				v.ext[kind] = content
			}
			if c := v.ext[lct.ExtFDT]; c != nil {
				v.table, _ = lct.ParseFDT(c)
			}
			list = append(list, v)
		}
		for _, ok := s.Event(); ok; _, ok = s.Event() {
		}
	}
	return list
}

func enqueue(t *testing.T, s *Sender, now time.Time, name string, size int, spec ObjectSpec) lct.TOI {
	t.Helper()
	spec.Source, spec.Size = bytes.NewReader(make([]byte, size)), int64(size)
	spec.File.ContentLocation = name
	toi, err := s.Enqueue(now, spec)
	if err != nil {
		t.Fatal(err)
	}
	return toi
}

// What each profile puts where: RFC 6726 section 3.4.1 and 5, RFC 3926, TS 26.346
// section 7.2.
func TestProfiles(t *testing.T) {
	for _, profile := range []fdt.Profile{fdt.RFC6726, fdt.RFC3926, fdt.MBMS} {
		t.Run(profile.String(), func(t *testing.T) {
			s, err := NewSender(SenderConfig{TSI: 9, Profile: profile})
			if err != nil {
				t.Fatal(err)
			}
			list := listen(t, s, 3*time.Second, func(at time.Duration, now time.Time) {
				switch at {
				case 0:
					enqueue(t, s, now, "a", 200_000, ObjectSpec{Passes: 2})
				case 2 * time.Second:
					s.Shutdown(now)
				}
			})
			closes, ends := 0, 0
			for i, p := range list {
				if p.TSI != 9 || len(p.CCI) != 4 {
					t.Fatalf("packet %d: %+v", i, p)
				}
				switch {
				case p.CloseSession:
					closes++
					if p.HasTOI() || p.HasPayload || i < len(list)-goodbyes {
						t.Errorf("packet %d of %d closes the session: %+v", i, len(list), p)
					}
				case p.TOI.IsZero():
					if p.table.Version != profile.Version() || p.ext[lct.ExtFTI] == nil || (p.ext[lct.ExtTime] != nil) != (profile == fdt.RFC6726) || p.Codepoint != 0 {
						t.Errorf("packet %d: %+v", i, p)
					}
				default:
					if i == 0 {
						t.Error("the object comes before what describes it")
					}
					want := fec.RaptorQ
					if profile == fdt.MBMS {
						want = fec.Raptor
					}
					if (p.ext[lct.ExtFTI] != nil) != (profile != fdt.MBMS) || len(p.ext) > 1 || p.Codepoint != uint8(want) {
						t.Errorf("packet %d: %+v", i, p)
					}
					if p.CloseObject {
						ends++
						for _, q := range list[i+1:] {
							if q.TOI == p.TOI && q.HasPayload {
								t.Error("the object goes on behind its last packet")
							}
						}
					}
				}
			}
			if closes != goodbyes || ends != 1 {
				t.Errorf("%d packets close the session, %d the object", closes, ends)
			}
		})
	}
}

// An FDT Instance never changes, is renewed before it expires, is repeated at its
// interval, and says what it should (RFC 6726 sections 3.3 and 3.4.2).
func TestTables(t *testing.T) {
	s, err := NewSender(SenderConfig{TSI: 9, FDTInterval: 500 * time.Millisecond, FDTLifetime: 8 * time.Second, FDTFiles: 2, Linger: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	const long = 20 * time.Second
	list := listen(t, s, long, func(at time.Duration, now time.Time) {
		switch at {
		case 0:
			for _, name := range []string{"a", "b", "c"} {
				enqueue(t, s, now, name, 1000, ObjectSpec{Passes: -1, Interval: 300 * time.Millisecond})
			}
		case time.Second:
			enqueue(t, s, now, "once", 1000, ObjectSpec{})
		case 12 * time.Second:
			s.Cancel(now, lct.TOI{Lo: 1})
			s.Cancel(now, lct.TOI{Lo: 2})
			s.Complete(now)
		}
	})
	instances := map[uint32][]byte{}
	last := map[uint32]time.Duration{}
	files := map[time.Duration]map[string]bool{} // described in a second
	var complete bool
	for _, p := range list {
		if !p.TOI.IsZero() || !p.HasPayload {
			continue
		}
		id := p.table.InstanceID
		if old, ok := instances[id]; ok && !bytes.Equal(old, p.Symbols) {
			t.Fatalf("instance %d changed", id)
		}
		if at, ok := last[id]; ok && p.at-at > 600*time.Millisecond {
			t.Errorf("instance %d was not repeated for %v", id, p.at-at)
		}
		instances[id], last[id] = p.Symbols, p.at
		in, err := fdt.Parse(p.Symbols, fdt.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(1_900_000_000, 0).Add(p.at)
		if left := in.ExpiresAt(now).Sub(now); left < 3*time.Second || left > 8*time.Second {
			t.Errorf("at %v instance %d has %v left", p.at, id, left)
		}
		if len(in.Files) > 2 {
			t.Errorf("%d files in an instance", len(in.Files))
		}
		second := p.at.Truncate(time.Second)
		if files[second] == nil {
			files[second] = map[string]bool{}
		}
		for _, f := range in.Files {
			files[second][f.ContentLocation] = true
		}
		complete = in.Complete
	}
	for id := range uint32(len(instances)) {
		if instances[id] == nil {
			t.Errorf("no instance %d of %d", id, len(instances))
		}
	}
	for _, c := range []struct {
		second time.Duration
		want   string
	}{{0, "abc"}, {2, "abc1"}, {10, "abc"}, {14, "c"}, {19, "c"}} {
		got := ""
		for _, name := range []string{"a", "b", "c", "once"} {
			if files[c.second*time.Second][name] {
				got += map[string]string{"a": "a", "b": "b", "c": "c", "once": "1"}[name]
			}
		}
		if got != c.want {
			t.Errorf("second %d: %q described, want %q", c.second, got, c.want)
		}
	}
	if !complete {
		t.Error("the FDT is not complete")
	}
}

// Priorities, and that nothing starves; objects of one priority take turns.
func TestPriorities(t *testing.T) {
	s, err := NewSender(SenderConfig{TSI: 9, Concurrent: 2, FEC: FEC{NoCode: true}})
	if err != nil {
		t.Fatal(err)
	}
	list := listen(t, s, 2*time.Second, func(at time.Duration, now time.Time) {
		if at == 0 {
			enqueue(t, s, now, "low", 10_000_000, ObjectSpec{})
			enqueue(t, s, now, "a", 10_000_000, ObjectSpec{Priority: 1})
			enqueue(t, s, now, "b", 10_000_000, ObjectSpec{Priority: 1})
		}
	})
	n := map[uint64]int{}
	for _, p := range list {
		n[p.TOI.Lo]++
	}
	all := n[1] + n[2] + n[3]
	if n[1] < all/40 || n[1] > all/12 || n[2]-n[3] > all/20 || n[3]-n[2] > all/20 {
		t.Errorf("%v", n)
	}
}

// FDT Instances leave three quarters of the rate to the objects, however many there are.
func TestTableShare(t *testing.T) {
	s, err := NewSender(SenderConfig{TSI: 9, Rate: 2_000_000, FDTInterval: 100 * time.Millisecond, FEC: FEC{NoCode: true}})
	if err != nil {
		t.Fatal(err)
	}
	listen(t, s, 20*time.Second, func(at time.Duration, now time.Time) {
		if at == 0 {
			for range 600 {
				enqueue(t, s, now, "some-name-of-a-file", 100_000, ObjectSpec{})
			}
		}
	})
	st := s.Stats()
	if share := float64(st.FDTBytes) / float64(st.Bytes); share < 0.1 || share > 0.3 {
		t.Errorf("the FDT took %.0f %%", share*100)
	}
}
