package core

import "github.com/gomulticast/multicast/rmt/lct"

// SenderEventType says what happened at a sender.
type SenderEventType uint8

const (
	// PassDone: an object was sent once more; Pass is how often by now.
	PassDone SenderEventType = iota + 1
	// ObjectDone: an object will not be sent any more; Err says why if it was not
	// sent as often as it should.
	ObjectDone
	// SessionClosed: the end was announced.
	SessionClosed
)

// A SenderEvent is one thing that happened at a sender.
type SenderEvent struct {
	Type SenderEventType
	TOI  lct.TOI
	Pass int
	Err  error
}

// SenderStats counts what a sender has done.
type SenderStats struct {
	Packets, Bytes uint64 // sent, with all that UDP carries
	Source, Repair uint64 // packets with source and repair symbols of objects
	FDTPackets     uint64
	FDTBytes       uint64
	Tables         uint64 // FDT Instances made
	Passes         uint64 // objects sent whole
	Objects        uint64 // taken on
	ObjectsOpen    int    // not done
}
