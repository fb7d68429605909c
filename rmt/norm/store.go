package norm

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unsafe"

	"github.com/gomulticast/multicast/internal/disk"
	"github.com/gomulticast/multicast/rmt/norm/core"
)

// A store writes what a receiver's engine hands over, on a goroutine of its own, so
// that a slow disk holds up nothing but the objects it stores: the engine keeps
// within its buffers by leaving later blocks to be asked for again.
type store struct {
	r    *Receiver
	root *os.Root // nil: everything in memory, and so are the next two
	done chan struct{}

	scratch *scratch
	audit   *audit
	much    int64 // bytes of buffers that the engine is told of at once
	space   func(dir string) (int64, bool)

	mu     sync.Mutex
	wake   sync.Cond
	jobs   []job     // bounded by the engine's buffers and, but for blocks, by limit
	blocks int64     // bytes of blocks in jobs
	since  time.Time // when the first of them came
	wait   int64     // bytes of jobs
	limit  int64
	free   [][]byte
	freed  int64 // bytes of free
	posted bool  // the owner was told of free
	closed bool
	memory int64 // of data objects, under way and waiting
	stats  StorageStats
	open   map[core.ObjectKey]*incoming

	// What follows is the store goroutine's alone.

	// failed are objects ended here of which the engine does not know yet: what it
	// still says of them must not open them again.
	failed   map[core.ObjectKey]bool
	keys     map[fileKey]bool // of files under way that can be gone on with later
	accounts map[netip.Addr]*account
	sets     map[setKey]*set
	hold     holding
	members  int   // of all sets
	files    int   // under way on disk
	reserved int64 // for them, and not yet written
}

// A job is one event of the engine, or the news that it knows of a failure and
// will say no more of the object, or something else to do.
type job struct {
	event core.ReceiverEvent
	at    time.Time
	told  bool
	fn    func()
}

// An incoming is an object under way. Its sink is the store goroutine's alone.
type incoming struct {
	object    Object
	file      fileInfo
	isFile    bool
	begun     bool   // ObjectNew came
	informed  bool   // InfoReceived came
	described bool   // what follows from both was done
	local     string // the name, of a file with INFO and a place on disk
	key       fileKey
	keyed     bool  // it is in store.keys
	counted   bool  // in its sender's account
	onDisk    bool  // in store.files
	there     int64 // at most so many bytes of it were left by an earlier receiver
	reserved  int64 // bytes on disk that are still to come
	checking  bool  // whether it is here already
	complete  bool  // ObjectReceived came meanwhile
	sink      *sink
	charged   int64 // bytes of store.memory
	got       int64 // guarded by store.mu
}

// toldOf reports whether an event that comes once for an object came for in.
func (in *incoming) toldOf(t core.ReceiverEventType) bool {
	return t == core.ObjectNew && in.begun || t == core.InfoReceived && in.informed
}

func newStore(r *Receiver, root *os.Root) *store {
	s := &store{
		r: r, root: root, done: make(chan struct{}), open: make(map[core.ObjectKey]*incoming), space: disk.Free,
		failed: make(map[core.ObjectKey]bool), keys: make(map[fileKey]bool),
		accounts: make(map[netip.Addr]*account), sets: make(map[setKey]*set),
	}
	s.wake.L = &s.mu
	buffers := cmp.Or(r.cfg.BufferBytes, core.DefaultBufferBytes)
	s.much, s.limit = buffers/8, max(buffers, minBacklog)
	s.hold.limit, s.hold.release = buffers/4, s.release
	if root != nil {
		s.scratch = newScratch(root, r.cfg.KeepPartial, time.Now())
		s.audit = newAudit(root)
	}
	return s
}

// minBacklog is how many bytes of jobs may wait at least before new objects are refused. A
// disk that hangs must not have what others say of ever new objects pile up here.
const minBacklog = 16 << 20

func (s *store) put(j job) {
	s.mu.Lock()
	s.jobs = append(s.jobs, j)
	s.wait += int64(unsafe.Sizeof(j))
	if j.event.Type == core.InfoReceived {
		s.wait += int64(len(j.event.Data))
	}
	wake := true
	if j.event.Type == core.BlockReceived {
		// They come in great number, and to be woken for each costs more than to wait for some.
		// What ends an object comes after them.
		if s.blocks == 0 {
			s.since = j.at
		}
		s.blocks += int64(cap(j.event.Data))
		wake = s.blocks >= min(s.much, storeBytes)
	}
	s.mu.Unlock()
	if wake {
		s.wake.Signal()
	}
}

