package norm

import (
	crand "crypto/rand"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

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
	// sent unasked. BlockSize + Parity is at most 255. Default 64, 16 and 0;
	// negative Parity means none.
	BlockSize, Parity, AutoParity int

	// Encoding is the FEC Encoding ID. Default fec.ReedSolomonGF8 (5);
	// fec.SmallBlockSystematic (129) numbers 256 times as many blocks, for
	// objects beyond 1.5 TB at the default sizes.
	Encoding fec.EncodingID

	// Scheme overrides the code registered for Encoding, for peers with
	// another Reed-Solomon matrix.
	Scheme *fec.Scheme

	// GRTT is the group round-trip time assumed before the first answer.
	// Default 10 ms, with CCMax 2 ms.
	GRTT time.Duration

	// Backoff is the longest NACK delay of the receivers in units of the
	// round-trip time, 1 to 15. Default 4; negative means none, for a single
	// receiver.
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

	// Logger, if set, is told of network errors and ends of objects.
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
		AutoParity: c.AutoParity, Encoding: c.Encoding, Scheme: c.Scheme, GRTT: c.GRTT,
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
	// it is complete and verified, replacing one of that name; until then it
	// has a temporary name. If Dir is empty files are kept in memory, as data
	// objects are.
	Dir string

	// Unicast sends NACKs and ACKs to the sender's address instead of the
	// group. Source-specific groups need it.
	Unicast bool

	// Scheme overrides the registered FEC codes by encoding ID.
	Scheme func(fec.EncodingID) (fec.Scheme, error)

	// BufferBytes bounds the memory for blocks being received and written.
	// Default 64 MiB.
	BufferBytes int64

	// MaxMemory bounds data objects, being received or waiting in Objects,
	// together. Default 256 MiB.
	MaxMemory int64

	// MaxSenders and MaxObjects bound how many senders, and objects of one
	// sender, are received at a time. Default 64 and 256.
	MaxSenders, MaxObjects int

	// Logger, if set, is told of network errors and ends of objects.
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
		BufferBytes: c.BufferBytes, MaxSenders: c.MaxSenders, MaxObjects: c.MaxObjects,
		Rand: rand.New(rand.NewChaCha8(seed)),
	}
}

// Validate reports the first setting that makes no sense, wrapping ErrConfig.
func (c ReceiverConfig) Validate() error {
	_, err := core.NewReceiver(c.core())
	return err
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
