package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// goodbye is how long deletions may take.
const goodbye = 5 * time.Second

type sapAnnounceFlags struct {
	streams []string
	name    string
	ttl     int
	profile string
	ifaces  []string
	json    bool
}

var sapProfiles = map[string]sap.Profile{"rfc2974": sap.RFC2974, "aes67": sap.AES67, "fast": sap.Fast}

func sapAnnounceCommand() *cobra.Command {
	var f sapAnnounceFlags
	c := &cobra.Command{
		Use:   "announce FILE.sdp... | --stream URL",
		Short: "Announce sessions until Ctrl-C",
		Long: "Announce tells the network of sessions, each described by a file of SDP (- is standard\n" +
			"input), and of streams: rtp:// is MPEG-TS over RTP, udp:// MPEG-TS without it, and rtp://\n" +
			"with --profile aes67 audio, two channels of L24 at 48 kHz. Ctrl-C deletes the sessions.\n\n" +
			"Profile rfc2974 announces every five minutes, aes67 every 30 s, and on 239.255.255.255 too,\n" +
			"where audio devices listen, fast every 5 s, as VLC does. All become slower when many share\n" +
			"the 4,000 bit/s that a group has for announcements.",
		Example: "  mcast sap announce channel1.sdp channel2.sdp --iface eth0\n" +
			"  mcast sap announce --stream rtp://239.255.1.1:5004 --name 'Channel 1' --profile fast\n" +
			"  mcast sap announce --stream rtp://192.0.2.10@232.1.2.3:5004 --iface eth0",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && len(f.streams) == 0 {
				return usagef("nothing to announce: name files of SDP, or a stream, as --stream rtp://239.255.1.1:5004")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args, &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	fs := c.Flags()
	fs.StringArrayVar(&f.streams, "stream", nil, "announce this stream, as rtp://239.255.1.1:5004, several times")
	fs.StringVar(&f.name, "name", "", "name of the stream (default: its URL)")
	fs.IntVar(&f.ttl, "ttl", 1, "TTL that the stream is sent with, for its description")
	fs.StringVar(&f.profile, "profile", "rfc2974", "how often to announce, and where: rfc2974, aes67 or fast")
	fs.StringArrayVarP(&f.ifaces, "iface", "i", nil, "network interface: a name, index or address, several times, or all (default: by route)")
	fs.BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

func (f *sapAnnounceFlags) run(ctx context.Context, files []string, out *printer) error {
	profile, ok := sapProfiles[f.profile]
	switch {
	case !ok:
		return usagef("--profile %q: give rfc2974, aes67 or fast", f.profile)
	case f.name != "" && len(f.streams) != 1:
		return usagef("--name is for a single --stream; a file has the name in its s= line")
	case f.ttl < 1 || f.ttl > 255:
		return usagef("--ttl %d: give a number from 1 to 255", f.ttl)
	}
	var all []offer
	for _, name := range files {
		d, err := readSDP(name)
		if err != nil {
			return err
		}
		if n := len(d.Warnings()); n > 0 {
			out.warn("%s breaks the rules in %s; mcast sdp lint tells which", name, count(n, "place"))
		}
		all = append(all, offer{description: d, what: name})
	}
	for _, s := range f.streams {
		d, err := f.describe(ctx, s, time.Now())
		if err != nil {
			return err
		}
		all = append(all, offer{description: d, what: s})
	}
	var groups []netip.Addr
	for _, o := range all {
		gs, err := sap.GroupsFor(o.description, profile)
		if err != nil {
			return usagef("%s: %s", o.what, sapText(err))
		}
		groups = append(groups, gs...)
	}
	paths, sources, err := announcePaths(ctx, groups, f.ifaces)
	if err != nil {
		return openError(err)
	}
	a, err := sap.NewAnnouncer(sap.AnnouncerConfig{Profile: profile, Sources: sources}, paths...)
	if err != nil {
		closePaths(paths)
		return err
	}
	defer a.Close()
	for i := range all {
		if all[i].session, err = a.Announce(all[i].description); err != nil {
			return fmt.Errorf("%s: %s", all[i].what, sapText(err))
		}
	}
	if err := tellOffers(all, out); err != nil {
		return err
	}
	return f.serve(ctx, a, len(all), out)
}

// An offer is a session to announce.
type offer struct {
	description *sdp.Description
	what        string // file or stream
	session     *sap.Session
}

// The lines of --json. Times are in seconds.
type (
	announcedEvent struct {
		Event    string         `json:"event"` // "announced"
		Name     string         `json:"name"`
		File     string         `json:"file"` // or stream
		Groups   []sessionGroup `json:"groups"`
		On       []string       `json:"on"` // SAP groups
		Interval float64        `json:"interval"`
		Bytes    int            `json:"bytes"` // of a packet
	}
	clashEvent struct {
		Event  string `json:"event"` // "clash"
		Group  string `json:"group"`
		Source string `json:"source"`
		Name   string `json:"name"` // of the other's session
		Yield  bool   `json:"yield"`
	}
	withdrawnEvent struct {
		Event    string `json:"event"` // "withdrawn"
		Sessions int    `json:"sessions"`
		Sent     uint64 `json:"announcements"`
		Deletes  uint64 `json:"deletes"`
	}
)

// tellOffers says what is announced where.
func tellOffers(all []offer, out *printer) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tGROUPS\tANNOUNCED ON\tEVERY\tSIZE")
	for _, o := range all {
		st, err := o.session.Status()
		if err != nil {
			return err
		}
		chs := o.description.Channels()
		e := announcedEvent{Event: "announced", Name: o.description.Name(), File: o.what, Groups: groupsOf(chs), Bytes: st.Size}
		var every time.Duration
		for _, g := range st.Groups {
			if len(e.On) == 0 || e.On[len(e.On)-1] != g.Group.String() {
				e.On = append(e.On, g.Group.String())
			}
			every = max(every, g.Interval)
		}
		e.Interval = every.Seconds()
		if st.Large {
			out.warn("%s: packets of %d bytes; keep them below %d, or some listeners miss them", o.what, st.Size, sap.RecommendedSize)
		}
		if out.json {
			out.event(e, "")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%v\t%s\n", title(e.Name, nameWidth), channelsText(chs), strings.Join(e.On, " "), every, size(int64(st.Size)))
	}
	if w.Flush(); !out.json {
		out.event(nil, "%sCtrl-C deletes %s", &b, map[bool]string{true: "it", false: "them"}[len(all) == 1])
	}
	return nil
}

// serve announces until ctx is done, and then deletes.
func (f *sapAnnounceFlags) serve(ctx context.Context, a *sap.Announcer, n int, out *printer) error {
	clashes := make(chan sap.Clash)
	go func() {
		for c, err := range a.Clashes(ctx) {
			if err != nil {
				return
			}
			select {
			case clashes <- c:
			case <-ctx.Done():
				return
			}
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	told := ""
	for done := false; !done; {
		select {
		case c := <-clashes:
			advice := "ours was there first"
			if c.Yield {
				advice = "it was there first: choose another group for ours"
			}
			other := c.Description.Name()
			out.event(clashEvent{"clash", c.Group.String(), c.Source.String(), other, c.Yield}, "CLASH  %s announces %s on %s too; %s", c.Source, title(other, nameWidth), c.Group, advice)
		case <-tick.C:
			if err := a.Err(); err != nil && err.Error() != told {
				told = err.Error()
				out.warn("%s", plain(err))
			}
		case <-ctx.Done():
			done = true
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	err := a.Shutdown(end)
	st := a.Stats()
	out.event(withdrawnEvent{"withdrawn", n, st.Sent, st.Deletes}, "deleted %s after %s", count(n, "session"), count(int(st.Sent), "announcement"))
	return err
}