// storeBytes is how much of blocks wakes the store. It is little enough to be in a cache still.
const storeBytes = 512 << 10

// storeWait is how long a block waits for others if they come slowly, and then for the next
// packet or probe.
const storeWait = 10 * time.Millisecond

// behind reports whether so much waits to be done that nothing new is to be begun.
func (s *store) behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wait > s.limit
}

// released returns the buffers that were written since it was last called. Blocks that have
// waited long enough for others are seen to.
func (s *store) released(now time.Time) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocks > 0 && now.Sub(s.since) >= storeWait {
		s.wake.Signal()
	}
	free := s.free
	s.free, s.freed, s.posted = nil, 0, false
	return free
}

// release gives a block's buffer back to the engine, by way of its owner, who comes for
// it after the next packets; only when there is much of it is that said.
func (s *store) release(b []byte) {
	s.mu.Lock()
	s.free = append(s.free, b)
	s.freed += int64(cap(b))
	post := !s.posted && s.freed >= s.much
	s.posted = s.posted || post
	s.mu.Unlock()
	if post {
		s.r.loop.Post(func(time.Time) {}) // the drain after it does the rest
	}
}

// taken returns the memory of a result to the account.
func (s *store) taken(res *result) {
	if res.object == nil || res.object.held == 0 {
		return
	}
	s.mu.Lock()
	s.memory -= res.object.held
	s.mu.Unlock()
}

func (s *store) counts() StorageStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
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
		jobs, s.jobs, s.blocks, s.wait = s.jobs, jobs[:0], 0, 0
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
	s.finishSets()
	for _, in := range s.open {
		s.leave(in, time.Now())
	}
	if s.root != nil {
		s.audit.close()
		s.scratch.close()
		s.root.Close()
	}
}

func (s *store) do(j *job) {
	e := &j.event
	switch {
	case j.fn != nil:
		j.fn()
		return
	case j.told:
		delete(s.failed, e.Key)
		return
	}
	if in := s.open[e.Key]; in != nil && in.toldOf(e.Type) {
		// The engine has forgotten the sender meanwhile, and heard of it anew: see checking.
		s.leave(in, j.at)
		s.giveUp(in, ErrSenderRestarted, j.at)
	}
	s.mu.Lock()
	in := s.open[e.Key]
	if in == nil && !s.failed[e.Key] && (e.Type == core.ObjectNew || e.Type == core.InfoReceived) {
		in = &incoming{file: fileInfo{size: -1}}
		in.object = Object{key: e.Key, started: j.at}
		s.open[e.Key] = in
	}
	s.mu.Unlock()
	if in == nil {
		if e.Type == core.BlockReceived {
			s.release(e.Data)
		}
		return // ended before
	}
	var err error
	switch e.Type {
	case core.ObjectNew:
		if err = s.begin(in, e); err == nil {
			err = s.describe(in, j.at)
		}
	case core.InfoReceived:
		s.mu.Lock()
		in.object.info, in.file, in.informed = e.Data, parseFileInfo(e.Data), true
		s.mu.Unlock()
		err = s.describe(in, j.at)
	case core.BlockReceived:
		if err = s.place(in, j.at); err == nil {
			s.written(in, int64(len(e.Data)))
			err = in.sink.write(j.at, e.Data, e.Offset)
		}
		if err != nil || !in.sink.keep(e.Data, e.Offset) {
			s.release(e.Data)
		}
		if err == nil {
			s.mu.Lock()
			in.got = min(in.got+int64(len(e.Data)), in.object.size) // some came twice
			s.mu.Unlock()
		}
	case core.ObjectReceived:
		if in.complete = in.checking; in.complete {
			return
		}
		if err = s.finish(in, j.at); err == nil {
			return
		}
	case core.ObjectAborted:
		s.leave(in, j.at)
		s.giveUp(in, e.Err, j.at)
		return
	}
	if err != nil {
		s.refuse(in, err, j.at)
	}
}

// refuse ends an object and tells the engine that it is lost here.
func (s *store) refuse(in *incoming, err error, at time.Time) {
	key := in.object.key
	s.failed[key] = true
	s.r.loop.Post(func(now time.Time) {
		s.r.stored(now, key, err)
		s.put(job{event: core.ReceiverEvent{Key: key}, told: true})
	})
	s.giveUp(in, err, at)
}

// begin notes what an object is and sets memory aside for it.
func (s *store) begin(in *incoming, e *core.ReceiverEvent) error {
	s.mu.Lock()
	in.object.size, in.isFile, in.begun = e.Size, e.File, true
	s.mu.Unlock()
	if e.File && s.root != nil {
		return nil
	}
	if err := s.charge(in, e.Size); err != nil {
		return err
	}
	in.sink = newMemorySink(e.Size)
	return nil
}

