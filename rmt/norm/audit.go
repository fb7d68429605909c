package norm

import (
	"crypto/sha256"
	"hash"
	"io"
	"os"
	"sync"
)

// An audit reads files that are there already, on a goroutine of its own, for that may
// take long: partial files against their journals, whole ones against a digest.
type audit struct {
	root *os.Root
	done chan struct{}

	mu     sync.Mutex
	wake   sync.Cond
	tasks  []func()
	closed bool
}

// maxTasks bounds what waits to be read. Who finds no room receives the file anew.
const maxTasks = 256

func newAudit(root *os.Root) *audit {
	a := &audit{root: root, done: make(chan struct{})}
	a.wake.L = &a.mu
	go a.run()
	return a
}

func (a *audit) run() {
	defer close(a.done)
	for {
		a.mu.Lock()
		for len(a.tasks) == 0 && !a.closed {
			a.wake.Wait()
		}
		if a.closed {
			a.mu.Unlock()
			return
		}
		task := a.tasks[0]
		a.tasks = a.tasks[1:]
		a.mu.Unlock()
		task()
	}
}

func (a *audit) add(task func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || len(a.tasks) >= maxTasks {
		return false
	}
	a.tasks = append(a.tasks, task)
	a.wake.Signal()
	return true
}

func (a *audit) stopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

func (a *audit) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.wake.Signal()
	<-a.done
}

// A verification is what a journal says of a file, as far as it is true.
type verification struct {
	have    spans
	records []record
	sum     hash.Hash // of the first summed bytes
	summed  int64
}

// verify compares the journal of that name with the file. Without one nothing is true.
func (a *audit) verify(name string, file io.ReaderAt) *verification {
	v := &verification{sum: sha256.New()}
	journal, err := a.root.Open(name)
	if err != nil {
		return v
	}
	defer journal.Close()
	verified(journal, file, func(r record, data []byte) bool {
		v.have.add(r.off, r.off+int64(r.n))
		v.records = append(v.records, r)
		if r.off == v.summed {
			v.sum.Write(data)
			v.summed += int64(r.n)
		}
		return !a.stopped()
	})
	return v
}

// present reports whether there is a regular file of that size and digest.
func (a *audit) present(local string, k *fileKey) bool {
	if st, err := a.root.Lstat(local); err != nil || !st.Mode().IsRegular() || st.Size() != k.size {
		return false
	}
	f, err := a.root.Open(local)
	if err != nil {
		return false
	}
	defer f.Close()
	h, buf := sha256.New(), make([]byte, 1<<20)
	for !a.stopped() {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return [32]byte(h.Sum(nil)) == k.sum
		}
		if err != nil {
			return false
		}
	}
	return false
}
