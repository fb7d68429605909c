package mcast

import (
	"errors"
	"syscall"
)

// Plan 9 has error strings and no errno to explain.

func explain(_ string, err error) error  { return err }
func limitError(err error, _ bool) error { return err }
func isQueueFull(error) bool             { return false }

func isSystem(err error) bool {
	var s syscall.ErrorString
	return errors.As(err, &s)
}
