package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/norm"
)

// A delivery is the files of one send command, and what has become of them.
type delivery struct {
	f     *sendFlags
	s     *norm.Sender
	opts  []norm.SendOption
	out   *printer
	show  *bars
	items []item

	failed    bool
	delivered int
	total     int64
}

// An item is one argument: a file or a directory.
type item struct {
	file string
	t    *norm.Transfer
	tree *norm.TreeTransfer
	stop func()
}

// sendAll sends the files and reports.
func (f *sendFlags) sendAll(ctx context.Context, s *norm.Sender, files []string, opts []norm.SendOption, told func() error, out *printer) error {
	start := time.Now()
	d := &delivery{f: f, s: s, opts: opts, out: out, show: newBars(f.json)}
	for _, file := range files {
		if err := d.queue(ctx, file); err != nil {
			d.fail(ctx, file, err)
			if ctx.Err() != nil {
				break
			}
		}
	}
	for _, it := range d.items {
		if it.tree != nil {
			for name, t := range it.tree.All() {
				d.wait(ctx, name, t)
			}
			if err := it.tree.WaitList(ctx); err != nil {
				d.fail(ctx, it.file, err)
			}
		} else {
			d.wait(ctx, it.file, it.t)
		}
		it.stop()
	}
	seconds := time.Since(start).Seconds()
	if told() != nil {
		d.failed = true
	}
	s.Shutdown(ctx) // goodbye, even if ctx has ended
	d.show.wait()
	st := s.Stats()
	out.event(sentEvent{"sent", d.delivered, d.total, st.Bytes, st.Nacks, st.Repairs, seconds},
		"sent %d file(s), %s in %.2f s (%s): %s on the wire, %d NACKs, %d repairs",
		d.delivered, size(d.total), seconds, bitrate(float64(d.total)*8/seconds), size(int64(st.Bytes)), st.Nacks, st.Repairs)
	if d.failed {
		return errFailed
	}
	return nil
}

// queue begins to send a file or a directory.
func (d *delivery) queue(ctx context.Context, file string) error {
	st, err := os.Stat(file)
	if err != nil || !st.IsDir() {
		t, err := d.s.SendFile(ctx, file, d.opts...)
		if err == nil {
			d.items = append(d.items, item{file: file, t: t, stop: follow(d.show, filepath.Base(file), t)})
		}
		return err
	}
	bar := newTreeBar(d.show, filepath.Base(file))
	tree, err := d.s.SendDir(ctx, file, append(d.opts[:len(d.opts):len(d.opts)], norm.Started(bar.add))...)
	if tree == nil {
		bar.stop()
		return err
	}
	d.items = append(d.items, item{file: file, tree: tree, stop: bar.stop})
	for _, s := range tree.Skipped {
		if errors.Is(s.Err, norm.ErrNotRegular) {
			d.out.event(skippedEvent{"skipped", s.Name, s.Err.Error()}, "skipped %s: %v", s.Name, s.Err)
		} else {
			d.fail(ctx, s.Name, s.Err)
		}
	}
	return err
}

// wait waits for a transfer and says who was not served.
func (d *delivery) wait(ctx context.Context, file string, t *norm.Transfer) {
	if err := t.Wait(ctx); err != nil {
		d.fail(ctx, file, err)
		return
	}
	for _, id := range t.Dropped() {
		d.fail(ctx, file, fmt.Errorf("receiver %v did not confirm it within --drop-after %v", uint32(id), d.f.drop))
	}
	d.delivered++
	d.total += t.Size()
}

func (d *delivery) fail(ctx context.Context, file string, err error) {
	d.failed = true
	if cause := context.Cause(ctx); ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = cause
	}
	d.out.failure(file, err)
}

// follow draws a transfer's progress until the returned function is called.
func follow(b *bars, name string, t *norm.Transfer) (stop func()) {
	bar := b.add(name, t.Size())
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				bar.SetCurrent(min(t.Progress(), t.Size()-1))
			case <-t.Done():
				bar.SetCurrent(max(t.Size(), 1))
				return
			case <-end:
				bar.Abort(false)
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// A treeBar draws the progress of a directory: how much of the files that were queued is
// sent.
type treeBar struct {
	mu         sync.Mutex
	open       []*norm.Transfer
	sent, size int64 // sent: of those no longer open
	end, ended chan struct{}
}

func newTreeBar(b *bars, name string) *treeBar {
	t := &treeBar{end: make(chan struct{}), ended: make(chan struct{})}
	bar := b.add(name, 0)
	go func() {
		defer close(t.ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				sent, size := t.progress()
				bar.SetTotal(max(size, 1), false)
				bar.SetCurrent(sent)
			case <-t.end:
				bar.Abort(false)
				return
			}
		}
	}()
	return t
}

func (t *treeBar) add(_ string, tr *norm.Transfer) {
	t.mu.Lock()
	t.open = append(t.open, tr)
	t.size += tr.Size()
	t.mu.Unlock()
}

func (t *treeBar) progress() (sent, size int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	still := t.open[:0]
	for _, tr := range t.open {
		select {
		case <-tr.Done():
			t.sent += tr.Size()
		default:
			still = append(still, tr)
			sent += tr.Progress()
		}
	}
	t.open = still
	return t.sent + sent, t.size
}

func (t *treeBar) stop() { close(t.end); <-t.ended }
