package drive_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// Somebody who reads for himself gets the packets, the reader those that come when he has been
// away for a while; none is lost and none handled twice.
func TestReadHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		c, _ := n.Open("239.1.1.1:1000")
		peer, _ := n.Open("239.1.1.1:1000")
		e := &echo{tick: time.Now().Add(time.Hour)}
		var handled atomic.Int32
		loop := drive.Start(c, e, drive.Config{Drain: func(time.Time) { handled.Store(int32(len(e.heard))) }})
		defer loop.Close()
		say := func(s string) { peer.WriteBatch([]datagram.Packet{{Data: []byte(s)}}) }
		heard := func(want string) {
			t.Helper()
			synctest.Wait()
			loop.Do(func(time.Time) {
				if got := fmt.Sprint(e.heard); got != want {
					t.Errorf("heard %s, want %s", got, want)
				}
			})
		}
		busy := func() bool { return false }

		synctest.Wait()
		if loop.ReadHere(busy) {
			t.Error("two read at a time")
		}
		say("0") // the reader has this one, and gives way
		heard("[0]")
		for i := 1; i <= 3; i++ {
			time.AfterFunc(time.Millisecond, func() { say(fmt.Sprint(i)) })
			if !loop.ReadHere(busy) || handled.Load() != int32(i+1) {
				t.Errorf("after ReadHere %d packets were handled, not %d", handled.Load(), i+1)
			}
		}
		say("4") // not yet read
		heard("[0 1 2 3]")
		time.Sleep(100 * time.Millisecond) // the reader takes over
		heard("[0 1 2 3 4]")
		say("5")
		heard("[0 1 2 3 4 5]")
		if loop.ReadHere(busy) {
			t.Error("two read at a time")
		}
		say("6")
		heard("[0 1 2 3 4 5 6]")

		// Kick ends it, and what comes too late ends nothing else.
		begin := time.Now()
		time.AfterFunc(time.Second, loop.Kick)
		if !loop.ReadHere(busy) || time.Since(begin) != time.Second {
			t.Errorf("kicked after %v", time.Since(begin))
		}
		loop.Kick()
		if c.SetReadDeadline(time.Unix(1, 0)); !loop.ReadHere(func() bool { return true }) {
			t.Error("it could not be tried")
		}
		c.SetReadDeadline(time.Unix(1, 0)) // as a Kick that was on its way
		time.Sleep(time.Second)
		say("7")
		heard("[0 1 2 3 4 5 6 7]")

		// The end of the connection is the end.
		say("8")
		synctest.Wait()
		time.AfterFunc(time.Second, func() { loop.Close() })
		for loop.ReadHere(busy) {
		}
		<-loop.Done()
	})
}

// Without a deadline there is nothing to be read here: it could not be ended.
func TestReadHereNeedsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := mcasttest.New(1).Open("239.1.1.1:1000")
		loop := drive.Start(struct{ datagram.Conn }{c}, &echo{tick: time.Now().Add(time.Hour)}, drive.Config{})
		defer loop.Close()
		if loop.ReadHere(func() bool { return false }) {
			t.Error("read")
		}
		loop.Kick()
	})
}
