package norm

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// A store writes what a receiver's engine hands over, on a goroutine of its own, so
// that a slow disk holds up nothing but the objects it stores: the engine keeps
// within its buffers by leaving later blocks to be asked for again.
type store struct {
	r    *Receiver
	root *os.Root
	done chan struct{}

	mu     sync.Mutex
	wake   sync.Cond
	jobs   []job // bounded by the engine's buffers
	free   [][]byte
	posted bool // the owner was told of free
	closed bool
	memory int64 // of data objects, under way and waiting
	open   map[core.ObjectKey]*incoming

	// failed are objects given up here of which the engine does not know yet:
	// what it still says of them must not open them again. The store
	// goroutine's alone.
	failed map[core.ObjectKey]bool
}

// A job is one event of the engine, or the news that it knows of a failure and
// will say no more of the object.
type job struct {
	event core.ReceiverEvent
	at    time.Time
	told  bool
}

// An incoming is an object under way. Its sink is the store goroutine's alone.
type incoming struct {
	object  Object
	file    fileInfo
	isFile  bool
	sink    *sink
	charged int64 // bytes of store.memory
	got     int64 // guarded by store.mu
}

func newStore(r *Receiver, root *os.Root) *store {
	s := &store{r: r, root: root, done: make(chan struct{}), open: make(map[core.ObjectKey]*incoming), failed: make(map[core.ObjectKey]bool)}
	s.wake.L = &s.mu
	return s
}

func (s *store) put(j job) {
	s.mu.Lock()
	s.jobs = append(s.jobs, j)
	s.mu.Unlock()
	s.wake.Signal()
}

// released returns the buffers that were written since it was last called.
func (s *store) released() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.free
	s.free, s.posted = nil, false
	return free
}

// release gives a block's buffer back to the engine, by way of its owner.
func (s *store) release(b []byte) {
	s.mu.Lock()
	s.free = append(s.free, b)
	post := !s.posted
	s.posted = true
	s.mu.Unlock()
	if post {
		s.r.loop.Post(func(time.Time) {}) // the drain after it does the rest
	}
}

// taken returns the memory of a data object to the account.
func (s *store) taken(n int64) {
	s.mu.Lock()
	s.memory -= n
	s.mu.Unlock()
}

func (s *store) pending() []ObjectStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]ObjectStatus, 0, len(s.open))
	for key, in := range s.open {
		list = append(list, ObjectStatus{
			Sender: key.Sender.Node, ID: uint16(key.Object), Name: in.file.name, Size: in.object.size, Received: in.got,
		})
	}
	return list
}

func (s *store) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake.Signal()
	<-s.done
}

func (s *store) run() {
	defer close(s.done)
	var jobs []job
	for {
		s.mu.Lock()
		for len(s.jobs) == 0 && !s.closed {
			s.wake.Wait()
		}
		jobs, s.jobs = s.jobs, jobs[:0]
		closed := s.closed
		s.mu.Unlock()
		for i := range jobs {
			s.do(&jobs[i])
			jobs[i] = job{}
		}
		if closed {
			break
		}
	}
	for _, in := range s.open {
		if in.sink != nil {
			in.sink.discard()
		}
	}
	if s.root != nil {
		s.root.Close()
	}
}

func (s *store) do(j *job) {
	e := &j.event
	if j.told {
		delete(s.failed, e.Key)
		return
	}
	s.mu.Lock()
	in := s.open[e.Key]
	if in == nil && !s.failed[e.Key] && (e.Type == core.ObjectNew || e.Type == core.InfoReceived) {
		in = &incoming{file: fileInfo{size: -1}}
		in.object = Object{key: e.Key, started: j.at}
		s.open[e.Key] = in
	}
	s.mu.Unlock()
	if e.Type == core.BlockReceived {
		defer s.release(e.Data)
	}
	if in == nil {
		return // given up before
	}
	var err error
	switch e.Type {
	case core.ObjectNew:
		err = s.begin(in, e)
	case core.InfoReceived:
		s.mu.Lock()
		in.object.info, in.file = e.Data, parseFileInfo(e.Data)
		s.mu.Unlock()
	case core.BlockReceived:
		if err = s.place(in); err == nil {
			err = in.sink.write(e.Data, e.Offset)
		}
		if err == nil {
			s.mu.Lock()
			in.got += int64(len(e.Data))
			s.mu.Unlock()
		}
	case core.ObjectReceived:
		if err = s.place(in); err == nil {
			err = s.finish(in)
		}
		if err == nil {
			return
		}
	case core.ObjectAborted:
		s.giveUp(in, e.Err)
		return
	}
	if err != nil {
		key := e.Key // the job is cleared before this runs
		s.failed[key] = true
		s.r.loop.Post(func(now time.Time) {
			s.r.engine.Stored(now, key, err)
			s.put(job{event: core.ReceiverEvent{Key: key}, told: true})
		})
		s.giveUp(in, err)
	}
}

// begin notes what an object is and sets memory aside for it.
func (s *store) begin(in *incoming, e *core.ReceiverEvent) (err error) {
	s.mu.Lock()
	in.object.size, in.isFile = e.Size, e.File
	inMemory := !e.File || s.root == nil
	if inMemory {
		if s.memory+e.Size > s.r.cfg.MaxMemory {
			err = fmt.Errorf("%w: %d bytes", ErrTooBig, e.Size)
		} else {
			s.memory += e.Size
			in.charged = e.Size
		}
	}
	s.mu.Unlock()
	if err == nil && inMemory {
		in.sink = newMemorySink(e.Size)
	}
	return err
}

// place opens the file of an object on disk, if that is not done: with the first
// block, for an error then tells the name, which NORM_INFO gave after begin.
func (s *store) place(in *incoming) (err error) {
	if in.sink == nil {
		in.sink, err = newFileSink(s.root, s.r.cfg.Dir, in.object.size)
	}
	return err
}

// finish makes an object whole and hands it out.
func (s *store) finish(in *incoming) error {
	o := &in.object
	if in.isFile {
		o.name = in.file.name
		if in.object.info == nil {
			o.name = fmt.Sprintf("norm-%d-%d", o.Sender(), o.ID())
		}
	} else {
		in.file = fileInfo{size: -1} // the INFO of a data object is not ours to read
	}
	path, err := in.sink.commit(&in.file, o.name)
	if err != nil {
		return err
	}
	o.path, o.data = path, in.sink.data
	in.sink.sum.Sum(o.sum[:0])
	o.verified = in.file.sha256 != nil
	o.finished = time.Now()
	key := o.key
	s.mu.Lock()
	delete(s.open, key)
	s.mu.Unlock()
	// First to the application, then the acknowledgement: whoever is told that
	// it is here must find it.
	s.r.deliver(result{object: o})
	s.r.log("object received", "object", o.ID(), "name", o.name, "bytes", o.size)
	s.r.loop.Post(func(now time.Time) { s.r.engine.Stored(now, key, nil) })
	return nil
}

// giveUp removes what there is of an object and reports why.
func (s *store) giveUp(in *incoming, err error) {
	if in.sink != nil {
		in.sink.discard()
	}
	s.mu.Lock()
	delete(s.open, in.object.key)
	s.memory -= in.charged
	s.mu.Unlock()
	s.r.log("object lost", "object", in.object.ID(), "error", err)
	s.r.deliver(result{err: &ObjectError{Sender: in.object.Sender(), ID: in.object.ID(), Name: in.file.name, Err: err}})
}
