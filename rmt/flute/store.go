package flute

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/flute/core"
)

// A store writes what a receiver's engine hands over, on a goroutine of its own, so
// that a slow disk holds up nothing but the files it stores.
type store struct {
	r    *Receiver
	root *os.Root
	done chan struct{}

	mu     sync.Mutex
	wake   sync.Cond
	jobs   []job                // bounded by the engine's buffers
	free   []core.ReceiverEvent // whose memory the engine gets back
	posted bool                 // the owner was told of free
	closed bool
	memory int64 // of files in memory, under way and waiting
	open   map[core.ObjectKey]*incoming

	// The store goroutine's alone.
	disk  int64           // bytes written of files not complete
	parts map[string]bool // names of partial files in use
}

// A job is one event of the engine.
type job struct {
	event core.ReceiverEvent
	at    time.Time
}

// An incoming is an object under way.
type incoming struct {
	object  Object
	sink    *sink // set and used by the store goroutine; load reads it too
	size    int64
	charged int64  // bytes of store.memory
	part    string // its name in store.parts
	got     int64  // guarded by store.mu, as object.file is
}

func newStore(r *Receiver, root *os.Root) *store {
	s := &store{
		r: r, root: root, done: make(chan struct{}), open: make(map[core.ObjectKey]*incoming),
		parts: make(map[string]bool),
	}
	s.wake.L = &s.mu
	return s
}

func (s *store) put(j job) {
	s.mu.Lock()
	s.jobs = append(s.jobs, j)
	s.mu.Unlock()
	s.wake.Signal()
}

// released returns the events whose memory is free since it was last called.
func (s *store) released(list []core.ReceiverEvent) []core.ReceiverEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.free
	s.free, s.posted = list[:0], false
	return free
}

// release gives a block's memory back to the engine, by way of its owner.
func (s *store) release(e *core.ReceiverEvent) {
	s.mu.Lock()
	s.free = append(s.free, *e)
	post := !s.posted
	s.posted = true
	s.mu.Unlock()
	if post {
		s.r.loop.Post(func(time.Time) {}) // the drain after it does the rest
	}
}

// load reads back what the engine put aside. The engine calls it; what it asks for was
// stored before.
func (s *store) load(key core.ObjectKey, off int64, data []byte) error {
	s.mu.Lock()
	in := s.open[key]
	var from *sink
	if in != nil {
		from = in.sink
	}
	s.mu.Unlock()
	if from == nil {
		return fs.ErrNotExist
	}
	from.swap.RLock()
	defer from.swap.RUnlock()
	return from.load(data, off)
}

// taken returns the memory of a file to the account.
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
		st := ObjectStatus{Session: key.Session, TOI: key.TOI, Run: key.Run, Size: in.size, Received: in.got}
		if in.object.file != nil {
			st.Name = in.object.file.ContentLocation
		}
		list = append(list, st)
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
		s.putAway(in, true)
	}
	if s.root != nil {
		s.root.Close()
	}
}

func (s *store) do(j *job) {
	e := &j.event
	s.mu.Lock()
	in := s.open[e.Key]
	if in == nil && e.Type == core.ObjectNew {
		in = &incoming{size: e.Size}
		in.object = Object{key: e.Key, started: j.at}
		s.open[e.Key] = in
	}
	s.mu.Unlock()
	if e.Type == core.BlockReceived || e.Type == core.BlockSpilled {
		defer s.release(e)
	}
	if in == nil {
		return // given up before
	}
	var err error
	switch e.Type {
	case core.ObjectNew:
		err = s.begin(in)
	case core.ObjectDescribed:
		s.mu.Lock()
		in.object.file = e.File
		s.mu.Unlock()
		if s.root != nil {
			_, err = localName(e.File)
		}
		if err == nil && in.sink != nil {
			err = s.resume(in)
		}
	case core.BlockReceived, core.BlockSpilled:
		err = s.write(in, e)
	case core.ObjectReceived:
		if err = s.openSink(in); err == nil {
			err = s.finish(in)
		}
		if err == nil {
			return
		}
	case core.ObjectAborted:
		s.giveUp(in, e.Err, true)
		return
	}
	if err != nil {
		key := e.Key // the job is cleared before this runs
		again := isDigest(err)
		s.r.loop.Post(func(now time.Time) { s.r.engine.Failed(now, key, again) })
		s.giveUp(in, err, false)
	}
}