// charge sets n bytes of memory aside for an object.
func (s *store) charge(in *incoming, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory+n > s.r.cfg.MaxMemory {
		return fmt.Errorf("%w: %d bytes in memory with %d of others, and MaxMemory is %d", ErrTooBig, n, s.memory, s.r.cfg.MaxMemory)
	}
	s.memory += n
	in.charged += n
	return nil
}

// place opens the file of an object on disk, if that is not done: with the first
// block, for an error then tells the name, which NORM_INFO gave after begin.
func (s *store) place(in *incoming, at time.Time) (err error) {
	if in.sink != nil {
		return nil
	}
	if err := s.allow(in, at); err != nil {
		return err
	}
	if in.sink, err = newFileSink(s.scratch, in.object.size, !s.r.cfg.NoDigest); err != nil {
		return err
	}
	if in.sink.hold = &s.hold; in.keyed {
		in.sink.record(at, in.key, journalExt)
	}
	return nil
}

// finish makes an object whole and hands it out.
func (s *store) finish(in *incoming, at time.Time) (err error) {
	if err := s.place(in, at); err != nil {
		return err
	}
	o := &in.object
	var sum []byte
	if in.isFile {
		if o.name = in.file.name; o.info == nil {
			o.name = fmt.Sprintf("norm-%d-%d", o.Sender(), o.ID())
		}
		sum = in.file.sha256
	} else if in.file.list {
		sum = in.file.sha256 // the INFO of other data objects is not ours to read
	}
	if err := in.sink.verify(sum); err != nil {
		return err
	}
	if in.sink.sum != nil {
		in.sink.sum.Sum(o.sum[:0])
		o.verified = sum != nil
	}
	if in.isFile && s.root != nil {
		if in.local == "" {
			if in.local, err = localName(o.name); err != nil {
				return err
			}
		}
		if err := s.makeDirs(in, filepath.Dir(in.local), at); err != nil {
			return err
		}
		name, err := in.sink.place(&in.file, in.local, &s.r.cfg)
		if err != nil {
			return err
		}
		o.path = s.path(name)
	}
	o.data, o.held = in.sink.content(), in.charged
	if in.isSetList() {
		if err := s.takeList(in, at); err != nil {
			return err
		}
	} else {
		s.hand(in)
	}
	key := o.key
	s.r.loop.Post(func(now time.Time) { s.r.engine.Stored(now, key, nil) })
	s.member(in, true, at)
	return nil
}

// hand gives an object to the application: before it is acknowledged, for whoever is told
// that it is here must find it.
func (s *store) hand(in *incoming) {
	s.end(in)
	o := &in.object
	o.finished = time.Now()
	s.mu.Lock()
	s.stats.Received++
	s.stats.Bytes += uint64(o.size)
	s.stats.Resumed += uint64(o.resumed)
	if o.skipped {
		s.stats.Skipped++
	}
	s.mu.Unlock()
	s.r.deliver(result{object: o})
	s.r.log("object received", "object", o.ID(), "name", o.name, "bytes", o.size, "skipped", o.skipped)
}

// written notes that n bytes of a file more are on disk.
func (s *store) written(in *incoming, n int64) {
	n = min(n, in.reserved)
	in.reserved -= n
	s.reserved -= n
}

// end takes an object off the list of those under way.
func (s *store) end(in *incoming) {
	if in.onDisk {
		in.onDisk = false
		s.written(in, in.reserved)
		s.files--
	}
	if in.keyed {
		delete(s.keys, in.key)
		in.keyed = false
	}
	s.mu.Lock()
	delete(s.open, in.object.key)
	s.mu.Unlock()
}

// leave keeps what there is of an object for later, if it may be gone on with.
func (s *store) leave(in *incoming, at time.Time) {
	if in.sink != nil {
		if in.keyed {
			in.sink.leave(at)
		} else {
			in.sink.discard()
		}
	}
}

// giveUp removes what there is of an object and reports why.
func (s *store) giveUp(in *incoming, err error, at time.Time) {
	if in.sink != nil {
		in.sink.discard()
	}
	s.uncount(in)
	s.end(in)
	s.mu.Lock()
	s.memory -= in.charged
	s.stats.Lost++
	s.mu.Unlock()
	s.r.log("object lost", "object", in.object.ID(), "error", err)
	s.r.deliver(result{err: &ObjectError{Sender: in.object.Sender(), ID: in.object.ID(), Name: in.file.name, Err: err}})
	s.member(in, false, at)
}
