package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

// readSDP reads a description from a file, or from standard input.
func readSDP(name string) (*sdp.Description, error) {
	b, err := readText(name)
	if err != nil {
		return nil, err
	}
	d, err := sdp.Parse(b)
	if err != nil {
		return nil, usagef("%s: %s", name, strings.TrimPrefix(err.Error(), "sdp: "))
	}
	return d, nil
}

// readText reads what can be a description: a little more than its limit, for the error.
func readText(name string) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			return nil, usagef("%s: there is no such file", name)
		}
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	return io.ReadAll(io.LimitReader(in, sdp.MaxSize+1))
}

// describe makes the description of a stream.
func (f *sapAnnounceFlags) describe(ctx context.Context, stream string, now time.Time) (*sdp.Description, error) {
	t, err := parseTarget(stream)
	if err != nil {
		return nil, err
	}
	if t.Scheme != "rtp" && t.Scheme != "udp" {
		return nil, usagef("--stream %s: write rtp:// or udp:// before it, since the description has to say which", stream)
	}
	if group.IsSSM(t.Channel.Group) && !t.Channel.Source.IsValid() {
		return nil, usagef("--stream %s: a group in the source-specific range needs its sender, as rtp://192.0.2.10@232.1.2.3:5004", stream)
	}
	origin, err := hostAddr(ctx, t, f.ifaces)
	if err != nil {
		return nil, openError(err)
	}
	name := f.name
	if name == "" {
		name = t.String()
	}
	// The ID is made of the stream, so that it is the same session the next time, in a
	// later version.
	s := sdp.Session{Name: name, Origin: origin, Version: sdp.NTP(now), Tool: "mcast"}
	to := sdp.Dest{Channel: t.Channel, Port: t.Port, TTL: uint8(f.ttl)}
	var d *sdp.Description
	switch {
	case t.Scheme == "udp":
		d, err = sdp.NewMPEGTS(sdp.MPEGTS{Session: s, Dest: to, Raw: true})
	case f.profile == "aes67":
		d, err = sdp.NewAES67(sdp.AES67{Session: s, Dest: to, Channels: 2})
	default:
		d, err = sdp.NewMPEGTS(sdp.MPEGTS{Session: s, Dest: to})
	}
	if err != nil {
		return nil, usagef("--stream %s: %s", stream, strings.TrimPrefix(err.Error(), "sdp: "))
	}
	return d, nil
}

// sapText writes an error of package sap for people.
func sapText(err error) string {
	return strings.Replace(strings.TrimPrefix(err.Error(), "sap: "), "use the AES67 profile", "use --profile aes67", 1)
}
