package norm

import (
	"sync"
	"testing"
	"time"
)

// Receivers that begin in one directory at once all have their lock in the end: the files of
// one without are taken for those of a dead one.
func TestScratchAtOnce(t *testing.T) {
	root, _ := newRoot(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				s := newScratch(root, time.Hour, time.Now())
				if s.lock == nil {
					t.Error("no lock")
				}
				s.close()
			}
		})
	}
	wg.Wait()
	if s := (&scratch{root: root}); len(s.names()) > 0 {
		t.Errorf("left behind: %v", s.names())
	}
}
