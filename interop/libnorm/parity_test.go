package libnorm_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/fec/rs"
)

var update = flag.Bool("update", false, "write rmt/fec/rs/testdata/libnorm.txt from what libnorm sends")

const (
	group = "239.255.7.7"
	port  = 6003

	captureEnv = "MULTICAST_TEST_CAPTURE" // makes the test binary a capture process
)

func TestMain(m *testing.M) {
	if os.Getenv(captureEnv) != "" {
		if err := capture(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// capture joins the group on lo and writes datagrams to w, each behind its length
// in 4 bytes, for ever. It runs inside a namespace of the test's own, where lo is
// all there is. An empty one says that it listens.
func capture(w io.Writer) error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	c, err := net.ListenMulticastUDP("udp4", lo, &net.UDPAddr{IP: net.ParseIP(group), Port: port})
	if err != nil {
		return err
	}
	if err := c.SetReadBuffer(4 << 20); err != nil {
		return err
	}
	if _, err := w.Write(make([]byte, 4)); err != nil {
		return err
	}
	buf := make([]byte, 4+65536)
	for {
		n, err := c.Read(buf[4:])
		if err != nil {
			return err
		}
		binary.BigEndian.PutUint32(buf, uint32(n))
		if _, err := w.Write(buf[:4+n]); err != nil {
			return err
		}
	}
}

// namespace makes a network namespace with nothing but lo in it and returns the
// command prefix that runs a program there.
func namespace(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		libnorm.Missing(t, "no ip command to make a network namespace")
	}
	name := fmt.Sprintf("mc-norm-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		libnorm.Missing(t, "cannot make a network namespace: "+strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
			t.Errorf("namespace %s stays behind: %s", name, out)
		}
	})
	for _, args := range []string{"link set lo up multicast on", "route add 239.0.0.0/8 dev lo"} {
		if out, err := exec.Command("ip", append([]string{"-n", name}, strings.Fields(args)...)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %s", args, out)
		}
	}
	return []string{"ip", "netns", "exec", name}
}

// A parityCase is one sender configuration and an object for it.
type parityCase struct {
	name                   string
	fecID                  fec.EncodingID
	block, parity, segment int
	size                   int
}

// The golden ones are small and travel to the unit test of rs.
var cases = []parityCase{
	{"full blocks", 5, 64, 16, 1400, 3 * 64 * 1400},
	{"220 symbols, 4 blocks of 55, short last symbol", 5, 64, 16, 1400, 219*1400 + 600},
	{"small code", 5, 8, 2, 1400, 100_000},
	{"id 129", 129, 64, 16, 1400, 219*1400 + 600},
	{"id 129 full blocks", 129, 64, 16, 1400, 2 * 64 * 1400},
	{"more parity than source", 5, 20, 200, 500, 61*500 + 1},
	{"at the limit of 255", 5, 200, 55, 100, 333 * 100},
	{"one short symbol", 5, 64, 16, 1400, 123},
	{"id 2", 2, 64, 16, 1400, 219*1400 + 600},
	// Beyond 255 symbols libnorm goes over to GF(2^16).
	{"id 2, 2^16", 2, 300, 100, 500, 3 * 300 * 500},
	{"id 2, 2^16, shortened", 2, 300, 100, 500, 409*500 + 37},
	{"id 2, 2^16, as few as can be", 2, 200, 56, 100, 333 * 100},
	{"id 2, 2^16, many", 2, 1000, 150, 64, 900 * 64},

	{"golden full", 5, 64, 16, 16, 64 * 16},
	{"golden short", 5, 64, 16, 16, 109*16 + 7},
	{"golden small", 5, 8, 2, 16, 20 * 16},
	{"golden 129", 129, 32, 8, 16, 45 * 16},
	{"golden wide", 5, 20, 200, 16, 31 * 16},
	{"golden limit", 5, 230, 25, 16, 229 * 16},
}

