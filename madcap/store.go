package madcap

import "errors"

// ErrConflict is what a Store answers to a change that does not fit what it has:
// another server was faster.
var ErrConflict = errors.New("madcap: conflict with another lease")

// A Store keeps leases for a server, or for several that share it. Its calls may take
// their time: a server makes them away from its engine, one after the other.
type Store interface {
	// Load calls yield with every lease there is, until it returns false. A server
	// calls it once, at first.
	Load(yield func(Lease) bool) error

	// Commit makes changes in their order, each whole or not at all, and returns
	// only when those made are durable: they are there after a crash. It sets Err of
	// each change, to nil or an error wrapping ErrConflict, by these rules:
	//
	//   - A Put is made if the lease stored under its ID has the revision before
	//     it, or there is none and the revision is 1, and no lease with another ID
	//     has one of its addresses.
	//   - A Delete is made if the lease stored has its revision.
	//   - A change that was made before has no effect and no error: a Put of what
	//     is stored already, a Delete of what is not there.
	//
	// When Commit itself fails nothing is known of any of the changes; the server
	// makes the same call again later, until it succeeds.
	Commit(changes []Change) error

	// Close ends the use of the store. No other call is made after it.
	Close() error
}

// A Watcher is a Store that other servers change too, and that tells of that.
type Watcher interface {
	// Watch makes the store call tell with every change made, also this server's
	// own, in an order in which revisions of a lease rise, until Close. It is
	// called once, before Load, so that no change is missed between the two; tell
	// keeps the slice.
	Watch(tell func(changes []Change)) error
}

// A Change is one step of a Store: a lease is put, in the place of its revision before,
// or deleted.
type Change struct {
	Delete bool
	Lease  Lease // of a Delete: ID and Revision count
	Err    error // the answer
}

// Fits reports whether a change is to be made, by the rules of Store.Commit but for
// the addresses, when old is the lease stored under its ID, or nil. done says that it
// was made before. It is for those who write a Store.
func (c *Change) Fits(old *Lease) (ok, done bool) {
	switch {
	case c.Delete && old == nil:
		return true, true
	case c.Delete:
		return old.Revision == c.Lease.Revision, false
	case old == nil:
		return c.Lease.Revision == 1, false
	case old.Equal(&c.Lease):
		return true, true
	}
	return old.Revision+1 == c.Lease.Revision, false
}
