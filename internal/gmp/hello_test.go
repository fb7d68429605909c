package gmp

import (
	"testing"
	"time"
)

// RFC 7761 sections 4.9.2 and 4.11, RFC 4286 section 3.1.5.
func TestPIMHello(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		hold time.Duration
		ok   bool
	}{
		{"no options", []byte{0x20, 0, 0, 0}, 105 * time.Second, true},
		{"Holdtime", []byte{0x20, 0, 0, 0, 0, 1, 0, 2, 0, 100}, 100 * time.Second, true},
		{"behind another option", []byte{0x20, 0, 0, 0, 0, 19, 0, 4, 0, 0, 0, 1, 0, 1, 0, 2, 1, 0}, 256 * time.Second, true},
		{"forever", []byte{0x20, 0, 0, 0, 0, 1, 0, 2, 0xff, 0xff}, forever, true},
		{"goodbye", []byte{0x20, 0, 0, 0, 0, 1, 0, 2, 0, 0}, 0, true},
		{"a register", []byte{0x21, 0, 0, 0}, 0, false},
		{"version 1", []byte{0x10, 0, 0, 0}, 0, false},
		{"Holdtime of three bytes", []byte{0x20, 0, 0, 0, 0, 1, 0, 3, 0, 0, 0}, 0, false},
		{"half an option", []byte{0x20, 0, 0, 0, 0, 1, 0}, 0, false},
		{"longer than the message", []byte{0x20, 0, 0, 0, 0, 19, 0xff, 0xff, 0}, 0, false},
	} {
		if hold, ok := PIMHello(tt.b); hold != tt.hold || ok != tt.ok {
			t.Errorf("%s: %v, %t", tt.name, hold, ok)
		}
		for n := range min(len(tt.b), 4) {
			if _, ok := PIMHello(tt.b[:n]); ok {
				t.Errorf("%s: %d bytes are a hello", tt.name, n)
			}
		}
	}
	for interval, want := range map[uint8]time.Duration{0: 12300 * time.Millisecond, 20: 61500 * time.Millisecond, 180: 553500 * time.Millisecond} {
		if got := AdvertisedHold(interval); got != want {
			t.Errorf("an advertisement every %d s holds %v, want %v", interval, got, want)
		}
	}
}

// A router's signs of life make router ports, which no goodbye ends and no hello keeps
// for days; hosts and routers pass them over.
func TestRFC4541_2_1_1_Neighbors(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		s := f.newSnooper(t, SnooperConfig{})
		sign := func(port int, hold time.Duration) *Message {
			return on(port, &Message{Kind: KindRouter, Src: f.low, MaxResp: hold})
		}
		s.Handle(start, sign(2, sec(105)))
		s.Handle(start, sign(3, forever))
		s.Handle(start, sign(2, 0))
		wantPorts(t, "hello", s.RouterPorts(nil), 2, 3)
		wantPorts(t, "it goes to all", s.Relay(nil, sign(2, 1)), 1, 3, 4)
		nobody := sign(4, sec(100))
		nobody.Src = f.p.Unspecified
		s.Handle(start, nobody)
		if st := s.Stats(); st.Neighbors != 3 || st.BadQuerier != 1 {
			t.Errorf("%+v", st)
		}
		run(t, s, at(sec(104)))
		wantPorts(t, "before its end", s.RouterPorts(nil), 2, 3)
		run(t, s, at(sec(105)))
		wantPorts(t, "aged", s.RouterPorts(nil), 3)
		run(t, s, at(time.Hour))
		wantPorts(t, "after an hour", s.RouterPorts(nil))
		h, r := f.newHost(t, HostConfig{}), f.newRouter(t, RouterConfig{})
		h.Handle(start, sign(0, sec(9)))
		r.Handle(start, sign(0, sec(9)))
		if h.Stats().Ignored != 1 || r.Stats().Ignored != 1 || KindRouter.String() != "router" {
			t.Errorf("%+v %+v", h.Stats(), r.Stats())
		}
	})
}

func FuzzPIMHello(f *testing.F) {
	f.Add([]byte{0x20, 0, 0, 0, 0, 19, 0, 4, 0, 0, 0, 1, 0, 1, 0, 2, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if hold, ok := PIMHello(b); hold < 0 || !ok && hold != 0 {
			t.Errorf("%v, %t", hold, ok)
		}
	})
}
