package normprom_test

import (
	"fmt"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
	"github.com/gomulticast/multicast/rmt/norm/normprom"
)

func TestCollectors(t *testing.T) {
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
		if err := s.Command(t.Context(), []byte("twenty copies")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Ask(t.Context(), norm.Question{Type: 16, Nodes: []norm.NodeID{8}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		reg := prometheus.NewPedanticRegistry()
		tx, rx := normprom.Sender(s, prometheus.Labels{"session": "a"}), normprom.Receiver(r, prometheus.Labels{"session": "a"})
		reg.MustRegister(tx, rx, normprom.Sender(s, prometheus.Labels{"session": "b"}))
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP multicast_norm_receiver_commands_total Commands of applications received, copies not counted.
# TYPE multicast_norm_receiver_commands_total counter
multicast_norm_receiver_commands_total{session="a"} 1
# HELP multicast_norm_receiver_questions_total Questions of applications received, copies not counted.
# TYPE multicast_norm_receiver_questions_total counter
multicast_norm_receiver_questions_total{session="a"} 1
# HELP multicast_norm_sender_commands_sent_total Messages with commands of the application sent, copies included.
# TYPE multicast_norm_sender_commands_sent_total counter
multicast_norm_sender_commands_sent_total{session="a"} 20
multicast_norm_sender_commands_sent_total{session="b"} 20
# HELP multicast_norm_sender_questions_sent_total Messages with questions of the application sent, copies included.
# TYPE multicast_norm_sender_questions_sent_total counter
multicast_norm_sender_questions_sent_total{session="a"} 1
multicast_norm_sender_questions_sent_total{session="b"} 1
# HELP multicast_norm_receiver_objects_received_total Objects received whole.
# TYPE multicast_norm_receiver_objects_received_total counter
multicast_norm_receiver_objects_received_total{session="a"} 1
# HELP multicast_norm_receiver_untaken_streams_total Streams that nobody accepted and that gave way.
# TYPE multicast_norm_receiver_untaken_streams_total counter
multicast_norm_receiver_untaken_streams_total{session="a"} 2
# HELP multicast_norm_sender_receiver_acked Objects in the cache that a receiver has confirmed.
# TYPE multicast_norm_sender_receiver_acked gauge
multicast_norm_sender_receiver_acked{receiver="8",session="a"} 1
multicast_norm_sender_receiver_acked{receiver="8",session="b"} 1
`), "multicast_norm_receiver_commands_total", "multicast_norm_receiver_questions_total", "multicast_norm_sender_commands_sent_total", "multicast_norm_sender_questions_sent_total",
			"multicast_norm_receiver_objects_received_total", "multicast_norm_receiver_untaken_streams_total", "multicast_norm_sender_receiver_acked"); err != nil {
			t.Error(err)
		}
		if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
			t.Error(problems, err)
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
	reg := prometheus.NewRegistry()
	reg.MustRegister(normprom.Sender(s, nil))

	families, err := reg.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "multicast_norm_sender_rate_bytes_per_second" {
			fmt.Println(f.GetMetric()[0].GetGauge().GetValue(), "bytes/s")
		}
	}
	// Output: 1.25e+07 bytes/s
}
