package core

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A target is a receiver under attack, with an application that stores what comes.
type target struct {
	t    testing.TB
	rx   *Receiver
	now  time.Time
	open map[ObjectKey]*rxFile
	got  map[string][]byte
	bad  int

	solver Solver
	late   func() bool // says whether a block is to be solved later
	works  []*Work
}

func newTarget(t testing.TB, cfg ReceiverConfig) *target {
	t.Helper()
	a := &target{t: t, now: time.Unix(1_900_000_000, 0), open: map[ObjectKey]*rxFile{}, got: map[string][]byte{}}
	cfg.Load = func(key ObjectKey, off int64, data []byte) error {
		f := a.open[key]
		if f == nil || off+int64(len(data)) > int64(cap(f.data)) {
			return fmt.Errorf("nothing stored")
		}
		copy(data, f.data[:cap(f.data)][off:])
		return nil
	}
	rx, err := NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.rx = rx
	return a
}

// hit gives the receiver a datagram.
func (a *target) hit(src netip.AddrPort, data []byte) {
	a.rx.Handle(a.now, &datagram.Packet{Data: data, Src: src})
	a.drain()
}

// pass lets time go by.
func (a *target) pass(d time.Duration) {
	a.now = a.now.Add(d)
	a.rx.Advance(a.now)
	a.drain()
	if next := a.rx.Next(); !next.IsZero() && !next.After(a.now) {
		a.t.Fatal("the receiver is hasty")
	}
}

// solve does what was left for later.
func (a *target) solve() {
	for _, w := range a.works {
		a.solver.Solve(w)
		a.rx.Solved(a.now, w)
	}
	a.works = a.works[:0]
	a.drain()
}

func (a *target) drain() {
	for e, ok := a.rx.Event(); ok; e, ok = a.rx.Event() {
		f := a.open[e.Key]
		switch e.Type {
		case ObjectNew:
			a.open[e.Key] = &rxFile{}
			if e.Size <= 1<<20 {
				a.open[e.Key].data = make([]byte, e.Size+1<<16)[:e.Size]
			}
		case BlockReceived, BlockSpilled:
			if f != nil && e.Offset+int64(len(e.Data)) <= int64(cap(f.data)) {
				copy(f.data[:cap(f.data)][e.Offset:], e.Data)
			}
			a.rx.Release(&e)
		case BlockSolvable:
			if a.late != nil && a.late() {
				a.works = append(a.works, e.Work)
				break
			}
			a.solver.Solve(e.Work)
			a.rx.Solved(a.now, e.Work)
		case ObjectReceived:
			delete(a.open, e.Key)
			if !e.File.HasMD5 || md5.Sum(f.data) != e.File.ContentMD5 {
				a.bad++
				a.rx.Failed(a.now, e.Key, true)
				break
			}
			a.got[e.File.ContentLocation] = f.data
			a.rx.Stored(a.now, e.Key)
		case ObjectAborted:
			delete(a.open, e.Key)
		}
	}
}

// A recording is what a sender sends.
func recording(t testing.TB, cfg SenderConfig, files map[string][]byte, packets int) [][]byte {
	t.Helper()
	cfg.Rate = -1
	tx, err := NewSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_900_000_000, 0)
	for _, name := range []string{"a", "b", "c"} {
		data := files[name]
		spec := ObjectSpec{Source: bytes.NewReader(data), Size: int64(len(data)), Passes: -1}
		spec.File = fdt.File{ContentLocation: name, ContentMD5: md5.Sum(data), HasMD5: true}
		if _, err := tx.Enqueue(now, spec); err != nil {
			t.Fatal(err)
		}
	}
	var list [][]byte
	for len(list) < packets {
		now = now.Add(time.Millisecond)
		tx.Advance(now)
		p := datagram.Packet{Data: make([]byte, 0, 2048)}
		if tx.Transmit(now, &p) {
			list = append(list, p.Data)
		}
	}
	return list
}

func testFiles() map[string][]byte {
	rng := rand.New(rand.NewPCG(9, 9))
	return map[string][]byte{"a": randomBytes(rng, 60_000), "b": randomBytes(rng, 90_000), "c": randomBytes(rng, 500)}
}

