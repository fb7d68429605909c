package main

import (
	"fmt"
	"time"

	"github.com/vbauerster/mpb/v8"

	"github.com/gomulticast/multicast/rmt/norm"
)

// watch draws a bar for every object under way until the returned function is
// called.
func watch(show *bars, r *norm.Receiver) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		type key struct {
			sender norm.NodeID
			id     uint16
		}
		all := make(map[key]*mpb.Bar)
		for {
			select {
			case <-end:
				for _, b := range all {
					b.Abort(true)
				}
				return
			case <-tick.C:
			}
			seen := make(map[key]bool)
			for _, o := range r.Pending() {
				k := key{o.Sender, o.ID}
				seen[k] = true
				if all[k] == nil {
					if o.Name == "" {
						o.Name = fmt.Sprintf("object %d", o.ID)
					}
					all[k] = show.add(o.Name, o.Size)
				}
				all[k].SetCurrent(o.Received)
			}
			for k, b := range all {
				if !seen[k] {
					b.Abort(true) // its line of result takes its place
					delete(all, k)
				}
			}
		}
	}()
	return func() { close(end); <-ended }
}
