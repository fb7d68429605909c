package norm

import (
	"errors"
	"fmt"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// Why an object was not delivered, or something else failed, for errors.Is.
var (
	ErrCanceled        = core.ErrCanceled        // called off by its sender
	ErrNotAcked        = core.ErrNotAcked        // some receivers did not confirm, or answer
	ErrSource          = core.ErrSource          // the sender could not read it
	ErrPurged          = core.ErrPurged          // the sender no longer repairs it
	ErrSenderGone      = core.ErrSenderGone      // the sender ended the session
	ErrSenderSilent    = core.ErrSenderSilent    // the sender fell silent
	ErrSenderRestarted = core.ErrSenderRestarted // the sender began anew
	ErrOverrun         = core.ErrOverrun         // too many newer objects came
	ErrUnsupported     = core.ErrUnsupported     // FEC scheme or sizes not supported
	ErrConfig          = core.ErrConfig          // a setting makes no sense
	ErrCommand         = core.ErrCommand         // a command or question cannot be sent as it is
	ErrNodeClash       = core.ErrNodeClash       // two nodes have one ID; told to Logger

	// ErrName: the name the sender gave would leave the directory, or is no
	// file name on this system.
	ErrName = errors.New("unsafe file name")
	// ErrDigest: the bytes received do not have the SHA-256 the sender
	// announced.
	ErrDigest = errors.New("SHA-256 differs from the sender's")
	// ErrTooBig: it is larger than ReceiverConfig.MaxMemory allows, or of a file
	// with a directory to put it in, MaxFileSize.
	ErrTooBig = errors.New("larger than the receiver allows")
	// ErrQuota: there are more files, or files, directories or bytes of one sender, or
	// entries of a set, than ReceiverConfig allows.
	ErrQuota = errors.New("quota of the receiver exceeded")
	// ErrNoSpace: the disk has not enough room for the file.
	ErrNoSpace = errors.New("not enough free space on disk")
	// ErrExists: a file of that name is there, and ReceiverConfig.OnExist says not to
	// replace it.
	ErrExists = errors.New("file exists")
)

// An ObjectError says which object was not delivered and why.
type ObjectError struct {
	Sender NodeID
	ID     uint16 // NormTransportId
	Name   string // if it was known
	Err    error
}

func (e *ObjectError) Error() string {
	name := fmt.Sprintf("object %d", e.ID)
	if e.Name != "" {
		name = e.Name
	}
	return fmt.Sprintf("norm: %s from node %v: %v", name, e.Sender, e.Err)
}

func (e *ObjectError) Unwrap() error { return e.Err }
