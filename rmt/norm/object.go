package norm

import (
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// An Object is a file or data object that was received whole.
type Object struct {
	key      core.ObjectKey
	name     string
	path     string
	size     int64
	info     []byte
	data     []byte
	sum      [32]byte
	verified bool
	skipped  bool
	resumed  int64
	set      *FileSet
	held     int64 // of ReceiverConfig.MaxMemory, until it is taken from Objects
	started  time.Time
	finished time.Time
}

// Name returns the file name its sender gave, with slashes between directories;
// empty for a data object.
func (o *Object) Name() string { return o.name }

// Path returns where the file is; empty for an object in memory.
func (o *Object) Path() string { return o.path }

// Size returns its size in bytes.
func (o *Object) Size() int64 { return o.size }

// Bytes returns the content of an object in memory, nil for a file on disk. The
// slice is the caller's.
func (o *Object) Bytes() []byte { return o.data }

// Info returns its NORM_INFO content, nil if there was none.
func (o *Object) Info() []byte { return o.info }

// SHA256 returns the digest of what was received; zero for a file with
// ReceiverConfig.NoDigest.
func (o *Object) SHA256() [32]byte { return o.sum }

// Verified reports whether the sender announced a SHA-256, which then was the same.
// If it was not, there is no Object but an ErrDigest.
func (o *Object) Verified() bool { return o.verified }

// Skipped reports whether the file was here already and its sender asked not to receive
// it again: see [IfAbsent].
func (o *Object) Skipped() bool { return o.skipped }

// Resumed returns how many bytes of it an earlier receiver had left: see
// ReceiverConfig.KeepPartial.
func (o *Object) Resumed() int64 { return o.resumed }

// Set returns what became of a set of files, of a directory for example, when the object
// is the end of one: it is then no file itself and has no content. It is nil for every
// other object.
func (o *Object) Set() *FileSet { return o.set }

// Sender returns the node ID of its sender.
func (o *Object) Sender() NodeID { return o.key.Sender.Node }

// ID returns its NormTransportId.
func (o *Object) ID() uint16 { return uint16(o.key.Object) }

// Started and Finished return when its first message came and when it was safe.
func (o *Object) Started() time.Time  { return o.started }
func (o *Object) Finished() time.Time { return o.finished }

// An ObjectStatus is how far an object has come.
type ObjectStatus struct {
	Sender   NodeID
	ID       uint16
	Name     string // once it is known
	Size     int64
	Received int64 // bytes in place
}