// forge makes a packet of an attacker who sees the sender's, and can send under its
// address.
func forge(rng *rand.Rand, list [][]byte) []byte {
	b := append([]byte(nil), list[rng.IntN(len(list))]...)
	var p alc.Packet
	switch rng.IntN(9) {
	case 0: // bits change
		for range 1 + rng.IntN(8) {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
	case 1: // the header changes
		b[rng.IntN(min(40, len(b)))] = byte(rng.Uint32())
	case 2: // it is cut
		b = b[:rng.IntN(len(b))]
	case 3: // another symbol
		if (alc.Codec{}).Parse(b, &p) == nil {
			for i := range p.Symbols {
				p.Symbols[i] = byte(rng.Uint32())
			}
		}
	case 4: // it ends
		b[1] |= byte(1 + rng.IntN(3))
	case 5: // another FTI
		if (alc.Codec{}).Parse(b, &p) == nil {
			if c, ok := p.Extensions.Find(lct.ExtFTI); ok {
				c[rng.IntN(len(c))] = byte(rng.Uint32())
			}
		}
	case 6: // another TOI
		if len(b) > 12 {
			binary.BigEndian.PutUint16(b[10:], uint16(rng.IntN(2000)))
		}
	case 7: // another FDT Instance, of what is there or is not
		in := fdt.Instance{Expires: lct.NTPTime(time.Unix(1_900_000_000+rng.Int64N(10_000)-100, 0)).Seconds()}
		for range 1 + rng.IntN(4) {
			f := fdt.File{ContentLocation: []string{"a", "b", "c", "x", "../y"}[rng.IntN(5)], TOI: lct.TOI{Lo: uint64(1 + rng.IntN(6))}, HasMD5: true}
			f.ContentMD5[0] = byte(rng.Uint32())
			f.ContentLength, f.HasContentLength = []uint64{0, 60_000, 90_000, 500, 1 << 40, 7}[rng.IntN(6)], true
			oti := fec.OTI{EncodingID: fec.EncodingID(rng.IntN(7)), SymbolSize: uint16(rng.IntN(1500)), MaxBlockLen: uint32(rng.IntN(300)), Parity: uint32(rng.IntN(9)), Blocks: uint16(rng.IntN(3)), SubBlocks: 1, Align: 4, Seed: 1}
			f.OTI, _ = fdt.NewOTI(&oti)
			in.Files = append(in.Files, f)
		}
		xml, err := in.Append(nil, fdt.RFC6726)
		if err != nil {
			return b
		}
		oti := fec.OTI{TransferLength: uint64(len(xml)), SymbolSize: uint16(len(xml)), MaxBlockLen: 1}
		ext := lct.AppendFDT(nil, lct.FDT{Version: 2, InstanceID: uint32(rng.IntN(8))})
		at := len(ext)
		ext, _ = fec.AppendFTI(lct.BeginExtension(ext, lct.ExtFTI), &oti)
		ext, _ = lct.EndExtension(ext, at)
		p = alc.Packet{HasPayload: true, Symbols: xml, Header: lct.Header{TSI: 7, Widths: lct.Widths16, Extensions: ext}}
		b, _ = alc.Codec{}.Append(nil, &p)
	case 8: // noise behind a good beginning
		for i := min(12, len(b)); i < len(b); i++ {
			b[i] = byte(rng.Uint32())
		}
	}
	return b
}

// An attacker sends as much as the sender, under its address. What is delivered is right,
// memory stays within its bounds, and when the attacker goes everything comes.
func TestHostile(t *testing.T) {
	files := testFiles()
	for name, code := range codes {
		for seed := range uint64(12) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				list := recording(t, SenderConfig{TSI: 7, SymbolSize: 400, FEC: code, FDTInterval: 50 * time.Millisecond}, files, 4000)
				a := newTarget(t, ReceiverConfig{BufferBytes: 1 << 20, MaxObjects: 8, MaxSessions: 4, EarlyBytes: 20_000, FDTBytes: 20_000, MaxFiles: 50})
				a.late = func() bool { return rng.IntN(2) == 0 }
				other := netip.MustParseAddrPort("192.0.2.66:6003")
				for _, b := range list[:len(list)/2] {
					a.hit(senderAddr, b)
					src := senderAddr
					if rng.IntN(3) == 0 {
						src = other
					}
					a.hit(src, forge(rng, list))
					a.pass(time.Millisecond)
					if len(a.works) > 0 && rng.IntN(20) == 0 {
						a.solve()
					}
				}
				checkReceiver(t, a.rx)
				under := len(a.got)
				for round := 0; len(a.got) < 3 && round < 60; round++ {
					for _, b := range list[len(list)/2:] {
						a.hit(senderAddr, b)
						a.pass(time.Millisecond)
					}
					a.solve()
					a.pass(5 * time.Second)
				}
				checkReceiver(t, a.rx)
				for name, data := range a.got {
					if want := files[name]; !bytes.Equal(want, data) && len(data) > 0 {
						t.Errorf("%s: wrong bytes delivered", name)
					}
				}
				t.Logf("%d files under attack, %d in all, %d failed digests", under, len(a.got), a.bad)
				for name := range files {
					if a.got[name] == nil {
						t.Errorf("%s never came: %+v", name, a.rx.Stats())
					}
				}
			})
		}
	}
}