// begin sets memory aside for an object that is kept there.
func (s *store) begin(in *incoming) error {
	if s.root != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory+in.size > s.r.cfg.MaxMemory {
		return fmt.Errorf("%w: %d bytes in memory", ErrTooBig, in.size)
	}
	s.memory += in.size
	in.charged = in.size
	return nil
}

// openSink opens the storage of an object, if that is not done: not before there is
// something to store, for anyone can announce any number of files.
func (s *store) openSink(in *incoming) (err error) {
	if in.sink != nil {
		return nil
	}
	var sk *sink
	if s.root == nil {
		sk = newMemorySink(in.size)
	} else if sk, err = newFileSink(s.root, s.r.cfg.Dir, in.size); err != nil {
		return err
	}
	s.mu.Lock()
	in.sink = sk
	s.mu.Unlock()
	return s.resume(in)
}

func (s *store) write(in *incoming, e *core.ReceiverEvent) error {
	if err := s.openSink(in); err != nil {
		return err
	}
	before := in.sink.written
	var err error
	if e.Type == core.BlockSpilled {
		err = in.sink.place(e.Data, e.Offset)
	} else {
		err = in.sink.write(e.Block, e.Data, e.Offset)
	}
	s.disk += in.sink.written - before
	if err == nil && s.root != nil && s.disk > s.r.cfg.MaxDisk {
		err = fmt.Errorf("%w: %d bytes on disk", ErrTooBig, s.disk)
	}
	if e.Type == core.BlockReceived {
		s.mu.Lock()
		in.got += int64(len(e.Data))
		s.mu.Unlock()
	}
	return err
}

// resume goes on with what an earlier receiver left of an object that is described.
func (s *store) resume(in *incoming) error {
	f := in.object.file
	if f == nil || s.root == nil || s.r.cfg.KeepPartial < 0 || in.part != "" {
		return nil
	}
	sk := in.sink
	before := sk.written
	sk.swap.Lock()
	found, err := sk.resume(f, func(name string) bool { return s.parts[name] })
	sk.swap.Unlock()
	s.disk += sk.written - before
	if sk.journal != nil {
		in.part = resumeName(f, in.size)
		s.parts[in.part] = true
	}
	if err != nil || len(found) == 0 {
		return err
	}
	var n int64
	for _, q := range found {
		n += q.n
	}
	s.mu.Lock()
	in.got += n
	s.mu.Unlock()
	key, list := in.object.key, ranges(found)
	s.r.log("file resumed", "name", f.ContentLocation, "bytes", n)
	s.r.loop.Post(func(now time.Time) { s.r.engine.Resume(now, key, list) })
	return nil
}

// finish makes an object whole and hands it out.
func (s *store) finish(in *incoming) error {
	o := &in.object
	in.sink.swap.Lock()
	err := in.sink.commit(o, s.r.cfg.MaxFileSize)
	in.sink.swap.Unlock()
	if err != nil {
		return err
	}
	o.finished = time.Now()
	s.disk -= in.sink.written
	s.forget(in)
	if n := int64(len(o.data)); s.root == nil {
		s.mu.Lock()
		s.memory += n - in.charged
		s.mu.Unlock()
	}
	key := o.key
	s.r.loop.Post(func(now time.Time) { s.r.engine.Stored(now, key) }) // before Forget can be called
	s.r.deliver(result{object: o})
	s.r.log("file received", "name", o.Name(), "bytes", o.size)
	return nil
}

// forget takes an object out of those under way.
func (s *store) forget(in *incoming) {
	delete(s.parts, in.part)
	s.mu.Lock()
	delete(s.open, in.object.key)
	s.mu.Unlock()
}

// putAway removes what there is of an object, or keeps it to go on with.
func (s *store) putAway(in *incoming, keep bool) {
	if sk := in.sink; sk != nil {
		s.disk -= sk.written
		sk.swap.Lock()
		if keep {
			sk.leave()
		} else {
			sk.discard()
		}
		sk.swap.Unlock()
	}
}

// giveUp ends an object and reports why.
func (s *store) giveUp(in *incoming, err error, keep bool) {
	s.putAway(in, keep)
	s.forget(in)
	s.mu.Lock()
	s.memory -= in.charged
	s.mu.Unlock()
	o := &in.object
	name := ""
	if o.file != nil {
		name = o.file.ContentLocation
	}
	s.r.log("file lost", "toi", o.TOI(), "name", name, "error", err)
	s.r.deliver(result{err: &FileError{Session: o.Session(), TOI: o.TOI(), Name: name, Err: err}})
}
