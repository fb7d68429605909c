package mcast

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// The kernel's numbers for filter modes are the reverse of RFC 3376's record types
// and of group.FilterMode (linux/in.h).
const (
	mcastExclude = 0
	mcastInclude = 1
)

// filterHeader is the size of struct group_filter before its sources (RFC 3678
// section 5.2): interface index, padding to a word, the group's sockaddr_storage,
// mode and number of sources.
func filterHeader(word int) int { return word + storageSize + 8 }

// groupFilter is struct group_filter with the sources of f.
func groupFilter(ifindex int, g netip.Addr, f group.Filter, word int) []byte {
	h := filterHeader(word)
	b := make([]byte, h+len(f.Sources)*storageSize)
	binary.NativeEndian.PutUint32(b, uint32(ifindex))
	putStorage(b[word:], g)
	mode := uint32(mcastInclude)
	if f.Mode == group.Exclude {
		mode = mcastExclude
	}
	binary.NativeEndian.PutUint32(b[h-8:], mode)
	binary.NativeEndian.PutUint32(b[h-4:], uint32(len(f.Sources)))
	for i, s := range f.Sources {
		putStorage(b[h+i*storageSize:], s)
	}
	return b
}

// parseGroupFilter reads what the kernel wrote into a struct group_filter, and how
// many sources there are, of which it may have had room for fewer.
func parseGroupFilter(b []byte, word int) (f group.Filter, count int, ok bool) {
	h := filterHeader(word)
	if len(b) < h {
		return f, 0, false
	}
	if binary.NativeEndian.Uint32(b[h-8:]) == mcastExclude {
		f.Mode = group.Exclude
	}
	count = int(binary.NativeEndian.Uint32(b[h-4:]))
	for b = b[h:]; len(b) >= storageSize && len(f.Sources) < count; b = b[storageSize:] {
		s, ok := getStorage(b)
		if !ok {
			return f, count, false
		}
		f.Sources = append(f.Sources, s)
	}
	return f, count, true
}

// getStorage reads the address of a sockaddr_in or sockaddr_in6.
func getStorage(b []byte) (netip.Addr, bool) {
	switch {
	case len(b) >= 8 && binary.NativeEndian.Uint16(b) == unix.AF_INET:
		return netip.AddrFrom4([4]byte(b[4:8])), true
	case len(b) >= 24 && binary.NativeEndian.Uint16(b) == unix.AF_INET6:
		return netip.AddrFrom16([16]byte(b[8:24])), true
	}
	return netip.Addr{}, false
}
