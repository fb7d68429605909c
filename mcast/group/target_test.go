package group_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func TestParseTarget(t *testing.T) {
	for _, tt := range []struct{ in, scheme, channel, port, out string }{
		{"239.1.2.3", "", "239.1.2.3", "", "239.1.2.3"},
		{"239.1.2.3:5004", "", "239.1.2.3", "5004", "239.1.2.3:5004"},
		{"192.0.2.10@232.1.2.3", "", "192.0.2.10@232.1.2.3", "", "192.0.2.10@232.1.2.3"},
		{"192.0.2.10@232.1.2.3:5004", "", "192.0.2.10@232.1.2.3", "5004", "192.0.2.10@232.1.2.3:5004"},
		{"ff3e::8000:1", "", "ff3e::8000:1", "", "ff3e::8000:1"},
		{"[ff3e::8000:1]", "", "ff3e::8000:1", "", "ff3e::8000:1"},
		{"[ff3e::8000:1]:5004", "", "ff3e::8000:1", "5004", "[ff3e::8000:1]:5004"},
		{"2001:db8::1@[ff3e::8000:1]:5004", "", "2001:db8::1@ff3e::8000:1", "5004", "[2001:db8::1]@[ff3e::8000:1]:5004"},
		{"[2001:db8::1]@[ff3e::8000:1]:5004", "", "2001:db8::1@ff3e::8000:1", "5004", "[2001:db8::1]@[ff3e::8000:1]:5004"},
		{"2001:db8::1@ff3e::8000:1", "", "2001:db8::1@ff3e::8000:1", "", "2001:db8::1@ff3e::8000:1"},
		{"[ff12::1%eth0]:5004", "", "ff12::1%eth0", "5004", "[ff12::1%eth0]:5004"},
		{"rtp://224.0.10.8:1024", "rtp", "224.0.10.8", "1024", "rtp://224.0.10.8:1024"},
		{"RTP://239.1.2.3:5004/", "rtp", "239.1.2.3", "5004", "rtp://239.1.2.3:5004"},
		{"rtp://239.1.2.3", "rtp", "239.1.2.3", "", "rtp://239.1.2.3"},
		{"udp://@239.1.1.1:1234", "udp", "239.1.1.1", "1234", "udp://239.1.1.1:1234"},
		{"udp://10.77.0.1@232.1.2.3:1234", "udp", "10.77.0.1@232.1.2.3", "1234", "udp://10.77.0.1@232.1.2.3:1234"},
		{"rtp://232.1.2.3:5004?sources=10.77.0.1&localaddr=10.77.0.2", "rtp", "10.77.0.1@232.1.2.3", "5004", "rtp://10.77.0.1@232.1.2.3:5004"},
		{"rtp://239.255.12.80:6000?ttl=4", "rtp", "239.255.12.80", "6000", "rtp://239.255.12.80:6000"},
		{"udp://@[ff15::8000:1]:1234", "udp", "ff15::8000:1", "1234", "udp://[ff15::8000:1]:1234"},
		{"udp://@[ff12::1%25eth0]:1234", "udp", "ff12::1%eth0", "1234", "udp://[ff12::1%25eth0]:1234"},
		{"udp://@[ff12::1%eth0]:1234", "udp", "ff12::1%eth0", "1234", "udp://[ff12::1%25eth0]:1234"},
		{"http://www.example.com:659/movie?group=232.1.2.3&source=192.0.2.10", "http", "192.0.2.10@232.1.2.3", "",
			"http://www.example.com:659/movie?group=232.1.2.3&source=192.0.2.10"},
		{"http://h:465/?x=1&source=2001:db8::1&group=ff3e::8000:1#f", "http", "2001:db8::1@ff3e::8000:1", "", "http://h:465/?group=ff3e::8000:1&source=2001:db8::1"},
		{"http://h:659?group=ff3e%3A%3A8000%3A1&source=2001:db8::1", "http", "2001:db8::1@ff3e::8000:1", "", "http://h:659?group=ff3e::8000:1&source=2001:db8::1"},
		{"http://h:659/a?group=ff32::8000:1%25eth0&source=fe80::1", "http", "fe80::1@ff32::8000:1%eth0", "", "http://h:659/a?group=ff32::8000:1%25eth0&source=fe80::1"},
	} {
		got, err := group.ParseTarget(tt.in)
		if err != nil {
			t.Errorf("ParseTarget(%q): %v", tt.in, err)
			continue
		}
		ch, err := group.ParseChannel(tt.channel)
		if err != nil {
			t.Fatal(err)
		}
		port := got.String()[strings.LastIndexByte(got.String(), ':')+1:]
		if got.Scheme != tt.scheme || got.Channel != ch || got.String() != tt.out || (tt.port != "") != (got.Port != 0) || tt.port != "" && port != tt.port {
			t.Errorf("ParseTarget(%q) = %+v %q, want %q %q", tt.in, got, got, tt.channel, tt.out)
		}
		if again, err := group.ParseTarget(got.String()); err != nil || again != got {
			t.Errorf("%q became %q became %+v, %v", tt.in, got, again, err)
		}
	}
}

