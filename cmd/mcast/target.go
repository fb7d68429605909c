package main

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

const (
	// testPort is where test packets go unless told otherwise: iperf's port, for it
	// can count them.
	testPort = 5001
	rtpPort  = 5004 // RFC 3551 section 8
)

// parseTarget reads what commands take for a group: with or without port, source
// and scheme.
func parseTarget(s string) (group.Target, error) {
	t, err := group.ParseTarget(s)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "group: ")
		return t, usageError{errors.New(text)}
	}
	if t.Port == 0 {
		if t.Port = testPort; t.Scheme == "rtp" {
			t.Port = rtpPort
		}
	}
	return t, nil
}

// address writes a target's group and port as package mcast reads it.
func address(t group.Target) string {
	return netip.AddrPortFrom(t.Channel.Group, t.Port).String()
}

// onInterfaces makes options of --iface: names, or all.
func onInterfaces(names []string) (opts []mcast.Option) {
	for _, name := range names {
		if name == "all" {
			opts = append(opts, mcast.AllInterfaces())
		} else {
			opts = append(opts, mcast.Interface(name))
		}
	}
	return opts
}
