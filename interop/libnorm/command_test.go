//go:build linux

package libnorm_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/interop/libnorm"
	"github.com/gomulticast/multicast/rmt/norm"
)

// TestCommandsToLibnorm sends commands beside a file to a libnorm receiver, which tells of
// each copy that comes, and of some more often (see normpeer_recv.cpp); and asks it a
// question, which libnorm 1.5.9 ignores.
func TestCommandsToLibnorm(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{Loss: 5, Back: 5})
	recv := peer(t, lab.Receivers[0], "recv --id=11 --count=1 --linger=1 --seconds=60 --dir=%s", t.TempDir())
	recv.Expect(t, "READY", 10*time.Second)
	time.Sleep(300 * time.Millisecond)
	s := sender(t, lab.Sender, norm.SenderConfig{NodeID: 1})
	long := strings.Repeat("x", 1400)
	for _, text := range []string{"first", long} {
		if err := s.Command(ctx, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	content := object(3_000_000)
	tr, err := s.SendFile(ctx, stored(t, content), norm.WaitFor(11))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Command(ctx, []byte("beside")); err != nil {
		t.Fatal(err)
	}
	if answers, err := s.Ask(ctx, norm.Question{Type: 20, Nodes: []norm.NodeID{11}}); !errors.Is(err, norm.ErrNotAcked) || len(answers) > 0 {
		t.Errorf("libnorm answers %v, %v", answers, err)
	}
	if err := tr.Wait(ctx); err != nil {
		t.Errorf("%v; libnorm said %q", err, recv.Said())
	}
	if _, b := got(t, recv, "DONE"); string(b) != string(content) {
		t.Error(differ(b, content))
	}
	recv.Expect(t, "END", 10*time.Second) // behind the last copy
	copies := map[string]int{}
	for _, line := range recv.Said() {
		if text, ok := strings.CutPrefix(line, "COMMAND "); ok {
			copies[text]++
		}
	}
	for _, text := range []string{"first", long, "beside"} {
		if n := copies["1 "+text]; n < 5 || n > 60 {
			t.Errorf("libnorm has %d copies of %.10q", n, text)
		}
		delete(copies, "1 "+text)
	}
	if len(copies) > 0 {
		t.Errorf("libnorm has %.500q too", copies)
	}
}

// TestCommandsFromLibnorm has libnorm send commands, which have no number, beside a file.
// Ours tells of each once, also of one that says the same as one before.
func TestCommandsFromLibnorm(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5, Back: 5})
	rs := ours(t, lab.Receivers, norm.ReceiverConfig{Dir: t.TempDir()})
	content := object(3_000_000)
	send := peer(t, lab.Sender, "send --id=1 --rate=20e6 --grtt=0.01 --ack=11 --ack=12 --pause=1 --linger=1 --seconds=60 --command=go --command=stop --command=go file:%s", stored(t, content))
	for range 3 {
		send.Expect(t, "COMMANDED", 20*time.Second)
	}
	send.Expect(t, "ACKED", 30*time.Second)
	send.Expect(t, "END", 20*time.Second)
	for i, r := range rs {
		r.Close()
		var got []string
		for c, err := range r.Commands(ctx) {
			if err != nil {
				break
			}
			if c.Sender != 1 || !c.Addr.IsValid() {
				t.Errorf("%+v", c)
			}
			got = append(got, string(c.Data))
		}
		if !slices.Equal(got, []string{"go", "stop", "go"}) {
			t.Errorf("receiver %d is told %q", i, got)
		}
	}
}

// TestCommandsOnceFromLibnorm has libnorm send commands a single time, and nothing else.
func TestCommandsOnceFromLibnorm(t *testing.T) {
	libnorm.Build(t)
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{})
	rs := ours(t, lab.Receivers[:1], norm.ReceiverConfig{})
	args, want := "", []string{}
	for i := range 20 {
		want = append(want, fmt.Sprint("word-", i))
		args += " --command-once=" + want[i]
	}
	send := peer(t, lab.Sender, "send --id=1 --rate=20e6 --grtt=0.01 --linger=0.2 --seconds=30%s", args)
	send.Expect(t, "END", 20*time.Second)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var got []string
	for c, err := range rs[0].Commands(ctx) {
		if err != nil {
			break
		}
		got = append(got, string(c.Data))
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q", got)
	}
}

// TestTsharkCommands has tshark read commands, questions and answers.
func TestTsharkCommands(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		libnorm.Missing(t, "no tshark")
	}
	ctx := within(t)
	lab := netlab.New(t, netlab.Config{})
	sent := new(record)
	r, err := norm.NewReceiver(&recorded{at(t, lab.Receivers[0]), sent}, norm.ReceiverConfig{
		NodeID: 11, Answer: func(norm.AckRequest) ([]byte, bool) { return []byte("yes"), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	time.Sleep(300 * time.Millisecond)
	s, err := norm.NewSender(&recorded{at(t, lab.Sender), sent}, norm.SenderConfig{NodeID: 1, RobustFactor: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Command(ctx, []byte("go")); err != nil {
		t.Fatal(err)
	}
	answers, err := s.Ask(ctx, norm.Question{Type: 77, Nodes: []norm.NodeID{11}})
	if err != nil || len(answers) != 1 || answers[0].Node != 11 || string(answers[0].Data) != "yes" {
		t.Fatalf("%v, %v", answers, err)
	}
	s.Close()
	r.Close()
	if out := sent.shark(t, "_ws.malformed || norm.version1_only || !norm"); len(out) > 0 {
		t.Errorf("tshark complains about %q", out)
	}
	for filter, want := range map[string]int{
		"norm.type == 3 && norm.flavor == 7 && norm.hlen == 5 && norm.source_id == 0.0.0.1":                 5,
		"norm.type == 3 && norm.flavor == 6 && norm.hlen == 4 && norm.ack.type == 77":                       1,
		"norm.type == 5 && norm.ack.type == 77 && norm.ack.source == 0.0.0.1 && norm.source_id == 0.0.0.11": 1,
	} {
		if n := len(sent.shark(t, filter)); n != want {
			t.Errorf("tshark sees %d packets of %s, want %d", n, filter, want)
		}
	}
}
