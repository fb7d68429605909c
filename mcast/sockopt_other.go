//go:build !(darwin || freebsd || linux || windows)

package mcast

import "errors"

func setsockopt(uintptr, int, int, []byte) error   { return errors.ErrUnsupported }
func getsockoptInt(uintptr, int, int) (int, error) { return 0, errors.ErrUnsupported }
func sendsTOS() bool                               { return false }
