//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

// soakSend sends files and, from a second sender, streams, until the time is up.
func soakSend(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("soak-send", flag.ExitOnError)
	rate := f.Float64("rate", 200, "Mbit/s of both senders")
	duration := f.Duration("duration", time.Hour, "how long")
	steady := f.Int("steady", 3, "receivers that stay")
	profile := f.String("profile", "", "where to write a profile of the heap now and then")
	f.Parse(args)
	dir := f.Arg(0)
	open := func(node norm.NodeID, share float64) (*norm.Sender, error) {
		conn, err := mcast.Open(ctx, soakGroup, mcast.Interface(netlab.Device), mcast.Loopback(false))
		if err != nil {
			return nil, err
		}
		return norm.NewSender(conn, norm.SenderConfig{NodeID: node, Rate: int64(*rate * share * 1e6), GroupSize: 10})
	}
	files, err := open(soakFiles, 0.9)
	if err != nil {
		return err
	}
	defer files.Close()
	streams, err := open(soakStream, 0.1)
	if err != nil {
		return err
	}
	defer streams.Close()
	var named []norm.NodeID
	for i := range *steady {
		named = append(named, norm.NodeID(soakSteady+i))
	}
	go tellVitals(ctx, *profile)
	until, cancel := context.WithTimeout(ctx, *duration)
	defer cancel()
	var both sync.WaitGroup
	errs := make([]error, 2)
	both.Go(func() { errs[0] = sendSoakFiles(ctx, until, files, dir, newSoakPool(48<<20), named) })
	both.Go(func() {
		errs[1] = sendSoakStreams(ctx, until, streams, newSoakPool(soakMessagePool), *rate*0.05e6/8, *duration/12)
	})
	both.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	goodbye, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := streams.Shutdown(goodbye); err != nil {
		return fmt.Errorf("shutdown of the streams' sender: %w", err)
	}
	if err := files.Shutdown(goodbye); err != nil {
		return fmt.Errorf("shutdown of the files' sender: %w", err)
	}
	return nil
}

// sendSoakFiles sends file after file: every second one is to be confirmed by the
// receivers that stay, every tenth by any two; every half minute come 300 small ones.
func sendSoakFiles(ctx, until context.Context, s *norm.Sender, dir string, pool []byte, named []norm.NodeID) error {
	r := rand.New(rand.NewPCG(1, 20))
	var waiting sync.WaitGroup
	defer waiting.Wait()
	send := func(number uint64, size int64, opts ...norm.SendOption) error {
		path := filepath.Join(dir, fmt.Sprintf("%08d", number))
		data := pool[r.Int64N(int64(len(pool))-size):][:size]
		if size >= 8 { // no two are alike
			binary.BigEndian.PutUint64(data, number)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		defer os.Remove(path)
		sum := sha256.Sum256(data)
		say(soakEvent{Event: soakFile, File: number, Size: size, Sum: hex.EncodeToString(sum[:])})
		t, err := s.SendFile(ctx, path, opts...)
		if err != nil {
			return err
		}
		say(soakEvent{Event: soakSent, File: number, ID: t.ID()})
		waiting.Go(func() {
			if err := t.Wait(ctx); err != nil && ctx.Err() == nil {
				say(soakEvent{Event: soakUnacked, File: number, ID: t.ID(), Reason: err.Error()})
			}
		})
		return nil
	}
	burst := time.Now().Add(30 * time.Second)
	for number := uint64(0); until.Err() == nil; {
		if time.Now().After(burst) {
			burst = time.Now().Add(30 * time.Second)
			for range 300 {
				if err := send(number, r.Int64N(20_000)); err != nil {
					return err
				}
				number++
			}
		}
		var opts []norm.SendOption
		switch {
		case number%10 == 1:
			opts = append(opts, norm.WaitForCount(2))
		case number%2 == 0:
			opts = append(opts, norm.WaitFor(named...))
		}
		if err := send(number, soakSize(r), opts...); err != nil {
			return err
		}
		number++
		for backlog(s) > 8<<20 && until.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// backlog returns how many bytes have not been sent once.
func backlog(s *norm.Sender) (n int64) {
	for _, t := range s.Report().Transfers {
		n += t.Size - t.Sent
	}
	return n
}

// sendSoakStreams writes messages at a rate in bytes per second, one stream after the
// other.
func sendSoakStreams(ctx, until context.Context, s *norm.Sender, pool []byte, rate float64, each time.Duration) error {
	var number uint64
	var msg []byte
	for until.Err() == nil {
		w, err := s.OpenStream(ctx, norm.StreamConfig{})
		if err != nil {
			return err
		}
		begin, written := time.Now(), 0
		for time.Since(begin) < each && until.Err() == nil {
			msg = appendMessage(msg[:0], pool, number)
			if err := w.WriteMessage(ctx, msg); err != nil {
				return err
			}
			number++
			written += len(msg)
			time.Sleep(time.Until(begin.Add(time.Duration(float64(written) / rate * 1e9))))
		}
		w.Close()
		if err := w.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
