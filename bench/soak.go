//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// A soak is a long run of rmt/norm: files and streams without end, to receivers of which
// some stay and others come and go, closed or killed. What every one of them got is
// compared with what was sent, and those that stay must not need more and more.
type soak struct {
	ctx      context.Context
	duration time.Duration
	rate     float64
	interval time.Duration
	dir      string
	self     string
	lab      *netlab.Lab

	said    chan soakSaid
	profile string         // directory for profiles
	staying []*soakProcess // the sender, then the receivers that stay
	guest   *soakProcess   // that is here now
	leaves  time.Time      // when it goes, zero if there is none
	visits  int

	ledger         *soakLedger
	joined, killed int
	begin          time.Time
}

type soakSaid struct {
	from *soakProcess
	soakEvent
}

// A soakProcess is one process of the soak.
type soakProcess struct {
	name    string
	cmd     *exec.Cmd
	ended   chan error
	samples []vitals
}

func benchSoak(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("soak", flag.ExitOnError)
	s := &soak{ctx: ctx, said: make(chan soakSaid, 4096), ledger: newSoakLedger()}
	s.ledger.told = func(fault string) { fmt.Println("FAULT", fault) }
	f.DurationVar(&s.duration, "duration", time.Hour, "how long")
	f.Float64Var(&s.rate, "rate", 200, "Mbit/s of the senders")
	f.DurationVar(&s.interval, "interval", 30*time.Second, "between two lines")
	f.StringVar(&s.profile, "profile", "", "directory for profiles of the heaps")
	loss := f.Float64("loss", 2, "percentage lost at each receiver")
	n := f.Int("n", 3, "receivers that stay")
	f.Parse(args)
	if err := netlab.Missing(); err != nil {
		return err
	}
	var err error
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("/dev/shm", "mcast-soak-"); err != nil { // in memory, so that no disk is worn out
		return err
	}
	defer os.RemoveAll(s.dir)
	if s.lab, err = netlab.Build(netlab.Config{Receivers: *n, Loss: *loss}); err != nil {
		return err
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	fmt.Printf("%s, Linux %s, %d processors, %s: %v at %g Mbit/s, %g %% lost at each of %d receivers\n", time.Now().Format(time.DateOnly),
		strings.TrimSpace(string(release)), runtime.NumCPU(), runtime.Version(), s.duration, s.rate, *loss, *n)
	err = s.run()
	for _, p := range append(s.staying, s.guest) {
		if p != nil {
			p.cmd.Process.Kill() // those that have ended do not mind
		}
	}
	return errors.Join(err, s.lab.Close())
}

// start starts this program at a host as something else, and passes on what it says.
func (s *soak) start(h *netlab.Host, name string, args ...string) (*soakProcess, error) {
	if s.profile != "" {
		args = slices.Insert(args, 1, "-profile", filepath.Join(s.profile, name+".heap"))
	}
	p := &soakProcess{name: name, cmd: h.Command(s.self, args...), ended: make(chan error, 1)}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			e := soakSaid{from: p}
			if json.Unmarshal(lines.Bytes(), &e.soakEvent) == nil { // a killed process's last line may be cut off
				s.said <- e
			}
		}
		io.Copy(io.Discard, out)
		p.ended <- p.cmd.Wait()
	}()
	return p, nil
}

