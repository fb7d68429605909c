package norm

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"
)

// maxAccounts bounds the senders whose use of the directory is counted one by one; all
// others together count as one more.
const maxAccounts = 1 << 16

// An account is what one sender, by its address, has put into the directory or is about
// to.
type account struct {
	files int
	bytes int64
	dirs  int       // made for it
	day   time.Time // since when they count
}

// account returns the sender's account.
func (s *store) account(in *incoming) *account {
	from := in.object.key.Sender.Addr.Addr()
	a := s.accounts[from]
	if a == nil {
		if len(s.accounts) >= maxAccounts {
			from = netip.Addr{}
			a = s.accounts[from]
		}
		if a == nil {
			a = new(account)
			s.accounts[from] = a
		}
	}
	return a
}

// allow says whether a file may be begun. It counts it for its sender if so.
func (s *store) allow(in *incoming, at time.Time) error {
	c, size := &s.r.cfg, in.object.size
	if size > c.MaxFileSize {
		return fmt.Errorf("%w: %d bytes, and MaxFileSize is %d", ErrTooBig, size, c.MaxFileSize)
	}
	if s.files >= c.MaxFiles {
		return fmt.Errorf("%w: %d files are being received already, and MaxFiles is %d", ErrQuota, s.files, c.MaxFiles)
	}
	a := s.account(in)
	if c.SenderFiles > 0 && a.files >= c.SenderFiles {
		return fmt.Errorf("%w: %d files came from %v, and SenderFiles is %d", ErrQuota, a.files, in.object.key.Sender.Addr.Addr(), c.SenderFiles)
	}
	if c.SenderBytes > 0 && size > c.SenderBytes-a.bytes {
		return fmt.Errorf("%w: %d bytes came from %v, %d more are too many, and SenderBytes is %d", ErrQuota, a.bytes, in.object.key.Sender.Addr.Addr(), size, c.SenderBytes)
	}
	if in.local != "" {
		if _, err := s.newDirs(in, filepath.Dir(in.local), at); err != nil {
			return err
		}
	}
	if c.KeepFree >= 0 {
		free, ok := s.space(c.Dir)
		if free -= s.reserved + c.KeepFree; ok && size-in.there > free {
			return fmt.Errorf("%w: %d bytes in %s, and a file needs %d beside the %d of KeepFree", ErrNoSpace, max(free, 0), c.Dir, size-in.there, c.KeepFree)
		}
	}
	a.files++
	a.bytes += size
	in.counted, in.onDisk, in.reserved = true, true, size
	s.files++
	s.reserved += size
	return nil
}

// uncount takes back what allow counted for a file that did not come to be.
func (s *store) uncount(in *incoming) {
	if in.counted {
		a := s.account(in)
		a.files--
		a.bytes -= in.object.size
		in.counted = false
	}
}

// newDirs returns how many directories are missing down to dir, if the sender may make that
// many.
func (s *store) newDirs(in *incoming, dir string, at time.Time) (n int, err error) {
	a, most := s.account(in), s.r.cfg.SenderDirs
	if at.Sub(a.day) >= 24*time.Hour {
		a.dirs, a.day = 0, at
	}
	for ; dir != "."; dir = filepath.Dir(dir) {
		if _, err := s.root.Stat(dir); err == nil {
			break
		}
		// It is not looked further than may be: a name can be hundreds of directories deep.
		if n++; most >= 0 && a.dirs+n > most {
			return 0, fmt.Errorf("%w: %d directories were made for %v within a day, and SenderDirs is %d", ErrQuota, a.dirs, in.object.key.Sender.Addr.Addr(), most)
		}
	}
	return n, nil
}

// makeDirs makes a directory and those that it lies in.
func (s *store) makeDirs(in *incoming, dir string, at time.Time) error {
	n, err := s.newDirs(in, dir, at)
	if err != nil || n == 0 {
		return err
	}
	s.account(in).dirs += n
	return s.root.MkdirAll(dir, 0o755)
}