// object is the content every case sends: bytes of a linear congruential
// generator, so that the golden file need not hold them.
func object(size int) []byte {
	b := make([]byte, size)
	x := uint32(size)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// A symbol is one NORM_DATA message of interest (RFC 5740 section 4.2.1).
type symbol struct {
	id      fec.PayloadID
	payload []byte
}

// parse takes a NORM_DATA message apart by the RFC, without the package that the
// module has for it, which is not what is under test.
func parse(msg []byte, oti *fec.OTI) (symbol, bool) {
	const data, base = 2, 16 // NORM_DATA, length of the fields before the payload ID
	if len(msg) < base || msg[0] != 1<<4|data || fec.EncodingID(msg[13]) != oti.EncodingID {
		return symbol{}, false
	}
	format, err := oti.PayloadIDFormat()
	if err != nil {
		return symbol{}, false
	}
	id, err := format.Parse(msg[base:])
	header := int(msg[1]) * 4
	if err != nil || header > len(msg) {
		return symbol{}, false
	}
	return symbol{id, msg[header:]}, true
}

// TestParity has libnorm send objects with all their parity and no receiver, and
// compares every parity symbol on the wire with that of package rs.
func TestParity(t *testing.T) {
	libnorm.Build(t)
	ns := namespace(t)

	var golden bytes.Buffer
	version := ""
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			oti := fec.OTI{EncodingID: tt.fecID, TransferLength: uint64(tt.size), SymbolSize: uint16(tt.segment),
				MaxBlockLen: uint32(tt.block), Parity: uint32(tt.parity)}
			if tt.block+tt.parity > 255 {
				oti.M = 16
			}
			if err := oti.Validate(); err != nil {
				t.Fatal(err)
			}
			content := object(tt.size)
			var symbols []symbol
			symbols, version = transmit(t, ns, tt, &oti, content)
			checkParity(t, &oti, content, symbols)
			if strings.HasPrefix(tt.name, "golden") {
				fmt.Fprintf(&golden, "object %d %d %d %d %d\n", tt.fecID, tt.block, tt.parity, tt.segment, tt.size)
				for _, s := range symbols {
					if p, _ := oti.Partition(); int(s.id.ESI) >= p.BlockLen(s.id.SBN) {
						fmt.Fprintf(&golden, "%d %d %s\n", s.id.SBN, s.id.ESI, hex.EncodeToString(s.payload))
					}
				}
			}
		})
	}
	if *update && !t.Failed() {
		head := fmt.Sprintf(`# Parity symbols as NRL's libnorm put them on the wire (NormGetVersion: %s,
# %s). Written by the test of package interop/libnorm,
# go test -run TestParity -update
#
# object FEC-ID B PARITY SEGMENT SIZE starts an object; its bytes are the top
# bytes of x = x*1664525 + 1013904223 mod 2^32, from x = SIZE. Then a line for
# each parity symbol: block, encoding symbol ID, bytes.
`, version, packageVersion())
		path := filepath.Join("..", "..", "rmt", "fec", "rs", "testdata", "libnorm.txt")
		if err := os.WriteFile(path, append([]byte(head), golden.Bytes()...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func packageVersion() string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "Debian ${Package} ${Version} ${Architecture}", "libnorm1t64").Output()
	if err != nil {
		if out, err = exec.Command("dpkg-query", "-W", "-f", "Debian ${Package} ${Version} ${Architecture}", "libnorm1").Output(); err != nil {
			return "package unknown"
		}
	}
	return string(out)
}

// transmit runs libnorm over one object and returns the symbols seen.
func transmit(t *testing.T, ns []string, tt parityCase, oti *fec.OTI, content []byte) ([]symbol, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "object")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	listener := exec.Command(ns[0], append(ns[1:len(ns):len(ns)], os.Args[0])...)
	listener.Env = append(os.Environ(), captureEnv+"=1")
	listener.Stderr = os.Stderr
	out, err := listener.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	defer listener.Wait()
	defer listener.Process.Kill()
	in := bufio.NewReaderSize(out, 1<<20)
	if _, err := io.ReadFull(in, make([]byte, 4)); err != nil {
		t.Fatal("the capture did not start: ", err)
	}

	args := strings.Fields(fmt.Sprintf("send --group=%s --port=%d --iface=lo --fec=%d --segment=%d --block=%d --parity=%d --auto=%d --rate=50e6 --robust=1 --grtt=0.001 --seconds=30",
		group, port, tt.fecID, tt.segment, tt.block, tt.parity, tt.parity))
	peer := libnorm.Start(t, ns, append(args, "file:"+path)...)

	p, err := oti.Partition()
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for sbn := range uint32(p.Blocks()) {
		want += p.BlockLen(sbn) + tt.parity
	}
	type result struct {
		symbols []symbol
		err     error
	}
	collected := make(chan result, 1)
	go func() {
		var r result
		for len(r.symbols) < want && r.err == nil {
			var head [4]byte
			if _, r.err = io.ReadFull(in, head[:]); r.err != nil {
				break
			}
			msg := make([]byte, binary.BigEndian.Uint32(head[:]))
			if _, r.err = io.ReadFull(in, msg); r.err != nil {
				break
			}
			if s, ok := parse(msg, oti); ok {
				r.symbols = append(r.symbols, s)
			}
		}
		collected <- r
	}()
	version := peer.Expect(t, "VERSION", 10*time.Second)
	select {
	case r := <-collected:
		if r.err != nil {
			t.Fatalf("after %d of %d symbols: %v", len(r.symbols), want, r.err)
		}
		return r.symbols, version
	case <-time.After(30 * time.Second):
		listener.Process.Kill()
		t.Fatalf("%d of %d symbols in 30 s; the peer said %q", len((<-collected).symbols), want, peer.Said())
	}
	return nil, ""
}