func (s *soak) run() error {
	for i, h := range s.lab.Receivers {
		name := fmt.Sprintf("r%d", i+1)
		args := []string{"soak-recv", "-who", name, "-node", fmt.Sprint(soakSteady + i), "-wait", "20s"}
		if i == 1 {
			args = append(args, "-guests")
		}
		p, err := s.start(h, name, append(args, filepath.Join(s.dir, name))...)
		if err != nil {
			return err
		}
		s.staying = append(s.staying, p)
	}
	for waiting := len(s.staying); waiting > 0; {
		select {
		case e := <-s.said:
			s.take(e)
			if e.Event == soakReady && e.Who == e.from.name {
				waiting--
			}
		case <-time.After(10 * time.Second):
			return errors.New("the receivers do not begin")
		}
	}
	time.Sleep(300 * time.Millisecond) // for the bridge to learn of all
	files := filepath.Join(s.dir, "sent")
	if err := os.Mkdir(files, 0o755); err != nil {
		return err
	}
	tx, err := s.start(s.lab.Sender, "snd", "soak-send", "-rate", fmt.Sprint(s.rate), "-duration", s.duration.String(), "-steady", fmt.Sprint(len(s.staying)), files)
	if err != nil {
		return err
	}
	s.staying = slices.Insert(s.staying, 0, tx)
	s.begin = time.Now()
	if err := s.watch(tx); err != nil {
		return err
	}
	return s.end()
}

