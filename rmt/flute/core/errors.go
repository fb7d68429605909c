package core

import "errors"

// ErrConfig is wrapped by every complaint about a configuration or an object to send.
var ErrConfig = errors.New("invalid configuration")

// Why an object was not sent or received whole.
var (
	// ErrCanceled: called off here.
	ErrCanceled = errors.New("canceled")
	// ErrSource: the sender could not read the object.
	ErrSource = errors.New("source cannot be read")
	// ErrFull: as many objects as SenderConfig.MaxObjects are on their way.
	ErrFull = errors.New("too many objects on their way")

	// ErrClosed: the sender ended the object, or the session, before it was
	// whole here.
	ErrClosed = errors.New("ended by the sender before it was whole")
	// ErrExpired: no valid FDT Instance describes it any longer.
	ErrExpired = errors.New("expired before it was whole")
	// ErrSilent: the session's sender fell silent.
	ErrSilent = errors.New("the sender fell silent")
	// ErrUndescribed: no FDT Instance came that describes it.
	ErrUndescribed = errors.New("never described by an FDT Instance")
	// ErrReplaced: the object's identifier came to mean another.
	ErrReplaced = errors.New("replaced by another object with its TOI")
	// ErrOverrun: it gave way to others at a limit.
	ErrOverrun = errors.New("gave way to other objects at a limit")
	// ErrUnsupported: its FEC scheme or sizes are not supported here.
	ErrUnsupported = errors.New("FEC scheme or sizes not supported")
)
