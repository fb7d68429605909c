//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// Raw UDP: every datagram has its number, the number of all, and a piece of the file.
const (
	rawGroup   = "239.77.1.1:7700"
	rawHeader  = 8
	rawPayload = 1400
	rawEnd     = 1<<32 - 1 // the number of a datagram that says there are no more
	rawRun     = 46        // datagrams that travel as one, at most 65,507 bytes
)

// rawSend sends a file once: -mode mmsg in batches of single datagrams, gso in runs.
func rawSend(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("raw-send", flag.ExitOnError)
	mode := f.String("mode", "mmsg", "mmsg or gso")
	rate := f.Float64("rate", 0, "Mbit/s with IP and UDP headers, 0 for unlimited")
	f.Parse(args)
	data, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return err
	}
	c, err := mcast.Dial(ctx, rawGroup, mcast.Interface(netlab.Device), mcast.Loopback(false), mcast.Offload(*mode == "gso"), mcast.WriteBuffer(4<<20))
	if err != nil {
		return err
	}
	defer c.Close()
	const size = rawHeader + rawPayload
	buf := make([]byte, rawRun*size)
	total := uint32((len(data) + rawPayload - 1) / rawPayload)
	start, sent := time.Now(), 0
	for q := uint32(0); q < total; {
		run, ps := buf[:0], []datagram.Packet(nil)
		for ; q < total && len(run)+size <= cap(buf); q++ {
			at := len(run)
			run = binary.BigEndian.AppendUint32(run, q)
			run = binary.BigEndian.AppendUint32(run, total)
			off := int(q) * rawPayload
			run = append(run, data[off:min(off+rawPayload, len(data))]...)
			sent += len(run) - at + 28
			if *mode != "gso" {
				ps = append(ps, datagram.Packet{Data: run[at:len(run):len(run)]})
			}
		}
		if *mode == "gso" {
			ps = append(ps, datagram.Packet{Data: run, SegSize: size})
		}
		for len(ps) > 0 {
			n, err := c.WriteBatch(ps)
			if ps = ps[n:]; err != nil {
				return err
			}
		}
		if *rate > 0 {
			due := time.Duration(float64(sent) * 8 / *rate * 1e3)
			if ahead := due - time.Since(start); ahead > 100*time.Microsecond {
				time.Sleep(ahead)
			}
		}
	}
	end := binary.BigEndian.AppendUint32(nil, rawEnd)
	end = binary.BigEndian.AppendUint32(end, total)
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		if _, err := c.WriteBatch([]datagram.Packet{{Data: end}}); err != nil {
			return err
		}
	}
	return nil
}

// rawRecv writes what comes to a file and says how much, and when.
func rawRecv(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("raw-recv", flag.ExitOnError)
	size := f.Int64("size", 0, "of the file")
	whole := f.Bool("gro", false, "take runs of datagrams as they come")
	f.Parse(args)
	file, err := os.Create(f.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Truncate(*size); err != nil {
		return err
	}
	c, err := mcast.Open(ctx, rawGroup, mcast.Interface(netlab.Device))
	if err != nil {
		return err
	}
	defer c.Close()
	context.AfterFunc(ctx, func() { c.Close() })
	total := (*size + rawPayload - 1) / rawPayload
	seen := make([]bool, total)
	ps, buffers := make([]datagram.Packet, mcast.BatchSize), make([][]byte, mcast.BatchSize)
	for i := range ps {
		buffers[i] = make([]byte, 2048)
		if *whole {
			buffers[i] = make([]byte, 64<<10)
		}
	}
	fmt.Println("READY")
	var got, bytes int64
	var first, last float64
	joined := make([]byte, 0, mcast.BatchSize*rawPayload) // payloads that follow each other
	for over := false; !over && got < total; {
		for i := range ps {
			ps[i].Data = buffers[i]
		}
		n, err := c.ReadBatch(ps)
		if err != nil {
			return err
		}
		var at int64 // where joined belongs
		fresh := false
		for i := 0; i < n; {
			d := ps[i].Data
			if seg := ps[i].SegSize; seg > 0 && seg < len(d) {
				d, ps[i].Data = d[:seg], d[seg:]
			} else {
				i++
			}
			if len(d) < rawHeader {
				return errors.New("short datagram")
			}
			q := int64(binary.BigEndian.Uint32(d))
			if q == rawEnd {
				over = true
				continue
			}
			if q >= total || seen[q] {
				continue
			}
			seen[q], fresh = true, true
			got++
			bytes += int64(len(d) - rawHeader)
			if len(joined) > 0 && at+int64(len(joined)) != q*rawPayload {
				if _, err := file.WriteAt(joined, at); err != nil {
					return err
				}
				joined = joined[:0]
			}
			if len(joined) == 0 {
				at = q * rawPayload
			}
			joined = append(joined, d[rawHeader:]...)
		}
		if len(joined) > 0 {
			if _, err := file.WriteAt(joined, at); err != nil {
				return err
			}
			joined = joined[:0]
		}
		if fresh {
			if last = netlab.Monotonic(); first == 0 {
				first = last
			}
		}
	}
	fmt.Printf("DONE %.6f %d %d\n", last-first, bytes, total-got)
	return nil
}

// judgeRaw reads what raw receivers say; the slowest counts.
func (r *run) judgeRaw(res *result, rx []*child) {
	total := float64((r.size + rawPayload - 1) / rawPayload)
	for i, c := range rx {
		line, _ := c.line("DONE")
		var seconds float64
		var bytes, lost int64
		if _, err := fmt.Sscanf(line, "DONE %g %d %d", &seconds, &bytes, &lost); err != nil || seconds <= 0 {
			res.Failure = fmt.Sprintf("receiver %d did not end: %s", i+1, tail(rx[i:i+1]))
			res.Goodput = 0
			return
		}
		goodput := float64(bytes) * 8 / seconds / 1e6
		if i == 0 || goodput < res.Goodput {
			res.Goodput, res.Seconds = goodput, seconds
		}
		res.Lost = max(res.Lost, 100*float64(lost)/total)
		if lost == 0 && fileSum(fileBin(r.dirs[i])) != r.sum {
			res.Failure = fmt.Sprintf("receiver %d has other bytes", i+1)
		}
	}
	if res.Lost > 1 {
		res.Failure = fmt.Sprintf("lost %.2f %%", res.Lost) // too fast to count
		res.Goodput = 0
	}
}