// watch sees to guests and prints lines until the sender has ended.
func (s *soak) watch(tx *soakProcess) error {
	lines := time.NewTicker(s.interval)
	defer lines.Stop()
	doors := time.NewTicker(200 * time.Millisecond)
	defer doors.Stop()
	for {
		select {
		case e := <-s.said:
			s.take(e)
		case <-doors.C:
			s.ledger.again(time.Now())
			if err := s.door(); err != nil {
				return err
			}
			for _, p := range s.staying[1:] {
				select {
				case err := <-p.ended:
					return fmt.Errorf("%s ended: %v", p.name, err)
				default:
				}
			}
		case <-lines.C:
			s.line()
		case err := <-tx.ended:
			if err != nil {
				s.ledger.fault("the sender: %v", err)
			}
			return nil
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

func (s *soak) take(e soakSaid) {
	if e.Vitals != nil {
		e.from.samples = append(e.from.samples, *e.Vitals)
		return
	}
	if e.Event == soakReady {
		s.joined++
	}
	s.ledger.enter(time.Now(), &e.soakEvent)
}

// door lets a guest in or out: a process of its own, at the first host or the last, with
// one directory for all, so that some find what others had to leave.
func (s *soak) door() (err error) {
	switch {
	case s.guest == nil:
		s.visits++
		h := s.lab.Receivers[(s.visits%2)*(len(s.lab.Receivers)-1)]
		if s.guest, err = s.start(h, fmt.Sprintf("g%d", s.visits), "soak-recv", "-who", fmt.Sprintf("g%d", s.visits), filepath.Join(s.dir, "guests")); err != nil {
			return err
		}
		s.leaves = time.Now().Add(time.Duration(4+rand.IntN(26)) * time.Second)
	case time.Now().After(s.leaves) && !s.leaves.IsZero():
		s.leaves = time.Time{}
		if s.visits%3 != 0 {
			s.killed++
			return s.guest.cmd.Process.Kill()
		}
		return s.guest.cmd.Process.Signal(os.Interrupt)
	case s.leaves.IsZero():
		select {
		case <-s.guest.ended:
			s.ledger.lose(s.guest.name)
			s.guest = nil
		default:
		}
	default:
		select {
		case err := <-s.guest.ended:
			s.ledger.fault("%s ended by itself: %v", s.guest.name, err)
			s.guest = nil
		default:
		}
	}
	return nil
}

// line prints how things are.
func (s *soak) line() {
	l := s.ledger
	fmt.Printf("%6.0f s  sent %d files, done %d, failed %d, unconfirmed %d | messages %d, gaps %d (%d B) | joined %d, killed %d | faults %d |",
		time.Since(s.begin).Seconds(), len(l.files), l.done, l.failed, l.unacked, l.messages, l.gaps, l.gapped, s.joined, s.killed, len(l.faults))
	for _, p := range s.staying {
		if n := len(p.samples); n > 0 {
			v := p.samples[n-1]
			fmt.Printf(" %s %.1f MiB (heap %.1f) %d g %d fd;", p.name, float64(v.RSS)/1024, float64(v.Heap)/1024, v.Goroutines, v.Files)
		}
	}
	fmt.Println()
}

// end lets the receivers go, which stay until the senders' goodbye was heard, and prints
// the verdict.
func (s *soak) end() error {
	if s.guest != nil {
		s.guest.cmd.Process.Kill() // as it would have been anyway
	}
	over := time.Now()
	deadline := time.After(60 * time.Second)
	for _, p := range s.staying[1:] {
		p.cmd.Process.Signal(os.Interrupt)
	}
	for _, p := range s.staying[1:] {
		for waiting := true; waiting; {
			select {
			case e := <-s.said:
				s.last(e, over)
			case err := <-p.ended:
				waiting = false
				if err != nil {
					s.ledger.fault("%s ended: %v", p.name, err)
				}
			case <-deadline:
				return fmt.Errorf("%s does not end", p.name)
			}
		}
	}
	for len(s.said) > 0 {
		s.last(<-s.said, over)
	}
	for name := range s.ledger.lives {
		if !strings.Contains(name, ".") && strings.HasPrefix(name, "r") {
			s.ledger.fault("%s did not say that it left", name)
		}
	}
	s.line()
	return s.verdict()
}

// last takes what is said when all is over: who stayed to the end must have every file.
func (s *soak) last(e soakSaid, over time.Time) {
	if e.Event == soakLeft && e.Who == e.from.name {
		s.ledger.again(time.Now())
		s.ledger.bury(e.Who, s.begin.Add(-time.Hour), over)
		return
	}
	s.take(e)
}

// verdict compares the second tenth of the time with the last.
func (s *soak) verdict() error {
	faults := s.ledger.faults
	fmt.Printf("\n| process | RSS MiB, 2nd tenth | last tenth | most | heap MiB | last | goroutines | last | descriptors | last |\n|%s\n", strings.Repeat("---|", 10))
	for _, p := range s.staying {
		n := len(p.samples)
		if n < 20 {
			faults = append(faults, fmt.Sprintf("%s: only %d samples", p.name, n))
			continue
		}
		early, late := p.samples[n/10:n/5], p.samples[n-n/10:]
		of := func(value func(vitals) int) (a, b int) { return medianOf(early, value), medianOf(late, value) }
		rss, rss2 := of(func(v vitals) int { return v.RSS })
		heap, heap2 := of(func(v vitals) int { return v.Heap })
		g, g2 := of(func(v vitals) int { return v.Goroutines })
		files, files2 := of(func(v vitals) int { return v.Files })
		most := 0
		for _, v := range p.samples {
			most = max(most, v.RSS)
		}
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %d | %d | %d | %d |\n", p.name, float64(rss)/1024, float64(rss2)/1024, float64(most)/1024,
			float64(heap)/1024, float64(heap2)/1024, g, g2, files, files2)
		if rss2 > rss+rss/10+4<<10 {
			faults = append(faults, p.name+": memory grows")
		}
		if g2 > g+g/10+4 {
			faults = append(faults, p.name+": goroutines grow")
		}
		if files2 > files+files/10+4 {
			faults = append(faults, p.name+": descriptors grow")
		}
	}
	l := s.ledger
	fmt.Printf("\n%d files sent, %d received, %d not, each said so (%s); %d messages of streams, %d gaps told of (%d bytes), ends %v; %d receivers joined, %d of them killed\n",
		len(l.files), l.done, l.failed, l.why(), l.messages, l.gaps, l.gapped, l.ends, s.joined, s.killed)
	if len(faults) > 0 {
		return fmt.Errorf("%d faults:\n%s", len(faults), strings.Join(faults[:min(len(faults), 50)], "\n"))
	}
	fmt.Println("flat memory, goroutines and descriptors; no wrong byte; nothing undelivered without an error that says so")
	return nil
}

func medianOf(samples []vitals, value func(vitals) int) int {
	var all []int
	for _, v := range samples {
		all = append(all, value(v))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
