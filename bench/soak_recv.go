//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

// soakRecv receives until it is interrupted, and with -guests opens and closes further
// receivers meanwhile.
func soakRecv(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("soak-recv", flag.ExitOnError)
	who := f.String("who", "r", "name")
	node := f.Uint("node", 0, "node ID, 0 for a random one")
	guests := f.Bool("guests", false, "receivers come and go in this process")
	wait := f.Duration("wait", 0, "how long to stay for what is under way")
	profile := f.String("profile", "", "where to write a profile of the heap now and then")
	f.Parse(args)
	dir := f.Arg(0)
	p := &soakReceivers{pool: newSoakPool(soakMessagePool)}
	go tellVitals(ctx, *profile)
	var visits sync.WaitGroup
	if *guests {
		visits.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				stay, cancel := context.WithTimeout(ctx, time.Duration(4+rand.IntN(26))*time.Second)
				if err := p.receive(stay, fmt.Sprintf("%s.%d", *who, n), 0, filepath.Join(dir, "guest"), 0); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
				cancel()
			}
		})
	}
	err := p.receive(ctx, *who, norm.NodeID(*node), dir, *wait)
	visits.Wait()
	return err
}

type soakReceivers struct{ pool []byte }

// receive receives until ctx ends, and stays a while longer if that is wanted.
func (p *soakReceivers) receive(ctx context.Context, who string, node norm.NodeID, dir string, wait time.Duration) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	conn, err := mcast.Open(context.Background(), soakGroup, mcast.Interface(netlab.Device))
	if err != nil {
		return err
	}
	r, err := norm.NewReceiver(conn, norm.ReceiverConfig{NodeID: node, Dir: dir})
	if err != nil {
		conn.Close()
		return err
	}
	defer r.Close()
	say(soakEvent{Event: soakReady, Who: who})
	listen, cancel := context.WithCancel(context.Background()) // Close ends it, too
	defer cancel()
	var readers sync.WaitGroup
	readers.Go(func() { p.files(listen, who, r) })
	readers.Go(func() {
		for s, err := range r.Streams(listen) {
			if err == nil {
				readers.Go(func() { p.stream(listen, who, s) })
			}
		}
	})
	<-ctx.Done()
	if wait > 0 {
		stay, stop := context.WithTimeout(context.Background(), wait)
		r.Shutdown(stay) // an error says that somebody still sends
		stop()
	}
	for _, o := range r.Pending() {
		if n, err := strconv.ParseUint(o.Name, 10, 64); err == nil {
			say(soakEvent{Event: soakPending, Who: who, File: n})
		}
	}
	if err := r.Close(); err != nil {
		return err
	}
	readers.Wait()
	say(soakEvent{Event: soakLeft, Who: who})
	return nil
}

func (p *soakReceivers) files(ctx context.Context, who string, r *norm.Receiver) {
	for o, err := range r.Objects(ctx) {
		var failed *norm.ObjectError
		switch {
		case errors.As(err, &failed):
			say(soakEvent{Event: soakFailed, Who: who, ID: failed.ID, Reason: failed.Err.Error()})
		case err != nil:
			return
		default:
			n, err := strconv.ParseUint(o.Name(), 10, 64)
			if err != nil || !o.Verified() {
				say(soakEvent{Event: soakWrong, Who: who, Reason: fmt.Sprintf("file %q, verified: %v", o.Name(), o.Verified())})
				continue
			}
			say(soakEvent{Event: soakDone, Who: who, File: n, ID: o.ID(), Sum: fileSum(o.Path())})
			os.Remove(o.Path())
		}
	}
}

// stream reads a stream to its end. Numbers must follow each other but at gaps.
func (p *soakReceivers) stream(ctx context.Context, who string, s *norm.StreamReader) {
	var buf []byte
	var next, count uint64
	known := false
	defer func() { say(soakEvent{Event: soakMessages, Who: who, Count: count}) }()
	for {
		b, err := s.ReadMessage(ctx, buf)
		var lost *norm.LostError
		switch {
		case errors.As(err, &lost):
			say(soakEvent{Event: soakGap, Who: who, Count: lost.To - lost.From})
			known = false
			continue
		case errors.Is(err, io.EOF):
			say(soakEvent{Event: soakEnd, Who: who})
			return
		case err != nil:
			if ctx.Err() == nil && !strings.Contains(err.Error(), "closed") {
				say(soakEvent{Event: soakEnd, Who: who, Reason: err.Error()})
			}
			return
		}
		buf = b
		n, err := checkMessage(b, p.pool)
		if err == nil && known && n != next {
			err = fmt.Errorf("message %d, want %d", n, next)
		}
		if err != nil {
			say(soakEvent{Event: soakWrong, Who: who, Reason: err.Error()})
		}
		next, known = n+1, true
		if count++; count == 10_000 {
			say(soakEvent{Event: soakMessages, Who: who, Count: count})
			count = 0
		}
	}
}
