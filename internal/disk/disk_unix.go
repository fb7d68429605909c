//go:build linux || darwin || freebsd

package disk

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

func free(dir string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	blocks, size := uint64(max(st.Bavail, 0)), uint64(st.Bsize)
	if size == 0 || blocks > math.MaxInt64/size {
		return math.MaxInt64, size != 0
	}
	return int64(blocks * size), true
}

func lock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