// checkParity compares source symbols with the object and parity symbols with
// those of rs.
func checkParity(t *testing.T, oti *fec.OTI, content []byte, symbols []symbol) {
	t.Helper()
	scheme, err := fec.Lookup(oti.EncodingID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := oti.Partition()
	if err != nil {
		t.Fatal(err)
	}
	sources, parities, seen := 0, 0, map[fec.PayloadID]bool{}
	for _, s := range symbols {
		if seen[s.id] {
			t.Fatalf("%+v came twice", s.id)
		}
		seen[s.id] = true
		sbn, esi, k := s.id.SBN, int(s.id.ESI), p.BlockLen(s.id.SBN)
		if k == 0 || esi >= k+int(oti.Parity) {
			t.Fatalf("%+v is outside the object", s.id)
		}
		if oti.EncodingID == fec.SmallBlockSystematic && int(s.id.SourceBlockLen) != k {
			t.Fatalf("%+v names a block length, it is %d", s.id, k)
		}
		src := make([][]byte, k)
		for i := range src {
			from := p.Offset(sbn) + int64(i*p.SymbolSize())
			src[i] = content[from : from+int64(p.SymbolBytes(sbn, i))]
		}
		if esi < k {
			if !bytes.Equal(s.payload, src[esi]) {
				t.Fatalf("source symbol %+v differs", s.id)
			}
			sources++
			continue
		}
		code, err := scheme.NewCode(oti, k)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, oti.SymbolSize)
		code.Encode(want, src, esi-k)
		// libnorm sends parity as long as the block's longest source symbol.
		n := len(s.payload)
		if n != len(src[0]) || !bytes.Equal(s.payload, want[:n]) || len(bytes.Trim(want[n:], "\x00")) > 0 {
			t.Fatalf("parity symbol %+v of block of %d differs:\nlibnorm % x\nrs      % x", s.id, k, s.payload, want)
		}
		parities++
	}
	if want := int(p.Blocks()) * int(oti.Parity); parities != want {
		t.Fatalf("%d parity symbols compared, want %d", parities, want)
	}
	t.Logf("%d blocks: %d parity symbols of libnorm equal ours, beside %d source symbols", p.Blocks(), parities, sources)
	otherProfiles(t, oti, content, symbols)
}

// otherProfiles makes sure that the comparison can fail: no other profile makes
// the same parity.
func otherProfiles(t *testing.T, oti *fec.OTI, content []byte, symbols []symbol) {
	t.Helper()
	p, _ := oti.Partition()
	k := p.BlockLen(0)
	if k == 1 {
		return
	}
	src := make([][]byte, k)
	for i := range src {
		src[i] = content[i*p.SymbolSize():][:p.SymbolBytes(0, i)]
	}
	for _, profile := range []rs.Profile{rs.RFC5510, rs.Backblaze, {Matrix: rs.Rizzo, Shortening: rs.Fresh}} {
		var code fec.Code
		var err error
		if oti.M != 16 {
			code, err = rs.New(profile, int(oti.MaxBlockLen), int(oti.Parity), k)
		} else if profile != rs.Backblaze { // which is of GF(2^8) only
			code, err = rs.New16(profile, int(oti.MaxBlockLen), int(oti.Parity), k)
		} else {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for _, s := range symbols {
			if j := int(s.id.ESI) - k; s.id.SBN == 0 && j >= 0 {
				want := make([]byte, oti.SymbolSize)
				code.Encode(want, src, j)
				if bytes.Equal(s.payload, want) {
					same++
				}
			}
		}
		full := k == int(oti.MaxBlockLen) && profile.Matrix == rs.Rizzo // then it is the same code
		if full != (same == int(oti.Parity)) {
			t.Errorf("profile %v: %d of %d parity symbols equal", profile, same, oti.Parity)
		}
	}
}
