package mcast

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/gomulticast/multicast/mcast/group"
)

// Plan 9 has error strings and no errno to explain.

func explain(_ string, err error) error { return err }

func isQueueFull(error) bool { return false }
func isGone(error) bool      { return false }
func isNoMemory(error) bool  { return false }
func isNoOption(error) bool  { return false }

func limitError(err error, _ netip.Addr, _ group.Filter, _ bool) error { return err }

func isSystem(err error) bool {
	var s syscall.ErrorString
	return errors.As(err, &s)
}
