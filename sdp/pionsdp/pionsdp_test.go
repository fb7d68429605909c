package pionsdp_test

import (
	"fmt"
	"strings"
	"testing"

	pion "github.com/pion/sdp/v3"

	"github.com/gomulticast/multicast/sdp"
	"github.com/gomulticast/multicast/sdp/pionsdp"
)

func Example() {
	d, err := sdp.Parse([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=TV\r\nt=0 0\r\nm=video 1234 udp mpeg\r\nc=IN IP4 239.1.1.1/16/2\r\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	p, lost := pionsdp.To(d)
	a := p.MediaDescriptions[0].ConnectionInformation.Address
	fmt.Println(a.Address, *a.TTL, *a.Range, len(lost))

	p.MediaDescriptions[0].WithPropertyAttribute("recvonly")
	back, err := pionsdp.From(p)
	fmt.Println(back.Channels(), back.Media()[0].Direction(), err)
	// Output:
	// 239.1.1.1 16 2 0
	// [udp://239.1.1.1:1234 udp://239.1.1.2:1234] recvonly <nil>
}

const full = "v=0\r\n" +
	"o=jdoe 2890844526 2890842807 IN IP4 10.47.16.5\r\n" +
	"s=SDP Seminar\r\n" +
	"i=A Seminar on the session description protocol\r\n" +
	"u=http://www.example.com/seminars/sdp.pdf\r\n" +
	"e=j.doe@example.com (Jane Doe)\r\n" +
	"p=+1 617 555-6011\r\n" +
	"c=IN IP4 224.2.17.12/127\r\n" +
	"b=X-YZ:128\r\n" +
	"b=AS:12345\r\n" +
	"t=2873397496 2873404696\r\n" +
	"t=3034423619 3042462419\r\n" +
	"r=604800 3600 0 90000\r\n" +
	"z=2882844526 -3600 2898848070 0\r\n" +
	"k=prompt\r\n" +
	"a=recvonly\r\n" +
	"a=source-filter: incl IN IP4 * 10.47.16.5\r\n" +
	"m=audio 49170/2 RTP/AVP 0 96\r\n" +
	"i=Vivamus a posuere nisl\r\n" +
	"c=IN IP6 ff15::8000:1/3\r\n" +
	"b=X-YZ:128\r\n" +
	"k=prompt\r\n" +
	"a=rtpmap:96 L16/48000\r\n"

// What pion can hold goes there and back without a difference.
func TestThereAndBack(t *testing.T) {
	d, err := sdp.Strict([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	p, lost := pionsdp.To(d)
	if len(lost) > 0 {
		t.Error(lost)
	}
	back, err := pionsdp.From(p)
	if err != nil || back.String() != full {
		t.Errorf("%v\n%s", err, back)
	}
	// pion's own parser leaves TTL and count in the text, and From sees them there.
	var q pion.SessionDescription
	if err := q.UnmarshalString(full); err != nil {
		t.Fatal(err)
	}
	if back, err = pionsdp.From(&q); err != nil || back.String() != full {
		t.Errorf("%v\n%s", err, back)
	}
	if c := back.Media()[0].Connections()[0]; c.Count != 3 || c.Host != "ff15::8000:1" {
		t.Error(c)
	}
}

func TestLost(t *testing.T) {
	const in = "v=0\no=- 99999999999999999999 1 IN IP4 10.0.0.1\ns=x\ns=y\nu=:\ne=a\ne=b\nq=1\nt=now 0\nr=1 1 0\nb=x\nz=1\nc=IN\n\n" +
		"m=audio 1 udp x\ni=a\ni=b\nk=a\nk=b\nc=IN IP4 239.1.1.1/1\nc=IN IP4 239.1.1.2/1\nt=0 0\nm=bad\n"
	d, err := sdp.Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	p, lost := pionsdp.To(d)
	var lines []string
	for _, w := range lost {
		lines = append(lines, fmt.Sprint(w.Line))
		if !strings.HasPrefix(w.Reason, "lost in pion's types: ") {
			t.Error(w)
		}
	}
	if got := strings.Join(lines, " "); got != "2 4 5 7 8 9 10 11 12 13 14 17 19 21 22 23" {
		t.Errorf("lost lines %s: %v", got, lost)
	}
	if p.SessionName != "x" || *p.EmailAddress != "a" || len(p.MediaDescriptions) != 2 {
		t.Errorf("%+v", p)
	}
	many, _ := sdp.Parse([]byte("v=0\n" + strings.Repeat("bad\n", 500)))
	if _, lost := pionsdp.To(many); len(lost) != sdp.MaxWarnings {
		t.Error(len(lost))
	}
}

func TestFromError(t *testing.T) {
	if _, err := pionsdp.From(&pion.SessionDescription{SessionName: pion.SessionName(strings.Repeat("x", sdp.MaxSize))}); err == nil {
		t.Error("no error")
	}
}

// Whatever parses converts, and comes back with the same channels if nothing was lost.
func FuzzTo(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=TV\nt=0 0\nm=video 1234 udp mpeg\nc=IN IP4 239.1.1.1/16/2\na=source-filter: incl IN IP4 * 1.1.1.1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := sdp.Parse(b)
		if err != nil {
			return
		}
		p, lost := pionsdp.To(d)
		back, err := pionsdp.From(p)
		if err != nil || len(lost) > 0 || len(d.Warnings()) > 0 {
			return
		}
		if got, want := fmt.Sprint(back.Channels()), fmt.Sprint(d.Channels()); got != want {
			t.Fatalf("%s became %s\n%s\n%s", want, got, d, back)
		}
	})
}
