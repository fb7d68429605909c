package mcast

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// route makes one rtnetlink message.
func route(typ, flags uint16, seq uint32, body []byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	b = append(b, body...)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], flags)
	binary.NativeEndian.PutUint32(b[8:], seq)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func linkBody(family byte, index, flags uint32, name string) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	b[0] = family
	binary.NativeEndian.PutUint32(b[4:], index)
	binary.NativeEndian.PutUint32(b[8:], flags)
	b = netlinkAttr(b, unix.IFLA_IFNAME, append([]byte(name), 0))
	b = netlinkAttr(b, unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 1})
	mtu := make([]byte, 4)
	binary.NativeEndian.PutUint32(mtu, 1500)
	return netlinkAttr(b, unix.IFLA_MTU, mtu)
}

func addrBody(index uint32, attrs ...any) []byte {
	b := make([]byte, unix.SizeofIfAddrmsg)
	binary.NativeEndian.PutUint32(b[4:], index)
	for i := 0; i < len(attrs); i += 2 {
		b = netlinkAttr(b, uint16(attrs[i].(int)), netip.MustParseAddr(attrs[i+1].(string)).AsSlice())
	}
	return b
}

func TestParseChanges(t *testing.T) {
	up := uint32(unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_MULTICAST)
	b := slices.Concat(
		route(unix.RTM_NEWLINK, 0, 0, linkBody(0, 7, up, "va")),
		route(unix.RTM_DELLINK, 0, 0, linkBody(unix.AF_BRIDGE, 7, up, "va")), // left a bridge
		route(unix.RTM_NEWROUTE, 0, 0, make([]byte, 30)),
		route(unix.RTM_NEWADDR, 0, 0, addrBody(7, unix.IFA_ADDRESS, "10.0.0.9", unix.IFA_LOCAL, "10.0.0.1")),
		route(unix.RTM_NEWADDR, 0, 0, addrBody(7, unix.IFA_LOCAL, "10.0.0.1", unix.IFA_ADDRESS, "10.0.0.9")),
		route(unix.RTM_DELADDR, 0, 0, addrBody(7, unix.IFA_ADDRESS, "fd00::1")),
		route(unix.RTM_NEWADDR, 0, 0, addrBody(7)), // no address
		route(unix.RTM_NEWLINK, unix.NLM_F_MULTI, 5, linkBody(0, 8, 0, "vb")),
		route(unix.RTM_DELLINK, 0, 0, linkBody(0, 7, 0, "va")),
		route(unix.NLMSG_DONE, unix.NLM_F_MULTI, 5, make([]byte, 4)),
	)
	r := parseChanges(b, 5)
	local := netip.MustParseAddr("10.0.0.1")
	want := []linkEvent{
		{kind: linkSet, index: 7, name: "va", flags: net.FlagUp | net.FlagRunning | net.FlagMulticast, mtu: 1500},
		{kind: addrSet, index: 7, addr: local}, {kind: addrSet, index: 7, addr: local},
		{kind: addrGone, index: 7, addr: netip.MustParseAddr("fd00::1")},
		{kind: linkGone, index: 7},
	}
	same := func(a, b linkEvent) bool {
		a.mac = nil
		return a.kind == b.kind && a.index == b.index && a.name == b.name && a.flags == b.flags && a.mtu == b.mtu && a.addr == b.addr
	}
	if !slices.EqualFunc(r.events, want, same) || r.events[0].mac.String() != "02:00:00:00:00:01" {
		t.Errorf("events %+v", r.events)
	}
	if len(r.answers) != 1 || r.answers[0].name != "vb" || !r.done || r.broken {
		t.Errorf("answers %+v, done %v, broken %v", r.answers, r.done, r.broken)
	}
	for i := range b {
		if got := parseChanges(b[:i], 5); len(got.events) > len(r.events) {
			t.Fatalf("%d bytes give %d events", i, len(got.events))
		}
	}
	if r := parseChanges(route(unix.NLMSG_ERROR, 0, 5, make([]byte, 20)), 5); !r.done || !r.broken {
		t.Error("an error does not end the list")
	}
	if r := parseChanges(route(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, 5, make([]byte, 4)), 5); !r.broken {
		t.Error("an interrupted list counts as good")
	}
}

func FuzzParseChanges(f *testing.F) {
	f.Add(route(unix.RTM_NEWLINK, 0, 0, linkBody(0, 7, 1, "va")))
	f.Add(route(unix.RTM_NEWADDR, 0, 0, addrBody(7, unix.IFA_LOCAL, "10.0.0.1")))
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := parseChanges(b, 1)
		for _, e := range append(r.events, r.answers...) {
			if e.index <= 0 || e.kind == linkSet && e.name == "" || (e.kind == addrSet || e.kind == addrGone) && !e.addr.IsValid() {
				t.Errorf("%+v", e)
			}
		}
		if len(r.events)+len(r.answers) > len(b)/unix.NLMSG_HDRLEN {
			t.Error("more events than messages")
		}
	})
}

// The socket of this system lists what package net lists, after the watch overflowed
// too.
func TestNetlinkWatchLists(t *testing.T) {
	w, err := newNetlinkWatch(true)
	if err != nil {
		t.Skipf("no rtnetlink: %v", err)
	}
	defer w.close()
	c, err := w.next()
	if err != nil || !c.all {
		t.Fatalf("%+v, %v", c, err)
	}
	var names []string
	for _, e := range c.events {
		if e.kind == linkSet {
			names = append(names, e.name)
		}
	}
	ifis, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range ifis {
		if !slices.Contains(names, ifi.Name) {
			t.Errorf("%s is not listed in %v", ifi.Name, names)
		}
	}
	if !slices.ContainsFunc(c.events, func(e linkEvent) bool { return e.kind == addrSet && e.addr == netip.MustParseAddr("127.0.0.1") }) {
		t.Error("127.0.0.1 is not listed")
	}
	// Closing wakes it.
	done := make(chan error)
	go func() {
		for {
			if _, err := w.next(); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(10 * time.Millisecond)
	w.close()
	select {
	case err := <-done:
		if err != net.ErrClosed {
			t.Errorf("after close: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("close does not wake the watcher")
	}
}

// A queue of events too small for what happens overflows; then everything is listed.
func TestLabNetlinkOverflow(t *testing.T) {
	n := newNS(t)
	var w *netlinkWatch
	n.do(t, func() {
		var err error
		if w, err = newNetlinkWatch(true); err != nil {
			t.Error(err)
		}
	})
	defer w.close()
	if c, err := w.next(); err != nil || !c.all {
		t.Fatalf("%+v, %v", c, err)
	}
	w.h.control(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1) })
	for range 4 {
		n.ip(t, "link add va type veth peer name vb")
		n.ip(t, "link del va")
	}
	n.ip(t, "link add vz type veth peer name vb")
	for {
		c, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		if !c.all {
			continue
		}
		if !slices.ContainsFunc(c.events, func(e linkEvent) bool { return e.name == "vz" }) ||
			slices.ContainsFunc(c.events, func(e linkEvent) bool { return e.name == "va" }) {
			t.Errorf("the list is %+v", c.events)
		}
		return
	}
}
