package normexpvar_test

import (
	"encoding/json"
	"expvar"
	"fmt"
	"log"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
	"github.com/gomulticast/multicast/rmt/norm/normexpvar"
)

func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mcasttest.New(1)
		cs, err1 := n.Open("239.7.7.7:6003")
		cr, err2 := n.Open("239.7.7.7:6003")
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		s, err1 := norm.NewSender(cs, norm.SenderConfig{NodeID: 7})
		r, err2 := norm.NewReceiver(cr, norm.ReceiverConfig{NodeID: 8, Answer: func(norm.AckRequest) ([]byte, bool) { return nil, true }})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		defer s.Close()
		defer r.Close()
		tr, err := s.SendBytes(t.Context(), make([]byte, 10_000), norm.WaitForCount(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Command(t.Context(), []byte("twenty copies")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Ask(t.Context(), norm.Question{Type: 16, Nodes: []norm.NodeID{8}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // a report is up to 100 ms old
		var sr norm.SenderReport
		var rr norm.ReceiverReport
		if err := json.Unmarshal([]byte(normexpvar.Sender(s).String()), &sr); err != nil {
			t.Error(err)
		}
		for range 258 { // 256 of them may wait
			w, err := s.OpenStream(t.Context(), norm.StreamConfig{})
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte("x"))
			w.Close()
			if err := w.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if err := json.Unmarshal([]byte(normexpvar.Receiver(r).String()), &rr); err != nil {
			t.Error(err)
		}
		if sr.Node != 7 || len(sr.Receivers) != 1 || sr.Receivers[0].Node != 8 || sr.Stats.Packets == 0 || sr.Stats.Commands != 20 || sr.Stats.Questions != 1 {
			t.Errorf("%+v", sr)
		}
		if rr.Stats.Commands != 1 || rr.Stats.Questions != 1 {
			t.Errorf("%+v", rr.Stats)
		}
		if rr.Stats.Packets == 0 || rr.Stats.Untaken != (norm.Untaken{Streams: 2}) {
			t.Errorf("%+v", rr.Stats)
		}
		if rr.Node != 8 || len(rr.Senders) != 1 || rr.Senders[0].Key.Node != 7 || rr.Storage.Received != 1 {
			t.Errorf("%+v", rr)
		}
	})
}

func Example() {
	network := mcasttest.New(1) // a program has mcast.Open
	conn, err := network.Open("239.7.7.7:6003")
	if err != nil {
		log.Fatal(err)
	}
	s, err := norm.NewSender(conn, norm.SenderConfig{NodeID: 7})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	expvar.Publish("norm", normexpvar.Sender(s))

	var report norm.SenderReport
	if err := json.Unmarshal([]byte(expvar.Get("norm").String()), &report); err != nil {
		log.Fatal(err)
	}
	fmt.Println("node", report.Node, "at", report.Rate, "bit/s")
	// Output: node 7 at 100000000 bit/s
}
