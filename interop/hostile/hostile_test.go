package hostile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
)

// In a flood of commands and questions, from another host, the sender's file comes as
// fast as ever, its command is told, and its question is answered.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mcasttest.New(1)
		open := func() datagram.Conn {
			c, err := network.Open("239.7.7.7:6003", mcasttest.Out(mcasttest.Link{Delay: time.Millisecond}))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		answer := func(norm.AckRequest) ([]byte, bool) { return []byte("yes"), true }
		s, err1 := norm.NewSender(open(), norm.SenderConfig{NodeID: 7})
		r, err2 := norm.NewReceiver(open(), norm.ReceiverConfig{NodeID: 8, Answer: answer})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		defer s.Close()
		defer r.Close()
		conn := open()
		attacker := New(conn, 1)
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan int, 1)
		go func() {
			n, err := attacker.Attack(ctx, conn, "commands", 10_000)
			if err != nil {
				t.Error(err)
			}
			over <- n
		}()
		transfer := func() time.Duration {
			begin := time.Now()
			tr, err := s.SendBytes(t.Context(), make([]byte, 10_000_000), norm.WaitForCount(1))
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			return time.Since(begin)
		}
		transfer() // the attacker hears the first of it
		if took := transfer(); took > 2*time.Second {
			t.Errorf("10 MB at 100 Mbit/s took %v", took)
		}
		if err := s.Command(t.Context(), []byte("honest")); err != nil {
			t.Error(err)
		}
		if got, err := s.Ask(t.Context(), norm.Question{Type: 16, Nodes: []norm.NodeID{8}}); err != nil || len(got) != 1 || string(got[0].Data) != "yes" {
			t.Errorf("%q, %v", got, err)
		}
		stop()
		if n := <-over; n < 10_000 {
			t.Errorf("only %d messages were forged", n)
		}
		conn.Close()
		st := r.Stats()
		if st.Commands < 100 || st.Questions < 50 || st.Refused < 1000 || st.Untaken.Commands == 0 || st.Malformed > 0 {
			t.Errorf("%+v", st)
		}
		r.Close()
		told := false
		for c, err := range r.Commands(t.Context()) {
			if err != nil {
				break
			}
			told = told || string(c.Data) == "honest"
		}
		if !told {
			t.Error("the honest command was not told")
		}
	})
}