// A flood of sessions that are no sessions does not end a real one.
func TestSessionFlood(t *testing.T) {
	files := testFiles()
	list := recording(t, SenderConfig{TSI: 7}, files, 400)
	a := newTarget(t, ReceiverConfig{MaxSessions: 4})
	for i, b := range list {
		a.hit(senderAddr, b)
		for j := range 20 {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(j)}), 6003)
			a.hit(addr, list[(i+j)%len(list)])
		}
		a.pass(time.Millisecond)
	}
	checkReceiver(t, a.rx)
	if len(a.got) != 3 || a.rx.Stats().Refused == 0 {
		t.Errorf("%d files, %+v", len(a.got), a.rx.Stats())
	}
}

// FuzzReceiver gives a receiver sequences of good and changed packets. Each step of the
// input is five bytes: a packet, what to do to it, and where. Inputs are short, and only
// so many packets long, for the fuzzer to make them smaller takes a try for each pair of
// bytes.
func FuzzReceiver(f *testing.F) {
	files := testFiles()
	var list [][]byte
	for _, code := range []FEC{{NoCode: true}, {}, {Encoding: fec.ReedSolomonGF8}, {Encoding: fec.LDPCStaircase, BlockLen: 50}, {Encoding: fec.Raptor}} {
		list = append(list, recording(f, SenderConfig{TSI: 7, SymbolSize: 1000, FEC: code}, files, 120)...)
	}
	for i := range 5 {
		var all, some []byte
		for at := i * 120; at < i*120+120; at += 30 { // in order, and with a hole in each
			all = append(all, byte(at>>8), byte(at), 13, 0, 29)
			some = append(some, byte(at>>8), byte(at), 13, 0, 25, 0, 0, byte(at>>4), byte(at), 1)
		}
		f.Add(all)
		f.Add(some)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	f.Add(randomBytes(rng, 200))
	f.Fuzz(func(t *testing.T, in []byte) {
		plain := len(in)/5%2 == 1
		a := newTarget(t, ReceiverConfig{Plain: plain, BufferBytes: 1 << 18, DecoderBytes: 1 << 22, MaxObjects: 6, MaxSessions: 3, EarlyBytes: 8000, FDTBytes: 8000, MaxFiles: 20})
		for packets := 0; len(in) >= 5 && packets < 500; in = in[5:] {
			packets++
			b := append([]byte(nil), list[(int(in[0])<<8|int(in[1]))%len(list)]...)
			at := (int(in[3])*7 + int(in[2]>>4)) % len(b)
			src := senderAddr
			switch in[2] & 15 {
			case 1, 2, 3:
				b[at%48] = in[4]
			case 4:
				b[at] ^= in[4]
			case 5:
				b = b[:at]
			case 6:
				b[1] |= in[4] & 3
			case 7:
				a.pass(time.Duration(in[4]) * 100 * time.Millisecond)
			case 8:
				src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, in[4]}), 1)
			case 9:
				binary.BigEndian.PutUint16(b[10:], uint16(in[4]))
			case 10:
				binary.BigEndian.PutUint32(b[at&^3%(len(b)-4):], uint32(in[4])<<uint(in[3]&24))
			case 11:
				a.late = func() bool { return true }
			case 12:
				a.solve()
			case 13: // some more behind it, as they are
				at := int(in[0])<<8 | int(in[1])
				for i := range min(int(in[4]), 40) {
					packets++
					a.hit(src, append([]byte(nil), list[(at+1+i)%len(list)]...))
				}
			}
			a.hit(src, b)
		}
		checkReceiver(t, a.rx)
		a.late = nil
		for i := 0; i < 20 && a.rx.Stats().SessionsOpen > 0; i++ {
			a.pass(time.Hour)
		}
		checkReceiver(t, a.rx)
		a.solve() // what nobody wants any more
		if st := a.rx.Stats(); st.SessionsOpen > 0 || st.MemoryInUse != 0 || st.DecoderBytes != 0 || st.DescribedFiles != 0 || st.Solving != 0 {
			t.Fatalf("something is left: %+v", st)
		}
		checkReceiver(t, a.rx)
	})
}