func TestParseTargetMistakes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		err  error
		text string
	}{
		{"", group.ErrTarget, "rtp://source@group:port"},
		{"@", group.ErrTarget, ""},
		{"@239.1.2.3:5004", group.ErrTarget, "source"}, // only VLC's URLs have that
		{"239.1.2.3:", group.ErrTarget, ""},
		{"239.1.2.3:0", group.ErrTarget, "1 to 65535"},
		{"239.1.2.3:65536", group.ErrTarget, "1 to 65535"},
		{"239.1.2.3:+5", group.ErrTarget, ""},
		{"239.1.2.3:x", group.ErrTarget, ""},
		{"example.com:5004", group.ErrTarget, "group \"example.com\""},
		{"[ff3e::1", group.ErrTarget, "brackets"},
		{"[ff3e::1]5004", group.ErrTarget, "brackets"},
		{"a@b@c", group.ErrTarget, ""},
		{"rtsp://239.1.2.3:5004", group.ErrTarget, "scheme"},
		{"udp://@:1234", group.ErrTarget, ""},
		{"udp://239.1.2.3:1234/stream", group.ErrTarget, "path"},
		{"rtp://232.1.2.3:5004?sources=10.0.0.1,10.0.0.2", group.ErrTarget, "name one"},
		{"rtp://10.0.0.2@232.1.2.3:5004?sources=10.0.0.1", group.ErrTarget, "two sources"},
		{"rtp://232.1.2.3:5004?sources=nobody", group.ErrTarget, "nobody"},
		{"rtp://232.1.2.3:5004?sources=ff02::1", group.ErrBadSource, ""},
		{"192.0.2.1:5004", group.ErrNotMulticast, "192.0.2.1"},
		{"2001:db8::1@232.1.2.3:5004", group.ErrBadSource, ""},
		{"http://www.example.com/movie?group=232.1.2.3&source=192.0.2.10", group.ErrTarget, "659 or 465"},
		{"http://h:80/?group=232.1.2.3&source=192.0.2.10", group.ErrTarget, "659 or 465"},
		{"http://h:659/", group.ErrTarget, "group="},
		{"http://h:659/?group=232.1.2.3", group.ErrTarget, "source="},
		{"http://h:659/?group=x&source=192.0.2.10", group.ErrTarget, "group \"x\""},
		{"http://h:659/?group=232.1.2.3&source=x", group.ErrTarget, "source \"x\""},
		{"http://h:659/?group=10.0.0.1&source=192.0.2.10", group.ErrNotMulticast, ""},
		{"239.1.2.3 :5004", group.ErrTarget, ""},
		{"udp://[ff12::1%a/b]:5", group.ErrTarget, ""},
	} {
		got, err := group.ParseTarget(tt.in)
		if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) || got != (group.Target{}) {
			t.Errorf("ParseTarget(%q) = %+v, %v; want %v and %q", tt.in, got, err, tt.err, tt.text)
		}
	}
}

func TestURD(t *testing.T) {
	c, err := group.ParseTarget("192.0.2.10@232.1.2.3:5004")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ host, path, want string }{
		{"www.example.com", "movie", "http://www.example.com:659/movie?group=232.1.2.3&source=192.0.2.10"},
		{"www.example.com:465", "/movie", "http://www.example.com:465/movie?group=232.1.2.3&source=192.0.2.10"},
		{"[2001:db8::5]", "", "http://[2001:db8::5]:659/?group=232.1.2.3&source=192.0.2.10"},
	} {
		got := c.URD(tt.host, tt.path)
		if got != tt.want {
			t.Errorf("URD(%q, %q) = %q, want %q", tt.host, tt.path, got, tt.want)
		}
		if back, err := group.ParseTarget(got); err != nil || back.Channel != c.Channel || back.String() != got {
			t.Errorf("%q: %+v, %v", got, back, err)
		}
	}
	if any := (group.Target{Channel: group.Channel{Group: c.Channel.Group}}); strings.Contains(any.URD("h", ""), "source=") {
		t.Error("a source out of nothing")
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{
		"239.1.2.3", "192.0.2.10@232.1.2.3:5004", "[2001:db8::1]@[ff3e::8000:1]:5004", "udp://@239.1.1.1:1234", "udp://[ff12::1%25eth0]:1",
		"rtp://232.1.2.3:5004?sources=10.0.0.1&ttl=4", "http://h:659/p?group=232.1.2.3&source=192.0.2.10", "http://h:465?group=ff3e%3a%3a1&source=::1",
		"udp://@[ff12::1%2525]:1", "ff02::1%a", "[ff02::1%]:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := group.ParseTarget(s)
		if err != nil {
			if p != (group.Target{}) || errors.Is(err, group.ErrSyntax) {
				t.Fatalf("%q: %+v, %v", s, p, err)
			}
			return
		}
		if err := p.Channel.Validate(); err != nil {
			t.Fatalf("%q parsed to an invalid channel: %v", s, err)
		}
		again, err := group.ParseTarget(p.String())
		if err != nil || again != p {
			t.Fatalf("%q became %q became %+v, %v", s, p, again, err)
		}
	})
}
