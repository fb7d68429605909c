package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

var t0 = time.Unix(1_700_000_000, 123_456_789)

// all reads a capture to its end.
func all(b []byte) (packets []Packet, err error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	for {
		var p Packet
		if err := r.Next(&p); err != nil {
			if err == io.EOF {
				err = nil
			}
			return packets, err
		}
		p.Data = bytes.Clone(p.Data)
		packets = append(packets, p)
	}
}

func TestWriteRead(t *testing.T) {
	var buf bytes.Buffer
	w, err := NewWriter(&buf, LinkRaw)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []string{"one", "", "three"} {
		if err := w.Write(t0.Add(time.Duration(i)), []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := all(buf.Bytes())
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	for i, s := range []string{"one", "", "three"} {
		p := got[i]
		if string(p.Data) != s || p.Len != len(s) || p.Link != LinkRaw || !p.Time.Equal(t0.Add(time.Duration(i))) {
			t.Errorf("%+v", p)
		}
	}
	if err := w.Write(time.Unix(-1, 0), nil); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	if err := w.Write(t0, make([]byte, MaxPacket+1)); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	whole := buf.Bytes()
	ends := map[int]bool{24: true, 24 + 19: true, 24 + 19 + 16: true, len(whole): true}
	for n := range len(whole) + 1 {
		_, err := all(whole[:n])
		switch {
		case ends[n] != (err == nil):
			t.Errorf("%d bytes: %v", n, err)
		case n > 4 && err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := failing(w); err == nil {
		t.Error("errors of the file are lost")
	}
}

type badFile struct{}

func (badFile) Write([]byte) (int, error) { return 0, errors.New("full") }

func failing(w *Writer) error {
	if _, err := NewWriter(badFile{}, LinkRaw); err == nil {
		return nil
	}
	w.w = badFile{}
	return w.Write(t0, nil)
}

// The four classic formats.
func TestClassic(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{magicMicros, magicNanos} {
			b := order.AppendUint32(nil, magic)
			b = order.AppendUint32(b, 0)
			b = order.AppendUint64(b, 0)
			b = order.AppendUint32(b, 65535)
			b = order.AppendUint32(b, 0xf4000001) // with a frame check sequence
			b = order.AppendUint32(b, 1_700_000_000)
			b = order.AppendUint32(b, 123_000)
			b = order.AppendUint32(b, 2)
			b = order.AppendUint32(b, 60)
			got, err := all(append(b, 'a', 'b'))
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			want := time.Unix(1_700_000_000, 123_000_000)
			if magic == magicNanos {
				want = time.Unix(1_700_000_000, 123_000)
			}
			if p := got[0]; p.Link != LinkEthernet || p.Len != 60 || string(p.Data) != "ab" || !p.Time.Equal(want) {
				t.Errorf("%+v", p)
			}
		}
	}
	big := binary.LittleEndian.AppendUint32(nil, magicMicros)
	big = append(big, make([]byte, 20+8)...)
	big = binary.LittleEndian.AppendUint32(big, MaxPacket+1)
	if _, err := all(append(big, make([]byte, 4)...)); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	for _, s := range []string{"", "abc", "no capture, but 24 bytes"} {
		if _, err := all([]byte(s)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// block makes a pcapng block.
func block(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
	n := uint32(12 + (len(body)+3)&^3)
	b := order.AppendUint32(nil, kind)
	b = order.AppendUint32(b, n)
	b = append(b, body...)
	b = append(b, make([]byte, int(n)-4-len(b))...)
	return order.AppendUint32(b, n)
}

type words struct {
	order binary.AppendByteOrder
	b     []byte
}

func (w words) u16(v ...uint16) words {
	for _, v := range v {
		w.b = w.order.AppendUint16(w.b, v)
	}
	return w
}

func (w words) u32(v ...uint32) words {
	for _, v := range v {
		w.b = w.order.AppendUint32(w.b, v)
	}
	return w
}

// ngFile is a section with three interfaces and a packet of each kind.
func ngFile(order binary.AppendByteOrder) []byte {
	w := words{order: order}
	b := block(order, blockSection, w.u32(orderMagic).u16(1, 0).u32(0xffffffff, 0xffffffff).b)
	b = append(b, block(order, blockInterface, w.u16(1, 0).u32(3).b)...) // microseconds, 3 bytes each
	nanos := w.u16(101, 0).u32(0).u16(2, 3)
	nanos.b = append(nanos.b, 'e', 't', 'h', 0)
	nanos = nanos.u16(9, 1)
	nanos.b = append(nanos.b, 9, 0, 0, 0)
	nanos = nanos.u16(14, 8)
	nanos.b = w.order.AppendUint64(nanos.b, 100)
	b = append(b, block(order, blockInterface, nanos.u16(0, 0).b)...)
	binaryUnits := w.u16(1, 0).u32(0).u16(9, 1)
	binaryUnits.b = append(binaryUnits.b, 0x80|10, 0, 0, 0)
	b = append(b, block(order, blockInterface, binaryUnits.b)...)

	const micros = 1_700_000_000_123_456
	b = append(b, block(order, blockEnhanced, append(w.u32(0, micros>>32, micros&0xffffffff, 2, 60).b, "ab"...))...)
	const ns = 1_700_000_000_123_456_789
	b = append(b, block(order, 0x0bad, []byte("custom"))...)
	b = append(b, block(order, blockEnhanced, append(w.u32(1, ns>>32, ns&0xffffffff, 3, 3).b, "abc"...))...)
	b = append(b, block(order, blockEnhanced, append(w.u32(2, 0, 1024+512, 1, 1).b, 'a'))...)
	b = append(b, block(order, blockSimple, append(w.u32(9).b, "abc"...))...)
	b = append(b, block(order, blockPacket, append(w.u16(1, 0).u32(0, 5, 1, 1).b, 'x'))...)
	return b
}

func TestNG(t *testing.T) {
	two := append(ngFile(binary.LittleEndian), ngFile(binary.BigEndian)...)
	got, err := all(two)
	if err != nil || len(got) != 10 {
		t.Fatal(len(got), err)
	}
	for i, want := range []string{
		"1 ab 60 0 1700000000.123456000",
		"101 abc 3 1 1700000100.123456789",
		"1 a 1 2 1.500000000",
		"1 abc 9 0 zero",
		"101 x 1 1 100.000000005",
	} {
		for _, p := range []Packet{got[i], got[i+5]} {
			at := fmt.Sprintf("%d.%09d", p.Time.Unix(), p.Time.Nanosecond())
			if p.Time.IsZero() {
				at = "zero"
			}
			if s := fmt.Sprint(p.Link, " ", string(p.Data), " ", p.Len, " ", p.Interface, " ", at); s != want {
				t.Errorf("%q, want %q", s, want)
			}
		}
	}
	one := ngFile(binary.LittleEndian)
	full, _ := all(one)
	for n := range one {
		got, err := all(one[:n])
		if len(got) > len(full) || err == nil && n%4 != 0 {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestNGDamaged(t *testing.T) {
	le := binary.LittleEndian
	w := words{order: le}
	head := block(le, blockSection, w.u32(orderMagic).u16(1, 0).u32(0xffffffff, 0xffffffff).b)
	eth := block(le, blockInterface, w.u16(1, 0).u32(0).b)
	cat := func(bb ...[]byte) []byte { return bytes.Join(bb, nil) }
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"no such interface":    {cat(head, block(le, blockEnhanced, w.u32(0, 0, 0, 0, 0).b)), ErrFormat},
		"simple, no interface": {cat(head, block(le, blockSimple, w.u32(0).b)), ErrFormat},
		"longer than block":    {cat(head, eth, block(le, blockEnhanced, w.u32(0, 0, 0, 5, 5).b)), ErrFormat},
		"short packet block":   {cat(head, eth, block(le, blockEnhanced, w.u32(0).b)), ErrFormat},
		"short interface":      {cat(head, block(le, blockInterface, w.u32(0).b)), ErrFormat},
		"tiny block":           {cat(head, w.u32(77, 8).b), ErrFormat},
		"odd block":            {cat(head, w.u32(77, 13).b), ErrFormat},
		"two lengths":          {cat(head, w.u32(77, 12, 16).b), ErrFormat},
		"byte order":           {block(le, blockSection, w.u32(1, 2, 3, 4).b), ErrFormat},
		"short section":        {w.u32(blockSection, 16, orderMagic, 0, 0, 0).b, ErrFormat},
		"big packet":           {cat(head, eth, w.u32(blockEnhanced, MaxPacket+36, 0, 0, 0, MaxPacket+1, 0).b), ErrTooBig},
		"interfaces":           {cat(head, bytes.Repeat(eth, MaxInterfaces+1)), ErrTooBig},
		"endless block":        {cat(head, w.u32(77, 0xfffffffc).b), io.ErrUnexpectedEOF},
	} {
		if _, err := all(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if got, err := all(cat(head, bytes.Repeat(eth, MaxInterfaces))); err != nil || got != nil {
		t.Error(got, err)
	}
	for resolution, want := range map[byte]uint64{0: 1, 6: 1e6, 9: 1e9, 19: 1e19, 20: 0, 0x80: 1, 0xbf: 1 << 63, 0xc0: 0} {
		if got := unitsOf(resolution); got != want {
			t.Errorf("resolution %#x: %d", resolution, got)
		}
	}
	for _, units := range []uint64{0, 1, 3, 1e6, 1e19, 1 << 63} {
		_ = iface{units: units}.time(^uint64(0))
	}
}

// Reading and taking apart allocate nothing per packet.
func TestAllocs(t *testing.T) {
	var classic bytes.Buffer
	w, _ := NewWriter(&classic, LinkEthernet)
	le := words{order: binary.LittleEndian}
	frame := unhex(frames[0].hex)
	ng := append(block(le.order, blockSection, le.u32(orderMagic).u16(1, 0).u32(0, 0).b), block(le.order, blockInterface, le.u16(1, 0).u32(0).b)...)
	n := uint32(len(frame))
	for range 300 {
		_ = w.Write(t0, frame)
		ng = append(ng, block(le.order, blockEnhanced, append(le.u32(0, 0, 0, n, n).b, frame...))...)
		ng = append(ng, block(le.order, 0x0bad, make([]byte, 5))...)
	}
	for _, file := range [][]byte{classic.Bytes(), ng} {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		var f Frame
		if n := testing.AllocsPerRun(200, func() {
			if err := r.Next(&p); err != nil {
				t.Fatal(err)
			}
			if err := Decode(p.Link, p.Data, &f); err != nil {
				t.Fatal(err)
			}
			if _, _, _, ok := f.UDP(); !ok {
				t.Fatal("no UDP")
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// FuzzReader reads anything as a capture and takes apart what it finds.
func FuzzReader(f *testing.F) {
	f.Add(ngFile(binary.LittleEndian))
	f.Add(ngFile(binary.BigEndian))
	var buf bytes.Buffer
	w, _ := NewWriter(&buf, LinkEthernet)
	for _, frame := range frames {
		_ = w.Write(t0, unhex(frame.hex))
	}
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		var p Packet
		var fr Frame
		for n := 0; r.Next(&p) == nil; n++ {
			if len(p.Data) > MaxPacket || n > len(b) {
				t.Fatal(len(p.Data), n)
			}
			if Decode(p.Link, p.Data, &fr) == nil {
				fr.UDP()
			}
		}
	})
}
