package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/sap"
)

const (
	sessionRows  = 40 // sessions shown to a person; all are in the JSON
	sessionNotes = 5  // conflicts shown below them
	nameWidth    = 40
)

type sapListenFlags struct {
	ifaces   []string
	m3u      string
	interval time.Duration
	duration time.Duration
	json     bool
}

func sapListenCommand() *cobra.Command {
	var f sapListenFlags
	c := &cobra.Command{
		Use:   "listen",
		Short: "List the sessions that are announced",
		Long: "Listen hears announcements of all scopes, over IPv4 and IPv6, and shows the sessions: a\n" +
			"table on a terminal, elsewhere a line for each that comes, changes or goes. An announcer\n" +
			"that follows RFC 2974 repeats itself every five minutes only, so give it time.\n\n" +
			"With --m3u the sessions are also kept in a playlist that players such as VLC open. It is\n" +
			"replaced as a whole, at most once in an --interval.\n\n" +
			"With --json there is one object for each event: added, updated, removed, or conflict, which\n" +
			"is when two announcements are at odds; reason then says why.",
		Example: "  mcast sap listen\n" +
			"  mcast sap listen --iface eth0 --m3u sessions.m3u\n" +
			"  mcast sap listen --duration 30s --json",
		Args: atMost(0, "name interfaces with --iface"),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	fs := c.Flags()
	fs.StringArrayVarP(&f.ifaces, "iface", "i", nil, "network interface: a name, index or address, several times, or all (default all)")
	fs.StringVar(&f.m3u, "m3u", "", "keep a playlist of the sessions in this file")
	fs.DurationVar(&f.interval, "interval", time.Second, "how often to show")
	fs.DurationVar(&f.duration, "duration", 0, "stop after this time (default: never)")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

func (f *sapListenFlags) run(ctx context.Context, out *printer) error {
	if f.interval < 10*time.Millisecond || f.duration < 0 {
		return usagef("--interval %v, --duration %v: give at least 10ms, and a positive time", f.interval, f.duration)
	}
	if f.m3u != "" { // tells at once if it cannot be written
		if err := writePlaylist(f.m3u, nil); err != nil {
			return usagef("--m3u: %v; name a file in a directory that you may write to", err)
		}
	}
	d, err := openDirectory(ctx, f.ifaces, func(err error) { out.warn("only one IP version is heard: %s", plain(openError(err))) })
	if err != nil {
		return openError(err)
	}
	defer d.Close()
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	return f.watch(ctx, d, out)
}

// warn writes a line to standard error, where it is in nobody's way.
func (p *printer) warn(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.err, "mcast: "+format+"\n", args...)
}

// watch shows what happens until ctx is done.
func (f *sapListenFlags) watch(ctx context.Context, d *sap.Directory, out *printer) error {
	events, failed := make(chan sap.Event), make(chan error, 1)
	go func() {
		for ev, err := range d.Events(ctx) {
			if err != nil {
				failed <- err // buffered
				return
			}
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	l := lister{out: out, board: newBoard(out, netip.AddrPort{}), started: time.Now()}
	l.lines = !l.board.live && !out.json
	if l.lines {
		out.event(nil, "listening to announcements")
	}
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	changed := false
	for {
		select {
		case ev := <-events:
			changed = l.handle(&ev) || changed
			continue
		case <-tick.C:
			if !l.lines && !out.json {
				l.board.draw(l.table(time.Now(), d.Sessions()))
			}
			if changed && f.m3u != "" {
				f.save(d, out)
			}
			changed = false
			continue
		case <-ctx.Done():
		case err := <-failed:
			if ctx.Err() == nil {
				return err
			}
		}
		if f.m3u != "" {
			f.save(d, out)
		}
		if !out.json {
			l.board.draw(l.table(time.Now(), d.Sessions()))
		}
		return nil
	}
}

func (f *sapListenFlags) save(d *sap.Directory, out *printer) {
	if err := writePlaylist(f.m3u, d.Sessions()); err != nil {
		out.warn("--m3u: %v", err)
	}
}

// A lister shows a directory.
type lister struct {
	out     *printer
	board   *board
	lines   bool // a line for each event, instead of a table
	started time.Time
	notes   []string

	source, name, groups int // widths of columns of lines, as wide as they had to be
}

// handle shows an event, and reports whether the list is another one now.
func (l *lister) handle(ev *sap.Event) bool {
	if ev.Missed > 0 {
		l.out.warn("%s lost, more than can be shown", count(ev.Missed, "event"))
	}
	if ev.Kind == sap.Refreshed {
		return false
	}
	e := eventOf(ev)
	switch {
	case l.out.json:
		l.out.event(e, "")
	case l.lines:
		name, chs := title(e.Name, nameWidth), channelsText(ev.Listing.Channels())
		l.source, l.name, l.groups = max(l.source, len(e.Source), 15), max(l.name, utf8.RuneCountInString(name)), max(l.groups, len(chs))
		l.out.event(nil, "%s", strings.TrimRight(fmt.Sprintf("%12s  %-8s  %-*s  %-*s  %-*s  %s", since(time.Now(), l.started), e.Event, l.source, e.Source,
			l.name, name, l.groups, chs, e.Reason), " "))
	case ev.Kind == sap.Conflict:
		note := fmt.Sprintf("%s of %s and %s of %s: %s", title(e.Name, nameWidth), e.Source, title(ev.Other.Description.Name(), nameWidth), addrText(ev.Other.Source), e.Reason)
		if !slices.Contains(l.notes, note) {
			l.notes = append(l.notes, note)
			l.notes = l.notes[max(0, len(l.notes)-sessionNotes):]
		}
	}
	return ev.Kind != sap.Conflict
}

// table writes the sessions for people.
func (l *lister) table(now time.Time, all []sap.Listing) string {
	var b bytes.Buffer
	if len(all) == 0 {
		fmt.Fprintf(&b, "no session was announced in %s\n", ago(now, l.started))
	} else {
		sortByName(all)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tGROUPS\tSOURCE\tEVERY\tHEARD\tSEEN\tENDS IN")
		for _, x := range all[:min(len(all), sessionRows)] {
			every := "?"
			if x.Period > 0 {
				every = x.Period.Round(time.Second / 10).String()
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", title(x.Description.Name(), nameWidth), channelsText(x.Channels()), x.Source, every, x.Heard,
				ago(now, x.Last), max(x.Expires.Sub(now), 0).Round(time.Second))
		}
		w.Flush()
		if n := len(all) - sessionRows; n > 0 {
			fmt.Fprintf(&b, "and %d more; --json shows all\n", n)
		}
	}
	for _, n := range l.notes {
		fmt.Fprintf(&b, "CONFLICT  %s\n", n)
	}
	return b.String()
}

// sortByName sorts sessions as people look for them.
func sortByName(all []sap.Listing) {
	slices.SortStableFunc(all, func(a, b sap.Listing) int {
		return strings.Compare(strings.ToLower(a.Description.Name()), strings.ToLower(b.Description.Name()))
	})
}
