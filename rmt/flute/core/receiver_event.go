package core

import "github.com/gomulticast/multicast/rmt/flute/fdt"

// ReceiverEventType says what happened at a receiver.
type ReceiverEventType uint8

const (
	// SessionNew and SessionGone: a session was heard for the first time, and
	// is no longer followed; Err says why.
	SessionNew ReceiverEventType = iota + 1
	SessionGone

	// TableReceived: an FDT Instance came; Table has it.
	TableReceived

	// ObjectNew: an object was begun, of Size bytes. Event ObjectDescribed may
	// come before it or later.
	ObjectNew

	// ObjectDescribed: File describes the object.
	ObjectDescribed

	// BlockReceived: Data are the object's bytes from Offset on. They belong to
	// the application until it gives them to Release.
	BlockReceived

	// BlockSpilled: memory is short. Data is to be stored at Offset, to be read
	// again by ReceiverConfig.Load, and given to Release when it is stored. It
	// may reach beyond the object's end by less than a symbol.
	BlockSpilled

	// BlockSolvable: there are symbols enough of a block for FEC to recover it.
	// Work is to be done by a Solver and given to Receiver.Solved.
	BlockSolvable

	// ObjectReceived: all blocks were handed over, and the object is described.
	// The application verifies and keeps it and calls Stored.
	ObjectReceived

	// ObjectAborted: nothing more will come of the object; Err says why.
	ObjectAborted
)

// A ReceiverEvent is one thing that happened at a receiver. Key.Session is set in all
// events, the rest of Key in those of objects.
type ReceiverEvent struct {
	Type   ReceiverEventType
	Key    ObjectKey
	Size   int64
	File   *fdt.File     // not to be changed
	Table  *fdt.Instance // not to be changed
	Offset int64
	Data   []byte
	Block  uint32 // source block number, and
	Blocks uint64 // how many the object has
	Work   *Work
	Err    error
}

// ReceiverStats counts what a receiver has seen.
type ReceiverStats struct {
	Packets, Bytes uint64 // datagrams and their payload
	Symbols        uint64 // encoding symbols put to use
	Duplicates     uint64 // symbols that were here already, or not needed
	Recovered      uint64 // source symbols that FEC gave back
	Solved         uint64 // blocks that took FEC
	Unsolved       uint64 // times that symbols did not suffice for it

	Tables         uint64 // FDT Instances read
	TablesBad      uint64 // that could not be read, or were too large
	TablesExpired  uint64 // that had expired
	TableConflicts uint64 // packets that did not fit the instance they named

	Early        uint64 // packets kept until it was known what they are of
	EarlyDropped uint64 // of those, how many had to go

	Malformed      uint64 // packets and symbols that make no sense
	Unsupported    uint64 // packets of unknown FEC schemes
	Unwanted       uint64 // packets of sessions and files not wanted
	Refused        uint64 // packets and files refused at a limit
	FTIConflicts   uint64 // packets whose EXT_FTI contradicts what is known
	FileConflicts  uint64 // descriptions that contradict earlier ones
	NoBuffer       uint64 // symbols dropped for want of memory
	Spilled        uint64 // blocks put aside
	Reloaded       uint64 // and taken up again
	Dropped        uint64 // blocks given up for want of memory
	Sessions       uint64 // begun
	Objects        uint64 // begun
	Received       uint64 // stored by the application
	Aborted        uint64
	MemoryInUse    int64 // of source blocks, in bytes
	ObjectsOpen    int
	SessionsOpen   int
	Solving        int // blocks that are with the Solver
	DecoderBytes   int64
	DescribedFiles int
}
