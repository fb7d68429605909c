package mcast

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A report is one thing that a membership report says.
type report struct {
	group   netip.Addr
	kind    uint8 // of the record, or the message's type before IGMPv3 and MLDv2
	sources int
	leaves  bool // TO_IN {}, BLOCK, or an old leave
}

// A reportEar listens to the membership reports that arrive at an interface.
type reportEar struct {
	fd      int
	mu      sync.Mutex
	heard   []report
	stopped chan struct{}
}

// listenReports starts one on an interface of the namespace.
func (n netns) listenReports(t *testing.T, dev string) *reportEar {
	t.Helper()
	e := &reportEar{stopped: make(chan struct{})}
	n.do(t, func() {
		all := binary.BigEndian.Uint16([]byte{unix.ETH_P_ALL & 0xff, unix.ETH_P_ALL >> 8})
		ifi, err := net.InterfaceByName(dev)
		if err == nil {
			e.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
		}
		if err == nil {
			err = unix.Bind(e.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index})
		}
		if err == nil {
			err = unix.SetsockoptTimeval(e.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000})
		}
		if err != nil {
			t.Error(err)
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(e.stopped)
		b := make([]byte, 2000)
		for {
			k, from, err := unix.Recvfrom(e.fd, b, 0)
			if sa, ok := from.(*unix.SockaddrLinklayer); err == nil && ok && sa.Pkttype != unix.PACKET_OUTGOING {
				rs := parseReports(b[:k])
				e.mu.Lock()
				e.heard = append(e.heard, rs...)
				e.mu.Unlock()
			}
			select {
			case <-done:
				unix.Close(e.fd)
				return
			default:
			}
		}
	}()
	e.onStop(t, done)
	return e
}

func (e *reportEar) onStop(t *testing.T, done chan struct{}) {
	t.Cleanup(func() {
		close(done)
		<-e.stopped
	})
}

// stop waits for what is under way and returns what was heard.
func (e *reportEar) stop() []report {
	time.Sleep(50 * time.Millisecond)
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]report(nil), e.heard...)
}

// parseReports reads an IP packet.
func parseReports(b []byte) []report {
	if len(b) < 20 {
		return nil
	}
	if b[0]>>4 == 4 {
		h := int(b[0]&15) * 4
		if b[9] != unix.IPPROTO_IGMP || len(b) < h+8 {
			return nil
		}
		m := b[h:]
		switch m[0] {
		case 0x22:
			return parseRecords(m[8:], int(binary.BigEndian.Uint16(m[6:])), 4)
		case 0x12, 0x16, 0x17:
			return []report{{group: netip.AddrFrom4([4]byte(m[4:8])), kind: m[0], leaves: m[0] == 0x17}}
		}
		return nil
	}
	if len(b) < 48+8 || b[6] != 0 || b[40] != unix.IPPROTO_ICMPV6 {
		return nil
	}
	m := b[48:]
	switch {
	case m[0] == 143:
		return parseRecords(m[8:], int(binary.BigEndian.Uint16(m[6:])), 16)
	case (m[0] == 131 || m[0] == 132) && len(m) >= 24:
		return []report{{group: netip.AddrFrom16([16]byte(m[8:24])), kind: m[0], leaves: m[0] == 132}}
	}
	return nil
}

// parseRecords reads group records (RFC 3376 section 4.2.4, RFC 3810 section 5.2.5).
func parseRecords(b []byte, n, addr int) (rs []report) {
	for range n {
		if len(b) < 4+addr {
			return rs
		}
		sources := int(binary.BigEndian.Uint16(b[2:]))
		g, _ := netip.AddrFromSlice(b[4 : 4+addr])
		rs = append(rs, report{g, b[0], sources, b[0] == 6 || b[0] == 3 && sources == 0})
		b = b[min(4+addr+sources*addr+int(b[1])*4, len(b)):]
	}
	return rs
}
