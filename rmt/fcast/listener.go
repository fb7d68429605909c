package fcast

import "github.com/gomulticast/multicast/rmt/lct"

// Bounds of what a receiver remembers.
const (
	maxListeners = 16    // carousels followed at a time
	maxHeard     = 32768 // objects of one that are known to be received
)

// A listener is what a receiver knows of one carousel and has of it.
type listener struct {
	from     string
	carousel *Carousel
	got      map[lct.TOI]bool // whether it was listed
	gotOrder []lct.TOI        // by age
	keys     map[Key]bool
	keyOrder []Key
}

func newListener(from string, limits Limits) *listener {
	return &listener{from: from, carousel: NewCarousel(limits), got: make(map[lct.TOI]bool), keys: make(map[Key]bool)}
}

// had reports whether an object is here already, under this TOI or another.
func (l *listener) had(toi lct.TOI) bool {
	if key, ok := l.carousel.Key(toi); ok {
		return l.keys[key]
	}
	return false
}

// note notes that an object is here.
func (l *listener) note(toi lct.TOI) {
	key, ok := l.carousel.Key(toi)
	if _, had := l.got[toi]; !had {
		if len(l.gotOrder) >= maxHeard {
			delete(l.got, l.gotOrder[0])
			l.gotOrder = l.gotOrder[1:]
		}
		l.got[toi] = ok
		l.gotOrder = append(l.gotOrder, toi)
	}
	if !ok || l.keys[key] {
		return
	}
	if len(l.keyOrder) >= maxHeard {
		delete(l.keys, l.keyOrder[0])
		l.keyOrder = l.keyOrder[1:]
	}
	l.keys[key] = true
	l.keyOrder = append(l.keyOrder, key)
}

// update takes a descriptor. What was received and is not listed any more is forgotten,
// for its TOI may come to mean another; what came before the first that lists it is not.
func (l *listener) update(d CID) {
	if !l.carousel.Update(d) {
		return
	}
	had, was := l.gotOrder, l.got
	l.got, l.gotOrder = make(map[lct.TOI]bool, len(was)), nil
	for _, toi := range had {
		if _, ok := l.carousel.Key(toi); ok || !was[toi] {
			l.note(toi)
		}
	}
}

// satisfied reports whether the carousel is complete and everything on it is here.
func (l *listener) satisfied() bool {
	d, ok := l.carousel.CID()
	if !ok || !d.Complete {
		return false
	}
	for _, e := range d.Equivalences {
		if !l.had(e.TOI) {
			return false
		}
	}
	most := uint64(maxHeard)
	for _, i := range d.Objects {
		if i.Last.Hi != i.First.Hi || i.Last.Lo-i.First.Lo >= most {
			return false
		}
		most -= i.Last.Lo - i.First.Lo + 1
		for t := i.First; ; t = t.Next() {
			if !l.had(t) {
				return false
			}
			if t == i.Last {
				break
			}
		}
	}
	return true
}
