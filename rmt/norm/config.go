package norm

import (
	"cmp"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/rmt/fec"
	_ "github.com/gomulticast/multicast/rmt/fec/rs" // the default scheme registers itself
	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// SenderConfig holds a sender's settings. The zero value works on a local network:
// zero fields take the default of their comment, negative ones turn a thing off
// where that makes sense. [WAN] and [Satellite] are for longer paths.
type SenderConfig struct {
	// NodeID identifies the sender in the session. Default random.
	NodeID NodeID

	// Group is where messages go. Default: the connection's own group.
	Group netip.AddrPort

	// Rate is the sending rate in bits per second, IP and UDP headers
	// included. Default 100 Mbit/s; negative is the same as CC: CCMax. It is
	// not used with congestion control.
	Rate int64

	// CC says who decides on the rate: Rate (CCNone, the default), the share
	// that TCP would have (CCTFMCC), or what the slowest path delivers
	// (CCMax). MinRate and MaxRate bound it with the last two, in bits per
	// second; the defaults are low for MinRate and none for MaxRate. Why the
	// rate is what it is stands in SenderStats.Rate.
	CC               CongestionControl
	MinRate, MaxRate int64

	// ECN lets routers mark packets instead of dropping them, which CCTFMCC
	// takes for loss. It sets the whole TOS octet of each packet, in place of
	// what the connection was given.
	ECN bool

	// SegmentSize is the payload of a data message in bytes. Default 1,400,
	// which fits an Ethernet MTU with every header.
	SegmentSize int

	// BlockSize is the number of symbols in a coding block, Parity how many
	// parity symbols can be made for it, AutoParity how many of those are
	// sent unasked. Default 64, 32 and 0; negative Parity means none. BlockSize +
	// Parity is at most 2,048, and a block at most 16 MiB. Beyond 255 symbols
	// Encoding is fec.ReedSolomonGF2m with m = 16, SegmentSize must be even, and
	// coding is many times slower: for losses in bursts longer than a small block
	// stands, not for speed.
	BlockSize, Parity, AutoParity int

	// Encoding is the FEC Encoding ID. Default fec.ReedSolomonGF8 (5), or
	// fec.ReedSolomonGF2m (2) where a block has more than 255 symbols;
	// fec.SmallBlockSystematic (129) numbers 256 times as many blocks, for
	// objects beyond 1.5 TB at the default sizes.
	Encoding fec.EncodingID

	// Scheme overrides the code registered for Encoding, for peers with
	// another Reed-Solomon matrix.
	Scheme *fec.Scheme

	// GRTT is the group round-trip time assumed before the first answer.
	// Default 10 ms, with CCMax 2 ms.
	GRTT time.Duration

	// MinGRTT is the least round-trip time that is believed. Default 1 ms.
	MinGRTT time.Duration

	// FlushInterval is the least time between two questions to the group whether it
	// lacks anything. Default 10 ms.
	FlushInterval time.Duration

	// Backoff is the longest NACK delay of the receivers in units of the
	// round-trip time, 1 to 15. Default 4; negative means none, for a single
	// receiver. Where all receivers are known there is none either: with up to
	// 8 of them, and with up to 32 at the end.
	Backoff int

	// GroupSize is the expected number of receivers, within an order of
	// magnitude. Default 100.
	GroupSize int

	// RobustFactor is how often an end of transmission is repeated. Default
	// 20.
	RobustFactor int

	// AckTimeout is how long a transfer that waits for confirmations goes on
	// while no receiver confirms and none asks for repair. Default 30 s.
	AckTimeout time.Duration

	// CacheObjects is how many objects are under way or kept for repair at a
	// time. Default 64.
	CacheObjects int

	// Logger, if set, is told of network errors and ends of objects, and warned of node
	// IDs that are not unique.
	Logger *slog.Logger
}

// CongestionControl says who decides on a sender's rate.
type CongestionControl = core.CongestionControl

// Ways to decide on a sender's rate.
const (
	CCNone  = core.CCNone  // SenderConfig.Rate does
	CCTFMCC = core.CCTFMCC // TCP-friendly (RFC 5740 section 5.5.2, RFC 4654)
	CCMax   = core.CCMax   // what the slowest path delivers, beside TCP or not
)

// RateStatus tells why a sender's rate is what it is.
type RateStatus = core.RateStatus

// WAN returns settings for a routed network: TFMCC, which is fair to TCP, and a
// round-trip time of up to 0.5 s until measured, as RFC 5740 section 6 recommends.
func WAN() SenderConfig {
	return SenderConfig{CC: CCTFMCC, GRTT: 500 * time.Millisecond, GroupSize: 1000, SegmentSize: 1300}
}

// Satellite returns settings for a geostationary link with a return channel: long
// round trips, and parity sent unasked so that most losses need none.
func Satellite() SenderConfig {
	return SenderConfig{Rate: 10_000_000, GRTT: 1500 * time.Millisecond, GroupSize: 10_000, BlockSize: 128, Parity: 32, AutoParity: 4, SegmentSize: 1300}
}

// LowLatency returns settings for streams of small messages to a few receivers nearby, to
// be used with ReceiverConfig.RepairBySymbol: a loss is noticed with the next message and
// asked for at once.
func LowLatency() SenderConfig {
	return SenderConfig{
		GRTT: time.Millisecond, MinGRTT: 200 * time.Microsecond, Backoff: -1, GroupSize: 10,
		BlockSize: 16, Parity: 4, FlushInterval: 2 * time.Millisecond,
	}
}

// A SyncPolicy says where reception of a sender that is already at work begins.
type SyncPolicy = core.SyncPolicy

const (
	// SyncCurrent begins with the object being sent; of a stream, with the block.
	SyncCurrent = core.SyncCurrent
	// SyncStream begins a stream at its beginning, as far as its sender keeps it.
	SyncStream = core.SyncStream
	// SyncAll asks for everything that the sender still has.
	SyncAll = core.SyncAll
)

func (c *SenderConfig) core() core.SenderConfig {
	seed := seed()
	id := c.NodeID
	if id == 0 {
		id = randomNode(&seed)
	}
	cc := c.CC
	if cc == CCNone && c.Rate < 0 {
		cc = CCMax
	}
	return core.SenderConfig{
		CC: cc, MinRate: c.MinRate, MaxRate: c.MaxRate, ECN: c.ECN,
		NodeID: id, InstanceID: binary.BigEndian.Uint16(seed[28:]), Group: c.Group,
		Rate: c.Rate, SegmentSize: c.SegmentSize, BlockSize: c.BlockSize, Parity: c.Parity,
		AutoParity: c.AutoParity, Encoding: c.Encoding, Scheme: c.Scheme, GRTT: c.GRTT, MinGRTT: c.MinGRTT, FlushInterval: c.FlushInterval,
		Backoff: c.Backoff, GroupSize: c.GroupSize, RobustFactor: c.RobustFactor,
		AckTimeout: c.AckTimeout, CacheObjects: c.CacheObjects,
		Rand: rand.New(rand.NewChaCha8(seed)),
	}
}

// Validate reports the first setting that makes no sense, wrapping ErrConfig.
func (c SenderConfig) Validate() error {
	_, err := core.NewSender(c.core())
	return err
}

// ReceiverConfig holds a receiver's settings, in the same manner.
type ReceiverConfig struct {
	// NodeID identifies the receiver in the session. Default random.
	NodeID NodeID

	// Group is where multicast feedback goes. Default: the connection's own
	// group.
	Group netip.AddrPort

	// Dir is where files are put, by the names their senders gave them but
	// never outside of it. It must exist. A file appears under its name when
	// it is complete and verified; until then it has a temporary name. If Dir
	// is empty files are kept in memory, as data objects are. Several receivers may
	// share one. Temporary files that others left there when they were killed are
	// gone on with or removed.
	Dir string

	// OnExist is what becomes of a file when there is one of its name. Default
	// Replace.
	OnExist Existing

	// KeepModes gives files, and directories that are made because they are listed in a
	// set, the permissions their senders have them with, except those of others to
	// write. By default files are not executable.
	KeepModes bool

	// KeepPartial is how long a file of a MiB and more that was not complete is kept
	// for this or a later receiver on Dir to go on with, if its sender announced its
	// SHA-256. Default 1 day; negative removes it. At most 1,024 are kept, and
	// 256 GiB but for the newest.
	KeepPartial time.Duration

	// NoDigest does not compute the SHA-256 of files: they are not compared with what
	// their senders announce, and not kept when they are not complete. It saves a sixth of
	// a receiver's work where the network is trusted not to damage anything that
	// UDP's checksum does not find.
	NoDigest bool

	// AlwaysReceive receives what is here already too, whatever its sender says: see
	// [IfAbsent]. Otherwise whoever can send to the session can find out whether a file
	// of a certain name and content is here, and has files read.
	AlwaysReceive bool

	// Fsync has the disk confirm each file before its receipt is.
	Fsync bool

	// MaxFileSize bounds a file in Dir, in bytes; default 1 TiB. MaxFiles bounds how
	// many are being received at a time; default 1,024.
	MaxFileSize int64
	MaxFiles    int

	// SenderFiles and SenderBytes bound what one sender, by its address, may put
	// into Dir while the receiver lives. Default 0 is no bound.
	SenderFiles int
	SenderBytes int64

	// SetEntries bounds the files and directories that the list of one set may name, as
	// SendDir sends it; the files of a set whose list is refused are received all the
	// same. Default 262,144; negative takes all that a list can name, 1,048,576.
	SetEntries int

	// SenderDirs bounds the directories that are made in Dir within a day for one sender,
	// by its address: because lists of sets name them, or files lie in them. Default 65,536;
	// negative is no bound.
	SenderDirs int

	// KeepFree is how much room is left on the disk of Dir, in bytes: a file for which
	// there is not more than that is not begun. Default 64 MiB; negative does not
	// look.
	KeepFree int64

	// Unicast sends NACKs and ACKs to the sender's address instead of the
	// group. Source-specific groups need it.
	Unicast bool

	// Scheme overrides the registered FEC codes by encoding ID.
	Scheme func(fec.EncodingID) (fec.Scheme, error)

	// BufferBytes bounds the memory for blocks being received and written. A
	// block may take a quarter of it; objects with longer ones end with an
	// error. Default 64 MiB.
	BufferBytes int64

	// MaxMemory bounds data objects, being received or waiting in Objects, and lists
	// of sets that wait for files, together. Default 256 MiB. An object counts with its
	// size from its beginning on, so that there is room for it to its end; memory is taken
	// as its content comes.
	MaxMemory int64

	// Sync is what is received of a sender that is already at work. Default
	// SyncCurrent.
	Sync SyncPolicy

	// RepairBySymbol asks for what is missing of a stream as soon as something later
	// arrives, not at the end of its block: see [LowLatency].
	RepairBySymbol bool

	// DirectRead has a StreamReader take packets from the connection itself while it waits
	// for them, instead of being woken when they were handled: a message is there some 10 µs
	// earlier. It is for a receiver of one stream that is read all the time; while
	// nobody reads, packets may wait for 40 ms. With mcast.Spin, reading never
	// sleeps. It needs a connection that has SetReadDeadline, as those of mcast have.
	DirectRead bool

	// Silent sends nothing at all: the receiver lives on parity that is sent unasked,
	// on what others ask for and on objects sent again. Of a stream, a block that is not
	// complete when the sender is SilentDelay blocks ahead is given up; default 4.
	Silent      bool
	SilentDelay int

	// Answer answers the questions of senders' applications ([Sender.Ask]) to this
	// receiver: the acknowledgement carries the payload, at most one of the sender's segments
	// or, while nothing was received of it, 512 bytes; false does not acknowledge. It is
	// called once for each question, by a goroutine of its own, one call after the
	// other; of questions that wait it is as with those of Commands. Without it, none is
	// answered: RFC 5740 section 4.2.3.6 would have it, but nobody could rely on that
	// acknowledgement. A silent receiver is not asked.
	Answer func(AckRequest) (payload []byte, ok bool)

	// MaxMessage bounds what ReadMessage reads, in bytes. Default 16 MiB.
	MaxMessage int

	// MaxSenders and MaxObjects bound how many senders, and objects of one
	// sender, are received at a time. Default 64 and 256.
	MaxSenders, MaxObjects int

	// Logger, if set, is told of network errors and ends of objects, and warned of node
	// IDs that are not unique.
	Logger *slog.Logger
}

func (c *ReceiverConfig) core() core.ReceiverConfig {
	seed := seed()
	id := c.NodeID
	if id == 0 {
		id = randomNode(&seed)
	}
	return core.ReceiverConfig{
		NodeID: id, Group: c.Group, Unicast: c.Unicast, Scheme: c.Scheme,
		InfoFirst: c.Dir != "", Silent: c.Silent, SilentDelay: c.SilentDelay, Sync: c.Sync, RepairBySymbol: c.RepairBySymbol, BufferBytes: c.BufferBytes, MaxSenders: c.MaxSenders, MaxObjects: c.MaxObjects,
		Rand: rand.New(rand.NewChaCha8(seed)),
	}
}

// coalesce is for how long packets may gather: see NewReceiver.
func (c *ReceiverConfig) coalesce() time.Duration {
	if c.RepairBySymbol || c.DirectRead {
		return 0
	}
	return drive.FileCoalescing
}

// Validate reports the first setting that makes no sense, wrapping ErrConfig.
func (c ReceiverConfig) Validate() error {
	if err := c.files(); err != nil {
		return err
	}
	_, err := core.NewReceiver(c.core())
	return err
}

// files fills in the defaults of what has to do with storing, and validates it.
func (c *ReceiverConfig) files() error {
	setDefault(&c.MaxMemory, 256<<20)
	setDefault(&c.MaxFileSize, 1<<40)
	setDefault(&c.MaxFiles, 1024)
	setDefault(&c.KeepPartial, 24*time.Hour)
	setDefault(&c.SetEntries, 1<<18)
	setDefault(&c.SenderDirs, 1<<16)
	if c.SetEntries < 0 {
		c.SetEntries = maxListed
	}
	if c.NoDigest {
		c.KeepPartial = -1 // what is gone on with must be verified
	}
	setDefault(&c.KeepFree, 64<<20)
	switch {
	case c.OnExist > Number:
		return fmt.Errorf("%w: OnExist %d; give Replace, Keep or Number", ErrConfig, c.OnExist)
	case c.SetEntries > maxListed:
		return fmt.Errorf("%w: sets of %d files and directories; a list names at most %d of them, so give SetEntries no more", ErrConfig, c.SetEntries, maxListed)
	case c.MaxMessage < 0:
		return fmt.Errorf("%w: messages of at most %d bytes; leave MaxMessage 0 for 16 MiB", ErrConfig, c.MaxMessage)
	case c.MaxMemory < 0 || c.MaxFileSize < 0 || c.MaxFiles < 0 || c.SenderFiles < 0 || c.SenderBytes < 0:
		return fmt.Errorf("%w: %d bytes of memory, files of %d bytes, %d at a time, %d files and %d bytes of a sender: none may be negative", ErrConfig, c.MaxMemory, c.MaxFileSize, c.MaxFiles, c.SenderFiles, c.SenderBytes)
	}
	return nil
}

// maxMessage returns MaxMessage, or its default.
func (c ReceiverConfig) maxMessage() int {
	return min(cmp.Or(c.MaxMessage, 16<<20), math.MaxInt-1) // one more is counted with
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func seed() (s [32]byte) {
	crand.Read(s[:]) // it does not fail (crypto/rand)
	return s
}

func randomNode(seed *[32]byte) NodeID {
	for i := range seed {
		id := wire.NodeID(binary.BigEndian.Uint32([]byte{seed[i], seed[(i+1)%32], seed[(i+2)%32], seed[(i+3)%32]}))
		if id != wire.NodeNone && id != wire.NodeAny {
			return id
		}
	}
	return 1
}
