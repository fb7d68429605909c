package flute

import (
	"errors"
	"fmt"

	"github.com/gomulticast/multicast/rmt/flute/core"
)

// Why a file was not sent or delivered, for errors.Is.
var (
	ErrCanceled    = core.ErrCanceled    // called off here
	ErrSource      = core.ErrSource      // the sender could not read it
	ErrClosed      = core.ErrClosed      // ended by the sender before it was whole
	ErrExpired     = core.ErrExpired     // expired before it was whole
	ErrSilent      = core.ErrSilent      // the sender fell silent
	ErrUndescribed = core.ErrUndescribed // the File Delivery Table never had it
	ErrReplaced    = core.ErrReplaced    // its TOI came to mean another
	ErrOverrun     = core.ErrOverrun     // gave way to others at a limit
	ErrUnsupported = core.ErrUnsupported // FEC scheme or sizes not supported
	ErrEncoding    = core.ErrEncoding    // content encoding unknown, or wrong
	ErrConfig      = core.ErrConfig      // a setting makes no sense

	// ErrName: its Content-Location would leave the directory, or is no file name.
	ErrName = errors.New("unsafe file name")
	// ErrDigest: what came is not what the File Delivery Table says, by its MD5 or
	// its length.
	ErrDigest = errors.New("content differs from its description")
	// ErrTooBig: it is larger than the configuration allows.
	ErrTooBig = errors.New("larger than the limits allow")
)

// A FileError says which file was not delivered and why.
type FileError struct {
	Session SessionKey
	TOI     TOI
	Name    string // its Content-Location, if it was known
	Err     error
}

func (e *FileError) Error() string {
	name := fmt.Sprintf("object %v", e.TOI)
	if e.Name != "" {
		name = e.Name
	}
	return fmt.Sprintf("flute: %.300s of session %v: %v", name, e.Session, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }
