//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

// A latencyJob is what the programs of latency.h are told.
type latencyJob struct {
	group, port, device       string
	messages, perSecond, size int
}

func (j *latencyJob) args() []string {
	return []string{j.group, j.port, j.device, strconv.Itoa(j.messages), strconv.Itoa(j.perSecond), strconv.Itoa(j.size)}
}

func parseLatencyJob(args []string) (j latencyJob, err error) {
	if len(args) != 6 {
		return j, errors.New("want GROUP PORT INTERFACE MESSAGES PER-SECOND BYTES")
	}
	j.group, j.port, j.device = args[0], args[1], args[2]
	for i, p := range []*int{&j.messages, &j.perSecond, &j.size} {
		if *p, err = strconv.Atoi(args[3+i]); err != nil {
			return j, err
		}
	}
	return j, nil
}

func (j *latencyJob) open(ctx context.Context, opts ...mcast.Option) (*mcast.Conn, error) {
	group, err := netip.ParseAddrPort(j.group + ":" + j.port)
	if err != nil {
		return nil, err
	}
	return mcast.Open(ctx, group.String(), append(opts, mcast.Interface(j.device), mcast.Loopback(false))...)
}

// clockNs is CLOCK_MONOTONIC, as the programs in C read it.
func clockNs() int64 { return int64(netlab.Monotonic() * 1e9) }

// latencySend writes messages to a stream.
func latencySend(ctx context.Context, args []string) error {
	j, err := parseLatencyJob(args)
	if err != nil {
		return err
	}
	conn, err := j.open(ctx)
	if err != nil {
		return err
	}
	s, err := norm.NewSender(conn, norm.LowLatency())
	if err != nil {
		return err
	}
	defer s.Close()
	w, err := s.OpenStream(ctx, norm.StreamConfig{})
	if err != nil {
		return err
	}
	msg := make([]byte, j.size)
	begin := time.Now()
	for i := range j.messages {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(j.perSecond))))
		binary.NativeEndian.PutUint64(msg, uint64(i))
		binary.NativeEndian.PutUint64(msg[8:], uint64(clockNs()))
		if err := w.WriteMessage(ctx, msg); err != nil {
			return err
		}
	}
	w.Close()
	time.Sleep(2 * time.Second)
	return nil
}

// latencyRecv reads them, latencyRecvDirect without a goroutine in between, and latencyRecvSpin
// without sleeping either.
func latencyRecv(ctx context.Context, args []string) error { return latencyRead(ctx, args, false) }

func latencyRecvDirect(ctx context.Context, args []string) error {
	return latencyRead(ctx, args, true)
}

func latencyRecvSpin(ctx context.Context, args []string) error {
	return latencyRead(ctx, args, true, mcast.Spin(5*time.Millisecond))
}

func latencyRead(ctx context.Context, args []string, direct bool, opts ...mcast.Option) error {
	j, err := parseLatencyJob(args)
	if err != nil {
		return err
	}
	conn, err := j.open(ctx, append(opts, mcast.Lean(mcast.FieldTOS))...)
	if err != nil {
		return err
	}
	r, err := norm.NewReceiver(conn, norm.ReceiverConfig{RepairBySymbol: true, DirectRead: direct})
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Println("READY")
	ctx, cancel := context.WithTimeout(ctx, time.Duration(j.messages/j.perSecond+6)*time.Second)
	defer cancel()
	s, err := r.AcceptStream(ctx)
	if err != nil {
		return err
	}
	took := make([]int64, j.messages) // 0: it did not come
	var msg []byte
	n := 0
	for ctx.Err() == nil {
		var lost *norm.LostError
		if msg, err = s.ReadMessage(ctx, msg); errors.As(err, &lost) {
			continue
		} else if err != nil {
			break
		}
		now := clockNs()
		i := binary.NativeEndian.Uint64(msg)
		if i < uint64(j.messages) {
			took[i] = now - int64(binary.NativeEndian.Uint64(msg[8:]))
			n++
		}
		if i == uint64(j.messages)-1 {
			break
		}
	}
	for i, ns := range took {
		if ns != 0 {
			fmt.Println(i, ns)
		}
	}
	fmt.Println("DONE", n)
	return nil
}
