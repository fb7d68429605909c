package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

func sapCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sap",
		Short: "List the sessions announced on a network, or announce some",
		Long: "Sap speaks the Session Announcement Protocol (RFC 2974), by which VLC, FFmpeg, PulseAudio\n" +
			"and AES67 audio devices tell what they send.",
		Args: atMost(0, "there are announce, listen"),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(sapListenCommand(), sapAnnounceCommand())
	return c
}

// openDirectory listens on all SAP groups, on all interfaces unless some are named. One
// IP version may be missing; it is told what.
func openDirectory(ctx context.Context, ifaces []string, missing func(error)) (*sap.Directory, error) {
	if len(ifaces) == 0 {
		ifaces = []string{"all"}
	}
	var paths []sap.Path
	var failed error
	for _, is4 := range []bool{true, false} {
		c, err := listenSAP(ctx, ifaces, is4)
		if err != nil {
			if failed == nil {
				failed = err
			}
			continue
		}
		paths = append(paths, sap.Path{Conn: c})
	}
	if len(paths) == 0 {
		return nil, failed
	}
	if failed != nil {
		missing(failed)
	}
	d, err := sap.NewDirectory(sap.DirectoryConfig{}, paths...)
	if err != nil {
		for _, p := range paths {
			p.Conn.Close()
		}
		return nil, err
	}
	return d, nil
}

// listenSAP joins the SAP groups of one IP version.
func listenSAP(ctx context.Context, ifaces []string, is4 bool) (c *mcast.Conn, err error) {
	for _, g := range sap.AllGroups() {
		switch {
		case g.Is4() != is4:
			continue
		case c == nil:
			opts := append(onInterfaces(ifaces), mcast.MultiGroup())
			if c, err = mcast.Listen(ctx, netip.AddrPortFrom(g, sap.Port).String(), opts...); err != nil {
				return nil, err
			}
		default:
			if err = c.Join(group.Channel{Group: g}); err != nil {
				c.Close()
				return nil, err
			}
		}
	}
	return c, nil
}

// A sessionEvent is a line of sap listen --json: what happened to a session. Scripts
// rely on these names.
type sessionEvent struct {
	Event  string         `json:"event"` // "added", "updated", "removed" or "conflict"
	Name   string         `json:"name"`
	Origin string         `json:"origin"` // the originating source that the announcement names
	Source string         `json:"source"` // the host that sent it
	Groups []sessionGroup `json:"groups"`
	Reason string         `json:"reason"` // of removed and conflict
}

// A sessionGroup is one thing to join.
type sessionGroup struct {
	Group  string `json:"group"`
	Source string `json:"source"` // "" is any sender
	Port   uint16 `json:"port"`
	TTL    uint8  `json:"ttl"` // 0 is not told
}

func eventOf(ev *sap.Event) sessionEvent {
	l := &ev.Listing
	e := sessionEvent{
		Event: ev.Kind.String(), Name: l.Description.Name(), Origin: addrText(l.Origin), Source: addrText(l.Source),
		Groups: groupsOf(l.Channels()),
	}
	if ev.Reason != 0 {
		e.Reason = ev.Reason.String()
	}
	return e
}

func groupsOf(chs []sdp.Channel) []sessionGroup {
	gs := make([]sessionGroup, len(chs))
	for i, ch := range chs {
		gs[i] = sessionGroup{ch.Group.String(), addrText(ch.Source), ch.Port, ch.TTL}
	}
	return gs
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// channelsText writes some of what to join for people.
func channelsText(chs []sdp.Channel) string {
	const most = 2
	if len(chs) == 0 {
		return "-"
	}
	var parts []string
	for _, ch := range chs[:min(len(chs), most)] {
		parts = append(parts, ch.String())
	}
	text := strings.Join(parts, " ")
	if n := len(chs) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// title returns what strangers wrote, fit to be printed on one line: at most so many
// characters, none of which moves the cursor.
func title(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	if text := strings.TrimSpace(b.String()); text != "" && text != "-" {
		return text
	}
	return "(no name)"
}
