package drive

import (
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// An outbox writes what the engine has to send. A batch of manyRuns or more goes to a goroutine
// of its own: while the system takes it, which at the highest rates needs a whole processor,
// the engine makes the next. Less is written at once. What was taken from the engine waits
// for one batch at most.
//
// Who has the engine has the outbox.
type outbox struct {
	conn datagram.Conn
	quit <-chan struct{} // when closed, nobody waits for a batch any more
	fail func(error)     // may be nil
	wake chan<- struct{} // has the engine given a turn

	next   *writer      // to be filled
	flying bool         // the other one has not come back
	other  *writer      // if it has
	out    chan *writer // to the goroutine
	back   chan *writer // from it; nil before there is one
}

func (o *outbox) init(conn datagram.Conn, quit <-chan struct{}, wake chan<- struct{}, fail func(error)) {
	*o = outbox{conn: conn, quit: quit, wake: wake, fail: fail, next: newWriter()}
}

// manyRuns in a batch are worth a goroutine: to write them takes much longer than to wake it.
const manyRuns = 3

// pump sends what e has, at most one batch, and reports whether e may have more.
func (o *outbox) pump(now time.Time, e engine.Engine) (more bool) {
	if o.next == nil {
		return false // the loop ends
	}
	more = o.next.fill(now, e)
	if o.next.n < manyRuns {
		if o.next.n == 0 {
			o.look()
			return false
		}
		if !o.collect() {
			return false
		}
		o.next.write(o.conn)
		return o.report(o.next) && more
	}
	if o.back == nil {
		o.other = newWriter()
		o.out, o.back = make(chan *writer, 1), make(chan *writer, 2)
		go o.background(o.out, o.back)
	}
	o.out <- o.next
	ok := o.collect()
	o.next, o.other, o.flying = o.other, nil, true
	return ok && more
}

// collect waits until the other batch has come back, and reports whether going on makes sense.
func (o *outbox) collect() bool {
	if !o.flying {
		return true
	}
	select {
	case o.other = <-o.back:
	case <-o.quit:
		return false
	}
	o.flying = false
	return o.report(o.other)
}

// look is collect without waiting: what was refused is told though nothing more is to be sent.
func (o *outbox) look() {
	if o.flying && len(o.back) > 0 {
		o.collect()
	}
}

// report tells how writing w went, and reports whether the connection is open.
func (o *outbox) report(w *writer) bool {
	for _, err := range w.errs {
		if o.fail != nil {
			o.fail(err)
		}
	}
	return !w.closed
}

func (o *outbox) background(out <-chan *writer, back chan<- *writer) {
	for w := range out {
		w.write(o.conn)
		refused := len(w.errs) > 0
		back <- w
		if refused {
			select {
			case o.wake <- struct{}{}: // perhaps nobody has a reason to come by
			default:
			}
		}
	}
	close(back)
}

// close waits until all has been written, and ends the goroutine. The outbox is of no more use.
func (o *outbox) close() {
	if o.back == nil {
		return
	}
	close(o.out)
	for w := range o.back {
		o.report(w)
	}
	o.next = nil
}
