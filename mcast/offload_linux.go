package mcast

import "golang.org/x/sys/unix"

// probeOffload finds out whether the kernel can segment (since 4.18) and coalesce.
// The latter is used where it can also be read back, which is since 5.12.
func probeOffload(fd int, mode offloadMode) (send, receive bool) {
	if mode == offloadOff {
		return false, false
	}
	if _, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT); err == nil {
		send = mode == offloadOn || !corruptsSegments(kernelVersion())
	}
	if unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) == nil {
		on, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO)
		receive = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 0) == nil && err == nil && on == 1
	}
	return send, receive
}

// corruptsSegments names the kernels that damage UDP headers when all segments of
// a send are equally long and the network card takes part, and that give no sign
// of it: 7.0 to 7.1.4.
func corruptsSegments(major, minor, patch int) bool {
	return major == 7 && (minor == 0 || minor == 1 && patch < 5)
}

func kernelVersion() (major, minor, patch int) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0, 0, 0
	}
	return parseVersion(unix.ByteSliceToString(u.Release[:]))
}

// parseVersion reads the numbers at the start of "6.1.0-42-amd64".
func parseVersion(s string) (major, minor, patch int) {
	n := [3]int{}
	i := 0
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9' && n[i] < 1e6:
			n[i] = n[i]*10 + int(c-'0')
		case c == '.' && i < 2:
			i++
		default:
			return n[0], n[1], n[2]
		}
	}
	return n[0], n[1], n[2]
}
