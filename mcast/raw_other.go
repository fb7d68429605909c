//go:build !linux

package mcast

import (
	"net"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// rawSocket does not exist here: a RawConn is never opened.
type rawSocket struct{}

var errRaw = unsupported("hearing IGMP and MLD on a link")

func (s *rawSocket) open(*net.Interface, rawSet, *counters) error { return errRaw }
func (s *rawSocket) read([]datagram.Packet) (int, error)          { return 0, errRaw }
func (s *rawSocket) write([]datagram.Packet) (int, error)         { return 0, errRaw }
func (s *rawSocket) setOutgoing(bool) error                       { return errRaw }
func (s *rawSocket) setReadDeadline(time.Time) error              { return errRaw }
func (s *rawSocket) close() error                                 { return nil }
func (s *rawSocket) inNamespace(f func() error) error             { return f() }
