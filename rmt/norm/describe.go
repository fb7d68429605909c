package norm

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// describe does what can be done once an object's size and its INFO are known.
func (s *store) describe(in *incoming, at time.Time) (err error) {
	if !in.begun || !in.informed || in.described {
		return nil
	}
	in.described = true
	if !in.isFile || s.root == nil {
		s.prime(in, nil)
		return nil
	}
	if in.local, err = localName(in.file.name); err != nil {
		return err
	}
	key, ok := in.file.key(in.object.size)
	in.key = key
	if ok && in.file.absent && !s.r.cfg.AlwaysReceive {
		local := in.local
		if in.checking = s.audit.add(func() {
			here := s.audit.present(local, &key)
			s.put(job{fn: func() { s.checked(in, here, time.Now()) }})
		}); in.checking {
			return nil
		}
	}
	return s.admit(in, ok, at)
}

// checked goes on with an object of which is known now whether it is here already.
func (s *store) checked(in *incoming, here bool, at time.Time) {
	if s.open[in.object.key] != in {
		return // it ended meanwhile
	}
	in.checking = false
	if here {
		s.skip(in)
		return
	}
	err := s.admit(in, true, at)
	if err == nil && in.complete {
		err = s.finish(in, at)
	}
	if err != nil {
		s.refuse(in, err, at)
	}
}

// admit lets a file in, unless there is one of its name and that is to stay.
func (s *store) admit(in *incoming, hasKey bool, at time.Time) error {
	if s.r.cfg.OnExist == Keep {
		if _, err := s.root.Lstat(in.local); err == nil {
			return fmt.Errorf("%w: %s", ErrExists, in.local)
		}
	}
	if !hasKey || in.complete {
		s.prime(in, nil)
		return nil
	}
	return s.resume(in, at)
}

// mayHave reports whether an object with that INFO may be here already, whole or in part.
// It does not wait for the store: the engine asks for nothing of such an object until it
// is known.
func (s *store) mayHave(info []byte) bool {
	if s.root == nil {
		return false
	}
	f := parseFileInfo(info)
	return f.sha256 != nil && (f.absent && !s.r.cfg.AlwaysReceive || s.scratch.has([32]byte(f.sha256)))
}

// skip ends an object that is here already, as if it had been received.
func (s *store) skip(in *incoming) {
	if in.sink != nil {
		in.sink.discard()
	}
	s.uncount(in)
	o, key := &in.object, in.object.key
	o.name, o.path, o.sum, o.verified, o.skipped = in.file.name, s.path(in.local), in.key.sum, true, true
	s.failed[key] = true
	s.hand(in)
	s.r.loop.Post(func(now time.Time) {
		s.r.engine.Have(now, key)
		s.r.stored(now, key, nil) // it may have been complete by then
		s.put(job{event: core.ReceiverEvent{Key: key}, told: true})
	})
	s.member(in, true, time.Now())
}

// resume looks for what an earlier receiver left of a file, and sees to it that a later
// one can go on with this.
func (s *store) resume(in *incoming, at time.Time) error {
	if in.key.size < minResume || !s.scratch.keep || s.keys[in.key] {
		s.prime(in, nil)
		return nil
	}
	in.keyed, s.keys[in.key] = true, true
	p, ok := s.scratch.take(in.key)
	if !ok {
		if in.sink != nil {
			in.sink.record(at, in.key, journalExt)
		}
		s.prime(in, nil)
		return nil
	}
	in.there = p.size
	in.keyed = false // no journal of its own now
	err := s.place(in, at)
	in.keyed = true
	if err != nil {
		s.scratch.leave(in.key, p)
		return err
	}
	if err := in.sink.adopt(at, in.key, p); err != nil {
		s.scratch.remove(p.base)
		in.sink.record(at, in.key, journalExt)
		s.prime(in, nil)
		return nil
	}
	file := in.sink.file
	if !s.audit.add(func() {
		v := s.audit.verify(p.base+journalExt, file)
		s.put(job{fn: func() { s.adopted(in, v) }})
	}) {
		s.adopted(in, new(verification))
	}
	return nil
}

// adopted goes on with what was verified of a partial file.
func (s *store) adopted(in *incoming, v *verification) {
	if s.open[in.object.key] != in {
		return
	}
	if err := in.sink.adopted(v); err != nil {
		s.refuse(in, err, in.object.started)
		return
	}
	s.r.log("object resumed", "object", in.object.ID(), "name", in.file.name, "bytes", v.have.size())
	s.written(in, v.have.size())
	s.mu.Lock()
	in.object.resumed = v.have.size()
	in.got = in.sink.have.size()
	s.mu.Unlock()
	s.prime(in, v.have)
}

// prime tells the engine what is here of an object already, and that it may ask for the
// rest.
func (s *store) prime(in *incoming, have spans) {
	key := in.object.key
	parts := make([]core.ByteRange, len(have))
	for i, p := range have {
		parts[i] = core.ByteRange{From: p.from, To: p.to}
	}
	s.r.loop.Post(func(now time.Time) { s.r.engine.Prime(now, key, parts) })
}

// path returns where a file in the directory is.
func (s *store) path(local string) string { return filepath.Join(s.r.cfg.Dir, local) }
