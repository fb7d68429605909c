package norm

import (
	"errors"
	"fmt"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// A StreamConfig holds the settings of one stream. The zero value writes bytes for
// whoever listens and waits for nobody.
type StreamConfig struct {
	// Info is the stream's NORM_INFO content, at most a segment; receivers have it
	// with StreamReader.Info.
	Info []byte

	// Buffer is how much of the stream is kept for repair, in bytes. Default 8 MiB.
	// Receivers keep as much of what they have not read.
	Buffer int64

	// FullSegments waits for a full segment, or Flush, before it sends. By default
	// whatever was written leaves as soon as the rate allows.
	FullSegments bool

	// MarkedMessages has WriteMessage mark where messages begin and nothing else,
	// for receivers of other implementations. By default each message has its
	// length, in 4 bytes, before it, which StreamReader.ReadMessage reads.
	MarkedMessages bool

	// WaitFor and WaitForCount are the receivers whose confirmation Commit waits
	// for, named or just a number of them. With either, Write follows the slowest of
	// them: what they have not read stays in the buffer.
	WaitFor      []NodeID
	WaitForCount int

	// DropAfter is how long the stream waits for one receiver, whatever it asks for;
	// one that has not confirmed after so long is no longer waited for. Default: as
	// long as a receiver shows signs of life within SenderConfig.AckTimeout.
	DropAfter time.Duration

	// Keep is how long something stays in the buffer at least after it was last sent
	// or asked for. Default is the time for a receiver to ask four times. Without
	// WaitFor and WaitForCount it is what makes a loss for good unlikely, and bounds
	// the speed at Buffer / Keep.
	Keep time.Duration
}

func (c *StreamConfig) core() core.StreamSpec {
	return core.StreamSpec{
		Buffer: c.Buffer, Info: c.Info, FullSegments: c.FullSegments, MessagePerSegment: c.MarkedMessages,
		AckNodes: c.WaitFor, AckCount: c.WaitForCount, DropAfter: c.DropAfter, Keep: c.Keep,
	}
}

// A LostError says that a part of a stream will not come: the sender no longer keeps it,
// or the reader was too slow. Reading goes on behind it.
type LostError struct {
	From, To uint64 // byte offsets in the stream; To is not lost
}

func (e *LostError) Error() string {
	return fmt.Sprintf("norm: bytes %d to %d of the stream are lost", e.From, e.To)
}

// ErrMessage is wrapped when a message cannot be read: it is larger than
// ReceiverConfig.MaxMessage, or its writer and reader differ in MarkedMessages. Reading
// goes on with the next one.
var ErrMessage = errors.New("not a message that can be read")

// messageHeader is the length of the prefix that WriteMessage writes: the message's
// length, big-endian.
const messageHeader = 4
