package norm

import (
	"bytes"
	"os"
	"testing"
	"time"
)

// TestJournalLargeBlock: a block longer than a record is told of in several, which are one
// span again.
func TestJournalLargeBlock(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	content := bytes.Repeat([]byte("0123456789"), 350_000)
	j, err := createJournal(root, "j", &fileKey{name: "name", size: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	const first = 1000
	for _, p := range [][2]int{{0, first}, {first, len(content)}} {
		if err := j.add(time.Time{}, int64(p[0]), content[p[0]:p[1]]); err != nil {
			t.Fatal(err)
		}
	}
	j.close()
	f, err := root.Open("j")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var have spans
	records := 0
	if err := verified(f, bytes.NewReader(content), func(r record, _ []byte) bool {
		if r.n > recordBytes {
			t.Errorf("a record of %d bytes", r.n)
		}
		have.add(r.off, r.off+int64(r.n))
		records++
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if len(have) != 1 || have[0] != (span{0, int64(len(content))}) || records < 4 {
		t.Errorf("%v in %d records", have, records)
	}
}
