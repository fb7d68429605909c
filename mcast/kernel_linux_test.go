package mcast

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// kernelState is what the kernel lists as joined in a namespace: the oracle of the
// tests about memberships.
type kernelState struct {
	users   map[string]int    // by "interface group": sockets that joined it
	sources map[string][2]int // by "interface group source": INCLUDE, EXCLUDE
}

func (n netns) kernel(t *testing.T) (k kernelState) {
	t.Helper()
	n.do(t, func() { k = readKernel(t) })
	return k
}

// readKernel reads /proc of the thread's namespace.
func readKernel(t *testing.T) kernelState {
	k := kernelState{make(map[string]int), make(map[string][2]int)}
	dev := ""
	for _, f := range procLines(t, "igmp") {
		switch {
		case len(f) >= 4 && f[len(f)-1] != "Querier" && strings.HasPrefix(f[len(f)-1], "V"):
			dev = strings.TrimSuffix(f[1], ":")
		case len(f) >= 2 && len(f[0]) == 8:
			b, err := hex.DecodeString(f[0])
			if err != nil {
				continue
			}
			// Printed as the number that its bytes in memory make.
			var m [4]byte
			binary.NativeEndian.PutUint32(m[:], binary.BigEndian.Uint32(b))
			k.users[dev+" "+netip.AddrFrom4(m).String()], _ = strconv.Atoi(f[1])
		}
	}
	for _, f := range procLines(t, "igmp6") {
		if b, err := hex.DecodeString(f[2]); err == nil {
			k.users[f[1]+" "+netip.AddrFrom16([16]byte(b)).String()], _ = strconv.Atoi(f[3])
		}
	}
	for _, name := range []string{"mcfilter", "mcfilter6"} {
		for _, f := range procLines(t, name) {
			if f[0] == "Idx" {
				continue
			}
			inc, _ := strconv.Atoi(f[4])
			exc, _ := strconv.Atoi(f[5])
			k.sources[f[1]+" "+procAddr(f[2])+" "+procAddr(f[3])] = [2]int{inc, exc}
		}
	}
	return k
}

func procAddr(s string) string {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		return s
	}
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}

func procLines(t *testing.T, name string) (lines [][]string) {
	b, err := os.ReadFile("/proc/thread-self/net/" + name)
	if err != nil {
		t.Error(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 0 {
			lines = append(lines, f)
		}
	}
	return lines
}

// wantKernelFilter compares the kernel's list of a group's sources with a filter, on
// an interface where one socket alone joined the group. The list is complete only
// where the group joined last has sources: the kernel gives up on an interface when
// its first has none (igmp_mcf_get_first), as after the link was down, when that is
// 224.0.0.1 or a solicited-node group.
func (n netns) wantKernelFilter(t *testing.T, dev string, g netip.Addr, f group.Filter) {
	t.Helper()
	k := n.kernel(t)
	want := make(map[string][2]int)
	for _, s := range f.Sources {
		count := [2]int{1, 0}
		if f.Mode == group.Exclude {
			count = [2]int{0, 1}
		}
		want[fmt.Sprintf("%s %s %s", dev, g, s)] = count
	}
	got := make(map[string][2]int)
	for key, count := range k.sources {
		if strings.HasPrefix(key, fmt.Sprintf("%s %s ", dev, g)) && count != [2]int{} {
			got[key] = count
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the kernel's sources are %v, want %v", got, want)
	}
	if joined := k.users[dev+" "+g.String()] > 0; joined != !f.IsEmpty() {
		t.Errorf("the kernel has %s joined: %v, want %v", g, joined, !joined)
	}
}

// An eventLog collects the events of a connection.
type eventLog struct{ c chan Event }

func newEventLog() *eventLog       { return &eventLog{make(chan Event, 1000)} }
func (l *eventLog) option() Option { return OnEvent(func(e Event) { l.c <- e }) }

// wait waits for an event of a kind and returns it; others are skipped.
func (l *eventLog) wait(t *testing.T, k EventKind) Event {
	t.Helper()
	var seen []string
	for timeout := time.After(10 * time.Second); ; {
		select {
		case e := <-l.c:
			if e.Kind == k {
				return e
			}
			seen = append(seen, e.String())
		case <-timeout:
			t.Fatalf("no event %q, but %q", k, seen)
		}
	}
}

// resources counts what a leak would add to. Goroutines and descriptors of others
// that end need a moment.
func resources() (fds, goroutines int) {
	// Go's poller has descriptors of its own from its first use on.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	d, _ := os.ReadDir("/proc/self/fd")
	return len(d), runtime.NumGoroutine()
}

func wantResources(t *testing.T, fds, goroutines int) {
	t.Helper()
	var f, g int
	for range 200 {
		runtime.GC()
		if f, g = resources(); f <= fds && g <= goroutines {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d descriptors and %d goroutines, were %d and %d\n%s", f, g, fds, goroutines, buf[:runtime.Stack(buf, true)])
}

// eventually waits for something to become true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 500 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not come true", what)
}

// from is a packet sent from a given address.
func from(data string, src netip.Addr) datagram.Packet {
	return datagram.Packet{Data: []byte(data), Src: netip.AddrPortFrom(src, 0)}
}

// to is a packet to a group other than the connection's.
func to(data string, g netip.Addr, port uint16) datagram.Packet {
	return datagram.Packet{Data: []byte(data), Dst: netip.AddrPortFrom(g, port)}
}

// secondAddress gives the sender's interface its second address and returns both.
func (f family) secondAddress(t *testing.T, a netns) (first, second netip.Addr) {
	t.Helper()
	second = netip.MustParseAddr(f.second)
	if second.Is4() {
		a.ip(t, fmt.Sprintf("addr add %s/24 dev va", second))
	} else {
		a.ip(t, fmt.Sprintf("addr add %s/64 dev va nodad", second))
	}
	return f.addr(f.sender, 1), second
}
